"""A pool of worker processes that run pure functions on input of users, under hard limits.

The event loop only writes the request and reads the answer. What passes a limit is ended by the kernel, gets an error
that names the limit, and is replaced at once; requests of others go on. Namespaces share the workers by the CPU time
they use (`operators.fairqueue`), so one whose requests all run into the limit delays another's by one of them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from typing import Any

import orjson

from operators.fairqueue import FairQueue
from operators.logs import get_logger
from operators.sandbox import protocol
from operators.sandbox.errors import (
    AnswerTooLarge,
    CpuLimitExceeded,
    FunctionDefect,
    MemoryLimitExceeded,
    Refused,
    RequestTooLarge,
    SandboxError,
    Unavailable,
    WallLimitExceeded,
    WorkerDied,
)
from operators.sandbox.limits import Limits
from operators.sandbox.protocol import Status
from operators.sandbox.zygote import WorkerProcess, ZygoteClient

log = get_logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_EXIT_SECONDS = 1.0
_STATUSES = frozenset(Status)


@dataclass(slots=True, eq=False)
class _Call:
    name: str
    frame: bytes
    body: bytes | bytearray
    cpu_seconds: float
    answered: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a call went. ``ended`` says that the worker is gone, ``lost`` that all are, with their zygote."""

    error: SandboxError | None
    cpu_seconds: float
    value: Any = None
    ended: bool = False
    lost: bool = False


class _Garbled(Exception):
    """The worker wrote what is no answer."""


