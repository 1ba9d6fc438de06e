"""Where the test cluster keeps its files, and how it reports."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

STARTED = time.monotonic()


class Missing(RuntimeError):
    """Something this machine lacks; the text says what, and what to do."""


def cache_dir() -> Path:
    """Built programs; shared by all checkouts."""
    return Path(os.environ.get("GAME_OPERATORS_CACHE") or Path.home() / ".cache" / "game-operators")


def run_dir() -> Path:
    """Everything of the running cluster: certificates, logs, data, process ids."""
    named = os.environ.get("GAME_OPERATORS_STATE")
    if named:
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/game-operators/cluster")
    return Path.home() / ".local" / "state" / "game-operators" / "cluster"


def say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    print(f"  {time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)
