"""What a pass over a GameDeployment sees in the caches."""

from __future__ import annotations

from collections.abc import Mapping

from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.planning.refusals import Refusal
from operators.workload.observe import NO_REFUSALS, NO_WARNINGS, observe_common
from operators.workload.stores import Stores


def observe(
    stores: Stores,
    workload: GameDeploymentView,
    *,
    refusals: Mapping[str, Refusal] = NO_REFUSALS,
    creatable: frozenset[str] | None = None,
    warnings: Mapping[str, tuple[str, ...]] = NO_WARNINGS,
    host_ip: str = "",
) -> Observed:
    """Read everything of a workload from the caches."""
    common = observe_common(
        stores, workload, refusals=refusals, creatable=creatable, warnings=warnings, host_ip=host_ip
    )
    return Observed(
        workload=common.workload,
        pods=common.pods,
        revisions=common.revisions,
        hook_runs=common.hook_runs,
        templates=common.templates,
        overlapping=common.overlapping,
        refusals=common.refusals,
        creatable=common.creatable,
        warnings=common.warnings,
        host_ip=common.host_ip,
        node_costs=stores.node_costs(),
    )
