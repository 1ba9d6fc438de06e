"""``completion``: scripts for shells, and for kubectl."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags


def command(
    flags: Flags,
    *,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell", "kubectl"],
        typer.Argument(help="The shell; kubectl: to be saved as kubectl_complete-game.", show_default=False),
    ],
) -> int:
    """Print a script that completes commands, options, and names from the cluster."""
    from operators.cli.game.completion import SCRIPTS
    from operators.cli.game.output import Screen

    Screen.of(flags).say(SCRIPTS[shell].rstrip("\n"))
    return Exit.REACHED
