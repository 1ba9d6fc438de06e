"""``why``: what stops a workload."""

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
    """Say why nothing happens: what stops the workload, the first cause first. 0: nothing is wrong, 3: something is."""
    return asyncio.run(_why(flags, name))


async def _why(flags: Flags, name: str) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.causes import explain
    from operators.cli.game.circumstances import look_around
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.output import Screen
    from operators.cli.game.screens import explanation_screen

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
        around = await look_around(connection, subject)
    found = explain(subject, around)
    resource = KINDS[subject.kind].resource
    screen.show(found, lambda s: explanation_screen(found, width=s.width), [resource.qualified(subject.view.name)])
    return Exit.REACHED if found.healthy else Exit.BLOCKED
