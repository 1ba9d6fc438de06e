"""A second event loop in a thread of its own, for what must not wait for the first.

The Lease and the health endpoints live here. A pass, or a page of a list that takes long to decode, holds up the main
loop; it does not hold up this one, because the interpreter changes threads every few milliseconds. What can hold up
both is a single call into C that keeps the interpreter's lock; docs/decisions/0040-lease-thread.md says which there are
and how long they take.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

T = TypeVar("T")
#: Seconds for which `close` waits for the thread.
_END = 5.0


class LoopThread:
    """Runs coroutines on an event loop in a daemon thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begin to turn."""
        self._thread.start()
        return self

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    @property
    def running(self) -> bool:
        """It was started, and has not been closed."""
        return self._thread.is_alive() and not self._loop.is_closed()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` there and wait here for its result. Cancelling the wait cancels the work.

        Raises:
            RuntimeError: the thread has been closed.
        """
        if not self.running:
            work.close()
            raise RuntimeError("the thread is not running")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def close(self) -> None:
        """Cancel what still runs there, and end the thread. The second call does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, _END)
