"""A workload in a few lines, from what the planner makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from operators.api.reasons import BlockedReason, ConditionType
from operators.cli.game.documents import (
    BudgetUse,
    HookState,
    ImageChange,
    PodNumbers,
    State,
    StepNumbers,
    Summary,
    WorkloadName,
)
from operators.cli.game.hookstates import hook_states, open_hooks
from operators.cli.game.subject import Subject
from operators.cli.game.text import age, sentence
from operators.planning.canary.state import describe
from operators.planning.explain import HELD
from operators.planning.rollout import Rollout

_WAITING: Final = frozenset(
    {BlockedReason.HOOK_RUNNING, BlockedReason.CANARY_HOOK_RUNNING, BlockedReason.IN_PLACE_GRACE}
)
#: What a rollout that hooks hold up says besides.
_HELD_BY_HOOKS: Final = frozenset({BlockedReason.CANARY_STEP, BlockedReason.BUDGET_EXHAUSTED})
#: Words of the reasons whose own name is no sentence; of others the name is taken apart.
_WORDS: Final[Mapping[str, str]] = {
    BlockedReason.CANARY_PAUSED: "Paused by a canary step",
    BlockedReason.PAUSED: "Paused by a person",
    BlockedReason.PARTITION_REACHED: "Rests at its partition",
    BlockedReason.ON_DELETE: "Updated by deletion only",
    BlockedReason.IN_PLACE_UPDATING: "Updating in place",
    BlockedReason.IN_PLACE_GRACE: "Updating in place",
    BlockedReason.CANARY_STEP: "Updating",
    BlockedReason.BUDGET_EXHAUSTED: "Updating",
    BlockedReason.PODS_NOT_READY: "Waiting for pods to be ready",
    BlockedReason.MIN_READY_SECONDS: "Waiting for minReadySeconds",
    BlockedReason.CREATE_BATCH: "Creating pods",
    BlockedReason.CANARY_ROLLED_BACK: "Rolled back",
    BlockedReason.CANARY_ABORTED: "Aborted",
    "RollingOut": "Updating",
    "AllPodsUpdated": "Complete",
    "Settled": "Settled",
}


def summary(subject: Subject, hooks: list[HookState] | None = None) -> Summary:
    """What one reads first of a workload; ``hooks`` are its HookRuns where they are known already."""
    conditions = planned_conditions(subject)
    waits = open_hooks(hook_states(subject) if hooks is None else hooks)
    state, reason, message = _state(subject, conditions, asked=bool(waits))
    blocked = conditions.get(ConditionType.BLOCKED, {})
    stuck = blocked.get("status") == "True"
    return Summary(
        workload=name_of(subject),
        state=state,
        reason=reason,
        words=_words(state, reason, waits),
        message=message,
        since=_since(subject, state, conditions),
        strategy=strategy_of(subject),
        step=_step(subject),
        images=images_of_rollout(subject),
        pods=_pods(subject),
        budget=_budget(subject, waits),
        needs_you=str(blocked.get("message") or "") if stuck else "",
        needs_you_reason=str(blocked.get("reason") or "") if stuck else "",
        waits_for=tuple(waits),
    )


def name_of(subject: Subject) -> WorkloadName:
    """Which workload."""
    return WorkloadName(kind=subject.kind, namespace=subject.view.namespace, name=subject.view.name)


def planned_conditions(subject: Subject) -> dict[str, Mapping[str, Any]]:
    """The conditions that the next pass would write, by type."""
    dumped = subject.plan.status.dump()
    return {c["type"]: c for c in dumped.get("conditions") or ()}


def _state(subject: Subject, conditions: Mapping[str, Mapping[str, Any]], *, asked: bool) -> tuple[State, str, str]:
    """State, the reason's word, and the planner's message."""
    if subject.view.deleting:
        return "deleting", "", "the object is being deleted"
    blocked = conditions.get(ConditionType.BLOCKED, {})
    progressing = conditions.get(ConditionType.PROGRESSING, {})
    complete = conditions.get(ConditionType.COMPLETE, {})
    if not subject.seen:
        return "unseen", "", f"generation {subject.view.generation} was not seen by the operators yet"
    if complete.get("status") == "True":
        return "complete", str(complete["reason"]), str(complete["message"])
    if blocked.get("status") == "True":
        return "blocked", str(blocked["reason"]), str(blocked["message"])
    reason, message = str(progressing.get("reason") or ""), str(progressing.get("message") or "")
    if progressing.get("status") == "True":
        waiting = reason in _WAITING or (asked and reason in _HELD_BY_HOOKS)
        return ("waiting" if waiting else "progressing"), reason, message
    return "held" if reason in HELD else "progressing", reason, message


def _words(state: State, reason: str, waits: list[HookState]) -> str:
    if state == "deleting":
        return "Being deleted"
    if state == "unseen":
        return "Not seen by the operators"
    if state == "waiting" and reason != BlockedReason.IN_PLACE_GRACE:
        templates = sorted({h.template for h in waits if h.template})
        return f"Waiting for {', '.join(templates)}" if templates else "Waiting for hooks"
    return _WORDS.get(reason) or sentence(reason).capitalize()


def _since(subject: Subject, state: State, conditions: Mapping[str, Mapping[str, Any]]) -> str | None:
    """When this began: what needs a person by Blocked, all else by Complete, which turns as a rollout begins."""
    if state in ("deleting", "unseen"):
        return changed_at(subject)
    type_ = ConditionType.BLOCKED if state == "blocked" else ConditionType.COMPLETE
    found = conditions.get(type_, {}).get("lastTransitionTime")
    return str(found) if found else None


def changed_at(subject: Subject) -> str | None:
    """When the object was last written by others than a status update."""
    metadata = subject.body.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return str(metadata["deletionTimestamp"])
    times = [str(f["time"]) for f in metadata.get("managedFields") or () if f.get("time") and not f.get("subresource")]
    return max(times, default=None)


def strategy_of(subject: Subject) -> str:
    """Type, budget and grace, in a few words."""
    if subject.standing is None:
        return ""
    rollout = subject.standing.rollout
    strategy, replicas = rollout.spec.update_strategy, rollout.spec.replicas
    if strategy.type not in ("InplaceUpdate", "RollingUpdate"):
        return str(strategy.type)
    parts = [strategy.type, f"{rollout.budget.unavailable} of {replicas} may be down"]
    if rollout.surge:
        parts.append(f"{rollout.surge} more may exist")
    grace = rollout.settings.grace
    if rollout.in_place and grace:
        parts.append(f"grace {grace} s")
    return ", ".join(parts)


def _step(subject: Subject) -> StepNumbers:
    if subject.standing is None:
        return StepNumbers(number=0, count=0, does="", done=0, due=0, next="")
    rollout, counts = subject.standing.rollout, subject.standing.counts
    canary = rollout.canary
    due = max(0, counts.replicas - rollout.kept)
    done = min(counts.updated, due)
    number, count, does = 0, len(canary.steps), "update"
    if canary.steps and canary.index is not None:
        number = min(canary.index + 1, count)
        does = describe(canary.steps[canary.index]) if canary.active else "done"
    elif not rollout.outdated:
        does = "done"
    elif rollout.kept:
        does = f"partition {rollout.numbers.partition}"
    if canary.rolling_back:
        does, due, done = "roll back", counts.replicas, counts.stable
    return StepNumbers(number=number, count=count, does=does, done=done, due=due, next=_next(subject, rollout))


def _next(subject: Subject, rollout: Rollout) -> str:
    """What follows the step in force, in a few words."""
    canary = rollout.canary
    if not canary.steps:
        if canary.recorded.user_paused:
            return "a person resumes"
        return f"partition keeps {rollout.kept}" if rollout.kept else ""
    if not canary.active or canary.index is None:
        return ""
    step = canary.steps[canary.index]
    if canary.recorded.user_paused or (step.pause is not None and step.pause.duration is None and canary.held):
        return "a person resumes"
    following = canary.steps[canary.index + 1 :]
    if not following:
        return "the rest"
    words = describe(following[0])
    if step.pause is not None and canary.held and subject.plan.wake_after is not None:
        return f"{words}, in {age(subject.plan.wake_after)}"
    return f"{words}, a person" if words == "pause" else words


def images_of_rollout(subject: Subject) -> tuple[ImageChange, ...]:
    """Each container's image before and after."""
    if subject.standing is None:
        return ()
    rollout = subject.standing.rollout
    new = rollout.images.get(rollout.revisions.update, {})
    old = rollout.images.get(rollout.revisions.current, new)
    return tuple(ImageChange(container=n, old=old.get(n, ""), new=image) for n, image in new.items())


