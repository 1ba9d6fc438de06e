"""GameDeployment (docs/spec/gamedeployment.md 1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from operators.api.status import WorkloadStatus
from operators.api.strategies import UpdateStrategy
from operators.api.workloads import WorkloadSpec


class GameDeploymentSpec(WorkloadSpec):
    """What a GameDeployment should be."""

    update_strategy: Annotated[
        UpdateStrategy, Field(description="How pods get from one version of the template to the next.")
    ] = UpdateStrategy()


class GameDeploymentStatus(WorkloadStatus):
    """What a GameDeployment is."""
