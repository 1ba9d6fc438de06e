"""``hooks``: what the hooks of a workload say."""

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
    every: Annotated[bool, typer.Option("--all", help="Those that have passed, too.")] = False,
) -> int:
    """List the hooks being asked: of which pod, what they say, and what they want to hear."""
    return asyncio.run(_hooks(flags, name, every=every))


async def _hooks(flags: Flags, name: str, *, every: bool) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.documents import HookList
    from operators.cli.game.hookstates import hook_states
    from operators.cli.game.output import Screen
    from operators.cli.game.screens import hooks_screen
    from operators.cli.game.summary import name_of
    from operators.kube.resources import HOOK_RUNS
    from operators.kube.times import rfc3339

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
    states = [h for h in hook_states(subject) if every or h.state != "passed"]
    states.sort(key=lambda h: (h.since, h.run))
    found = HookList(at=rfc3339(subject.now), workload=name_of(subject), hooks=tuple(states))
    screen.show(
        found,
        lambda s: hooks_screen(found.hooks, subject.now, width=s.width),
        [HOOK_RUNS.qualified(h.run) for h in states],
    )
    return Exit.REACHED
