"""The HookRun controller: measures, and writes down what was measured.

A pass never waits for a measurement: it starts one and ends; the result brings the key back. A slow answer therefore
holds up nobody else. Everything a run needs after a restart is in its status.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram
from pydantic import ValidationError

from operators.api import keys
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric
from operators.hookrun.arguments import values_of
from operators.hookrun.assess import (
    FINAL,
    Assessment,
    Measured,
    RunState,
    assess,
    record,
    unreadable,
)
from operators.hookrun.measurement import ProviderError, Value, clip, judge
from operators.hookrun.providers import kubernetes, prometheus, web
from operators.hookrun.providers.guard import Reach
from operators.hookrun.settings import HookSettings
from operators.hookrun.status import dump_status, read_state
from operators.planning.times import rfc3339, timestamp
from operators.planning.views import OwnerView, owner_view
from operators.runtime.client import Client
from operators.runtime.events import EventRecorder, ObjectReference
from operators.runtime.expectations import Expectations, written
from operators.runtime.informer import Informer
from operators.runtime.metrics import BUCKETS, QueueMetrics
from operators.runtime.reconciler import Controller, Outcome
from operators.runtime.resources import HOOK_RUNS, Json
from operators.runtime.store import Change, Key, Store
from operators.runtime.workqueue import WorkQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A measurement not written yet: the ``number``-th of its metric, so that none is counted twice."""

    metric: str
    number: int
    measured: Measured


