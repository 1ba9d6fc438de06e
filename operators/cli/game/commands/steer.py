"""``pause``, ``resume``, ``promote``, ``skip-step``, ``abort`` and ``retry``: a person's hand on a canary."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from operators.cli.game.steering import Order

Name = Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web.", show_default=False)]
DryRun = Annotated[
    Literal["none", "client", "server"], typer.Option("--dry-run", help="Write nothing; server: ask it all the same.")
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Also where Argo CD, Flux or Helm owns what is written.")]


def pause(flags: Flags, *, name: Name, dry_run: DryRun = "none", anyway: Anyway = False) -> int:
    """Hold updates. Scaling and hooks that are asked go on."""
    return _run(flags, name, dry_run, "pause", anyway=anyway)


def resume(flags: Flags, *, name: Name, dry_run: DryRun = "none", anyway: Anyway = False) -> int:
    """Take a person's pause back, or answer a pause without time or a failed check."""
    return _run(flags, name, dry_run, "resume", anyway=anyway)


def promote(
    flags: Flags,
    *,
    name: Name,
    full: Annotated[bool, typer.Option("--full", help="Past all steps that are left.")] = False,
    dry_run: DryRun = "none",
    anyway: Anyway = False,
) -> int:
    """Go past the step in force: a pause, a timed pause, or a check. Budgets, grace and hooks of pods hold."""
    return _run(flags, name, dry_run, "promote", full=full, anyway=anyway)


def skip_step(
    flags: Flags,
    *,
    name: Name,
    to: Annotated[int | None, typer.Option("--to", help="Step to go on to, counted from 1.")] = None,
    dry_run: DryRun = "none",
) -> int:
    """Go on to a step, also past a partition that is not reached."""
    return _run(flags, name, dry_run, "skip-step", step=to)


def abort(flags: Flags, *, name: Name, dry_run: DryRun = "none") -> int:
    """Bring pods back to the stable revision; the template stays."""
    return _run(flags, name, dry_run, "abort")


def retry(
    flags: Flags,
    *,
    name: Name,
    from_: Annotated[int | None, typer.Option("--from", help="Step to start from, counted from 1.")] = None,
    dry_run: DryRun = "none",
) -> int:
    """Start the steps again after an abort or a failed check."""
    return _run(flags, name, dry_run, "retry", step=from_)


def _run(
    flags: Flags,
    name: str,
    dry_run: Literal["none", "client", "server"],
    verb: str,
    *,
    step: int | None = None,
    full: bool = False,
    anyway: bool = False,
) -> int:
    from operators.cli.game.steering import Order

    order = Order(verb, step, full, by=flags.user or _user(), at=time.time())
    return asyncio.run(_steer(flags, name, order, dry_run, anyway=anyway))


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


async def _steer(
    flags: Flags, name: str, order: Order, dry_run: Literal["none", "client", "server"], *, anyway: bool
) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.exits import NothingToDo
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.output import Screen
    from operators.cli.game.steering import steer
    from operators.cli.game.writing import write

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
        try:
            change = steer(KINDS[subject.kind].resource, subject, order)
        except NothingToDo as told:
            screen.say(str(told))
            return Exit.REACHED
        await write(connection, screen, change, dry_run=dry_run, anyway=anyway)
    return Exit.REACHED
