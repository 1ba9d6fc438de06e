"""The HookRun controller: measures, and writes down what was measured (spec/hooks.md 4).

A pass never waits for a measurement: it starts one and ends; the result brings the key back. A slow answer therefore
holds up nobody else. Everything a run needs after a restart is in its status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from operators.api import keys
from operators.api.hooktemplate import Metric
from operators.hookrun.arguments import values_of
from operators.hookrun.assess import FINAL, Assessment, Measured, assess
from operators.hookrun.metrics import HookMetrics
from operators.hookrun.providers import kubernetes, prometheus, web
from operators.hookrun.providers.egress import Reach
from operators.hookrun.settings import HookSettings
from operators.hookrun.status import difference, dump_status
from operators.hookrun.tasks import Fresh, Measuring, with_fresh
from operators.hookrun.verdict import ProviderError, Value
from operators.hookrun.view import RunView, run_view
from operators.kube.client import Client
from operators.kube.errors import Conflict, NotFound
from operators.kube.resources import HOOK_RUNS, Json
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.expectations import Expectation, Expectations, written
from operators.runtime.informer import Informer
from operators.runtime.metrics import QueueMetrics
from operators.runtime.reconciler import Controller, Outcome
from operators.runtime.store import Change, Key, Store
from operators.runtime.workqueue import WorkQueue

#: Seconds for which the first status may wait for the first measurement: most hooks answer at once, and one write does.
GRACE = 1.0
_CATCH_UP = 1.0


class HookRunController:
    """Executes HookRuns."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        registry: CollectorRegistry,
        settings: HookSettings,
        queue_metrics: QueueMetrics | None = None,
        *,
        namespace: str | None = None,
        workers: int = 8,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._events, self._now = client, events, now
        refused = (*settings.deny_cidrs, *settings.refused_hosts, client.credentials.server)
        self._reach = Reach(settings.allow_cidrs, refused)
        self._store: Store[RunView] = Store()
        self.informer = Informer(client, HOOK_RUNS, run_view, self._store, namespace=namespace)
        self.informer.subscribe(self._on_change)
        self._queue: WorkQueue[Key] = WorkQueue(queue_metrics)
        self._expectations = Expectations()
        self._measuring = Measuring(self._ask, self._on_measured, now, settings.max_concurrent)
        self._metrics = HookMetrics(registry, time.monotonic)
        self._first_looks: dict[Key, tuple[str, float]] = {}
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled or drained; measurements under way are dropped and taken again by the next leader."""
        try:
            await Controller("hook", self._queue, self.reconcile, workers=self._workers).run()
        finally:
            await self._measuring.close()

    def drain(self) -> None:
        """Begin no more passes; `run` returns when those under way have ended."""
        self._queue.close()

    def _on_change(self, change: Change[RunView]) -> None:
        view = change.new or change.old
        if view is not None:
            self._queue.add((view.namespace, view.name))

    def _on_measured(self, run: RunView, metric: Metric, measured: Measured) -> None:
        took = (measured.finished or measured.started) - measured.started
        self._metrics.measured(run, metric, measured.phase, took)
        self._queue.add((run.namespace, run.name))

    async def reconcile(self, key: Key) -> Outcome:
        """One pass over a run."""
        run = self._store.get(*key)
        self._meet(key, run)
        if run is None or run.deleting:
            self._expectations.forget(key)
            return Outcome()
        loop = asyncio.get_running_loop()
        if self._expectations.pending(key, loop.time()) is not None:
            return Outcome(_CATCH_UP)
        began, good = loop.time(), False
        try:
            outcome = await (self._finished(run) if run.state.phase in FINAL else self._execute(key, run))
            good = True
        finally:
            self._metrics.passed(run, loop.time() - began, good=good)
        return outcome

    def _meet(self, key: Key, run: RunView | None) -> None:
        """Remember when a run was seen first; forget one that is gone, or whose name belongs to another one now."""
        known = self._first_looks.get(key)
        gone = run is None or run.deleting or (known is not None and known[0] != run.uid)
        if known is not None and gone:
            del self._first_looks[key]
            self._measuring.forget(known[0])
            self._metrics.forget(known[0])
        if run is not None and not run.deleting:
            self._first_looks.setdefault(key, (run.uid, self._now()))

    async def _execute(self, key: Key, run: RunView) -> Outcome:
        now, (_, first_look) = self._now(), self._first_looks[key]
        fresh, busy = self._measuring.fresh(run.uid), self._measuring.busy(run.uid)
        began = time.monotonic()
        assessment = assess(with_fresh(run.state, fresh), now, busy, started=first_look)
        if not (run.status.get("phase") or fresh or busy):
            self._metrics.validated(run, time.monotonic() - began, good=not assessment.state.message)
        wait = self._holds_back(run, assessment, fresh, busy, first_look + GRACE - now)
        if wait > 0:
            self._start(run, assessment)
            return Outcome(wait)
        if not await self._record(key, run, assessment, fresh):
            return Outcome(_CATCH_UP)
        self._start(run, assessment)
        return Outcome(assessment.wake_after)

    def _start(self, run: RunView, assessment: Assessment) -> None:
        for metric in assessment.measure:
            self._measuring.start(run, metric, assessment.state.result(metric.name))

    @staticmethod
    def _holds_back(
        run: RunView, assessment: Assessment, fresh: tuple[Fresh, ...], busy: frozenset[str], left: float
    ) -> float:
        """Seconds for which a run's first status waits: as long as it would say no more than that it is measured."""
        untold = not run.status.get("phase") and not fresh
        measured = bool(assessment.measure or busy)
        return left if untold and measured and assessment.state.phase not in FINAL else 0.0

    async def _record(self, key: Key, run: RunView, assessment: Assessment, fresh: tuple[Fresh, ...]) -> bool:
        """Bring the object up to what was assessed; False when it is another one by now, and the cache has to follow.

        The write holds only for the object that was assessed: a lagging cache must not undo measurements.
        """
        state = assessment.state
        status = dump_status(state, run.generation, run.status.get("conditions") or ())
        changes = difference(run.status, status)
        if changes and not await self._write(key, run, changes):
            return False
        self._measuring.written(run.uid, fresh)
        self._metrics.aged(run, state.phase, self._now() - (state.started or run.created))
        if state.phase in FINAL:
            self._measuring.forget(run.uid)
            self._metrics.ended(run, state.phase, (state.completed or 0.0) - (state.started or run.created))
        self._announce(run, assessment)
        return True

    async def _write(self, key: Key, run: RunView, changes: Json) -> bool:
        body: Json = {"metadata": {"resourceVersion": run.resource_version}, "status": changes}
        now = asyncio.get_running_loop().time()
        try:
            answer = await self._client.merge_patch(HOOK_RUNS, run.namespace, run.name, body, subresource="status")
        except (Conflict, NotFound):
            self._expectations.expect(key, self._changed(run), now)
            return False
        version = answer["metadata"]["resourceVersion"]
        self._expectations.expect(key, written(self._store, run.namespace, run.name, run.uid, version), now)
        return True

    def _changed(self, run: RunView) -> Expectation:
        """The cache shows something else than what was assessed."""

        def fulfilled() -> bool:
            held = self._store.get(run.namespace, run.name)
            return held is None or held.uid != run.uid or held.resource_version != run.resource_version

        return Expectation(f"change of {run.name}", fulfilled)

    async def _finished(self, run: RunView) -> Outcome:
        """Nothing is measured or written any more; a run that nobody owns goes after its time."""
        state, now = run.state, self._now()
        unsure = {fresh.metric for fresh in self._measuring.fresh(run.uid)}
        if unsure:  # its last write seemed to fail, and was not told of
            self._announce(run, Assessment(state, ended=tuple(r for r in state.results if r.name in unsure)))
        self._measuring.forget(run.uid)
        self._metrics.aged(run, state.phase, now - (state.started or run.created))
        ttl = state.spec.ttl_seconds_after_finished
        if ttl is None or run.owner is not None:
            return Outcome()
        left = (state.completed or run.created) + ttl - now
        if left > 0:
            return Outcome(left)
        await self._client.delete(HOOK_RUNS, run.namespace, run.name, uid=run.uid)
        return Outcome()

    async def _ask(self, run: RunView, metric: Metric, successes: int) -> Value:
        args, provider = values_of(run.args), metric.provider
        if provider.web is not None:
            return await web.measure(provider.web, args, self._reach)
        if provider.prometheus is not None:
            return await prometheus.measure(provider.prometheus, args, self._reach)
        if provider.kubernetes is not None:
            asker = kubernetes.Asker(run.namespace, run.owner.uid if run.owner else "", run.uid, metric.name, successes)
            return await kubernetes.measure(self._client, provider.kubernetes, args, asker)
        raise ProviderError("no provider specified")

    def _announce(self, run: RunView, assessment: Assessment) -> None:
        state, about = assessment.state, ObjectReference(keys.API_VERSION, "HookRun", run.namespace, run.name, run.uid)
        ended = [(f"metric '{result.name}' completed {result.phase}", result.phase) for result in assessment.ended]
        if state.phase in FINAL:
            ended.append((state.message or f"hook completed {state.phase}", state.phase))
        for message, phase in ended:
            if phase in ("Failed", "Error"):
                self._events.note(about, "Warning", "Failed", message)
            else:
                self._events.note(about, "Normal", "Complete", message)