@dataclass(frozen=True, slots=True)
class RunView:
    """A HookRun as its own controller reads it; ``state`` is None when the spec cannot be read."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: float
    state: RunState | None
    status: Mapping[str, Any]
    args: tuple[tuple[str, str | None], ...] = ()
    owner: OwnerView | None = None
    deleting: bool = False
    invalid: str = ""


def run_view(obj: Json) -> RunView:
    """Decode a HookRun."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    state: RunState | None = None
    invalid = ""
    args: tuple[tuple[str, str | None], ...] = ()
    try:
        spec = HookRunSpec.model_validate(obj.get("spec") or {})
        state = read_state(spec, status)
        args = tuple((a.name, a.value) for a in spec.args)
    except ValidationError as error:
        first = error.errors()[0]
        invalid = unreadable(first["loc"], first["msg"])
    return RunView(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        metadata["resourceVersion"],
        int(metadata.get("generation") or 0),
        timestamp(metadata.get("creationTimestamp")) or 0.0,
        state,
        status,
        args,
        owner_view(metadata),
        bool(metadata.get("deletionTimestamp")),
        invalid,
    )


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
        self._reach = Reach(settings.allow_cidrs, settings.refused_hosts)
        self._store: Store[RunView] = Store()
        self.informer = Informer(client, HOOK_RUNS, run_view, self._store, namespace=namespace)
        self.informer.subscribe(self._on_change)
        self._queue: WorkQueue[Key] = WorkQueue(queue_metrics)
        self._expectations = Expectations()
        self._measuring: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._measured: dict[str, list[_Fresh]] = {}
        self._ages: dict[Key, tuple[str, str, str, str]] = {}
        self._slots = asyncio.Semaphore(settings.max_concurrent)
        self._workers = workers
        self._passes = Histogram(
            "bkbcs_hook_reconcile_duration_seconds",
            "One pass.",
            ("namespace", "owner", "status"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._survive = Gauge(
            "bkbcs_hook_hookrun_survive_time_seconds",
            "Age of a run.",
            ("namespace", "owner", "name", "phase"),
            registry=registry,
        )
        self._calls = Histogram(
            "bkbcs_hook_metric_exec_duration_seconds",
            "One measurement.",
            ("namespace", "owner", "metric", "phase"),
            buckets=BUCKETS,
            registry=registry,
        )

    async def run(self) -> None:
        """Work until cancelled; measurements under way are dropped and taken again by the next leader."""
        try:
            await Controller("hook", self._queue, self.reconcile, workers=self._workers).run()
        finally:
            for task in self._measuring.values():
                task.cancel()

    def drain(self) -> None:
        """Begin no more passes; `run` returns when those under way have ended."""
        self._queue.close()

    def _on_change(self, change: Change[RunView]) -> None:
        view = change.new or change.old
        if view is not None:
            self._queue.add((view.namespace, view.name))

    async def reconcile(self, key: Key) -> Outcome:
        """One pass over a run."""
        run = self._store.get(*key)
        loop = asyncio.get_running_loop()
        if run is None or run.deleting:
            self._forget(key, run)
            return Outcome()
        if self._expectations.pending(key, loop.time()) is not None:
            return Outcome(requeue_after=1.0)
        began = loop.time()
        outcome = await self._assess(key, run)
        self._passes.labels(run.namespace, _owner(run), "success").observe(loop.time() - began)
        return outcome

    async def _assess(self, key: Key, run: RunView) -> Outcome:
        if run.state is None:
            text = f"HookRun: {run.namespace}/{run.name}, hook spec invalid: {run.invalid}"
            if run.status.get("phase") not in FINAL:
                status = {"phase": "Error", "message": text, "completedAt": rfc3339(self._now())}
                await self._write(key, run, status)
                self._events.note(_about(run), "Warning", "Failed", text)
            return Outcome()
        state, fresh = run.state, tuple(self._measured.get(run.uid, ()))
        busy = {metric for uid, metric in self._measuring if uid == run.uid}
        now = self._now()
        over = state.phase in FINAL
        assessment = Assessment(state) if over else assess(_with(state, fresh), now, busy)
        if not over:
            await self._write_changes(key, run, assessment)
        self._drop(run.uid, fresh)
        for metric in assessment.measure:
            self._start(key, run, metric, assessment.state)
        self._observe_age(key, run, assessment.state.phase, now)
        return await self._wait(run, assessment)

    async def _write_changes(self, key: Key, run: RunView, assessment: Assessment) -> None:
        status = dump_status(assessment.state, run.generation, run.status.get("conditions") or ())
        if status.get("message", "").startswith("hook spec invalid"):
            status["message"] = f"HookRun: {run.namespace}/{run.name}, {status['message']}"
        if status != run.status:
            await self._write(key, run, status)
            self._announce(run, assessment)

    def _drop(self, uid: str, written_now: tuple[_Fresh, ...]) -> None:
        """Forget what was written; measurements that came in meanwhile stay for the next pass."""
        left = [fresh for fresh in self._measured.pop(uid, ()) if fresh not in written_now]
        if left:
            self._measured[uid] = left

    def _observe_age(self, key: Key, run: RunView, phase: str, now: float) -> None:
        labels = (run.namespace, _owner(run), run.name, phase)
        before = self._ages.get(key)
        if before is not None and before != labels:
            self._survive.remove(*before)
        self._ages[key] = labels
        self._survive.labels(*labels).set(now - run.created)

    async def _wait(self, run: RunView, assessment: Assessment) -> Outcome:
        """When to look again; a finished run that nobody owns goes after its time."""
        state = assessment.state
        ttl = state.spec.ttl_seconds_after_finished
        if state.phase in FINAL and ttl is not None and run.owner is None:
            left = (state.completed or run.created) + ttl - self._now()
            if left > 0:
                return Outcome(requeue_after=left)
            await self._client.delete(HOOK_RUNS, run.namespace, run.name, uid=run.uid)
        return Outcome(requeue_after=assessment.wake_after)

    def _start(self, key: Key, run: RunView, metric: Metric, state: RunState) -> None:
        subject = (run.uid, metric.name)
        waiting = any(fresh.metric == metric.name for fresh in self._measured.get(run.uid, ()))
        if subject not in self._measuring and not waiting:
            known = state.result(metric.name)
            number = known.count if known else 0
            task = asyncio.get_running_loop().create_task(self._measure(key, run, metric, number))
            self._measuring[subject] = task

    async def _measure(self, key: Key, run: RunView, metric: Metric, number: int) -> None:
        started, value = self._now(), None
        try:
            async with self._slots:
                started = self._now()
                measured = await self._ask(run, metric)
            phase, message = judge(metric, measured)
            value = clip(measured.text)
        except (ProviderError, ValueError) as error:
            phase, message = "Error", str(error)[:500]
        except Exception as error:  # a defect of ours must not leave the run waiting for ever
            log.exception("measuring %s of %s failed", metric.name, key)
            phase, message = "Error", f"internal error: {type(error).__name__}"
        finally:
            if self._measuring.get((run.uid, metric.name)) is asyncio.current_task():
                del self._measuring[run.uid, metric.name]
        finished = self._now()
        self._calls.labels(run.namespace, _owner(run), metric.name, phase).observe(finished - started)
        result = Measured(phase, started, finished, value, message)
        self._measured.setdefault(run.uid, []).append(_Fresh(metric.name, number, result))
        self._queue.add(key)

    async def _ask(self, run: RunView, metric: Metric) -> Value:
        args, provider = values_of(run.args), metric.provider
        if provider.web is not None:
            return await web.measure(provider.web, args, self._reach)
        if provider.prometheus is not None:
            return await prometheus.measure(provider.prometheus, args, self._reach)
        if provider.kubernetes is not None:
            uid = run.owner.uid if run.owner else ""
            return await kubernetes.measure(self._client, provider.kubernetes, args, run.namespace, uid)
        raise ProviderError("no provider specified")

    async def _write(self, key: Key, run: RunView, status: dict[str, Any]) -> None:
        """Write the status, if the object still is what was assessed: a lagging cache must not undo measurements."""
        body: Json = {"metadata": {"resourceVersion": run.resource_version}, "status": status}
        answer = await self._client.merge_patch(HOOK_RUNS, run.namespace, run.name, body, subresource="status")
        version = answer["metadata"]["resourceVersion"]
        seen = written(self._store, run.namespace, run.name, run.uid, version)
        self._expectations.expect(key, seen, asyncio.get_running_loop().time())

    def _announce(self, run: RunView, assessment: Assessment) -> None:
        about = _about(run)
        ended = [(f"metric '{r.name}' completed {r.phase}", r.phase) for r in assessment.ended]
        if assessment.state.phase in FINAL:
            ended.append((f"hook completed {assessment.state.phase}", assessment.state.phase))
        for message, phase in ended:
            if phase in ("Failed", "Error"):
                self._events.note(about, "Warning", "Failed", message)
            else:
                self._events.note(about, "Normal", "Complete", message)

    def _forget(self, key: Key, run: RunView | None) -> None:
        self._expectations.forget(key)
        if run is not None:
            self._measured.pop(run.uid, None)
            for subject in [s for s in self._measuring if s[0] == run.uid]:
                self._measuring.pop(subject).cancel()
        labels = self._ages.pop(key, None)
        if labels is not None:
            self._survive.remove(*labels)


def _about(run: RunView) -> ObjectReference:
    return ObjectReference(keys.API_VERSION, "HookRun", run.namespace, run.name, run.uid)


def _with(state: RunState, fresh: Sequence[_Fresh]) -> RunState:
    """The state with new measurements; one that an earlier write already brought in is not counted again."""
    for item in fresh:
        known = state.result(item.metric)
        if (known.count if known else 0) == item.number:
            state = record(state, item.metric, item.measured)
    return state


def _owner(run: RunView) -> str:
    return f"{run.owner.kind}|{run.owner.name}" if run.owner else ""
