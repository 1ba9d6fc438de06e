"""Helm, and the project's chart on the cluster in use."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.choose import helm_program

CHART = Path(__file__).parent.parent / "helm" / "game-operators"


class HelmFailed(AssertionError):
    """Helm refused; the text is what it said."""


def helm(*args: str, kubeconfig: Path | None = None, timeout: float = 300) -> str:
    """Run helm; its output.

    Raises:
        HelmFailed: it ended with an error.
    """
    where = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
    command = [helm_program(), *where, *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    if done.returncode:
        raise HelmFailed(f"helm {' '.join(args)}: {done.stdout.strip()}\n{done.stderr.strip()}")
    return done.stdout


@contextmanager
def values_file(values: Mapping[str, Any]) -> Iterator[str]:
    """Path of a file with these values, for as long as it is needed."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        yield file.name


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the chart."""

    kubeconfig: Path
    name: str
    namespace: str

    def run(self, verb: str, *args: str, timeout: float = 300) -> str:
        """Run a helm command on the release."""
        return helm(verb, self.name, *args, "-n", self.namespace, kubeconfig=self.kubeconfig, timeout=timeout)

    def apply(self, values: Mapping[str, Any], *args: str, chart: Path = CHART) -> str:
        """Install, or upgrade what is installed, and wait until all of it is ready."""
        with values_file(values) as file:
            options = ["--install", "--create-namespace", "--wait", "--timeout=90s", "-f", file]
            return self.run("upgrade", str(chart), *options, *args)

    def status(self) -> dict[str, Any]:
        """The release as Helm has recorded it."""
        recorded: dict[str, Any] = json.loads(self.run("status", "-o", "json"))
        return recorded
