"""How a workload updates its pods, and which hooks guard them; shared by both kinds of workload."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from operators.api.base import Count, SpecModel
from operators.api.quantities import IntOrPercent

_TEMPLATE_NAME = Field(
    min_length=1, max_length=253, description="Name of the HookTemplate, in the namespace of the workload."
)

UpdateType = Literal["RollingUpdate", "InplaceUpdate", "HotPatchUpdate", "OnDelete"]
UPDATE_TYPE_HELP = (
    "RollingUpdate replaces pods. InplaceUpdate changes images, labels and annotations of living pods; any other "
    "change blocks. OnDelete leaves the moment to the user: a pod changes when somebody deletes it. HotPatchUpdate "
    "needs a patched kubelet."
)
PARTITION_HELP = (
    "Number or percentage of pods kept at the old version, rounded up; absent: 0, all are updated. Without effect "
    "while canary steps are given."
)


class HookArgument(SpecModel):
    """An argument handed to a hook."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of an argument the template declares.")]
    value: Annotated[str, Field(max_length=4096, description="Value; it replaces the default of the template.")]


class HookStep(SpecModel):
    """A call of a HookTemplate."""

    template_name: Annotated[str, _TEMPLATE_NAME]
    args: Annotated[
        tuple[HookArgument, ...],
        Field(max_length=64, description="Arguments of the template; those it does not declare are dropped."),
    ] = ()


class PodHook(SpecModel):
    """A hook that every pod has to pass."""

    hook: Annotated[
        HookStep | None, Field(description="The HookTemplate to run for each pod; no check when absent.")
    ] = None
    retry: Annotated[
        bool,
        Field(description="Set to true to run failed checks of this kind once more; the controller resets it."),
    ] = False


class InPlaceUpdateStrategy(SpecModel):
    """Details of in-place updates."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"policy", "onIneligible"})

    grace_period_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86400,
            description="Seconds a pod is not ready, and so out of its Services, before its containers restart.",
        ),
    ] = 0
    policy: Annotated[
        Literal["DisOrdered", "OrderedReady", "OrderedUpdated"],
        Field(
            description="Order of containers: all at once (DisOrdered), in the order of the template each after the "
            "one before is ready (OrderedReady), or each after the one before is updated (OrderedUpdated)."
        ),
    ] = "DisOrdered"
    on_ineligible: Annotated[
        Literal["Block", "Recreate"],
        Field(
            description="What happens to a pod whose change is not possible in place: it stays as it is and the "
            "condition Blocked says why (Block), or it is replaced (Recreate)."
        ),
    ] = "Block"


class Pause(SpecModel):
    """A canary step that waits."""

    duration: Annotated[
        Count | None, Field(description="Seconds to wait; absent: until a person sets paused to false.")
    ] = None


class CanaryStep(SpecModel):
    """One step of a canary: exactly one of partition, pause and hook."""

    partition: Annotated[
        IntOrPercent | None,
        Field(description="Update until this number or percentage of pods is left at the old version."),
    ] = None
    pause: Annotated[
        Pause | None,
        Field(description="Wait for a time, or, written {}, until a person sets updateStrategy.paused to false."),
    ] = None
    hook: Annotated[
        HookStep | None,
        Field(description="Run a HookTemplate; the next step follows its success, anything else pauses the rollout."),
    ] = None


class Canary(SpecModel):
    """Steps that a rollout takes one after the other."""

    steps: Annotated[
        tuple[CanaryStep, ...],
        Field(
            max_length=128,
            description="The steps, taken in order by every rollout; after the last one all pods are updated. Each "
            "has exactly one of partition, pause and hook.",
        ),
    ] = ()
    auto_rollback: Annotated[
        bool,
        Field(
            description="Return to the stable revision, within the budgets, when the hook of a step fails; otherwise "
            "the rollout pauses there."
        ),
    ] = False


class StrategyBase(SpecModel):
    """What the update strategies of both workloads have in common."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"type"})

    type: Annotated[UpdateType, Field(description=UPDATE_TYPE_HELP)] = "RollingUpdate"
    paused: Annotated[
        bool,
        Field(
            description="Stops updating, never scaling. A canary pause sets it; set it to false to go on. One set by "
            "the user stays until the user takes it back."
        ),
    ] = False
    in_place_update_strategy: Annotated[
        InPlaceUpdateStrategy, Field(description="Details of in-place updates; only for type InplaceUpdate.")
    ] = InPlaceUpdateStrategy()
    canary: Annotated[
        Canary | None, Field(description="Steps of a canary rollout; absent: updates go through at once.")
    ] = None


class UpdateStrategy(StrategyBase):
    """How the pods of a GameDeployment get from one version of the template to the next."""

    partition: Annotated[IntOrPercent | None, Field(description=PARTITION_HELP)] = None
    max_unavailable: Annotated[
        IntOrPercent,
        Field(
            description="Pods that may be unavailable during an update, as a number or a percentage of replicas; a "
            "percentage is rounded down, but not to 0 where maxSurge is 0."
        ),
    ] = "25%"
    max_surge: Annotated[
        IntOrPercent,
        Field(
            description="Pods that may exist beyond replicas during an update, as a number or a percentage of "
            "replicas; a percentage is rounded up."
        ),
    ] = "25%"
