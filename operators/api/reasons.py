"""Words that tools match: types and reasons of conditions, reasons of Events.

They stand in statuses, Events, metrics and alerts of users, so none may change. Each is a plain string in JSON. The
tables of ``docs/gamedeployment.md`` and ``docs/gamestatefulset.md`` say what they mean, and a test holds the two equal.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Types of the conditions of workloads."""

    AVAILABLE = "Available"
    COMPLETE = "Complete"
    PROGRESSING = "Progressing"
    BLOCKED = "Blocked"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    FAILED_SCALE = "FailedScale"
    FAILED_UPDATE = "FailedUpdate"
    TEMPLATE_WARNING = "TemplateWarning"


class ConditionReason(StrEnum):
    """Reasons of conditions while nothing waits and nothing is refused; else a `BlockedReason` is the reason."""

    ROLLING_OUT = "RollingOut"
    SETTLED = "Settled"
    IN_PROGRESS = "InProgress"
    ALL_PODS_UPDATED = "AllPodsUpdated"
    MINIMUM_REPLICAS_AVAILABLE = "MinimumReplicasAvailable"
    MINIMUM_REPLICAS_UNAVAILABLE = "MinimumReplicasUnavailable"
    NOT_BLOCKED = "NotBlocked"
    ALL_DONE = "Complete"
    HELD = "Held"
    POD_WARNING = "PodWarning"


class BlockedReason(StrEnum):
    """Why something waits or is refused: reason of a condition, of an Event, and a label of the ``blocked`` metric."""

    # Pods and budgets
    BUDGET_EXHAUSTED = "BudgetExhausted"
    NO_BUDGET = "NoBudget"
    PODS_NOT_READY = "PodsNotReady"
    MIN_READY_SECONDS = "MinReadySeconds"
    POD_FAILED = "PodFailed"
    IMAGE_PULL_FAILING = "ImagePullFailing"
    CONTAINER_FAILING = "ContainerFailing"
    POD_UNSCHEDULABLE = "PodUnschedulable"
    POD_STUCK_TERMINATING = "PodStuckTerminating"
    # Updates
    IN_PLACE_UPDATING = "InPlaceUpdating"
    IN_PLACE_GRACE = "InPlaceGrace"
    IN_PLACE_NOT_POSSIBLE = "InPlaceNotPossible"
    RESTARTING = "Restarting"
    RESTART_HELD = "RestartHeld"
    RESTART_NOT_POSSIBLE = "RestartNotPossible"
    PARTITION_REACHED = "PartitionReached"
    PAUSED = "Paused"
    ON_DELETE = "OnDelete"
    HOT_PATCH_NOT_ENABLED = "HotPatchNotEnabled"
    # Hooks of pods
    HOOK_RUNNING = "HookRunning"
    HOOK_ERRORS = "HookErrors"
    HOOK_FAILED = "HookFailed"
    POST_INPLACE_HOOK_FAILED = "PostInplaceHookFailed"
    HOOK_TEMPLATE_MISSING = "HookTemplateMissing"
    HOOK_ARGUMENT_MISSING = "HookArgumentMissing"
    FAILED_CREATE_HOOK_RUN = "FailedCreateHookRun"
    # Canaries
    CANARY_STEP = "CanaryStep"
    CANARY_PAUSED = "CanaryPaused"
    CANARY_HOOK_RUNNING = "CanaryHookRunning"
    CANARY_HOOK_FAILED = "CanaryHookFailed"
    CANARY_ROLLED_BACK = "CanaryRolledBack"
    CANARY_ABORTED = "CanaryAborted"
    CANARY_ROLLBACK_NOT_POSSIBLE = "CanaryRollbackNotPossible"
    INVALID_CANARY_STEP = "InvalidCanaryStep"
    # Scaling
    CREATE_BATCH = "CreateBatch"
    SURGE_KEPT = "SurgeKept"
    POD_FAILING = "PodFailing"
    PODS_TO_DELETE_FOREIGN = "PodsToDeleteForeign"
    INDEXES_EXHAUSTED = "IndexesExhausted"
    INVALID_INDEX_RANGE = "InvalidIndexRange"
    # GameStatefulSets
    ORDERED_READY = "OrderedReady"
    NAME_TAKEN = "NameTaken"
    CLAIM_TERMINATING = "ClaimTerminating"
    CLAIMS_FIRST = "ClaimsFirst"
    NODE_LOST = "NodeLost"
    # The object itself, and writes
    SELECTOR_OVERLAP = "SelectorOverlap"
    INVALID_SPEC = "InvalidSpec"
    INTERNAL_ERROR = "InternalError"
    FAILED_SCALE = "FailedScale"
    FAILED_UPDATE = "FailedUpdate"
    WRITE_REFUSED = "WriteRefused"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"


class EventReason(StrEnum):
    """Reasons of the Events on workloads, beside those of `BlockedReason`."""

    SUCCESSFUL_CREATE = "SuccessfulCreate"
    SUCCESSFUL_DELETE = "SuccessfulDelete"
    SUCCESSFUL_UPDATE_POD_IN_PLACE = "SuccessfulUpdatePodInPlace"
    SUCCESSFUL_UPDATE_POD_RE_CREATE = "SuccessfulUpdatePodReCreate"
    SUCCESSFUL_CREATE_HOOK_RUN = "SuccessfulCreateHookRun"
    SUCCESSFUL_CREATE_POST_HOOK_RUN = "SuccessfulCreatePostHookRun"
    POST_HOOK_RUN_EXISTED = "PostHookRunExisted"
    HOOK_ARGUMENT_DROPPED = "HookArgumentDropped"
    HOOK_RUN_RENEWED = "HookRunRenewed"
    RECREATING_FAILED_POD = "RecreatingFailedPod"
    FORCE_DELETED_NODE_LOST_POD = "ForceDeletedNodeLostPod"
    FAILED_CREATE = "FailedCreate"
    POD_WARNING = "PodWarning"
    FAILED_DELETE = "FailedDelete"
    FAILED_UPDATE_POD_IN_PLACE = "FailedUpdatePodInPlace"
    FAILED_UPDATE_POD_RE_CREATE = "FailedUpdatePodReCreate"
    FAILED_CREATE_HOOK_RUN = "FailedCreateHookRun"
    FAILED_CREATE_POST_HOOK_RUN = "FailedCreatePostHookRun"
    FAILED_WRITE = "FailedWrite"
    SET_STEP_INDEX = "SetStepIndex"
    CANARY_RESUMED = "CanaryResumed"
    CANARY_PAUSE_OVER = "CanaryPauseOver"
    CANARY_PAUSE_KEPT = "CanaryPauseKept"
    CANARY_COMMAND_OBEYED = "CanaryCommandObeyed"
    CANARY_COMMAND_STALE = "CanaryCommandStale"


class PauseReason(StrEnum):
    """Reasons of pause conditions: what of a canary has set ``paused``."""

    PAUSE_STEP = "PausedByCanaryPauseStep"
    HOOK_STEP = "PausedByStepBasedHook"
    ABORTED = "PausedByCanaryAbort"
