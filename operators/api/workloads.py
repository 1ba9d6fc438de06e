"""What the specs of both workloads have in common.

Rules: docs/spec/gamedeployment.md 1.2, docs/spec/gamestatefulset.md 1.1.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from operators.api.base import Count, Replicas, SpecModel
from operators.api.podtemplate import PodTemplate
from operators.api.quantities import IntOrPercent
from operators.api.selectors import LabelSelector
from operators.api.status import Time
from operators.api.strategies import PodHook


class ScaleStrategy(SpecModel):
    """Details of scaling."""

    pods_to_delete: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(
            description="Names of pods to delete first; cleaned from the list once they are gone. With unchanged "
            "replicas they are replaced."
        ),
    ] = ()
    create_batch: Annotated[
        IntOrPercent,
        Field(
            description="Pods created at a time when the workload is first created, as a number or a percentage of "
            "replicas, rounded up; the next ones follow when those are ready."
        ),
    ] = "100%"


class WorkloadSpec(SpecModel):
    """What both kinds of workload say about their pods."""

    replicas: Annotated[Replicas, Field(description="Desired number of pods.")] = 1
    selector: Annotated[
        LabelSelector,
        Field(description="Which pods belong to this workload: it matches the labels of template, and never changes."),
    ]
    template: Annotated[PodTemplate, Field(description="The pod to run; a change of it starts a rollout.")]
    scale_strategy: Annotated[ScaleStrategy, Field(description="Details of scaling.")] = ScaleStrategy()
    pre_delete_update_strategy: Annotated[
        PodHook,
        Field(
            description="Check before the controller deletes a pod, in scaling in and in rolling updates. It guards "
            "in-place updates too when preInplaceUpdateStrategy has no hook. A pod deleted by hand is not checked."
        ),
    ] = PodHook()
    pre_inplace_update_strategy: Annotated[
        PodHook, Field(description="Check before a pod is updated in place; while it runs or fails the pod stays.")
    ] = PodHook()
    post_inplace_update_strategy: Annotated[
        PodHook,
        Field(
            description="Check after the new containers of a pod are ready; until it succeeds the pod counts as "
            "unavailable for the rollout."
        ),
    ] = PodHook()
    revision_history_limit: Annotated[Count, Field(description="Number of unused ControllerRevisions to keep.")] = 10
    min_ready_seconds: Annotated[
        Count, Field(description="Seconds a pod must be ready before it counts as available.")
    ] = 0
    progress_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=2_147_483_647,
            description="Seconds in which something must come on during a rollout, else Stalled and Blocked say so; "
            "off when absent. Not counted while it is held or hooks are asked. Ours, not of the Go operators.",
        ),
    ] = None
    restart_at: Annotated[
        Time | None,
        Field(
            description="Pods whose containers run since before this instant are restarted, within budget, grace and "
            "hooks, the longest running first: in place where that is the update type, else by replacing them. No "
            "new revision. Ours, not of the Go operators."
        ),
    ] = None
    restart_containers: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(max_length=128, description="Containers that restartAt restarts in place; all of the template if empty."),
    ] = ()
    restart_recreate: Annotated[
        bool, Field(description="Replace pods for restartAt, also where they are updated in place.")
    ] = False
    disable_readiness_gate: Annotated[
        bool,
        Field(
            description="Do not add the readiness gate InPlaceUpdateReady to new pods. Cannot change while the update "
            "type is InplaceUpdate."
        ),
    ] = False
