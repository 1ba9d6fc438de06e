"""Keys to look at: each at most once in the queue, each with at most one worker."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Generic, TypeVar

from operators.runtime.metrics import QueueMetrics

K = TypeVar("K")
_FIRST, _CAP = 0.005, 60.0


class WorkQueue(Generic[K]):
    """A key added while it is worked on comes back once, after the worker is done with it."""

    def __init__(self, metrics: QueueMetrics | None = None) -> None:
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: dict[K, float] = {}
        self._added: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._metrics = metrics

    def add(self, key: K) -> None:
        """Ask for a pass over the key."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if self._metrics:
            self._metrics.adds.inc()
        if key not in self._working:
            self._push(key)

    def add_after(self, key: K, delay: float) -> None:
        """Ask for a pass later; the earliest of several times counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._fire, key)

    def add_rate_limited(self, key: K) -> float:
        """Ask for a pass after a failure, later each time; the delay in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay: float = min(_FIRST * 2**count, _CAP) * (0.75 + random.random() / 4)  # noqa: S311 - jitter
        if self._metrics:
            self._metrics.retries.inc()
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key succeeded: its failures no longer count."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Failures in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; `done` must follow."""
        loop = asyncio.get_running_loop()
        while not self._queue:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        key = self._queue.popleft()
        self._dirty.discard(key)
        now = loop.time()
        self._working[key] = now
        if self._metrics:
            self._metrics.depth.set(len(self._queue))
            self._metrics.waited.observe(now - self._added.pop(key, now))
        return key

    def done(self, key: K) -> None:
        """The worker is done with the key."""
        began = self._working.pop(key)
        if self._metrics:
            now = asyncio.get_running_loop().time()
            self._metrics.worked.observe(now - began)
            self._metrics.unfinished.set(sum(now - t for t in self._working.values()))
            self._metrics.longest.set(max((now - t for t in self._working.values()), default=0.0))
        if key in self._dirty:
            self._push(key)

    def _push(self, key: K) -> None:
        self._queue.append(key)
        if self._metrics:
            self._added.setdefault(key, asyncio.get_running_loop().time())
            self._metrics.depth.set(len(self._queue))
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
