"""Many calls at once, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Call = Callable[[], Awaitable[None]]


async def bounded(calls: Sequence[Call], *, limit: int = 32) -> list[BaseException | None]:
    """Run all calls, at most ``limit`` at a time; the error of each, None where it succeeded.

    Cancelling it cancels the calls under way and waits for none that has not begun.
    """
    gate = asyncio.Semaphore(limit)

    async def one(call: Call) -> None:
        async with gate:
            await call()

    return list(await asyncio.gather(*(one(c) for c in calls), return_exceptions=True))


async def slow_start(calls: Sequence[Call], *, limit: int = 64) -> list[BaseException | None]:
    """Run calls in batches of 1, 2, 4, …; after a batch with an error nothing more is started.

    A quota that refuses pods then costs one request instead of thousands. Results cover only what was started.
    """
    results: list[BaseException | None] = []
    size = 1
    while len(results) < len(calls):
        batch = await bounded(calls[len(results) : len(results) + size], limit=limit)
        results += batch
        if any(error is not None for error in batch):
            break
        size = min(size * 2, limit)
    return results
