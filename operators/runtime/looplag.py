"""How late the event loop comes to its turns: what delays it delays every pass and every hook of the process."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry, Gauge, Histogram

#: Seconds between two looks. A stop of the loop is seen, at most this much shorter than it was.
PERIOD = 0.05
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class LoopLag:
    """Measures the loop that `watch` runs on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name = "game_operators_event_loop_lag"
        self._lag = Histogram(
            f"{name}_seconds",
            "How late the event loop came to its turns, looked at 20 times a second.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._most = Gauge(
            f"{name}_max_seconds", "The latest turn of the event loop since the process began.", registry=registry
        )
        self._latest = 0.0

    def observe(self, seconds: float) -> None:
        """Count one turn that came so many seconds late."""
        self._lag.observe(max(0.0, seconds))
        if seconds > self._latest:
            self._latest = seconds
            self._most.set(seconds)

    async def watch(self) -> None:
        """Measure for ever."""
        while True:
            due = time.monotonic() + PERIOD
            await asyncio.sleep(PERIOD)
            self.observe(time.monotonic() - due)
