"""``get``: one workload as a tree, once or live."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Literal

import typer

from operators.cli.game.exits import Exit, UsageError
from operators.cli.game.flags import Flags

PodFilter = Literal["unready", "waiting", "new", "old"]
#: Seconds between two pictures; and after which one is drawn although nothing has changed, because ages move.
_FASTEST, _SLOWEST = 0.2, 1.0


def command(
    flags: Flags,
    *,
    name: Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web.", show_default=False)],
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Draw again as it changes.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every pod, HookRun and revision.")] = False,
    pods: Annotated[PodFilter | None, typer.Option("--pods", help="Only these pods, none of them folded.")] = None,
) -> int:
    """Show a workload: what it does, what holds it, and its pods by revision."""
    if every and pods:
        raise UsageError("--all and --pods say two things")
    if watch and flags.output not in ("text", "wide"):
        raise UsageError("-w draws text: leave -o out")
    shown = "all" if every else pods or "folded"
    return asyncio.run(_get(flags, name, shown, watch=watch))


async def _get(flags: Flags, name: str, shown: Literal["folded", "all"] | PodFilter, *, watch: bool) -> int:
    from operators.cli.game import live, screens
    from operators.cli.game.access import access
    from operators.cli.game.documents import WorkloadTree
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.output import Screen
    from operators.cli.game.text import Line
    from operators.cli.game.tree import tree

    screen = Screen.of(flags)
    async with access(flags) as connection:
        objects, subject = await live.load(connection, name)

        def picture(document: WorkloadTree, now: float) -> list[Line]:
            return screens.tree(document, now, shown, wide=screen.wide, width=screen.width)

        first = tree(subject)
        if not watch:
            names = [KINDS[subject.kind].resource.qualified(subject.view.name)]
            screen.show(first, lambda _: picture(first, subject.now), names)
            return Exit.REACHED
        kind, namespace, own = subject.kind, subject.view.namespace, subject.view.name
        async with objects.watch() as changed:
            with screen.redrawn() as draw:
                draw(picture(first, subject.now))
                while True:
                    changed.clear()
                    found = objects.subject(kind, namespace, own)
                    if found is None:
                        break
                    draw([*screens.warning(await objects.stale()), *picture(tree(found), found.now)])
                    began = time.monotonic()
                    await _next(changed, moving=screen.terminal)
                    await asyncio.sleep(max(0.0, _FASTEST - (time.monotonic() - began)))
        screen.say(f"{own} is gone")
        return Exit.REACHED


async def _next(changed: asyncio.Event, *, moving: bool) -> None:
    """Until something has changed; on a terminal at most for a moment, so that ages move."""
    try:
        await asyncio.wait_for(changed.wait(), _SLOWEST if moving else None)
    except TimeoutError:
        return
