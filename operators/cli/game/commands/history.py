"""``history``: the stored revisions of a workload."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags


def command(
    flags: Flags,
    *,
    name: Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web.", show_default=False)],
) -> int:
    """List the stored revisions: images, pods, and what each is in the rollout."""
    return asyncio.run(_history(flags, name))


async def _history(flags: Flags, name: str) -> int:
    from operators.cli.game import live, revisions
    from operators.cli.game.access import access
    from operators.cli.game.output import Screen
    from operators.kube.resources import CONTROLLER_REVISIONS

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
    found = revisions.history(subject)
    screen.show(
        found,
        lambda s: revisions.history_screen(found, subject.now, wide=s.wide, width=s.width),
        [CONTROLLER_REVISIONS.qualified(r.name) for r in found.revisions],
    )
    return Exit.REACHED
