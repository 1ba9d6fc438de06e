"""Workers and passes in virtual time."""

import asyncio
import logging
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from operators.kube.errors import Conflict, Invalid, NotLeading, Throttled, Unavailable
from operators.runtime.metrics import PassMetrics
from operators.runtime.reconciler import Controller, Outcome
from operators.runtime.workqueue import WorkQueue
from tests.logged import told

pytestmark = pytest.mark.looptime


class Running:
    """A controller whose passes are scripted: each entry is an outcome or an error; the last one is repeated."""

    def __init__(self, *script, workers=4):
        self.script, self.times, self.now_running, self.most = list(script), [], 0, 0
        self.queue = WorkQueue()
        self.registry = CollectorRegistry()
        metrics = PassMetrics(self.registry)
        self.controller = Controller("test", self.queue, self.reconcile, workers=workers, metrics=metrics)

    async def reconcile(self, key):
        self.times.append(asyncio.get_running_loop().time())
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            return await step(key)
        return step

    async def __aenter__(self):
        self.task = asyncio.create_task(self.controller.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def failures(self, kind):
        labels = {"controller": "test", "error": kind}
        return self.registry.get_sample_value("game_operators_pass_failures_total", labels) or 0


async def test_a_pass_may_ask_to_come_back():
    async with Running(Outcome(requeue_after=30), Outcome()) as run:
        run.queue.add("a")
        await asyncio.sleep(100)
        assert run.times == pytest.approx([0, 30])


async def test_a_pass_may_ask_for_a_rest_from_events():
    async with Running(Outcome(quiet=2.0), Outcome(requeue_after=0.5, quiet=2.0), Outcome()) as run:
        for _ in range(50):
            run.queue.add("a")
            await asyncio.sleep(0.1)
        assert run.times[:3] == pytest.approx([0, 2.0, 2.5], abs=0.01)


@pytest.mark.parametrize(
    "error",
    [
        Conflict(409, "Conflict", "changed"),
        Unavailable(0, "NoAnswer", "connection refused"),
        Invalid(422, "Invalid", "no"),
        KeyError("a defect"),
        NotLeading(0, "NotLeading", "lease"),
    ],
)
async def test_a_failing_pass_comes_back_later_each_time_and_is_counted(error):
    async with Running(error) as run:
        run.queue.add("a")
        await asyncio.sleep(600)
        gaps = [b - a for a, b in pairwise(run.times)]
        assert gaps[0] < 0.1
        assert 30 < max(gaps) <= 60
        assert run.failures(type(error).__name__) == len(run.times)


async def test_a_wait_that_the_server_asked_for_is_kept():
    async with Running(Throttled(429, "TooManyRequests", "", 20.0), Outcome()) as run:
        run.queue.add("a")
        await asyncio.sleep(100)
        assert run.times == pytest.approx([0, 20])


async def test_success_ends_the_back_off():
    error = Unavailable(500, "InternalError", "")
    async with Running(*[error] * 8, Outcome(), error, Outcome()) as run:
        run.queue.add("a")
        await asyncio.sleep(10)
        assert len(run.times) == 9
        run.queue.add("a")
        await asyncio.sleep(1)
        assert len(run.times) == 11, "the failure after a success is the first again"


async def test_one_key_that_fails_holds_up_no_other():
    async def step(key):
        if key == "bad":
            raise RuntimeError("a defect")
        return Outcome(requeue_after=1)

    async with Running(step, workers=1) as run:
        run.queue.add("bad")
        run.queue.add("good")
        await asyncio.sleep(100)
        assert len(run.times) > 100


async def test_a_defect_is_logged_with_its_traceback_and_a_conflict_only_when_it_goes_on(caplog):
    caplog.set_level(logging.INFO)
    async with Running(Conflict(409, "Conflict", "changed"), KeyError("defect"), Outcome()) as run:
        run.queue.add("a")
        await asyncio.sleep(10)
    errors = [r for r in caplog.records if "reconcile failed" in r.getMessage()]
    assert len(errors) == 1
    assert errors[0].levelno == logging.ERROR
    assert errors[0].exc_info[0] is KeyError
    caplog.clear()
    async with Running(*[Conflict(409, "Conflict", "changed")] * 6, Outcome()) as run:
        run.queue.add("a")
        await asyncio.sleep(10)
    messages = [told(r) for r in caplog.records]
    assert len([m for m in messages if "Conflict: changed" in m]) == 1
    assert "reconcile succeeded failures=6 controller=test key=a" in messages


@pytest.mark.parametrize("workers", [1, 3])
async def test_no_more_passes_at_a_time_than_workers_and_one_per_key(workers):
    running, most, doubled = {}, 0, []

    async def step(key):
        nonlocal most
        if running.get(key):
            doubled.append(key)
        running[key] = True
        most = max(most, sum(running.values()))
        await asyncio.sleep(1)
        running[key] = False
        return Outcome()

    async with Running(step, workers=workers) as run:
        for tick in range(50):
            for key in range(5):
                run.queue.add(key)
            await asyncio.sleep(0.3)
            assert tick < 50
    assert most == workers
    assert not doubled


async def test_drained_it_ends_after_the_pass_under_way_and_begins_no_other():
    ended = []

    async def step(key):
        await asyncio.sleep(5)
        ended.append(key)
        return Outcome(requeue_after=1)

    async with Running(step, workers=2) as run:
        for key in "abcd":
            run.queue.add(key)
        await asyncio.sleep(1)
        run.controller.drain()
        await run.task
        assert ended == ["a", "b"]
        assert asyncio.get_running_loop().time() == pytest.approx(5)
        assert len(run.times) == 2
