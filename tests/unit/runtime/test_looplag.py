"""The metrics of the event loop's delay."""

import asyncio
import os
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

from operators.runtime.looplag import PERIOD, LoopLag, Spent, ThreadTimes, own_share

NAME = "game_operators_event_loop"


def test_the_latest_turn_stays_and_every_turn_is_counted():
    registry = CollectorRegistry()
    lag = LoopLag(registry)
    for seconds, own in ((0.02, 0.01), (0.4, 0.1), (-0.001, 0.0), (0.03, 0.3)):
        lag.observe(seconds, own)
    assert registry.get_sample_value(f"{NAME}_lag_max_seconds") == 0.4
    assert registry.get_sample_value(f"{NAME}_lag_seconds_count") == 4
    assert registry.get_sample_value(f"{NAME}_lag_seconds_bucket", {"le": "0.25"}) == 3
    assert registry.get_sample_value(f"{NAME}_own_lag_seconds_bucket", {"le": "0.25"}) == 3


@pytest.mark.parametrize(
    ("late", "cpu", "waited", "own"),
    [
        (0.4, 0.01, 0.0, 0.4),  # it waited for something else than a CPU, e.g. another thread of ours: our fault
        (0.4, 0.01, 0.39, 0.01),
        (0.4, 0.35, 0.05, 0.35),
        (0.4, 0.01, 9.0, 0.0),
        (0.4, 0.38, 0.4, 0.33),  # work that its CPU time proves is not taken for waiting
        (-0.01, 0.02, 0.0, 0.0),
    ],
)
def test_what_the_machine_is_the_reason_for_is_not_the_loops_own(late, cpu, waited, own):
    assert own_share(late, Spent(1.0, 5.0), Spent(1.0 + cpu, 5.0 + waited)) == pytest.approx(own)


def test_a_thread_that_gets_no_cpu_is_seen_to_wait():
    """Two busy processes share one CPU."""
    allowed = os.sched_getaffinity(0)
    one = {min(allowed)}
    rival = os.fork()
    if not rival:
        os.sched_setaffinity(0, one)
        while True:
            pass
    found = []

    def work():
        os.sched_setaffinity(0, one)
        times = ThreadTimes()
        before, began = times.read(), time.monotonic()
        while time.monotonic() - began < 0.5:
            pass
        found.extend((before, times.read(), time.monotonic() - began))
        times.close()

    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        os.kill(rival, 9)
        os.waitpid(rival, 0)
    before, now, wall = found
    assert now.waited - before.waited > 0.05
    assert now.cpu - before.cpu + now.waited - before.waited == pytest.approx(wall, abs=0.15)


async def test_a_loop_that_stands_still_is_seen():
    registry = CollectorRegistry()
    task = asyncio.create_task(LoopLag(registry).watch())
    await asyncio.sleep(0)
    began = time.thread_time()
    while time.thread_time() - began < 0.3:  # holds up the loop, as a long computation does
        pass
    deadline = time.monotonic() + 5
    while not registry.get_sample_value(f"{NAME}_lag_seconds_count"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    assert registry.get_sample_value(f"{NAME}_lag_max_seconds") >= 0.3 - PERIOD - 0.001
    assert registry.get_sample_value(f"{NAME}_own_lag_seconds_sum") >= 0.3 - PERIOD - 0.001
