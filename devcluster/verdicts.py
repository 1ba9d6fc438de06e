"""Verdicts of the real kstatus library about objects, by a Go program built from its sources: `kstatus/verdict`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

from devcluster import choose
from devcluster.programs import program


def verdicts(objects: Iterable[Any]) -> list[str]:
    """For each object the word that tools act on: Current, InProgress, Failed, Terminating; ``error`` where none."""
    if not program("verdict").exists():
        choose.build_programs(["verdict"])
    lines = "".join(json.dumps(o) + "\n" for o in objects)
    done = subprocess.run(
        [str(program("verdict"))], input=lines, capture_output=True, text=True, check=True, timeout=120
    )
    return [line.split("\t")[0] for line in done.stdout.splitlines()]
