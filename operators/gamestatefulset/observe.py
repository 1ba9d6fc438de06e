"""What a pass over a GameStatefulSet sees in the caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from operators.gamestatefulset.claimviews import ClaimView
from operators.gamestatefulset.lostnodes import Delays
from operators.gamestatefulset.observed import GameStatefulSetView, Observed
from operators.gamestatefulset.ordinals import members, pod_name
from operators.planning.refusals import Refusal
from operators.runtime.store import Store
from operators.workload.observe import NO_REFUSALS, NO_WARNINGS, observe_common
from operators.workload.stores import Stores, claims_of_series


def observe(
    stores: Stores,
    claims: Store[Any],
    workload: GameStatefulSetView,
    delays: Delays,
    *,
    refusals: Mapping[str, Refusal] = NO_REFUSALS,
    creatable: frozenset[str] | None = None,
    warnings: Mapping[str, tuple[str, ...]] = NO_WARNINGS,
    host_ip: str = "",
) -> Observed:
    """Read everything of a workload from the caches; ``claims`` is that of volume claims."""
    common = observe_common(
        stores, workload, refusals=refusals, creatable=creatable, warnings=warnings, host_ip=host_ip
    )
    known = {p.name for p in common.pods}
    holders = (stores.pod(workload.namespace, name) for name in _names(workload) - known)
    lost = {p.node for p in common.pods if p.deleting and p.node}
    nodes = {name: n for name in lost if (n := stores.node(name)) is not None}
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
        claims=_claims_of(claims, workload),
        name_conflicts=tuple(p for p in holders if p is not None),
        nodes=nodes if len(stores.nodes) else None,
        delays=delays,
    )


def _claims_of(claims: Store[Any], workload: GameStatefulSetView) -> dict[str, ClaimView]:
    if workload.spec is None:
        return {}
    series = (f"{t['metadata']['name']}-{workload.name}" for t in workload.spec.volume_claim_templates)
    return {c.name: c for one in series for c in claims_of_series(claims, workload.namespace, one)}


def _names(workload: GameStatefulSetView) -> set[str]:
    """Names of all pods there may be, surge included."""
    spec = workload.spec
    if spec is None:
        return set()
    inside, above = members(spec.replicas, spec.reserve_orders, spec.replicas)
    return {pod_name(workload.name, ordinal) for ordinal in (*inside, *above)}
