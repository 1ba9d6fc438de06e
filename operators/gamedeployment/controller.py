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
        common = self.observe_common(workload)
        return Observed(
            workload=common.workload,
            pods=common.pods,
            revisions=common.revisions,
            hook_runs=common.hook_runs,
            templates=common.templates,
            overlapping=common.overlapping,
            refusals=common.refusals,
            host_ip=common.host_ip,
            node_costs=self._context.stores.node_costs(),
        )
