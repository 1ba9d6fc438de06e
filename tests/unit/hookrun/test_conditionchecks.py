"""A pass does not wait for workers that others keep busy; it comes again when they have answered."""

import asyncio

import pytest

from operators.hookrun.conditionchecks import ConditionChecks
from operators.hookrun.view import run_view
from operators.runtime.workqueue import WorkQueue
from operators.sandbox.errors import Unavailable

KEY = ("games", "run")


class Workers:
    """Answers when told."""

    def __init__(self):
        self.go, self.asked, self.error = asyncio.Event(), 0, None

    async def unreadable_conditions(self, namespace, spec):
        self.asked += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return {"m": "does not parse"}


@pytest.fixture
def run():
    metric = {"name": "m", "successCondition": "(", "provider": {"web": {"url": "http://a/", "jsonPath": "{.a}"}}}
    metadata = {"name": "run", "namespace": "games", "uid": "u", "resourceVersion": "1"}
    return run_view({"metadata": metadata, "spec": {"metrics": [metric]}})


@pytest.fixture
async def workers():
    return Workers()


async def test_an_answer_that_is_there_at_once_needs_one_pass(run, workers):
    queue = WorkQueue()
    workers.go.set()
    checks = ConditionChecks(workers, queue)
    assert (await checks.of(KEY, run))[0] == {"m": "does not parse"}
    assert (await checks.of(KEY, run))[0] == {"m": "does not parse"}
    assert (workers.asked, len(queue)) == (1, 0)


async def test_a_late_answer_brings_the_run_back_and_is_asked_for_once(run, workers):
    queue = WorkQueue()
    checks = ConditionChecks(workers, queue)
    async with asyncio.timeout(5):
        assert await checks.of(KEY, run) is None, "the pass ends, whatever the workers are busy with"
        assert await checks.of(KEY, run) is None
        workers.go.set()
        assert await queue.get() == KEY
    assert (await checks.of(KEY, run))[0] == {"m": "does not parse"}
    assert workers.asked == 1


async def test_workers_that_are_not_there_are_asked_again(run, workers):
    workers.error = Unavailable("none")
    workers.go.set()
    checks = ConditionChecks(workers, WorkQueue())
    for _ in range(2):
        with pytest.raises(Unavailable):
            await checks.of(KEY, run)
    assert workers.asked == 2


async def test_a_run_that_is_gone_is_not_asked_about_any_more(run, workers):
    checks = ConditionChecks(workers, WorkQueue())
    assert await checks.of(KEY, run) is None
    checks.forget("u")
    workers.go.set()
    await checks.of(KEY, run)
    assert workers.asked == 2
    checks.close()
