"""The version of the programs, as pyproject.toml has it, and the commit they were built from."""

from __future__ import annotations

import argparse
import os
from typing import Any


def text(program: str) -> str:
    """What ``--version`` prints: name, version, and the commit where the image tells it."""
    from importlib import metadata

    commit = os.environ.get("GAME_OPERATORS_GIT_COMMIT", "")
    known = f" ({commit[:12]})" if commit and commit != "unknown" else ""
    return f"{program} {metadata.version('game-operators')}{known}"


class Version(argparse.Action):
    """``--version``: looks the version up when it is asked for, because every start would wait for that."""

    def __init__(self, option_strings: list[str], **_more: Any) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help="print the version and end")

    def __call__(self, parser: argparse.ArgumentParser, *_given: Any) -> None:
        """Print it and end."""
        print(text(parser.prog))
        parser.exit()
