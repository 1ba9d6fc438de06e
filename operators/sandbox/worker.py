"""The processes that do the work: ``python -m operators.sandbox.worker``.

The first one, the zygote, loads the functions once and forks a worker for each that the pool asks for, which takes
milliseconds and shares the memory of what was loaded. It has one thread and no event loop, so that a fork is safe. A
worker answers one request after the other; the kernel ends it when a request passes a limit.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import orjson

from operators.sandbox import limits, protocol
from operators.sandbox.protocol import Status

Functions = Mapping[str, Callable[[Any, bytes], Any]]
#: KiB that a worker may have grown by; one that a large request made larger gives its memory back by ending.
_GROWTH: Final = 32 << 10
_TEXT_LIMIT: Final = 4096


def call(functions: Functions, request: bytes, body: bytes) -> tuple[Status, bytes]:
    """Status and JSON of a call; errors of the function are a status too."""
    try:
        name, argument = orjson.loads(request)
        result = orjson.dumps(functions[name](argument, body))
    except MemoryError:
        return Status.MEMORY, b'""'
    except RecursionError:
        return Status.REFUSED, b'"nested too deeply"'
    except ValueError as error:
        return Status.REFUSED, _text(str(error)[:_TEXT_LIMIT])
    except Exception:  # noqa: BLE001  # the pool tells who asked
        return Status.DEFECT, _text(traceback.format_exc()[-_TEXT_LIMIT:])
    if len(result) > protocol.ANSWER_LIMIT:
        return Status.TOO_LARGE, b'""'
    return Status.OK, result


def _text(text: str) -> bytes:
    return orjson.dumps(text.encode("utf-8", "backslashreplace").decode())


def work(connection: socket.socket, functions: Functions) -> None:
    """Answer requests until the pool closes the connection, or this process has grown too large."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + _GROWTH
    with connection.makefile("rb") as requests:
        ending = False
        while not ending:
            header = requests.read(protocol.REQUEST.size)
            if len(header) < protocol.REQUEST.size:
                return
            microseconds, size, body_size = protocol.REQUEST.unpack(header)
            limits.arm(microseconds / 1e6)
            began = time.process_time_ns()
            request, body = requests.read(size), requests.read(body_size)
            status, answer = call(functions, request, body)
            took = (time.process_time_ns() - began) // 1000
            limits.arm(0.0)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > largest
            ending = status is Status.MEMORY or grown
            connection.sendall(protocol.ANSWER.pack(status, ending, took, len(answer)) + answer)


class Zygote:
    """Forks and ends workers as the pool asks, and tells it of each that ended."""

    def __init__(self, control: socket.socket, functions: Functions, memory_bytes: int) -> None:
        self._control, self._functions, self._memory_bytes = control, functions, memory_bytes
        self._workers: dict[int, int] = {}
        self._woken, self._wake = socket.socketpair()

    def run(self) -> None:
        """Serve until the pool closes the connection."""
        self._woken.settimeout(0)
        self._wake.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        waiting = select.poll()
        waiting.register(self._control, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        self._tell(protocol.READY, 0, 0)
        while True:
            ready = {number for number, _ in waiting.poll()}
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
                self._reap(os.WNOHANG)
            if self._control.fileno() in ready and not self._obey():
                return

    def _tell(self, what: bytes, number: int, value: int) -> None:
        self._control.send(protocol.CONTROL.pack(what, number, value))

    def _obey(self) -> bool:
        message, numbers, _, _ = socket.recv_fds(self._control, protocol.CONTROL.size, 1)
        if not message:
            return False
        what, number, _ = protocol.CONTROL.unpack(message)
        if what == protocol.FORK:
            self._fork(number, numbers[0])
        elif number in self._workers:
            os.kill(self._workers[number], signal.SIGKILL)
        return True

    def _fork(self, number: int, connection: int) -> None:
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # too many processes, or too little memory: the pool asks again
            self._tell(protocol.EXITED, number, 0)
            return
        finally:
            if os.getpid() == zygote:
                os.close(connection)
        if not pid:
            self._become_worker(zygote, connection)
        self._workers[number] = pid
        self._tell(protocol.FORKED, number, pid)

    def _become_worker(self, zygote: int, connection: int) -> NoReturn:
        code = 1
        try:
            limits.end_with(zygote)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for unneeded in (self._control, self._woken, self._wake):
                unneeded.close()
            os.dup2(0, 2)
            limits.confine(self._memory_bytes)
            with socket.socket(fileno=connection) as requests:
                work(requests, self._functions)
            code = 0
        except (BrokenPipeError, ConnectionResetError):  # the pool is gone
            code = 0
        finally:
            os._exit(code)

    def _reap(self, options: int) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, options)
            if not pid:
                return
            number = next(number for number, worker in self._workers.items() if worker == pid)
            del self._workers[number]
            self._tell(protocol.EXITED, number, status)

    def close(self) -> None:
        """End all workers, and wait for them."""
        for pid in self._workers.values():
            os.kill(pid, signal.SIGKILL)
        while self._workers:
            pid, _ = os.waitpid(-1, 0)
            self._workers = {number: worker for number, worker in self._workers.items() if worker != pid}


def _forget_surroundings() -> None:
    """Nothing of the operators' environment, and no way to their log."""
    os.environ.clear()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main(arguments: list[str]) -> None:
    """Be the zygote: process id of the pool, number of the connection to it, bytes of memory, module of functions."""
    parent, control, memory_bytes, module = arguments
    limits.end_with(int(parent))
    _forget_surroundings()
    functions: Functions = importlib.import_module(module).FUNCTIONS
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(control)) as connection:
        zygote = Zygote(connection, functions, int(memory_bytes))
        try:
            zygote.run()
        except (BrokenPipeError, ConnectionResetError):  # the pool is gone
            pass
        finally:
            zygote.close()


if __name__ == "__main__":
    main(sys.argv[1:])
