"""The GameDeployment controller: observe, plan, act."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from operators.gamedeployment.execute import Execution, Rim, reference, status_patch
from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.gamedeployment.plan import plan
from operators.gamedeployment.scene import KIND
from operators.planning import conditions
from operators.planning.actions import Blocked, Plan
from operators.planning.views import HookRunView, OwnerView, PodView, RevisionView
from operators.runtime.reconciler import Outcome
from operators.runtime.resources import GAME_DEPLOYMENTS
from operators.runtime.store import Change, Key
from operators.runtime.workqueue import WorkQueue

log = logging.getLogger(__name__)
#: Fields whose change is written at once; mere counters of a rollout wait up to this many seconds.
_PROMPT = (
    "observedGeneration",
    "updateRevision",
    "currentRevision",
    "collisionCount",
    "labelSelector",
    "canary",
    "currentStepIndex",
    "currentStepHash",
    "pauseConditions",
)
_STATUS_INTERVAL = 0.5


class GameDeploymentController:
    """Passes over GameDeployments by key (namespace, name)."""

    def __init__(self, rim: Rim, queue: WorkQueue[Key]) -> None:
        self._rim, self._queue = rim, queue
        self._host_ip = os.environ.get("HOST_IP", "")
        self._written: dict[Key, float] = {}
        self._told: dict[Key, frozenset[tuple[str, str]]] = {}

    # ---- what wakes a key

    def on_workload(self, change: Change[GameDeploymentView]) -> None:
        """Any change of the object itself."""
        view = change.new or change.old
        if view is not None:
            self._queue.add((view.namespace, view.name))

    def on_pod(self, change: Change[PodView]) -> None:
        """Owner of the pod, the owner it had, and for orphans whoever may adopt them."""
        for view in (change.old, change.new):
            if view is None:
                continue
            if view.owner is not None:
                self._wake_owner(view.namespace, view.owner)
            elif change.old is None or change.old.labels != view.labels or change.old.owner is not None:
                self._wake_adopters(view)

    def on_owned(self, change: Change[RevisionView] | Change[HookRunView]) -> None:
        """Owner of a revision or HookRun."""
        view = change.new or change.old
        if view is not None and view.owner is not None:
            self._wake_owner(view.namespace, view.owner)

    def on_template(self, change: Change[Any]) -> None:
        """Everybody in the namespace of a HookTemplate: somebody may wait for it."""
        view = change.new or change.old
        for workload in self._rim.stores.workloads.by("namespace", view.namespace) if view else ():
            self._queue.add((workload.namespace, workload.name))

    def _wake_owner(self, namespace: str, owner: OwnerView) -> None:
        if owner.kind == KIND:
            self._queue.add((namespace, owner.name))

    def _wake_adopters(self, pod: PodView) -> None:
        for workload in self._rim.stores.workloads.by("namespace", pod.namespace):
            if workload.spec is not None and workload.spec.selector.matches(pod.labels):
                self._queue.add((workload.namespace, workload.name))

    # ---- a pass

    def observe(self, workload: GameDeploymentView) -> Observed:
        """Read everything of a workload from the caches."""
        stores, uid, namespace = self._rim.stores, workload.uid, workload.namespace
        pods = list(stores.pods.by("owner", uid))
        if workload.spec is not None:
            orphans = stores.pods.by("orphans", namespace)
            pods += [p for p in orphans if workload.spec.selector.matches(p.labels)]
        return Observed(
            workload=workload,
            pods=tuple(pods),
            revisions=tuple(stores.revisions.by("owner", uid)),
            hook_runs=tuple(stores.hook_runs.by("owner", uid)),
            templates={t.name: t for t in stores.templates.by("namespace", namespace)},
            node_costs={n.name: n.cost for n in stores.nodes.values() if n.cost is not None},
            host_ip=self._host_ip,
        )

    async def reconcile(self, key: Key) -> Outcome:
        """One pass."""
        workload: GameDeploymentView | None = self._rim.stores.workloads.get(*key)
        loop = asyncio.get_running_loop()
        if workload is None:
            self._forget(key)
            return Outcome()
        awaited = self._rim.expectations.pending(key, loop.time())
        if awaited is not None:
            return Outcome(requeue_after=1.0)  # the event that shows it wakes the key earlier
        began, result = loop.time(), "failure"
        try:
            decision = plan(self.observe(workload), self._rim.now())
            execution = Execution(self._rim, workload)
            await execution.run(decision.actions)
            wait = await self._write_status(key, workload, decision, execution)
            self._tell(key, workload, decision)
            if execution.failures:
                raise execution.failures[0][1]
            result = "success"
        finally:
            self._rim.metrics.reconcile.labels("/".join(key), result).observe(loop.time() - began)
        waits = [w for w in (decision.wake_after, wait) if w is not None]
        return Outcome(requeue_after=min(waits, default=None))

    async def _write_status(
        self, key: Key, workload: GameDeploymentView, decision: Plan, execution: Execution
    ) -> float | None:
        """Write what changed, or nothing; a time to come back when mere counters are held back."""
        status = dict(decision.status)
        failed = execution.failure_conditions()
        if failed:
            old = workload.status.get("conditions") or ()
            status["conditions"] = [*status.get("conditions", ()), *conditions.settle(old, failed, self._rim.now())]
        patch = status_patch(workload.status, status)
        desired = workload.spec.replicas if workload.spec else 0
        self._rim.metrics.observe_status("/".join(key), desired, status)
        if not patch:
            return None
        now = asyncio.get_running_loop().time()
        rest = self._written.get(key, -_STATUS_INTERVAL) + _STATUS_INTERVAL - now
        if rest > 0 and not any(field in patch for field in _PROMPT) and not _turned(workload.status, status):
            return rest
        answer = await self._rim.client.merge_patch(
            GAME_DEPLOYMENTS,
            workload.namespace,
            workload.name,
            {"metadata": {"uid": workload.uid}, "status": patch},
            subresource="status",
        )
        self._written[key] = now
        execution._expect_written(self._rim.stores.workloads, answer)  # noqa: SLF001 - same pass
        return None

    def _tell(self, key: Key, workload: GameDeploymentView, decision: Plan) -> None:
        """Events for what happened, and for what newly waits or is refused; metrics for all of it."""
        for note in decision.notes:
            self._rim.events.note(reference(workload), note.type, note.reason, note.message)
            log.info("%s/%s: %s: %s", workload.namespace, workload.name, note.reason, note.message)
        counts = Counter(b.reason for b in decision.blocked)
        self._rim.metrics.observe_blocked("/".join(key), dict(counts))
        seen = frozenset((b.reason, b.pod) for b in decision.blocked)
        for blocked in decision.blocked:
            if (blocked.reason, blocked.pod) not in self._told.get(key, frozenset()):
                self._announce(workload, blocked)
        self._told[key] = seen

    def _announce(self, workload: GameDeploymentView, blocked: Blocked) -> None:
        if not blocked.waiting:
            self._rim.events.note(reference(workload), "Warning", blocked.reason, blocked.message)
            log.info("%s/%s: %s: %s", workload.namespace, workload.name, blocked.reason, blocked.message)

    def _forget(self, key: Key) -> None:
        self._rim.expectations.forget(key)
        self._rim.metrics.forget("/".join(key))
        self._written.pop(key, None)
        self._told.pop(key, None)


def _turned(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a condition changes its status, which somebody may wait for (``kubectl wait``)."""
    before = {c.get("type"): c.get("status") for c in old.get("conditions") or ()}
    return {c["type"]: c["status"] for c in new.get("conditions") or ()} != before
