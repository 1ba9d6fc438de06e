"""Limits of one call, and those that the kernel holds a worker to."""

from __future__ import annotations

import os
import resource
import signal
import sys
from dataclasses import dataclass

_OPEN_FILES, _STACK = 16, 8 << 20
_PR_SET_PDEATHSIG = 1
#: Workers yield to the process that decides.
_NICE = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """``cpu_seconds`` of one call; ``wall_seconds`` end a worker that gets no CPU or was stopped.

    ``memory_bytes`` is the address space of a worker, the interpreter (about 20 MiB) included.
    """

    cpu_seconds: float = 0.25
    wall_seconds: float = 10.0
    memory_bytes: int = 256 << 20


def end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, and end it now if the parent is gone already."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def confine(memory_bytes: int) -> None:
    """Put this process under the limits of a worker. A lower limit that is there already stays."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_STACK, _STACK),
    ):
        _, hard = resource.getrlimit(what)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))
    os.nice(_NICE)


def arm(cpu_seconds: float) -> None:
    """Have the kernel end this process after so much CPU time; 0 takes that back.

    SIGPROF has its default action, so that it ends the process in the middle of C code too: a handler in Python would
    run only after that code.
    """
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
