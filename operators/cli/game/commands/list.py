"""``list``: one line for each workload."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags


def command(
    flags: Flags,
    *,
    problems: Annotated[bool, typer.Option("--problems", help="Only workloads that need a person.")] = False,
) -> int:
    """List workloads: where each stands, what it waits for, and which need you."""
    return asyncio.run(_list(flags, problems=problems))


async def _list(flags: Flags, *, problems: bool) -> int:
    import time

    from operators.cli.game import screens
    from operators.cli.game.access import access
    from operators.cli.game.documents import WorkloadList
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.live import Live
    from operators.cli.game.output import Screen
    from operators.cli.game.summary import summary
    from operators.kube.times import rfc3339

    screen = Screen.of(flags)
    async with access(flags) as connection:
        objects = Live(connection, connection.namespace, tuple(KINDS.values()))
        await objects.load()
    items = tuple(summary(s) for s in objects.subjects())
    if problems:
        items = tuple(i for i in items if i.needs_you)
    now, namespaced = time.time(), connection.namespace is None
    document = WorkloadList(at=rfc3339(now), items=items)
    screen.show(
        document,
        lambda s: screens.listing(items, now, namespaced=namespaced, wide=s.wide, width=s.width),
        [KINDS[i.workload.kind].resource.qualified(i.workload.name) for i in items],
    )
    return Exit.REACHED
