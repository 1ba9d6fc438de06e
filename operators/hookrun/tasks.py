"""Measurements under way, and those not written down yet.

Each measurement is a task of its own, so that a slow answer holds up no other run. How many go on at a time is bounded,
and one namespace gets no more than half of it. What is here is lost with the process: a measurement that was not
written is taken again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from operators.api.hooktemplate import Metric
from operators.hookrun.assess import Measured, Result, RunState, record
from operators.hookrun.verdict import ProviderError, Value, clip, judge
from operators.hookrun.view import RunView

log = logging.getLogger(__name__)
_MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Fresh:
    """A measurement not written yet: the ``number``-th of its metric, so that none is counted twice."""

    metric: str
    number: int
    measured: Measured


@dataclass(slots=True)
class _Run:
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    fresh: list[Fresh] = field(default_factory=list)


class Measuring:
    """Takes measurements.

    ``ask`` measures a metric of a run; its last argument is the number of successes so far. ``done`` is told of every
    measurement taken. ``now`` is Unix time.
    """

    def __init__(
        self,
        ask: Callable[[RunView, Metric, int], Awaitable[Value]],
        done: Callable[[RunView, Metric, Measured], None],
        now: Callable[[], float],
        max_concurrent: int,
    ) -> None:
        self._ask, self._done, self._now = ask, done, now
        self._runs: dict[str, _Run] = {}
        self._slots = asyncio.Semaphore(max_concurrent)
        self._share = max(1, max_concurrent // 2)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def busy(self, uid: str) -> frozenset[str]:
        """Metrics of a run that are being measured."""
        run = self._runs.get(uid)
        return frozenset(run.tasks) if run else frozenset()

    def fresh(self, uid: str) -> tuple[Fresh, ...]:
        """Measurements of a run that are not written yet."""
        run = self._runs.get(uid)
        return tuple(run.fresh) if run else ()

    def written(self, uid: str, measurements: Sequence[Fresh]) -> None:
        """Drop what was written; what came in meanwhile stays for the next pass."""
        run = self._runs.get(uid)
        if run is not None:
            run.fresh = [fresh for fresh in run.fresh if fresh not in measurements]
            if not (run.fresh or run.tasks):
                del self._runs[uid]

    def start(self, view: RunView, metric: Metric, known: Result | None) -> None:
        """Begin to measure a metric, unless it is being measured or its last measurement is still to be written."""
        run = self._runs.setdefault(view.uid, _Run())
        if metric.name in run.tasks or any(fresh.metric == metric.name for fresh in run.fresh):
            return
        work = self._measure(run, view, metric, known or Result(metric.name))
        run.tasks[metric.name] = asyncio.get_running_loop().create_task(work, name=f"measure {view.name} {metric.name}")

    def forget(self, uid: str) -> None:
        """The run is gone or final: what goes on is stopped, and its outcome matters to nobody."""
        run = self._runs.pop(uid, None)
        for task in run.tasks.values() if run else ():
            task.cancel()

    async def close(self) -> None:
        """Stop everything."""
        tasks = [task for run in self._runs.values() for task in run.tasks.values()]
        for uid in list(self._runs):
            self.forget(uid)
        await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def _slot(self, namespace: str) -> AsyncIterator[None]:
        share = self._shares.get(namespace)
        if share is None:
            share = self._shares[namespace] = asyncio.Semaphore(self._share)
        async with share, self._slots:
            yield

    async def _measure(self, run: _Run, view: RunView, metric: Metric, known: Result) -> None:
        started, value = self._now(), None
        try:
            async with self._slot(view.namespace):
                started = self._now()
                found = await self._ask(view, metric, known.successful)
            phase, message = judge(metric, found)
            value = clip(found.text)
        except (ProviderError, ValueError) as error:
            phase, message = "Error", str(error)
        except Exception as error:  # a defect of ours must not leave the run waiting for ever
            log.exception("measuring %s of %s/%s failed", metric.name, view.namespace, view.name)
            phase, message = "Error", f"internal error: {type(error).__name__}"
        measured = Measured(phase, started, self._now(), value, message[:_MESSAGE_LIMIT])
        del run.tasks[metric.name]
        run.fresh.append(Fresh(metric.name, known.count, measured))
        self._done(view, metric, measured)


def with_fresh(state: RunState, fresh: Sequence[Fresh]) -> RunState:
    """The state with new measurements; one that an earlier write already brought in is not counted again."""
    for item in fresh:
        known = state.result(item.metric)
        if (known.count if known else 0) == item.number:
            state = record(state, item.metric, item.measured)
    return state
