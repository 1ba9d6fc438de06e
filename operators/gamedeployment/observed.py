"""What one pass over a GameDeployment sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.api.gamedeployment import GameDeploymentSpec
from operators.planning import workloads

GameDeploymentView = workloads.WorkloadView[GameDeploymentSpec]


@dataclass(frozen=True, slots=True)
class Observed(workloads.Observed[GameDeploymentSpec]):
    """A GameDeployment and everything around it."""


def gamedeployment_view(obj: Mapping[str, Any]) -> GameDeploymentView:
    """Decode a GameDeployment; an invalid spec is kept as a text to show, never raised."""
    return workloads.workload_view(obj, GameDeploymentSpec.model_validate)
