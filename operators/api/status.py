"""Status fields shared by both kinds of workload (docs/spec/gamedeployment.md 1.3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from operators.api.base import SpecModel

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Condition(SpecModel):
    """A standard condition."""

    type: Annotated[str, Field(max_length=316, description="Kind of condition.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[str, Field(max_length=1024, description="Why, in one word.")] = ""
    message: Annotated[str, Field(max_length=32768, description="Why, for people.")] = ""
    last_transition_time: Annotated[Time | None, Field(description="When the status last changed.")] = None
    observed_generation: Annotated[int | None, Field(description="Generation this is said of.")] = None


class PauseCondition(SpecModel):
    """Why the controller paused a rollout."""

    reason: Annotated[str, Field(description="PausedByCanaryPauseStep or PausedByStepBasedHook.")]
    start_time: Annotated[Time | None, Field(description="Since when.")] = None


class PodHookCondition(SpecModel):
    """A pod that waits for a hook."""

    pod_name: Annotated[str, Field(description="The pod.")]
    start_time: Annotated[Time | None, Field(description="Since when.")] = None
    phase: Annotated[
        str, Field(description="Phase of its HookRun: Pending, Running, Successful, Failed, Error or Inconclusive.")
    ] = ""


class CanaryStatus(SpecModel):
    """State of a canary."""

    revision: Annotated[str, Field(description="The stable revision: the last one that went through all steps.")] = ""
    current_step_hook_run: Annotated[str, Field(description="HookRun of the current step.")] = ""
    pause_start_time: Annotated[Time | None, Field(description="Unused; kept for older objects.")] = None


class WorkloadStatus(SpecModel):
    """What a workload is."""

    observed_generation: Annotated[int, Field(description="Generation of the spec that the status speaks of.")] = 0
    replicas: Annotated[int, Field(description="Pods that exist, those waiting for a hook included.")] = 0
    ready_replicas: Annotated[int, Field(description="Pods that are ready.")] = 0
    available_replicas: Annotated[int, Field(description="Pods ready for minReadySeconds.")] = 0
    updated_replicas: Annotated[int, Field(description="Pods at the update revision.")] = 0
    updated_ready_replicas: Annotated[int, Field(description="Ready pods at the update revision.")] = 0
    current_revision: Annotated[
        str, Field(description="ControllerRevision of the pods that are kept at the old version.")
    ] = ""
    update_revision: Annotated[str, Field(description="ControllerRevision that pods are updated to.")] = ""
    collision_count: Annotated[int, Field(description="Hash collisions of revision names.")] = 0
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Progressing, Complete, Available, and Blocked: what needs a person, naming pod, rule and "
            "numbers. Stalled, Reconciling and Ready say the same to tools that follow kstatus."
        ),
    ] = ()
    pause_conditions: Annotated[
        tuple[PauseCondition, ...], Field(description="Why the controller paused; empty under a pause by the user.")
    ] = ()
    label_selector: Annotated[str, Field(description="The selector in string form, for autoscalers.")] = ""
    current_step_index: Annotated[
        int | None, Field(description="Canary step being taken, from 0; the number of steps when all are done.")
    ] = None
    current_step_hash: Annotated[str, Field(description="Hash of the canary steps.")] = ""
    canary: Annotated[CanaryStatus, Field(description="State of the canary.")] = CanaryStatus()
    pre_delete_hook_condition: Annotated[
        tuple[PodHookCondition, ...], Field(description="Pods waiting to be deleted.")
    ] = ()
    pre_inplace_hook_condition: Annotated[
        tuple[PodHookCondition, ...], Field(description="Pods waiting to be updated.")
    ] = ()
    post_inplace_hook_condition: Annotated[
        tuple[PodHookCondition, ...], Field(description="Pods whose hook after an update has not succeeded.")
    ] = ()
