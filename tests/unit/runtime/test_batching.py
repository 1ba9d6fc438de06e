"""Many calls within limits, in virtual time."""

import asyncio

import pytest

from operators.runtime.batching import bounded, slow_start

pytestmark = pytest.mark.looptime


class Calls:
    """Calls of a second each; those in ``failing`` raise."""

    def __init__(self, failing=()):
        self.failing, self.started, self.running, self.most = set(failing), [], 0, 0

    def make(self, count):
        return [lambda n=n: self.call(n) for n in range(count)]

    async def call(self, number):
        self.started.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(1)
            if number in self.failing:
                raise ValueError(number)
        finally:
            self.running -= 1


async def test_all_calls_are_made_at_most_so_many_at_a_time():
    calls = Calls(failing=[3])
    results = await bounded(calls.make(10), limit=4)
    assert calls.most == 4
    assert [isinstance(r, ValueError) for r in results] == [n == 3 for n in range(10)]
    assert asyncio.get_running_loop().time() == pytest.approx(3)


async def test_creations_start_slowly():
    calls = Calls()
    results = await slow_start(calls.make(100), limit=64)
    assert results == [None] * 100
    assert asyncio.get_running_loop().time() == pytest.approx(7), "1 + 2 + 4 + 8 + 16 + 32 + 37"


@pytest.mark.parametrize(("failing", "started"), [(0, 1), (1, 3), (2, 3), (6, 7), (99, 100)])
async def test_after_a_batch_with_an_error_nothing_more_is_started(failing, started):
    calls = Calls(failing=[failing])
    results = await slow_start(calls.make(100))
    assert len(calls.started) == len(results) == started
    assert isinstance(results[failing], ValueError)


async def test_nothing_to_do_is_done_at_once():
    assert await bounded([]) == []
    assert await slow_start([]) == []


async def test_cancelling_ends_the_calls_under_way():
    calls = Calls()
    task = asyncio.create_task(bounded(calls.make(10), limit=2))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(10)
    assert calls.running == 0
    assert calls.started == [0, 1]
