"""How late the event loop comes to its turns: what delays it delays every pass and every hook of the process.

It is late for two reasons: it worked for too long in one turn, which is a defect of ours, or it was ready to run and
got no CPU, which the machine is the reason for (too little of it, or a CPU limit). They are told apart.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, Histogram

#: Seconds between two looks. A stop of the loop is seen, at most this much shorter than it was.
PERIOD = 0.05
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a thread so far: of CPU, and of being ready to run without getting one."""

    cpu: float
    waited: float


class ThreadTimes:
    """The times of the thread that makes it, read from the kernel; without that the thread counts as never waiting."""

    def __init__(self) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def read(self) -> Spent:
        """What was spent so far."""
        waited = 0.0
        if self._file is not None:
            with suppress(OSError, ValueError, IndexError):
                waited = int(os.pread(self._file, 128, 0).split()[1]) / 1e9
        return Spent(time.thread_time(), waited)

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def own_share(late: float, before: Spent, now: Spent) -> float:
    """How much of a delay was the loop's own work, in seconds; what it spent between two looks is known.

    It waited for a CPU at most as long as the kernel says, and it worked at least as long as its CPU time says, of
    which one period may be from before the turn was due.
    """
    return max(0.0, late - (now.waited - before.waited), now.cpu - before.cpu - PERIOD)


class LoopLag:
    """Measures the loop that `watch` runs on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name = "game_operators_event_loop"
        self._lag = Histogram(
            f"{name}_lag_seconds",
            "How late the event loop came to its turns, looked at 20 times a second.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._own = Histogram(
            f"{name}_own_lag_seconds",
            "The same without the time in which the loop was ready to run and got no CPU: its own work in one turn.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._most = Gauge(
            f"{name}_lag_max_seconds", "The latest turn of the event loop since the process began.", registry=registry
        )
        self._latest = 0.0

    def observe(self, seconds: float, own: float) -> None:
        """Count one turn that came so many seconds late, ``own`` of them for the loop's own work."""
        self._lag.observe(max(0.0, seconds))
        self._own.observe(own)
        if seconds > self._latest:
            self._latest = seconds
            self._most.set(seconds)

    async def watch(self) -> None:
        """Measure for ever."""
        times = ThreadTimes()
        try:
            before = times.read()
            while True:
                due = time.monotonic() + PERIOD
                await asyncio.sleep(PERIOD)
                late, now = time.monotonic() - due, times.read()
                self.observe(late, own_share(late, before, now))
                before = now
        finally:
            times.close()
