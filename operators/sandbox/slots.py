"""Slots that are held for long, shared between namespaces so that a new one never waits for the holders of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from operators.fairqueue import FairQueue, Served

#: A namespace may hold so many times the slots that are still free for further ones.
_GREED = 2


@dataclass(slots=True, eq=False)
class _Request:
    granted: asyncio.Future[None]
    served: Served[_Request] | None = None


class FairSemaphore:
    """At most ``slots`` holders at a time. Nobody is interrupted, so what later namespaces need is kept free.

    * A namespace that holds no slot gets one at once, unless all slots are held by ``reserve`` namespaces or more;
      ``reserve`` is a quarter of the slots by default, and at least two.
    * The slots beyond the first of each namespace are ``slots - reserve``. A namespace takes another of them only
      while it holds fewer than twice as many of them as are free. So a lone one gets two thirds of them, which is half
      of all by default; two that come together get two fifths each; and there is always a rest for one more.
    * Of those that wait, the namespace with the fewest slots is first, then the one that had the fewest slot seconds.

    Times are those of the event loop.
    """

    def __init__(self, slots: int, *, reserve: int | None = None) -> None:
        self._slots = slots
        self._reserve = max(min(2, slots), slots // 4) if reserve is None else reserve
        self._queue: FairQueue[_Request] = FairQueue(fewest_first=True)
        self._held = self._holders = 0

    def held(self, namespace: str) -> int:
        """Slots that a namespace holds."""
        return self._queue.running(namespace)

    @asynccontextmanager
    async def slot(self, namespace: str) -> AsyncIterator[None]:
        """Hold a slot."""
        loop = asyncio.get_running_loop()
        request = _Request(loop.create_future())
        ticket = self._queue.push(namespace, request)
        self._grant()
        began = loop.time()
        try:
            await request.granted
            began = loop.time()
            yield
        finally:
            if request.served is not None:
                self._release(request.served, loop.time() - began)
            else:
                self._queue.discard(ticket)

    def _release(self, served: Served[_Request], seconds: float) -> None:
        self._queue.done(served, seconds)
        self._held -= 1
        self._holders -= self._queue.running(served.namespace) == 0
        self._grant()

    def _grant(self) -> None:
        while self._queue:
            head = self._queue.head()
            if head.item.granted.cancelled():
                self._queue.discard(head.ticket)
            elif self._may_take(head.running):
                self._held += 1
                self._holders += head.running == 0
                head.item.served = self._queue.pop()
                head.item.granted.set_result(None)
            else:
                return

    def _may_take(self, held: int) -> bool:
        """Whether a namespace that holds so many slots may take one more."""
        if self._held >= self._slots or not held:
            return self._held < self._slots
        shared = self._slots - max(self._reserve, self._holders)
        return held - 1 < _GREED * (shared - (self._held - self._holders))
