"""The GameDeployment controller: what a pass sees, and what it decides."""

from __future__ import annotations

from operators.api.gamedeployment import GameDeploymentSpec
from operators.gamedeployment.observe import observe
from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.gamedeployment.plan import plan
from operators.planning.actions import Plan
from operators.workload.controller import WorkloadController


class GameDeploymentController(WorkloadController[GameDeploymentSpec]):
    """Passes over GameDeployments."""

    def decide(self, workload: GameDeploymentView) -> Plan:
        """Observe the workload, and plan."""
        return plan(self.observe(workload), self._context.now())

    def observe(self, workload: GameDeploymentView) -> Observed:
        """Read everything of a workload from the caches."""
        return observe(
            self._context.stores,
            workload,
            refusals=self.refusals_of(workload),
            creatable=self.creatable(workload),
            warnings=self.warnings(workload),
            host_ip=self.host_ip,
        )
