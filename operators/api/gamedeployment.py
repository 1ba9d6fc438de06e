"""GameDeployment (spec/gamedeployment.md 1)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from operators.api.base import SpecModel
from operators.api.quantities import IntOrPercent
from operators.api.selectors import LabelSelector
from operators.api.status import WorkloadStatus
from operators.api.strategies import PodHook, UpdateStrategy

PodTemplate = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {
                "metadata": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "description": "Labels and annotations of the pods.",
                    "properties": {
                        "labels": {
                            "type": "object",
                            "maxProperties": 128,
                            "additionalProperties": {"type": "string", "maxLength": 63},
                        },
                        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
                "spec": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "description": "A PodSpec, kept exactly as written.",
                    "properties": {"restartPolicy": {"type": "string", "maxLength": 32}},
                },
            },
            "required": ["spec"],
        }
    ),
]


class ScaleStrategy(SpecModel):
    """Details of scaling."""

    pods_to_delete: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(max_length=5000, description="Names of pods to delete first; cleaned from the list once they are gone."),
    ] = ()
    create_batch: Annotated[
        IntOrPercent, Field(description="Pods created at a time when the workload is first created.")
    ] = "100%"


class GameDeploymentSpec(SpecModel):
    """What a GameDeployment should be."""

    replicas: Annotated[int, Field(ge=0, le=2147483647, description="Desired number of pods.")] = 1
    selector: Annotated[LabelSelector, Field(description="Which pods belong to this workload; never changes.")]
    template: Annotated[PodTemplate, Field(description="The pod to run; a change of it starts a rollout.")]
    scale_strategy: Annotated[ScaleStrategy, Field(description="Details of scaling.")] = ScaleStrategy()
    update_strategy: Annotated[UpdateStrategy, Field(description="How pods are updated.")] = UpdateStrategy()
    pre_delete_update_strategy: Annotated[
        PodHook,
        Field(description="Check before a pod is deleted; guards in-place updates too when it is the only one."),
    ] = PodHook()
    pre_inplace_update_strategy: Annotated[PodHook, Field(description="Check before a pod is updated in place.")] = (
        PodHook()
    )
    post_inplace_update_strategy: Annotated[PodHook, Field(description="Check after a pod was updated in place.")] = (
        PodHook()
    )
    revision_history_limit: Annotated[int, Field(ge=0, description="Number of unused revisions to keep.")] = 10
    min_ready_seconds: Annotated[
        int, Field(ge=0, description="Seconds a pod must be ready before it counts as available.")
    ] = 0
    disable_readiness_gate: Annotated[
        bool, Field(description="Do not add the readiness gate InPlaceUpdateReady to new pods.")
    ] = False


class GameDeploymentStatus(WorkloadStatus):
    """What a GameDeployment is."""
