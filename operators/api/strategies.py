"""How a workload updates its pods, and which hooks guard them; shared by both kinds of workload."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from operators.api.base import SpecModel
from operators.api.quantities import IntOrPercent

_TEMPLATE_NAME = Field(
    min_length=1, max_length=253, description="Name of the HookTemplate, in the namespace of the workload."
)

UpdateType = Literal["RollingUpdate", "InplaceUpdate", "HotPatchUpdate", "OnDelete"]


class HookArgument(SpecModel):
    """An argument handed to a hook."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name the template declares.")]
    value: Annotated[str, Field(max_length=4096, description="Value of the argument.")]


class HookStep(SpecModel):
    """A call of a HookTemplate."""

    template_name: Annotated[str, _TEMPLATE_NAME]
    args: Annotated[tuple[HookArgument, ...], Field(max_length=64, description="Arguments of the template.")] = ()


class PodHook(SpecModel):
    """A hook that every pod has to pass."""

    hook: Annotated[HookStep | None, Field(description="The check to run; none when absent.")] = None
    retry: Annotated[
        bool,
        Field(description="Set to true to run failed checks of this kind once more; the controller resets it."),
    ] = False


class InPlaceUpdateStrategy(SpecModel):
    """Details of in-place updates."""

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
        int | None, Field(ge=0, description="Seconds to wait; absent: until a person sets paused to false.")
    ] = None


class CanaryStep(SpecModel):
    """One step of a canary: exactly one of partition, pause and hook."""

    partition: Annotated[
        IntOrPercent | None, Field(description="Number or percentage of pods kept at the old version.")
    ] = None
    pause: Annotated[Pause | None, Field(description="Wait for a time, or for a person.")] = None
    hook: Annotated[HookStep | None, Field(description="A check that must succeed before the next step.")] = None


class Canary(SpecModel):
    """Steps that a rollout takes one after the other."""

    steps: Annotated[tuple[CanaryStep, ...], Field(max_length=128, description="The steps, in order.")] = ()
    auto_rollback: Annotated[
        bool, Field(description="Return to the stable revision when the check of a step fails.")
    ] = False


class UpdateStrategy(SpecModel):
    """How pods get from one version of the template to the next."""

    type: Annotated[
        UpdateType,
        Field(
            description="RollingUpdate replaces pods, InplaceUpdate changes images and metadata of living pods, "
            "OnDelete leaves the moment to the user, HotPatchUpdate needs a patched kubelet."
        ),
    ] = "RollingUpdate"
    partition: Annotated[
        IntOrPercent | None, Field(description="Number or percentage of pods kept at the old version; absent: 0.")
    ] = None
    max_unavailable: Annotated[
        IntOrPercent, Field(description="Pods that may be unavailable during an update, as a number or a percentage.")
    ] = "25%"
    max_surge: Annotated[
        IntOrPercent, Field(description="Extra pods allowed during an update, as a number or a percentage.")
    ] = "25%"
    paused: Annotated[bool, Field(description="Stops updating, never scaling.")] = False
    in_place_update_strategy: Annotated[InPlaceUpdateStrategy, Field(description="Details of in-place updates.")] = (
        InPlaceUpdateStrategy()
    )
    canary: Annotated[Canary | None, Field(description="Steps of a canary rollout.")] = None

    @field_validator("type", mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        return value or "RollingUpdate"
