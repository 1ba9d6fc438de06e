"""Measurements under way, and finished ones that are not in the status yet.

Each measurement is a task of its own, so that a slow answer holds up no other run. How many requests are under way at a
time is bounded, and namespaces share them: the time that a measurement waits for its turn is not counted as the
endpoint's. All this is lost with the process: a measurement that was not saved is taken again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from operators.api.hookphase import HookPhase
from operators.api.hooktemplate import Metric
from operators.hookrun.answermemory import AnswerMemory
from operators.hookrun.arguments import values_of
from operators.hookrun.assess import MeasurementState, MetricState, RunState, add_measurement
from operators.hookrun.metrics import HookMetrics
from operators.hookrun.providers.base import Answer, Connections, MeasuredValue, MeasurementRequest, ProviderError
from operators.hookrun.providers.registry import ProviderRegistry
from operators.hookrun.view import RunView
from operators.hookrun.workers import HookWorkers, MeasurementVerdict
from operators.logs import get_logger
from operators.runtime.store import Key
from operators.runtime.workqueue import WorkQueue
from operators.sandbox.errors import SandboxError
from operators.sandbox.slots import FairSemaphore

log = get_logger(__name__)
_MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class UnsavedMeasurement:
    """A measurement that is not in the status yet: the ``number``-th of its metric, so that none is counted twice."""

    metric: str
    number: int
    state: MeasurementState


@dataclass(slots=True)
class _Run:
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    unsaved: list[UnsavedMeasurement] = field(default_factory=list)


class Measurer(Protocol):
    """Takes one measurement of a metric of a run."""

    async def measure(self, run: RunView, metric: Metric, successes: int) -> Answer | MeasuredValue:
        """Measure; ``successes`` are the successful measurements of the metric so far.

        Raises:
            ProviderError: the measurement could not be taken.
            ValueError: arguments are missing or do not fit.
        """

    async def verdict(self, run: RunView, metric: Metric, found: Answer | MeasuredValue) -> MeasurementVerdict:
        """What the conditions make of it."""


@dataclass(frozen=True, slots=True)
class ProviderMeasurer:
    """Measures with the provider that the metric names."""

    providers: ProviderRegistry
    connections: Connections
    workers: HookWorkers

    async def measure(self, run: RunView, metric: Metric, successes: int) -> Answer | MeasuredValue:
        """See `Measurer`."""
        request = MeasurementRequest(values_of(run.args), run.namespace, run.owner, run.uid, metric.name, successes)
        return await self.providers.measure(metric.provider, request, self.connections)

    async def verdict(self, run: RunView, metric: Metric, found: Answer | MeasuredValue) -> MeasurementVerdict:
        """See `Measurer`."""
        return await self.workers.verdict(run.namespace, metric, found)


class MeasurementTasks:
    """Starts measurements, and keeps their results until they are saved.

    The key of a run is added to ``queue`` when one of its measurements ends. ``now`` is Unix time.
    """

    def __init__(
        self,
        measurer: Measurer,
        queue: WorkQueue[Key],
        metrics: HookMetrics,
        now: Callable[[], float],
        max_concurrent: int,
    ) -> None:
        self._measurer, self._queue, self._metrics, self._now = measurer, queue, metrics, now
        self._runs: dict[str, _Run] = {}
        self._slots = FairSemaphore(max_concurrent)
        self._memory = AnswerMemory()
        self._turn = asyncio.Lock()

    def running(self, uid: str) -> frozenset[str]:
        """Names of the metrics of a run that are being measured."""
        run = self._runs.get(uid)
        return frozenset(run.tasks) if run else frozenset()

    def unsaved(self, uid: str) -> tuple[UnsavedMeasurement, ...]:
        """Measurements of a run that are not in its status yet."""
        run = self._runs.get(uid)
        return tuple(run.unsaved) if run else ()

    def mark_saved(self, uid: str, measurements: Sequence[UnsavedMeasurement]) -> None:
        """Drop what the status has now; what came in meanwhile stays for the next pass."""
        run = self._runs.get(uid)
        if run is not None:
            run.unsaved = [unsaved for unsaved in run.unsaved if unsaved not in measurements]
            if not (run.unsaved or run.tasks):
                del self._runs[uid]

    def start(self, view: RunView, metric: Metric, known: MetricState | None) -> None:
        """Begin to measure a metric, unless it is being measured or its last measurement is not saved yet."""
        run = self._runs.setdefault(view.uid, _Run())
        if metric.name in run.tasks or any(unsaved.metric == metric.name for unsaved in run.unsaved):
            return
        work = self._measure(run, view, metric, known or MetricState(metric.name))
        run.tasks[metric.name] = asyncio.get_running_loop().create_task(work, name=f"measure {view.name} {metric.name}")

    def forget(self, uid: str) -> None:
        """Cancel the measurements of a run that is gone or final, and drop its results."""
        run = self._runs.pop(uid, None)
        for task in run.tasks.values() if run else ():
            task.cancel()

    async def close(self) -> None:
        """Cancel all measurements, and wait until they have ended."""
        tasks = [task for run in self._runs.values() for task in run.tasks.values()]
        for uid in list(self._runs):
            self.forget(uid)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _measure(self, run: _Run, view: RunView, metric: Metric, known: MetricState) -> None:
        started, value = self._now(), None
        try:
            async with self._slots.slot(view.namespace), self._memory.measurement(view.namespace):
                await self._own_turn()
                started = self._now()
                found = await self._measurer.measure(view, metric, known.successful)
                verdict = await self._measurer.verdict(view, metric, found)  # the answer is in memory until then
            phase, message, value = verdict.phase, verdict.message, verdict.value
        except (ProviderError, SandboxError, ValueError) as error:
            phase, message = HookPhase.ERROR, str(error)
        except Exception as error:  # a defect of ours must not leave the run waiting for ever
            where = {"kind": "HookRun", "namespace": view.namespace, "name": view.name, "metric": metric.name}
            log.exception("measurement failed", exc_info=_without_text(error), **where)
            phase, message = HookPhase.ERROR, f"internal error: {type(error).__name__}"
        finished = self._now()
        del run.tasks[metric.name]
        state = MeasurementState(phase, started, finished, value, message[:_MESSAGE_LIMIT])
        run.unsaved.append(UnsavedMeasurement(metric.name, known.count, state))
        self._metrics.observe_measurement(view, metric, phase, finished - started)
        self._queue.add((view.namespace, view.name))

    async def _own_turn(self) -> None:
        """Wait for a turn of the loop in which no other measurement begins: hundreds may be ready at the same time."""
        async with self._turn:
            await asyncio.sleep(0)


class _Defect(Exception):
    """Stands in the log for an error of ours."""


def _without_text(error: Exception) -> Exception:
    """Type and traceback of an error. Its text may repeat a header or a URL, and with them what these keep secret."""
    return _Defect(type(error).__name__).with_traceback(error.__traceback__)


def with_unsaved(state: RunState, measurements: Sequence[UnsavedMeasurement]) -> RunState:
    """The state with these measurements; one that an earlier write already brought in is not counted again."""
    for item in measurements:
        known = state.result(item.metric)
        if (known.count if known else 0) == item.number:
            state = add_measurement(state, item.metric, item.state)
    return state
