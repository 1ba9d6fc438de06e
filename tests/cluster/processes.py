"""Daemons that outlive the command that starts them, and end only when they are ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.state import run_dir


def _start_time(pid: int) -> str | None:
    """The kernel's start time of a process: a PID alone may have been given to somebody else."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else fields[19]


def _file(name: str) -> Path:
    return run_dir() / "run" / f"{name}.json"


def alive(name: str) -> bool:
    """Whether the process recorded under this name still runs."""
    try:
        entry = json.loads(_file(name).read_text())
    except (OSError, ValueError):
        return False
    return _start_time(entry["pid"]) == entry["start"]


def start(name: str, command: list[str], env: dict[str, str] | None = None) -> None:
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
            env={**os.environ, **(env or {})},
        )
    entry = {"pid": process.pid, "start": _start_time(process.pid)}
    _file(name).write_text(json.dumps(entry))


def stop(name: str, patience: float = 10.0) -> bool:
    """End a process we started: politely, then firmly. False when it did not run."""
    running = alive(name)
    if running:
        pid = json.loads(_file(name).read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
        if not wait(lambda: not alive(name), patience):
            os.kill(pid, signal.SIGKILL)
            wait(lambda: not alive(name), 5.0)
    _file(name).unlink(missing_ok=True)
    return running


def wait(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
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
