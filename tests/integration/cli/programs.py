"""Runs kubectl game as people do: as a program of its own, in a pipe or in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operators.cli.game.main import main

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


@dataclass
class Running:
    """A command under way; ``lines`` are those that it has written so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def until(self, pattern: str, seconds: float = 20.0) -> None:
        """Until it writes a line like this."""
        assert self.process.stdout is not None
        while True:
            text = (await asyncio.wait_for(self.process.stdout.readline(), seconds)).decode()
            assert text, f"it ended before it said {pattern!r}: {self.lines}"
            self.lines.append(text.rstrip("\n"))
            if re.search(pattern, text):
                return

    async def end(self, seconds: float = 60.0) -> Ended:
        """How it ended, and all that it said."""
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        assert self.process.returncode is not None
        return Ended(self.process.returncode, "\n".join(self.lines) + "\n" + out.decode(), err.decode())


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

    async def inside(self, *arguments: str) -> Ended:
        """The same in this process, for many commands in a row: what is loaded once is not loaded again."""
        out, err = io.StringIO(), io.StringIO()

        def run() -> int:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                return main([*self.line(*arguments), "--kubeconfig", str(self.kubeconfig)])

        code = await asyncio.to_thread(run)
        return Ended(code, out.getvalue(), err.getvalue())

    async def start(self, *arguments: str) -> Running:
        """Run a command beside the test."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *self.line(*arguments),
            env=environment(self.kubeconfig),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Running(process)

    def line(self, *arguments: str) -> list[str]:
        """The arguments with the namespace, unless they name one."""
        named = any(a in ("-n", "-A") or a.startswith("--namespace") for a in arguments)
        return [*arguments, *([] if named else ["-n", self.namespace])]
