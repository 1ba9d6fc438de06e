"""The metric of the event loop's delay."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from operators.runtime.looplag import PERIOD, LoopLag

NAME = "game_operators_event_loop_lag"


def test_the_latest_turn_stays_and_every_turn_is_counted():
    registry = CollectorRegistry()
    lag = LoopLag(registry)
    for seconds in (0.02, 0.4, -0.001, 0.03):
        lag.observe(seconds)
    assert registry.get_sample_value(f"{NAME}_max_seconds") == 0.4
    assert registry.get_sample_value(f"{NAME}_seconds_count") == 4
    assert registry.get_sample_value(f"{NAME}_seconds_bucket", {"le": "0.25"}) == 3


async def test_a_loop_that_stands_still_is_seen():
    registry = CollectorRegistry()
    task = asyncio.create_task(LoopLag(registry).watch())
    await asyncio.sleep(0)
    began = time.monotonic()
    while time.monotonic() - began < 0.3:  # holds up the loop, as a long computation does
        pass
    deadline = time.monotonic() + 5
    while not registry.get_sample_value(f"{NAME}_seconds_count"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    assert registry.get_sample_value(f"{NAME}_max_seconds") >= 0.3 - PERIOD - 0.001
