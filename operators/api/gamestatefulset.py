"""GameStatefulSet (spec/gamestatefulset.md 1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from operators.api.base import SpecModel
from operators.api.gamedeployment import PodTemplate, ScaleStrategy
from operators.api.quantities import IntOrPercent
from operators.api.selectors import LabelSelector
from operators.api.status import WorkloadStatus
from operators.api.strategies import Canary, InPlaceUpdateStrategy, PodHook

_Claims = Annotated[
    tuple[dict[str, Any], ...],
    WithJsonSchema(
        {
            "type": "array",
            "maxItems": 64,
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        }
    ),
]
_Retention = Literal["Retain", "Delete"]


class RollingUpdate(SpecModel):
    """Numbers of an update."""

    partition: Annotated[IntOrPercent | None, Field(description="Pods kept at the old version.")] = None
    max_unavailable: Annotated[IntOrPercent, Field(description="Pods that may be unavailable; only with Parallel.")] = (
        "25%"
    )
    max_surge: Annotated[IntOrPercent, Field(description="Extra pods during an update; only with Parallel.")] = 0


class StatefulUpdateStrategy(SpecModel):
    """How pods get from one version to the next."""

    type: Annotated[
        Literal["RollingUpdate", "InplaceUpdate", "OnDelete", "HotPatchUpdate"], Field(description="Kind of update.")
    ] = "RollingUpdate"
    rolling_update: Annotated[RollingUpdate | None, Field(description="Numbers of an update.")] = None
    paused: Annotated[bool, Field(description="Stops updating, never scaling.")] = False
    in_place_update_strategy: Annotated[InPlaceUpdateStrategy, Field(description="Details of in-place updates.")] = (
        InPlaceUpdateStrategy()
    )
    canary: Annotated[Canary | None, Field(description="Steps of a canary rollout.")] = None


class ClaimRetention(SpecModel):
    """What becomes of the claims of pods that are gone."""

    when_deleted: Annotated[_Retention, Field(description="When the workload is deleted.")] = "Retain"
    when_scaled: Annotated[_Retention, Field(description="When the workload is scaled in.")] = "Retain"


class GameStatefulSetSpec(SpecModel):
    """What a GameStatefulSet should be."""

    replicas: Annotated[int, Field(ge=0, le=2147483647, description="Desired number of pods.")] = 1
    selector: Annotated[LabelSelector, Field(description="Which pods belong to this workload; never changes.")]
    template: Annotated[PodTemplate, Field(description="The pod to run; a change of it starts a rollout.")]
    service_name: Annotated[str, Field(min_length=1, max_length=253, description="Headless Service of the pods.")]
    volume_claim_templates: Annotated[_Claims, Field(description="Claims that every pod gets.")] = ()
    persistent_volume_claim_retention_policy: Annotated[
        ClaimRetention, Field(description="What becomes of the claims of pods that are gone.")
    ] = ClaimRetention()
    pod_management_policy: Annotated[
        Literal["OrderedReady", "Parallel"], Field(description="One pod after the other, or all at once.")
    ] = "OrderedReady"
    reserve_orders: Annotated[tuple[int, ...], Field(max_length=1000, description="Ordinals to leave out.")] = ()
    scale_strategy: Annotated[ScaleStrategy, Field(description="Details of scaling.")] = ScaleStrategy()
    update_strategy: Annotated[StatefulUpdateStrategy, Field(description="How pods are updated.")] = (
        StatefulUpdateStrategy()
    )
    pre_delete_update_strategy: Annotated[PodHook, Field(description="Check before a pod is deleted.")] = PodHook()
    pre_inplace_update_strategy: Annotated[PodHook, Field(description="Check before a pod is updated in place.")] = (
        PodHook()
    )
    post_inplace_update_strategy: Annotated[PodHook, Field(description="Check after a pod was updated in place.")] = (
        PodHook()
    )
    revision_history_limit: Annotated[int, Field(ge=0, description="Number of unused revisions to keep.")] = 10
    min_ready_seconds: Annotated[int, Field(ge=0, description="Seconds a pod must be ready to be available.")] = 0
    disable_readiness_gate: Annotated[bool, Field(description="Do not add the readiness gate to new pods.")] = False


class GameStatefulSetStatus(WorkloadStatus):
    """What a GameStatefulSet is."""

    current_replicas: Annotated[int, Field(description="Pods at the current revision.")] = 0
