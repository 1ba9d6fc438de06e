"""Bounds the memory of answers that are being read or wait for their verdict.

A small answer needs no leave: there are at most as many as measurements are under way. For a large one a place has to
be free, from its reading until its verdict; namespaces share the places, and a new one never waits for the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

from operators.hookrun.providers.base import ProviderError
from operators.sandbox.slots import FairSemaphore

#: Bytes up to which an answer is small.
SMALL: Final = 1 << 16
#: Large answers at a time, of a megabyte each at most: 32 MiB, twice while the last bytes come in.
_LARGE: Final = 32
#: Seconds that a large answer waits for its place.
_PATIENCE: Final = 5.0


class _Measurement:
    """One measurement, which holds a place or none."""

    def __init__(self, places: FairSemaphore, namespace: str, stack: AsyncExitStack) -> None:
        self._places, self._namespace, self._stack = places, namespace, stack
        self.large = False

    async def grow(self) -> None:
        """Wait for a place."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._stack.enter_async_context(self._places.slot(self._namespace))
        except TimeoutError as error:
            reason = f"the answer is larger than {SMALL} bytes, and too many such answers were being read"
            raise ProviderError(reason) from error
        self.large = True


_CURRENT: Final[ContextVar[_Measurement | None]] = ContextVar("measurement", default=None)


class AnswerMemory:
    """The places of one process; at most ``large`` large answers at a time."""

    def __init__(self, large: int = _LARGE) -> None:
        self._places = FairSemaphore(large)

    def held(self, namespace: str) -> int:
        """Large answers of a namespace."""
        return self._places.held(namespace)

    @asynccontextmanager
    async def measurement(self, namespace: str) -> AsyncIterator[None]:
        """A measurement, with its verdict: `room_for` within it takes a place, which is given back at its end."""
        async with AsyncExitStack() as stack:
            token = _CURRENT.set(_Measurement(self._places, namespace, stack))
            try:
                yield
            finally:
                _CURRENT.reset(token)


async def room_for(size: int) -> None:
    """Wait until the answer of the measurement under way may be so large.

    Raises:
        ProviderError: there was no place for a long time.
    """
    measurement = _CURRENT.get()
    if size > SMALL and measurement is not None and not measurement.large:
        await measurement.grow()
