"""The GameStatefulSet controller: what a pass sees, and what it decides."""

from __future__ import annotations

from typing import Any

from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.gamestatefulset.claimviews import ClaimView
from operators.gamestatefulset.execute import SetExecution
from operators.gamestatefulset.lostnodes import Delays
from operators.gamestatefulset.observe import observe
from operators.gamestatefulset.observed import GameStatefulSetView, Observed
from operators.gamestatefulset.plan import plan
from operators.planning.actions import Plan
from operators.planning.views import NodeView
from operators.runtime.store import Change, Key, Store
from operators.runtime.workqueue import WorkQueue
from operators.workload.context import Context
from operators.workload.controller import WorkloadController
from operators.workload.execute import Execution


class GameStatefulSetController(WorkloadController[GameStatefulSetSpec]):
    """Passes over GameStatefulSets; ``claims`` is the cache of volume claims."""

    def __init__(self, context: Context, queue: WorkQueue[Key], claims: Store[Any], delays: Delays) -> None:
        super().__init__(context, queue)
        self._claims, self._delays = claims, delays

    def decide(self, workload: GameStatefulSetView) -> Plan:
        """Observe the workload, and plan."""
        return plan(self.observe(workload), self._context.now())

    def carry_out(self, workload: GameStatefulSetView) -> Execution:
        """The executor of a plan."""
        return SetExecution(self._context, workload, self._claims)

    def observe(self, workload: GameStatefulSetView) -> Observed:
        """Read everything of a workload from the caches."""
        return observe(
            self._context.stores,
            self._claims,
            workload,
            self._delays,
            refusals=self.refusals_of(workload),
            creatable=self.creatable(workload),
            warnings=self.warnings(workload),
            host_ip=self.host_ip,
        )

    # ---- what wakes a key

    def on_claim(self, change: Change[ClaimView]) -> None:
        """Sets whose claims these may be: one that is gone gives way to a pod, one that is lacking is made again."""
        view = change.new or change.old
        if view is None:
            return
        series = view.name.rpartition("-")[0]
        for workload in self._context.stores.workloads_in(view.namespace):
            templates = workload.spec.volume_claim_templates if workload.spec is not None else ()
            if any(series == f"{t['metadata']['name']}-{workload.name}" for t in templates):
                self._queue.add((workload.namespace, workload.name))

    def on_node(self, change: Change[NodeView]) -> None:
        """Owners of pods that are being deleted on a node whose state has turned."""
        old, new = change.old, change.new
        view = new or old
        if view is None or (old is not None and new is not None and _health(old) == _health(new)):
            return
        for pod in self._context.stores.pods_terminating_on(view.name):
            if pod.owner is not None and pod.owner.kind == self._kind:
                self._queue.add((pod.namespace, pod.owner.name))


def _health(node: NodeView) -> tuple[bool | None, bool]:
    return node.ready, node.out_of_service
