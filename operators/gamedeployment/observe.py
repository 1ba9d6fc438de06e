"""What a pass over a GameDeployment sees in the caches."""

from __future__ import annotations

from collections.abc import Mapping

from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.planning.refusals import Refusal
from operators.workload.observe import NO_REFUSALS, observe_common
from operators.workload.stores import Stores


def observe(
    stores: Stores,
    workload: GameDeploymentView,
    *,
    refusals: Mapping[str, Refusal] = NO_REFUSALS,
    creatable: frozenset[str] | None = None,
    host_ip: str = "",
) -> Observed:
    """Read everything of a workload from the caches."""
    common = observe_common(stores, workload, refusals=refusals, creatable=creatable, host_ip=host_ip)
    return Observed(
        workload=common.workload,
        pods=common.pods,
        revisions=common.revisions,
        hook_runs=common.hook_runs,
        templates=common.templates,
        overlapping=common.overlapping,
        refusals=common.refusals,
        creatable=common.creatable,
        host_ip=common.host_ip,
        node_costs=stores.node_costs(),
    )
