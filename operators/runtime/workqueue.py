"""Keys to look at: each at most once in the queue, each with at most one worker."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from operators.fairqueue import FairQueue, Served
from operators.kube.retries import backoff
from operators.runtime.metrics import QueueMetrics

K = TypeVar("K", bound=Hashable)
_FIRST, _CAP = 0.005, 60.0
#: Seconds. After a failure events do not wake a key during its back-off, but no longer than this: an event may be the
#: cure, yet a reconcile that fails may cause events itself, and must not chase them.
_LONGEST_QUIET = 1.0


class QueueClosed(Exception):
    """No more keys are given out."""


def namespace_of(key: Hashable) -> str:
    """The namespace of a key that is a namespace and a name; other keys share one."""
    return str(key[0]) if isinstance(key, tuple) and len(key) == 2 else ""


class WorkQueue(Generic[K]):
    """Namespaces in equal shares, and within one first in, first out.

    While k namespaces have keys that wait, each gets 1/k of the workers' time; the namespace with the fewest passes
    under way is served first, then the one that has had the least time (`operators.fairqueue`). So a namespace full of
    workloads that fail delays another's by the end of one pass, not by all of its own.

    A key added while it is worked on comes back once, after the worker is done with it. Times are those of the event
    loop.
    """

    def __init__(self, metrics: QueueMetrics | None = None, *, namespace_of: Callable[[K], str] = namespace_of) -> None:
        self._queue: FairQueue[K] = FairQueue(fewest_first=True)
        self._namespace_of = namespace_of
        self._dirty: set[K] = set()
        self._working: dict[K, tuple[float, Served[K]]] = {}
        self._added: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._quiet_until: dict[K, float] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._clock = time.monotonic
        self._metrics = metrics
        if metrics is not None:
            metrics.watch(self._queue, self._running)

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, key: K) -> None:
        """Ask for a pass over the key: now, or at the end of its quiet time."""
        quiet = self._quiet_time(key)
        if quiet > 0:
            self.add_after(key, quiet)
        else:
            self._add(key)

    def add_after(self, key: K, delay: float) -> None:
        """Ask for a pass in ``delay`` seconds; the earliest of several times counts, and a pass before it settles it.

        A pass that still wants to be woken says so again: what it asked for before was asked on older facts.
        """
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._fire, key)

    def add_rate_limited(self, key: K, at_least: float = 0.0) -> float:
        """Ask for a pass after a failure, later each time, within about a minute; the delay in seconds.

        ``at_least`` is what the server asked for; it is cut at a minute too.
        """
        count = self._failures[key] = self._failures.get(key, 0) + 1
        delay = backoff(count, first=_FIRST, cap=_CAP, chance=random.random())  # noqa: S311 - jitter
        delay = max(delay, min(at_least, _CAP))
        if self._metrics:
            self._metrics.retries.inc()
        self._quiet_until[key] = asyncio.get_running_loop().time() + min(delay, _LONGEST_QUIET)
        self.add_after(key, delay)
        return delay

    def keep_quiet(self, key: K, seconds: float) -> None:
        """Let events of the key gather for so long; what they ask for is done once, at the end of it."""
        self._quiet_until[key] = asyncio.get_running_loop().time() + seconds

    def forget(self, key: K) -> None:
        """The key succeeded: its failures no longer count, and its quiet time is over."""
        self._failures.pop(key, None)
        self._quiet_until.pop(key, None)

    def failures(self, key: K) -> int:
        """Failures in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; `done` must follow.

        Raises:
            QueueClosed: the queue was closed.
        """
        loop = asyncio.get_running_loop()
        while not self._queue and not self._closed:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        if self._closed:
            raise QueueClosed
        served = self._queue.pop()
        key = served.item
        self._dirty.discard(key)
        # A timer may fire a hair before the quiet time ends; were it still on, an event during the pass would cause a
        # second pass right after this one.
        self._quiet_until.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._clock = loop.time
        now = loop.time()
        self._working[key] = now, served
        if self._metrics:
            self._metrics.waited.observe(now - self._added.pop(key, now))
        return key

    def done(self, key: K) -> None:
        """The worker is done with the key."""
        began, served = self._working.pop(key)
        seconds = asyncio.get_running_loop().time() - began
        self._queue.done(served, seconds)
        if self._metrics:
            self._metrics.worked.observe(seconds)
        if key in self._dirty:
            quiet = self._quiet_time(key)
            if quiet > 0:
                self._dirty.discard(key)
                self._added.pop(key, None)
                self.add_after(key, quiet)
            else:
                self._push(key)

    def close(self) -> None:
        """Give out no more keys: workers end after the pass they are at."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._waiters:
            self._wake()

    def _quiet_time(self, key: K) -> float:
        """Seconds for which a key is still not woken by events."""
        until = self._quiet_until.get(key)
        return 0.0 if until is None else until - asyncio.get_running_loop().time()

    def _add(self, key: K) -> None:
        if key in self._dirty or self._closed:
            return
        self._dirty.add(key)
        if self._metrics:
            self._metrics.adds.inc()
            self._added[key] = asyncio.get_running_loop().time()
        if key not in self._working:
            self._push(key)

    def _push(self, key: K) -> None:
        self._queue.push(self._namespace_of(key), key)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self._add(key)

    def _running(self) -> list[float]:
        """Seconds of each pass under way; read by the metrics server, from another thread."""
        working = list(self._working.values())
        if not working:
            return []
        now = self._clock()
        return [now - began for began, _ in working]
