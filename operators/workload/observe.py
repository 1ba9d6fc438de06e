"""What is seen of a workload in caches of its namespace; the same for the controllers and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from operators.planning.refusals import Refusal
from operators.planning.views import PodView
from operators.planning.workloads import Observed, Spec, WorkloadView
from operators.workload.stores import Stores

S = TypeVar("S", bound=Spec)
#: Nothing was refused.
NO_REFUSALS: Mapping[str, Refusal] = {}
#: Nothing is known of what was created.
NO_WARNINGS: Mapping[str, tuple[str, ...]] = {}


def observe_common(
    stores: Stores,
    workload: WorkloadView[S],
    *,
    refusals: Mapping[str, Refusal] = NO_REFUSALS,
    creatable: frozenset[str] | None = None,
    warnings: Mapping[str, tuple[str, ...]] = NO_WARNINGS,
    host_ip: str = "",
) -> Observed[S]:
    """What every kind observes.

    ``refusals``, ``creatable``, ``warnings`` and ``host_ip`` are known to a controller only.
    """
    return Observed(
        workload=workload,
        pods=pods_of(stores, workload),
        revisions=stores.revisions_of(workload),
        hook_runs=(*stores.hook_runs_of(workload.uid), *stores.orphan_hook_runs(workload.namespace)),
        templates={t.name: t for t in stores.templates_in(workload.namespace)},
        overlapping=overlapping(stores, workload),
        refusals=refusals,
        creatable=creatable,
        warnings=warnings,
        host_ip=host_ip,
    )


def pods_of(stores: Stores, workload: WorkloadView[S]) -> tuple[PodView, ...]:
    """Pods that the workload controls, may adopt, or names in podsToDelete."""
    namespace = workload.namespace
    pods = list(stores.pods_of(workload.uid))
    if workload.spec is not None:
        pods += [p for p in stores.orphan_pods(namespace) if workload.spec.selector.matches(p.labels)]
        if workload.spec.scale_strategy.pods_to_delete:
            known = {p.name for p in pods}
            named = {n for n in workload.spec.scale_strategy.pods_to_delete if n not in known}
            pods += [p for n in sorted(named) if (p := stores.pod(namespace, n)) is not None]
    return tuple(pods)


def overlapping(stores: Stores, workload: WorkloadView[S]) -> tuple[WorkloadView[S], ...]:
    """Other workloads of the kind whose selector takes pods of this one, or the other way round."""
    others = stores.workloads_in(workload.namespace)
    return tuple(o for o in others if o.uid != workload.uid and _overlap(o, workload)) if len(others) > 1 else ()


def _overlap(one: WorkloadView[S], other: WorkloadView[S]) -> bool:
    """One of the selectors takes the other's pods."""
    if one.spec is None or other.spec is None or one.deleting or other.deleting:
        return False
    labels = [(v.spec.template.get("metadata") or {}).get("labels") or {} for v in (one, other) if v.spec]
    return one.spec.selector.matches(labels[1]) or other.spec.selector.matches(labels[0])
