"""Workers that take keys and make passes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from operators.runtime.errors import ApiError, Conflict, NotFound
from operators.runtime.workqueue import WorkQueue

K = TypeVar("K")
log = logging.getLogger(__name__)
_CONFLICT_DELAY = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended: look again after some seconds, or when something happens."""

    requeue_after: float | None = None


class Controller(Generic[K]):
    """Runs passes; a failed one is repeated later, by what its error says."""

    def __init__(
        self, name: str, queue: WorkQueue[K], reconcile: Callable[[K], Awaitable[Outcome]], *, workers: int = 4
    ) -> None:
        self.name, self.queue = name, queue
        self._reconcile, self._workers = reconcile, workers

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.name}-{number}")

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._pass(key)
            finally:
                self.queue.done(key)

    async def _pass(self, key: K) -> None:
        try:
            outcome = await self._reconcile(key)
        except (Conflict, NotFound) as error:
            log.debug("%s %s: %s; planning again", self.name, key, error)
            self.queue.add_after(key, _CONFLICT_DELAY)
        except ApiError as error:
            delay = error.retry_after or self.queue.add_rate_limited(key)
            self.queue.add_after(key, delay)
            log.warning("%s %s: %s; again in %.2f s", self.name, key, error, delay)
        except Exception:
            delay = self.queue.add_rate_limited(key)
            log.exception("%s %s: pass failed; again in %.2f s", self.name, key, delay)
        else:
            self.queue.forget(key)
            if outcome.requeue_after is not None:
                self.queue.add_after(key, outcome.requeue_after)