class WorkerPool:
    """Runs functions of one module, which are in its mapping ``FUNCTIONS``, in ``workers`` processes.

    A function takes a value of JSON and the bytes of a body, and returns a value of JSON; it must be pure. The module
    must import nothing that starts threads. Of several workers the last idle one is kept for a namespace that has no
    running call, so that one namespace alone never makes another wait. Processes start with the first call, or with
    `start`. They end with `close`, and with the thread of the event loop.
    """

    def __init__(self, functions: str, *, workers: int = 1, limits: Limits | None = None) -> None:
        self._functions, self._count, self._limits = functions, workers, limits or Limits()
        self._queue: FairQueue[_Call] = FairQueue(fewest_first=True)
        self._pushed = asyncio.Event()
        self._servers: list[asyncio.Task[None]] = []
        self._zygote: ZygoteClient | None = None
        self._starting = asyncio.Lock()
        self._pause = 0.0
        self._closed = False
        self._busy = 0

    async def start(self) -> None:
        """Start the processes, and wait for the first.

        Raises:
            Unavailable: they do not start, or the pool is closed.
        """
        self._serve()
        await self._living_zygote()

    async def close(self) -> None:
        """End all processes; calls that were not answered end with `Unavailable`."""
        self._closed = True
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)
        while self._queue:
            served = self._queue.pop()
            _fail(served.item, Unavailable("the sandbox is closed"))
            self._queue.done(served, 0.0)
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.close()
                self._zygote = None

    async def call(
        self,
        namespace: str,
        name: str,
        argument: Any,
        body: bytes | bytearray = b"",
        *,
        cpu_seconds: float | None = None,
    ) -> Any:
        """Run a function, and return its result.

        ``namespace`` is the one that the call is for. A call whose caller is cancelled is taken out of the queue; one
        that is being run is left to end by itself.

        Raises:
            Refused: the function raised ValueError.
            LimitExceeded: the call passed a limit.
            SandboxError: any other reason why there is no result; all of the above are of this type too.
            TypeError: the argument is no JSON.
        """
        self._serve()
        request = orjson.dumps([name, argument])
        size = len(request) + len(body)
        if size > protocol.REQUEST_LIMIT:
            raise RequestTooLarge(size)
        seconds = self._limits.cpu_seconds if cpu_seconds is None else cpu_seconds
        header = protocol.REQUEST.pack(max(1, round(seconds * 1e6)), len(request), len(body))
        call = _Call(name, header + request, body, seconds, asyncio.get_running_loop().create_future())
        ticket = self._queue.push(namespace, call)
        self._pushed.set()
        try:
            return await call.answered
        finally:
            self._queue.discard(ticket)

    def _serve(self) -> None:
        if self._closed:
            raise Unavailable("the sandbox is closed")
        if not self._servers:
            self._servers = [asyncio.create_task(self._run(), name=f"sandbox {n}") for n in range(self._count)]

    async def _run(self) -> None:
        """Serve calls with one worker at a time; one that ended is replaced before the next call."""
        worker: WorkerProcess | None = None
        try:
            while True:
                if worker is None or worker.exited.done() or not _is_idle(worker.connection):
                    worker = await self._replace(worker)
                elif self._queue and self._may_be_served(self._queue.head().running):
                    worker = await self._serve_next(worker)
                else:
                    self._pushed.clear()
                    await self._pushed.wait()
        finally:
            if worker is not None:
                worker.connection.close()

    def _may_be_served(self, running: int) -> bool:
        """Whether a namespace with so many running calls may have one more worker: never the last of several."""
        return not running or self._busy < self._count - 1

    async def _replace(self, ended: WorkerProcess | None) -> WorkerProcess | None:
        """A new worker; when there is none, calls that wait end with an error, and the next try is later."""
        if ended is not None:
            ended.connection.close()
        try:
            worker = await self._forked()
        except Unavailable as error:
            log.warning("worker processes cannot be started", error=str(error))
            while self._queue:
                served = self._queue.pop()
                _fail(served.item, error)
                self._queue.done(served, 0.0)
            self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)
            await asyncio.sleep(self._pause)
            return None
        self._pause = 0.0
        worker.exited.add_done_callback(lambda _: self._pushed.set())
        return worker

    async def _forked(self) -> WorkerProcess:
        """A new worker; a zygote that turns out to be gone is started again once."""
        zygote = await self._living_zygote()
        try:
            return await zygote.fork()
        except Unavailable:
            if not zygote.lost:
                raise
        return await (await self._living_zygote()).fork()

    async def _living_zygote(self) -> ZygoteClient:
        async with self._starting:
            if self._zygote is not None and self._zygote.lost:
                await self._zygote.close()
                self._zygote = None
            if self._zygote is None:
                self._zygote = await ZygoteClient.start(self._functions, self._limits.memory_bytes)
            return self._zygote

    async def _serve_next(self, worker: WorkerProcess) -> WorkerProcess | None:
        served = self._queue.pop()
        call, spent, left = served.item, 0.0, worker
        self._busy += 1
        try:
            if call.answered.done():  # its caller is gone
                return worker
            outcome = await self._attempt(call, worker)
            if outcome.lost:  # with all workers, so this call is not the reason
                renewed = await self._replace(worker)
                if renewed is None:
                    return None
                left = renewed
                outcome = await self._attempt(call, renewed)
            spent = outcome.cpu_seconds
            _settle(call, outcome)
            if outcome.ended:
                left.connection.close()
            return None if outcome.ended else left
        finally:
            _fail(call, Unavailable("the sandbox is closed"))
            self._queue.done(served, spent)
            self._busy -= 1
            self._pushed.set()

    async def _attempt(self, call: _Call, worker: WorkerProcess) -> _Outcome:
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                return await self._exchange(call, worker.connection)
        except TimeoutError:
            await worker.zygote.end(worker)
            return _Outcome(WallLimitExceeded(self._limits.wall_seconds), call.cpu_seconds, ended=True)
        except _Garbled:
            await worker.zygote.end(worker)
            return _Outcome(WorkerDied("the worker gave no readable answer"), call.cpu_seconds, ended=True)
        except (OSError, EOFError):
            return await self._death(call, worker)

    async def _exchange(self, call: _Call, connection: socket.socket) -> _Outcome:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, call.frame)
        if call.body:
            await loop.sock_sendall(connection, call.body)
        code, ending, microseconds, size = protocol.ANSWER.unpack(await _receive(connection, protocol.ANSWER.size))
        if code not in _STATUSES or size > protocol.ANSWER_LIMIT:
            raise _Garbled
        try:
            value = orjson.loads(await _receive(connection, size))
        except ValueError as error:
            raise _Garbled from error
        seconds = microseconds / 1e6
        if code == Status.OK:
            return _Outcome(None, seconds, value, ended=ending)
        return _Outcome(self._error(Status(code), call, str(value)), seconds, ended=ending)

    def _error(self, status: Status, call: _Call, text: str) -> SandboxError:
        if status is Status.REFUSED:
            return Refused(text)
        if status is Status.MEMORY:
            return MemoryLimitExceeded(self._limits.memory_bytes)
        return AnswerTooLarge() if status is Status.TOO_LARGE else FunctionDefect(call.name, text)

    async def _death(self, call: _Call, worker: WorkerProcess) -> _Outcome:
        """Why a worker closed its connection."""
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await asyncio.shield(worker.exited)
        except TimeoutError:
            status = await worker.zygote.end(worker)
        if status is None:
            return _Outcome(WorkerDied("the worker was ended"), 0.0, ended=True, lost=True)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
            return _Outcome(CpuLimitExceeded(call.cpu_seconds), call.cpu_seconds, ended=True)
        how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"code {os.WEXITSTATUS(status)}"
        return _Outcome(WorkerDied(f"the worker ended by {how}"), call.cpu_seconds, ended=True)


def _is_idle(connection: socket.socket) -> bool:
    """Whether the worker is there, and has written nothing that was not asked for."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def _receive(connection: socket.socket, size: int) -> bytearray:
    """So many bytes.

    Raises:
        EOFError: the worker closed its end before.
    """
    loop, received = asyncio.get_running_loop(), bytearray(size)
    left = memoryview(received)
    while left:
        count = await loop.sock_recv_into(connection, left)
        if not count:
            raise EOFError
        left = left[count:]
    return received


def _settle(call: _Call, outcome: _Outcome) -> None:
    if outcome.error is not None:
        if not isinstance(outcome.error, Refused):
            log.info("call of a worker failed", function=call.name, error=str(outcome.error))
        _fail(call, outcome.error)
    elif not call.answered.done():
        call.answered.set_result(outcome.value)


def _fail(call: _Call, error: SandboxError) -> None:
    if not call.answered.done():
        call.answered.set_exception(error)
