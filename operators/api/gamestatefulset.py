"""GameStatefulSet (docs/spec/gamestatefulset.md 1)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, WithJsonSchema

from operators.api.base import Count, SpecModel
from operators.api.quantities import IntOrPercent
from operators.api.status import WorkloadStatus
from operators.api.strategies import PARTITION_HELP, StrategyBase
from operators.api.workloads import WorkloadSpec

_KEPT: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_CLAIM: Final = {
    **_KEPT,
    "required": ["metadata", "spec"],
    "properties": {
        "metadata": {
            **_KEPT,
            "required": ["name"],
            "description": "Name, labels and annotations of the claim.",
            "properties": {
                "name": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 253,
                    "description": "Name of the volume in the pod; the claim is called <name>-<pod>.",
                }
            },
        },
        "spec": {**_KEPT, "description": "A PersistentVolumeClaimSpec, kept exactly as written."},
    },
}
_Claims = Annotated[
    tuple[dict[str, Any], ...],
    WithJsonSchema({"type": "array", "maxItems": 64, "items": _CLAIM}),
]
_Retention = Literal["Retain", "Delete"]


class RollingUpdate(SpecModel):
    """Numbers of an update; partition counts under InplaceUpdate too."""

    partition: Annotated[IntOrPercent | None, Field(description=PARTITION_HELP)] = None
    max_unavailable: Annotated[
        IntOrPercent,
        Field(
            description="Pods that may be unavailable during an update, as a number or a percentage of replicas. Only "
            "with podManagementPolicy Parallel; OrderedReady takes one pod at a time."
        ),
    ] = "25%"
    max_surge: Annotated[
        IntOrPercent,
        Field(
            description="Pods of the new version that may exist beyond replicas during an update, as a number or a "
            "percentage of replicas. Only with podManagementPolicy Parallel."
        ),
    ] = 0


class StatefulUpdateStrategy(StrategyBase):
    """How the pods of a GameStatefulSet get from one version of the template to the next."""

    rolling_update: Annotated[
        RollingUpdate | None,
        Field(description="Partition and budget of an update; not for type OnDelete."),
    ] = None

    @property
    def numbers(self) -> RollingUpdate:
        """Partition and budget in force: those given, else the defaults."""
        return self.rolling_update or RollingUpdate()


class ClaimRetention(SpecModel):
    """What becomes of the claims of pods that are gone."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"whenDeleted", "whenScaled"})

    when_deleted: Annotated[
        _Retention, Field(description="When the workload is deleted: keep the claims, or delete them.")
    ] = "Retain"
    when_scaled: Annotated[
        _Retention, Field(description="When the workload is scaled in: keep the claims, or delete them.")
    ] = "Retain"


class GameStatefulSetSpec(WorkloadSpec):
    """What a GameStatefulSet should be."""

    empty_is_absent: ClassVar[frozenset[str]] = frozenset({"podManagementPolicy"})

    service_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Headless Service that gives the pods their network names (subdomain); made by the user, and "
            "never changed.",
        ),
    ]
    volume_claim_templates: Annotated[
        _Claims, Field(description="PersistentVolumeClaims that every pod gets, one of each; never changed.")
    ] = ()
    persistent_volume_claim_retention_policy: Annotated[
        ClaimRetention, Field(description="What becomes of the claims of pods that are gone.")
    ] = ClaimRetention()
    pod_management_policy: Annotated[
        Literal["OrderedReady", "Parallel"],
        Field(
            description="Create, update and delete one pod after the other in the order of ordinals (OrderedReady), "
            "or all that the budget allows at once (Parallel)."
        ),
    ] = "OrderedReady"
    reserve_orders: Annotated[
        tuple[Count, ...],
        Field(
            description="Ordinals that must not exist; higher ones take their place: 3 replicas and [1] are 0, 2, 3."
        ),
    ] = ()
    update_strategy: Annotated[
        StatefulUpdateStrategy, Field(description="How pods get from one version of the template to the next.")
    ] = StatefulUpdateStrategy()


class GameStatefulSetStatus(WorkloadStatus):
    """What a GameStatefulSet is."""

    current_replicas: Annotated[int, Field(description="Pods at the current revision.")] = 0
