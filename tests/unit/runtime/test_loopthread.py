"""A second event loop: what runs there does not wait for the first."""

import asyncio
import threading
import time

import pytest

from operators.runtime.loopthread import LoopThread


@pytest.fixture
async def thread():
    made = LoopThread("test").start()
    yield made
    await made.close()


async def ticks(seen, count):
    for _ in range(count):
        seen.append((threading.current_thread().name, time.monotonic()))
        await asyncio.sleep(0.01)


async def test_results_and_errors_come_back(thread):
    async def fails():
        raise ValueError("as it was")

    assert await thread.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="as it was"):
        await thread.run(fails())


async def test_it_turns_while_the_first_loop_stands(thread):
    seen, begun = [], threading.Event()

    async def work():
        begun.set()
        await ticks(seen, 1000)

    running = asyncio.create_task(thread.run(work()))
    assert await asyncio.to_thread(begun.wait, 10)
    stood = time.monotonic()
    while len(seen) < 20:  # nothing is awaited: the first loop stands still, and only the second can fill the list
        assert time.monotonic() - stood < 30
    assert {name for name, _ in seen} == {"test"}
    running.cancel()


async def test_a_wait_that_is_cancelled_cancels_the_work(thread):
    begun, ended = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    task = asyncio.create_task(thread.run(work()))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)


async def test_closing_cancels_what_is_left_and_ends_the_thread():
    thread = LoopThread("test").start()
    begun, cancelled = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    left = asyncio.create_task(thread.run(work()))
    assert await asyncio.to_thread(begun.wait, 10)
    await thread.close()
    assert cancelled.is_set()
    assert not thread._thread.is_alive()
    with pytest.raises(asyncio.CancelledError):
        await left
    with pytest.raises(RuntimeError, match="not running"):
        await thread.run(asyncio.sleep(0))
    await thread.close()
