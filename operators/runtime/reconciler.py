"""Workers that take keys from a queue and reconcile them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from operators.kube.errors import AlreadyExists, ApiError, Conflict, NotFound, NotLeading
from operators.logs import get_logger
from operators.runtime.metrics import PassMetrics
from operators.runtime.workqueue import QueueClosed, WorkQueue

K = TypeVar("K")
log = get_logger(__name__)
#: What a reconcile read has changed meanwhile: normal, unless it happens again and again.
_OUTDATED = (Conflict, NotFound, AlreadyExists)
_FAILURES_TO_REPORT = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reconcile ended.

    ``requeue_after``: seconds after which the key is reconciled again, whatever happens; None for never. ``quiet``:
    seconds within which events do not wake the key, so that many of them are answered by one reconcile.
    """

    requeue_after: float | None = None
    quiet: float = 0.0


class Controller(Generic[K]):
    """Runs passes. One that fails is repeated, later each time within a minute, and is logged and counted."""

    def __init__(
        self,
        name: str,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Awaitable[Outcome]],
        *,
        workers: int = 4,
        metrics: PassMetrics | None = None,
    ) -> None:
        self.name, self.queue = name, queue
        self._reconcile, self._workers, self._metrics = reconcile, workers, metrics

    async def run(self) -> None:
        """Work until cancelled, or until the queue is closed and the passes under way have ended."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.name}-{number}")

    def drain(self) -> None:
        """Begin no more passes; `run` returns when those under way have ended."""
        self.queue.close()

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                await self._reconcile_key(key)
            finally:
                self.queue.done(key)

    async def _reconcile_key(self, key: K) -> None:
        try:
            outcome = await self._reconcile(key)
        except Exception as error:  # noqa: BLE001 - a pass may fail in any way; it is told of and must come back
            self._failed(key, error)
        else:
            failures = self.queue.failures(key)
            if failures >= _FAILURES_TO_REPORT:
                log.info("reconcile succeeded", failures=failures, **self._fields(key))
            self.queue.forget(key)
            if outcome.quiet > 0:
                self.queue.keep_quiet(key, outcome.quiet)
            if outcome.requeue_after is not None:
                self.queue.add_after(key, outcome.requeue_after)

    def _failed(self, key: K, error: Exception) -> None:
        asked = error.retry_after if isinstance(error, ApiError) else None
        delay = self.queue.add_rate_limited(key, asked or 0.0)
        if self._metrics:
            self._metrics.failures.labels(self.name, type(error).__name__).inc()
        level = logging.WARNING
        if isinstance(error, NotLeading) or (
            isinstance(error, _OUTDATED) and self.queue.failures(key) % _FAILURES_TO_REPORT != 0
        ):
            level = logging.DEBUG
        trace = None if isinstance(error, ApiError) else error
        if trace is not None:
            level = logging.ERROR
        told = f"{type(error).__name__}: {error}"
        retry = round(delay, 2)
        log.log(level, "reconcile failed", error=told, retry_in=retry, exc_info=trace, **self._fields(key))

    def _fields(self, key: K) -> dict[str, str]:
        """Fields of log lines about a key, which is a namespace and a name."""
        if isinstance(key, tuple) and len(key) == 2:
            return {"controller": self.name, "namespace": str(key[0]), "name": str(key[1])}
        return {"controller": self.name, "key": str(key)}