def _pods(subject: Subject) -> PodNumbers:
    found = subject.plan.status.dump()
    spec = subject.view.spec
    return PodNumbers(
        wanted=spec.replicas if spec is not None else 0,
        exist=int(found.get("replicas") or 0),
        ready=int(found.get("readyReplicas") or 0),
        available=int(found.get("availableReplicas") or 0),
        new=int(found.get("updatedReplicas") or 0),
        new_ready=int(found.get("updatedReadyReplicas") or 0),
    )


def _budget(subject: Subject, waits: list[HookState]) -> BudgetUse | None:
    """What the update may take and has taken, by the planner's own allowance."""
    if subject.standing is None or not subject.standing.rollout.outdated:
        return None
    rollout, allowance = subject.standing.rollout, subject.standing.allowance
    grace = sum(rollout.progress[p.name].wait is not None for p in rollout.pods)
    restarting = sum(not rollout.progress[p.name].done for p in rollout.pods) - grace
    guards = {rollout.update_hook, "predelete"}
    held = {h.pod for h in waits if h.hook in guards and h.state != "failed"}
    asked = sum(p.name in held and p.name in rollout.healthy for p in rollout.outdated)
    rest = max(0, allowance.down - grace - restarting)
    return BudgetUse(
        allowed=max(0, allowance.room),
        taken=allowance.down + asked,
        grace=grace,
        restarting=restarting,
        not_ready=rest,
        asked=asked,
    )
