"""The caches that passes over workloads read, and the indexes by which they are asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operators.planning.views import HookRunView, HookTemplateView, NodeView, PodView, RevisionView
from operators.planning.workloads import WorkloadView
from operators.runtime.store import Store

#: What a cache is indexed by: the values of a view, by the name of the index.
Indexes = Mapping[str, Callable[[Any], Iterable[Hashable]]]


def _owner(view: Any) -> tuple[str, ...]:
    """By the UID of the controller."""
    return (view.owner.uid,) if view.owner is not None else ()


def _namespace(view: Any) -> tuple[str, ...]:
    return (view.namespace,)


def _series(view: Any) -> tuple[tuple[str, str], ...]:
    """By namespace and name without what follows its last dash: what the object is named after."""
    return ((view.namespace, view.name.rpartition("-")[0]),)


def _with_cost(view: Any) -> tuple[bool, ...]:
    return (True,) if view.cost is not None else ()


def _terminating_on(view: Any) -> tuple[str, ...]:
    """By the node, of what is being deleted there."""
    return (view.node,) if view.deleting and view.node else ()


def _orphans(view: Any) -> tuple[str, ...]:
    """By namespace, of what nobody controls."""
    return (view.namespace,) if view.owner is None else ()


def _unowned(view: Any) -> tuple[str, ...]:
    """By namespace, of HookRuns that nobody owns."""
    return (view.namespace,) if view.asked is not None else ()


#: Indexes of each cache; names stand in this module only.
WORKLOAD_INDEXES: Final[Indexes] = {"namespace": _namespace}
TEMPLATE_INDEXES: Final[Indexes] = {"namespace": _namespace}
POD_INDEXES: Final[Indexes] = {"owner": _owner, "orphans": _orphans, "terminating_on": _terminating_on}
REVISION_INDEXES: Final[Indexes] = {"owner": _owner, "series": _series}
HOOK_RUN_INDEXES: Final[Indexes] = {"owner": _owner, "orphans": _unowned}
NODE_INDEXES: Final[Indexes] = {"with_cost": _with_cost}
CLAIM_INDEXES: Final[Indexes] = {"series": _series}


def claims_of_series(claims: Store[Any], namespace: str, series: str) -> Collection[Any]:
    """The volume claims that are called ``<series>-<ordinal>``."""
    return claims.by("series", (namespace, series))


@dataclass(frozen=True, slots=True)
class Stores:
    """The caches a pass reads, and what they are asked."""

    workloads: Store[Any]
    pods: Store[Any]
    revisions: Store[Any]
    hook_runs: Store[Any]
    templates: Store[Any]
    nodes: Store[Any]

    @classmethod
    def empty(cls) -> Stores:
        """New caches with their indexes."""
        return cls(
            workloads=Store(WORKLOAD_INDEXES),
            pods=Store(POD_INDEXES),
            revisions=Store(REVISION_INDEXES),
            hook_runs=Store(HOOK_RUN_INDEXES),
            templates=Store(TEMPLATE_INDEXES),
            nodes=Store(NODE_INDEXES),
        )

    def workloads_in(self, namespace: str) -> Collection[WorkloadView[Any]]:
        """Workloads of the kind."""
        return self.workloads.by("namespace", namespace)

    def templates_in(self, namespace: str) -> Collection[HookTemplateView]:
        """HookTemplates."""
        return self.templates.by("namespace", namespace)

    def pod(self, namespace: str, name: str) -> PodView | None:
        """A pod by its name."""
        found: PodView | None = self.pods.get(namespace, name)
        return found

    def pods_of(self, uid: str) -> Collection[PodView]:
        """Pods that carry the controller reference of a workload."""
        return self.pods.by("owner", uid)

    def orphan_pods(self, namespace: str) -> Collection[PodView]:
        """Pods that nobody controls."""
        return self.pods.by("orphans", namespace)

    def pods_terminating_on(self, node: str) -> Collection[PodView]:
        """Pods that are being deleted on a node."""
        return self.pods.by("terminating_on", node)

    def revisions_of(self, workload: WorkloadView[Any]) -> tuple[RevisionView, ...]:
        """Revisions that a workload controls, and all that are named after it."""
        named = self.revisions.by("series", (workload.namespace, workload.name))
        return tuple({r.name: r for r in (*self.revisions.by("owner", workload.uid), *named)}.values())

    def hook_runs_of(self, uid: str) -> Collection[HookRunView]:
        """HookRuns that carry the controller reference of a workload."""
        return self.hook_runs.by("owner", uid)

    def orphan_hook_runs(self, namespace: str) -> Collection[HookRunView]:
        """HookRuns that nobody owns."""
        return self.hook_runs.by("orphans", namespace)

    def node(self, name: str) -> NodeView | None:
        """A node by its name."""
        found: NodeView | None = self.nodes.get("", name)
        return found

    def node_costs(self) -> dict[str, str]:
        """Cost by name of the nodes that have one."""
        return {n.name: n.cost for n in self.nodes.by("with_cost", True)}  # noqa: FBT003 - the value of the index
