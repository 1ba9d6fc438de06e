"""Runs kubectl game as people do: as a program of its own, in a pipe or in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "operators.cli.game.main"]


def environment(kubeconfig: Path, **more: str) -> dict[str, str]:
    """That of a user with this kubeconfig, and nothing of ours."""
    kept = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "NO_COLOR", "COLUMNS", "TERM")}
    return {**kept, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Game:
    """kubectl game with a kubeconfig, in a namespace."""

    kubeconfig: Path
    namespace: str

    async def __call__(self, *arguments: str, seconds: float = 60.0, **more: str) -> Ended:
        """Run a command to its end."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *self.line(*arguments),
            env=environment(self.kubeconfig, **more),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    def line(self, *arguments: str) -> list[str]:
        """The arguments with the namespace, unless they name one."""
        named = any(a in ("-n", "-A") or a.startswith("--namespace") for a in arguments)
        return [*arguments, *([] if named else ["-n", self.namespace])]
