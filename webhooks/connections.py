"""The connections of the server: at most so many, and none that says nothing for long."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from operators.logs import get_logger
from webhooks.load import LoadLimits

_LOG: Final = get_logger(__name__)
#: What aiohttp says of requests: it goes nowhere but to the count of broken connections.
_REQUESTS_LOG: Final = logging.getLogger(f"{__name__}.requests")
_LOG_SECONDS: Final = 60.0
_BACKLOG: Final = 512
#: Seconds for the other side to say goodbye, and to send the rest of what was refused; and until accepting again after
#: the system refused to.
_SHUTDOWN, _LINGER, _PAUSE = 1.0, 1.0, 0.1
#: Seconds that requests under way get to end when the server is stopped.
_DRAIN: Final = 10.0


class Broken(logging.Handler):
    """Counts connections that broke or were closed, by reason, and logs at most one line a minute about them.

    As a handler it takes what aiohttp logs about requests that are no HTTP.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock, self._next = clock, float("-inf")
        self._counts: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """Count one."""
        self._counts[reason] += 1
        if self._clock() < self._next:
            return
        self._next = self._clock() + _LOG_SECONDS
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self._counts.items()))
        self._counts.clear()
        _LOG.warning("connections ended early", reasons=reasons)

    def emit(self, record: logging.LogRecord) -> None:
        """Count what aiohttp logs."""
        error = record.exc_info[1] if record.exc_info else None
        self.count(f"with {type(error).__name__}" if error is not None else "with an error")


class _Connection(asyncio.Protocol):
    """A connection: passes everything on to aiohttp, and knows how long it has been waiting for a request."""

    def __init__(self, owner: Connections, inner: Any, since: float) -> None:
        self._owner, self.inner, self.since = owner, inner, since
        self.transport: asyncio.Transport | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.handshake: asyncio.Task[None] | None = None
        self.reading = True
        self.served = self.judging = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self.reading:
            self._owner.first_bytes(self)
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return bool(self.inner.eof_received())

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.forget(self)
        self.inner.connection_lost(exc)


@dataclass(slots=True)
class Request:
    """A request on a connection; `judge` and `end` say where it stands."""

    _owner: Connections
    _connection: _Connection | None

    def judge(self) -> None:
        """The body is there: from now on the connection is kept until the answer."""
        if self._connection is not None:
            self._connection.judging = True

    def end(self) -> None:
        """The answer is ready."""
        if self._connection is not None:
            self._owner.wait_for_next(self._connection)


class Connections:
    """Accepts connections. Beyond the limit a new one takes the place of one that waits for its request longest.

    Those that have never sent a whole request go first; one whose review is being judged never does.
    """

    def __init__(self, limits: LoadLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self.broken = Broken(self._loop.time)
        self._open: dict[Any, _Connection] = {}
        self._runner: web.AppRunner | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def listen(self, application: web.Application, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Start serving; the port.

        Raises:
            OSError: the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._listener.settimeout(0)
        _REQUESTS_LOG.handlers, _REQUESTS_LOG.propagate = [self.broken], False
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_REQUESTS_LOG,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=_LINGER,
            auto_decompress=False,
            shutdown_timeout=_DRAIN,
        )
        await self._runner.setup()
        self._accepting = asyncio.create_task(self._accept(self._listener, tls), name="connections")
        return int(self._listener.getsockname()[1])

    async def close(self) -> None:
        """Stop accepting, let requests under way end, and close all connections."""
        tasks = [*self._handshakes, *([self._accepting] if self._accepting is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for connection in list(self._open.values()):
            self._abort(connection)

    def request(self, inner: Any) -> Request:
        """A request has begun on the connection of this protocol of aiohttp: its headers are there."""
        connection = self._open.get(inner)
        if connection is not None and connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        return Request(self, connection)

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listener)
            except ConnectionError:
                continue
            except OSError as error:  # out of files, most likely
                self.broken.count(f"not accepted: {error.strerror}")
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._open) >= self._limits.connections and not self._make_place():
                self.broken.count("beyond the limit of connections")
                accepted.close()
                continue
            connection = self._new()
            connection.handshake = asyncio.create_task(self._shake_hands(connection, accepted, tls))
            self._handshakes.add(connection.handshake)
            connection.handshake.add_done_callback(self._handshakes.discard)

    def _new(self) -> _Connection:
        assert self._runner is not None
        assert self._runner.server is not None
        connection = _Connection(self, self._runner.server(), self._loop.time())
        self._open[connection.inner] = connection
        self._close_after(connection, self._limits.header_seconds, "without a whole request in time")
        return connection

    async def _shake_hands(self, connection: _Connection, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        times: dict[str, float] = {}
        if tls is not None:
            times = {"ssl_handshake_timeout": self._limits.header_seconds, "ssl_shutdown_timeout": _SHUTDOWN}
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted, ssl=tls, **times)
        except OSError as error:  # of TLS as well
            self.broken.count(f"in the handshake with {type(error).__name__}")
            self.forget(connection)

    def _make_place(self) -> bool:
        waiting = [connection for connection in self._open.values() if not connection.judging]
        if not waiting:
            return False
        self.broken.count("to make place for new ones")
        self._abort(min(waiting, key=lambda connection: (connection.served, connection.since)))
        return True

    def _abort(self, connection: _Connection) -> None:
        self.forget(connection)
        if connection.transport is not None:
            connection.transport.abort()
        elif connection.handshake is not None:
            connection.handshake.cancel()

    def forget(self, connection: _Connection) -> None:
        """The connection is gone."""
        self._open.pop(connection.inner, None)
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None

    def first_bytes(self, connection: _Connection) -> None:
        """A kept connection has begun to send again."""
        connection.reading, connection.since = True, self._loop.time()
        self._close_after(connection, self._limits.header_seconds, "without a whole request in time")

    def wait_for_next(self, connection: _Connection) -> None:
        """A request was answered."""
        connection.reading = connection.judging = False
        connection.served, connection.since = True, self._loop.time()
        if connection.inner in self._open:
            self._close_after(connection, self._limits.idle_seconds, "idle")

    def _close_after(self, connection: _Connection, seconds: float, reason: str) -> None:
        def close() -> None:
            if reason != "idle":
                self.broken.count(reason)
            self._abort(connection)

        if connection.timer is not None:
            connection.timer.cancel()
        connection.timer = self._loop.call_later(seconds, close)
