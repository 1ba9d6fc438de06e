"""The HookRun controller: starts measurements, and writes their results into the status (docs/spec/hooks.md 4).

A pass never waits for a measurement: it starts one and ends; the result adds the key to the queue again. A slow answer
therefore holds up no other run. Everything a run needs after a restart is in its status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from operators.api import keys
from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.hookrun.assess import Assessment, RunState, assess
from operators.hookrun.clusteraddresses import ClusterAddresses
from operators.hookrun.conditionchecks import ConditionChecks
from operators.hookrun.metrics import HookMetrics
from operators.hookrun.providers.base import Connections
from operators.hookrun.providers.blocking import ThreadedCalls
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.registry import PROVIDERS, ProviderRegistry
from operators.hookrun.providers.transport import HttpTransport
from operators.hookrun.settings import HookSettings
from operators.hookrun.status import difference, dump_status, end_as_too_large, is_too_large
from operators.hookrun.tasks import MeasurementTasks, ProviderMeasurer, UnsavedMeasurement, with_unsaved
from operators.hookrun.view import RunView
from operators.hookrun.workers import FUNCTIONS, HookWorkers
from operators.kube.client import Client
from operators.kube.errors import ApiError, Conflict, NotFound
from operators.kube.resources import HOOK_RUNS, Json
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.expectations import Expectation, Expectations, written
from operators.runtime.metrics import QueueMetrics
from operators.runtime.reconciler import Controller, Outcome
from operators.runtime.store import Change, Key, Store
from operators.runtime.workqueue import WorkQueue
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool

#: Seconds for which the first status may wait for the first measurement: most hooks answer at once, so that one write
#: is enough.
GRACE = 1.0
_CATCH_UP = 1.0
#: Worker processes: with two, one namespace whose measurements all run into the limit delays nobody (0038-sandbox.md).
_WORKERS = 2


class HookRunController:
    """Executes the HookRuns of a store, which somebody else fills; `on_change` has to be told of its changes."""

    def __init__(
        self,
        client: Client,
        store: Store[RunView],
        events: EventRecorder,
        registry: CollectorRegistry,
        settings: HookSettings,
        queue_metrics: QueueMetrics | None = None,
        *,
        cluster: ClusterAddresses | None = None,
        providers: ProviderRegistry = PROVIDERS,
        workers: int = 8,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._store, self._events, self._now = client, store, events, now
        self._queue: WorkQueue[Key] = WorkQueue(queue_metrics)
        self._expectations = Expectations()
        self._metrics = HookMetrics(registry, time.monotonic)
        refused = (*settings.deny_cidrs, *settings.refused_hosts, client.credentials.server)
        self._transport = transport = HttpTransport(EgressPolicy(settings.allow_cidrs, refused, cluster))
        self._pool = WorkerPool(FUNCTIONS, workers=_WORKERS, limits=Limits(cpu_seconds=settings.cpu_seconds))
        self._work = HookWorkers(self._pool)
        blocking = ThreadedCalls(transport, settings.max_concurrent)
        connections = Connections(transport, client, self._work, blocking)
        measurer = ProviderMeasurer(providers, connections, self._work)
        self._tasks = MeasurementTasks(measurer, self._queue, self._metrics, now, settings.max_concurrent)
        self._first_looks: dict[Key, tuple[str, float]] = {}
        self._reading = ConditionChecks(self._work, self._queue)
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled or drained; the next leader takes the measurements that this cancels."""
        try:
            await Controller("hook", self._queue, self.reconcile, workers=self._workers).run()
        finally:
            self._reading.close()
            await self._tasks.close()
            await self._transport.close()
            await self._pool.close()

    def drain(self) -> None:
        """Begin no more passes; `run` returns when those under way have ended."""
        self._queue.close()

    def on_change(self, change: Change[RunView]) -> None:
        """Look at a HookRun that came, went or changed."""
        view = change.new or change.old
        if view is not None:
            self._queue.add((view.namespace, view.name))

    async def reconcile(self, key: Key) -> Outcome:
        """One pass over a run."""
        run = self._store.get(*key)
        self._track(key, run)
        if run is None or run.deleting:
            self._expectations.forget(key)
            return Outcome()
        loop = asyncio.get_running_loop()
        if self._expectations.pending(key, loop.time()) is not None:
            return Outcome(_CATCH_UP)
        began, good = loop.time(), False
        try:
            outcome = await (self._finished(run) if run.state.phase in FINAL_PHASES else self._execute(key, run))
            good = True
        finally:
            self._metrics.observe_pass(run, loop.time() - began, good=good)
        return outcome

    def _track(self, key: Key, run: RunView | None) -> None:
        """Remember when a run was seen first; forget one that is gone, or whose name another run has now."""
        known = self._first_looks.get(key)
        gone = run is None or run.deleting or (known is not None and known[0] != run.uid)
        if known is not None and gone:
            del self._first_looks[key]
            self._tasks.forget(known[0])
            self._metrics.forget(known[0])
            self._reading.forget(known[0])
        if run is not None and not run.deleting:
            self._first_looks.setdefault(key, (run.uid, self._now()))

    async def _execute(self, key: Key, run: RunView) -> Outcome:
        now, (_, first_look) = self._now(), self._first_looks[key]
        unsaved, running = self._tasks.unsaved(run.uid), self._tasks.running(run.uid)
        checked = await self._reading.of(key, run)
        if checked is None:
            return Outcome()
        unreadable, took = checked
        assessment = assess(with_unsaved(run.state, unsaved), now, running, started=first_look, unreadable=unreadable)
        if not (run.status.get("phase") or unsaved or running):
            self._metrics.observe_validation(run, took, good=not assessment.state.message)
        wait = self._first_write_waits(run, assessment, unsaved, running, first_look + GRACE - now)
        if wait > 0:
            self._start(run, assessment)
            return Outcome(wait)
        if not await self._record(key, run, assessment, unsaved):
            return Outcome(_CATCH_UP)
        self._start(run, assessment)
        return Outcome(assessment.wake_after)

    def _start(self, run: RunView, assessment: Assessment) -> None:
        for metric in assessment.measure:
            self._tasks.start(run, metric, assessment.state.result(metric.name))

    @staticmethod
    def _first_write_waits(
        run: RunView,
        assessment: Assessment,
        unsaved: tuple[UnsavedMeasurement, ...],
        running: frozenset[str],
        left: float,
    ) -> float:
        """Seconds until the first status of a run is written: all that are ``left`` while it would only say Running."""
        first = not run.status.get("phase") and not unsaved
        measuring = bool(assessment.measure or running)
        return left if first and measuring and assessment.state.phase not in FINAL_PHASES else 0.0

    async def _record(
        self, key: Key, run: RunView, assessment: Assessment, unsaved: tuple[UnsavedMeasurement, ...]
    ) -> bool:
        """Write what was assessed into the status; False when the object has changed, and the cache has to follow.

        The write holds only for the object that was assessed: a lagging cache must not undo measurements. A run whose
        status is refused as too large ends with that reason.
        """
        try:
            if not await self._write(key, run, assessment.state):
                return False
        except ApiError as error:
            if not is_too_large(error):
                raise
            ended = Assessment(end_as_too_large(assessment.state, error, self._now()))
            if await self._write(key, run, ended.state):
                self._recorded(run, ended, unsaved)
            return False
        self._recorded(run, assessment, unsaved)
        return True

    def _recorded(self, run: RunView, assessment: Assessment, unsaved: tuple[UnsavedMeasurement, ...]) -> None:
        state = assessment.state
        self._tasks.mark_saved(run.uid, unsaved)
        self._metrics.set_age(run, state.phase, self._now() - (state.started or run.created))
        if state.phase in FINAL_PHASES:
            self._tasks.forget(run.uid)
            self._metrics.observe_end(run, state.phase, (state.completed or 0.0) - (state.started or run.created))
        self._announce(run, assessment)

    async def _write(self, key: Key, run: RunView, state: RunState) -> bool:
        changes = difference(run.status, dump_status(state, run.generation, run.status.get("conditions") or ()))
        if not changes:
            return True
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
        unsaved = {measurement.metric for measurement in self._tasks.unsaved(run.uid)}
        if unsaved:  # the last write seemed to fail although it was made, so that its Events are still to be written
            self._announce(run, Assessment(state, ended=tuple(r for r in state.results if r.name in unsaved)))
        self._tasks.forget(run.uid)
        self._metrics.set_age(run, state.phase, now - (state.started or run.created))
        ttl = state.spec.ttl_seconds_after_finished
        if ttl is None or run.owner is not None:
            return Outcome()
        left = (state.completed or run.created) + ttl - now
        if left > 0:
            return Outcome(left)
        await self._client.delete(HOOK_RUNS, run.namespace, run.name, uid=run.uid)
        return Outcome()

    def _announce(self, run: RunView, assessment: Assessment) -> None:
        state, about = assessment.state, ObjectReference(keys.API_VERSION, "HookRun", run.namespace, run.name, run.uid)
        ended = [(f"metric '{result.name}' completed {result.phase}", result.phase) for result in assessment.ended]
        if state.phase in FINAL_PHASES:
            ended.append((state.message or f"hook completed {state.phase}", state.phase))
        for message, phase in ended:
            if phase in (HookPhase.FAILED, HookPhase.ERROR):
                self._events.note(about, "Warning", "Failed", message)
            else:
                self._events.note(about, "Normal", "Complete", message)
