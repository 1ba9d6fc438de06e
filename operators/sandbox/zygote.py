"""The pool's end of the connections to its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

import operators
from operators.sandbox import protocol
from operators.sandbox.errors import Unavailable

_START_SECONDS, _FORK_SECONDS, _END_SECONDS = 30.0, 5.0, 2.0
Value = TypeVar("Value")
_ORPHAN_LOOKS, _ORPHAN_PAUSE = 200, 0.01
_PROGRAM: Final = "operators.sandbox.worker"


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A worker. ``exited`` gives its status as `os.waitpid` has it, None when that was lost with the zygote."""

    zygote: ZygoteClient
    number: int
    pid: int
    connection: socket.socket
    exited: asyncio.Future[int | None]


class ZygoteClient:
    """The zygote, and the workers it has forked. `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._forks: dict[int, asyncio.Future[int]] = {}
        self._exits: dict[int, asyncio.Future[int | None]] = {}
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.lost = False
        self._loop.add_reader(control.fileno(), self._read)

    @classmethod
    async def start(cls, functions: str, memory_bytes: int) -> ZygoteClient:
        """Start the zygote and wait until it has loaded the functions, the module of this name.

        Raises:
            Unavailable: it does not start.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        arguments = (str(os.getpid()), str(theirs.fileno()), str(memory_bytes), functions)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-s", "-m", _PROGRAM, *arguments),
                    env=_environment(),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(f"the sandbox does not start: {error.strerror}") from error
        client = cls(process, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await client._ready
        except (TimeoutError, Unavailable) as error:
            raise Unavailable("the sandbox does not start") from error
        finally:
            if not client._ready.done() or client._ready.cancelled() or client._ready.exception():
                await client.close()
        return client

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def fork(self) -> WorkerProcess:
        """Fork a worker.

        Raises:
            Unavailable: the zygote is gone, does not answer, or could not fork.
        """
        number = next(self._numbers)
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        forked = self._forks[number] = self._loop.create_future()
        exited = self._exits[number] = self._loop.create_future()
        try:
            with theirs:
                self._tell(protocol.FORK, number, theirs.fileno())
            async with asyncio.timeout(_FORK_SECONDS):
                pid = await forked
        except BaseException as error:
            ours.close()
            if isinstance(error, TimeoutError):
                self._end()
                raise Unavailable("the sandbox does not answer") from error
            raise
        finally:
            del self._forks[number]
        return WorkerProcess(self, number, pid, ours, exited)

    async def end(self, worker: WorkerProcess) -> int | None:
        """End a worker; gives its status as `WorkerProcess.exited` does."""
        worker.connection.close()
        if not worker.exited.done():
            with suppress(Unavailable):
                self._tell(protocol.KILL, worker.number)
            try:
                async with asyncio.timeout(_END_SECONDS):
                    return await asyncio.shield(worker.exited)
            except TimeoutError:  # the zygote was stopped, or is out of order
                self._end()
        return await worker.exited

    async def close(self) -> None:
        """End the zygote and all workers, and wait until they are gone."""
        self._lose()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._end()
            await self._process.wait()
        await self._reap_orphans()

    def _tell(self, what: bytes, number: int, *files: int) -> None:
        if self.lost:
            raise Unavailable("the sandbox was ended")
        try:
            socket.send_fds(self._control, [protocol.CONTROL.pack(what, number, 0)], files)
        except OSError as error:
            self._end()
            raise Unavailable("the sandbox was ended") from error

    def _read(self) -> None:
        while not self.lost:
            try:
                message = self._control.recv(protocol.CONTROL.size)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._lose()
                return
            what, number, value = protocol.CONTROL.unpack(message)
            if what == protocol.READY:
                _settle(self._ready, None)
            elif what == protocol.FORKED:
                if number in self._forks:
                    _settle(self._forks[number], value)
            else:
                self._on_exit(number, value)

    def _on_exit(self, number: int, status: int | None) -> None:
        exited = self._exits.pop(number, None)
        if exited is not None:
            _settle(exited, status)
        if number in self._forks:
            _fail(self._forks[number], "the sandbox could not fork")

    def _end(self) -> None:
        """End a zygote that does not do as it is told; the kernel ends its workers with it."""
        self._lose()
        if self._process.returncode is None:  # else its number may be that of another process by now
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def _lose(self) -> None:
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        _fail(self._ready, "the sandbox was ended")
        for number in list(self._exits):
            self._on_exit(number, None)

    async def _reap_orphans(self) -> None:
        """Wait for workers that outlived their zygote for a moment, if they became children of ours.

        That is so where this process is the first of its container.
        """
        for _ in range(_ORPHAN_LOOKS):
            if not self._has_orphans():
                return
            await asyncio.sleep(_ORPHAN_PAUSE)

    def _has_orphans(self) -> bool:
        """Collect what has ended; whether something of the zygote's group is still a child of ours, and alive."""
        try:
            while os.waitpid(-self._process.pid, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return False
        return True


def _environment() -> dict[str, str]:
    """What the interpreter needs to find this package; nothing of our own environment."""
    root = Path(operators.__file__).parent.parent
    return {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}


def _settle(future: asyncio.Future[Value], value: Value) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Value], text: str) -> None:
    if not future.done():
        future.set_exception(Unavailable(text))
        future.exception()  # nobody has to be waiting
