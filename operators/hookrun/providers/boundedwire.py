"""Reads answers of hooks from the network in small pieces, and no more around the body than any honest server sends.

Who answers decides how an answer is cut: into chunks of one byte, or behind informational answers without end. Each
costs the event loop about as much as a kilobyte does. So a piece is small, only one is looked at in a turn of the loop,
and what an answer consists of besides its body is limited.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

from operators.hookrun.providers.base import ProviderError

#: Bytes that are looked at in one turn of the loop.
PIECE: Final = 4096
#: A read of fewer bytes is a small one; so many are free, and before each further one it is waited longer, in seconds,
#: so that what comes byte by byte gathers meanwhile.
SMALL: Final = 256
_FREE, _LONGER, _LONGEST = 8, 0.002, 0.25
#: Bytes of an answer besides its body: status lines, headers, sizes of chunks.
FRAME_LIMIT: Final = 32 << 10


class ReadingTurns:
    """Lets one piece be read in each turn of the loop, of whatever answer; those that wait are served in order."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait for a turn of its own."""
        async with self._turn:
            await asyncio.sleep(0)


class Tally:
    """What was read of one answer so far; ``body`` is counted by who reads it."""

    def __init__(self) -> None:
        self.read = self.body = self._small = 0

    def count(self, size: int) -> None:
        """Count bytes that came.

        Raises:
            ProviderError: they are too many besides those of the body.
        """
        if self.read - self.body > FRAME_LIMIT + PIECE:
            raise ProviderError(f"the answer has more than {FRAME_LIMIT} bytes besides its body")
        self.read += size
        self._small += size < SMALL

    @property
    def pause(self) -> float:
        """Seconds to wait before the next read."""
        return min(_LONGEST, max(0, self._small - _FREE) * _LONGER)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is read in pieces."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, turns: ReadingTurns, tally: Tally) -> None:
        self._inner, self._turns, self._tally = inner, turns, tally

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._tally.pause:
            await asyncio.sleep(self._tally.pause)
        data = await self._inner.read(min(max_bytes, PIECE), timeout)
        self._tally.count(len(data))
        await self._turns.wait()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._turns, self._tally)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    """Makes such connections."""

    def __init__(self, turns: ReadingTurns, tally: Tally) -> None:
        self._inner, self._turns, self._tally = httpcore.AnyIOBackend(), turns, tally

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        connected = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(connected, self._turns, self._tally)


class BoundedTransport(httpx.AsyncHTTPTransport):
    """httpx's own, for one request, over such connections."""

    def __init__(self, trust: ssl.SSLContext, turns: ReadingTurns, tally: Tally) -> None:
        # Its own constructor would only make the pool that it uses.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust, max_connections=1, network_backend=_Backend(turns, tally)
        )
