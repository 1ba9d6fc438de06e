"""Daemons that outlive the command that starts them, and end only when they are ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.state import run_dir

Condition = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """A process we started. ``start`` is the kernel's start time: a PID alone may have been given to somebody else."""

    pid: int
    start: str
    command: tuple[str, ...] = ()


def start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None when there is none, or only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] in "ZX" else fields[19]


def _file(name: str) -> Path:
    return run_dir() / "run" / f"{name}.json"


def _record(name: str) -> Record | None:
    try:
        entry = json.loads(_file(name).read_text())
        return Record(int(entry["pid"]), str(entry["start"]), tuple(entry.get("command", ())))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _running(name: str) -> Record | None:
    record = _record(name)
    return record if record is not None and start_time(record.pid) == record.start else None


def alive(name: str, command: list[str] | None = None) -> bool:
    """Whether the process recorded under this name still runs; given a command line, also with exactly that one."""
    record = _running(name)
    return record is not None and (command is None or list(record.command) == command)


def start(name: str, command: list[str]) -> None:
    """Start a daemon in a session of its own, its output in a log file."""
    log = run_dir() / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _file(name).parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    entry = {
        "pid": process.pid,
        "start": start_time(process.pid) or "ended",
        "command": command,
    }
    partial = _file(name).with_suffix(".part")
    partial.write_text(json.dumps(entry))
    partial.rename(_file(name))


def stop(*names: str, patience: float = 10.0) -> list[str]:
    """End processes we started: politely, then firmly; the names of those that ran.

    Args:
        names: As given to `start`. A record whose process is gone, or is somebody else's by now, is only forgotten.
        patience: Seconds between SIGTERM and SIGKILL.
    """
    running = {name: record for name in names if (record := _running(name)) is not None}
    for record in running.values():
        _signal(record, signal.SIGTERM)
        _signal(record, signal.SIGCONT)
    if not wait(lambda: not any(alive(name) for name in running), patience):
        for record in running.values():
            _signal(record, signal.SIGKILL)
        wait(lambda: not any(alive(name) for name in running), 5.0)
    for name in names:
        _file(name).unlink(missing_ok=True)
    return list(running)


def _signal(record: Record, number: signal.Signals) -> None:
    """Signal the process if it still is the one we started."""
    if start_time(record.pid) == record.start:
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def describe(name: str) -> str:
    """``running, pid 42``, ``dead`` (recorded, but gone) or ``not started``."""
    record = _record(name)
    if record is None:
        return "not started"
    return f"running, pid {record.pid}" if alive(name) else "dead"


def wait(condition: Condition, seconds: float, every: float = 0.1) -> bool:
    """Wait until a condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def tail(name: str, lines: int = 15) -> str:
    """The end of a daemon's log."""
    log = run_dir() / "log" / f"{name}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def pid(name: str) -> int:
    """Process id of a daemon that runs.

    Raises:
        ProcessLookupError: it does not.
    """
    record = _running(name)
    if record is None:
        raise ProcessLookupError(name)
    return record.pid


def free_port() -> int:
    """A TCP port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
