"""The operators as a process beside the cluster, as tests and demo run them."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from pathlib import Path

from devcluster import processes
from devcluster.state import Missing

_NAME = "operators"
METRICS_PORT, LIVENESS_PORT = 10251, 10252


def start(kubeconfig: Path, *flags: str) -> None:
    """Start the operators (again), and wait until their caches are filled.

    Raises:
        Missing: they do not get ready; the text is the end of their log.
    """
    stop()
    program = Path(sys.executable).with_name("game-operators")
    command = [str(program), "run", f"--kubeconfig={kubeconfig}", "--log-format=text", *flags]
    processes.start(_NAME, command)
    if not processes.wait(_ready, 60):
        raise Missing(f"the operators do not get ready:\n{processes.tail(_NAME)}")


def stop() -> None:
    """End them politely."""
    processes.stop(_NAME, patience=30.0)


def pid() -> int:
    """Their process id."""
    return processes.pid(_NAME)


def log_tail(lines: int = 20) -> str:
    """The end of their log."""
    return processes.tail(_NAME, lines)


def _ready() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    stop()
