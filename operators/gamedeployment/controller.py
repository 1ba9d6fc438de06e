"""The GameDeployment controller: what a pass sees, and what it decides."""

from __future__ import annotations

from operators.api.gamedeployment import GameDeploymentSpec
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
        costed = self._context.stores.nodes.by("costed", "")
        costs = {n.name: n.cost for n in costed if n.cost is not None}
        return Observed(**self.seen(workload), node_costs=costs)
