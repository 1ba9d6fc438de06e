"""``diff``: what differs between two templates, and what that costs a pod."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operators.cli.game.exits import CommandError, Exit, UsageError
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from operators.cli.game.documents import TemplateDiff
    from operators.cli.game.subject import Subject


def command(
    flags: Flags,
    *,
    name: Annotated[str, typer.Argument(help="arena, gd/arena or gsts/web.", show_default=False)],
    revisions: Annotated[
        list[str] | None, typer.Argument(help="Two revisions, by number or name; none: the rollout under way.")
    ] = None,
    file: Annotated[str | None, typer.Option("-f", "--filename", help="A manifest; - is standard input.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 10 when something differs.")] = False,
) -> int:
    """Say what differs, path by path, and what each costs: nothing, a restart, a new pod, or a refusal."""
    chosen = revisions or []
    if len(chosen) not in (0, 2) or (chosen and file):
        raise UsageError("name two revisions, or a manifest with -f, or nothing for the rollout under way")
    return asyncio.run(_diff(flags, name, chosen, file, exit_code=exit_code))


async def _diff(flags: Flags, name: str, chosen: list[str], file: str | None, *, exit_code: bool) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.output import Screen
    from operators.cli.game.revisions import diff_screen

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
    found = _compare(subject, chosen, file)
    resource = KINDS[subject.kind].resource
    screen.show(found, lambda s: diff_screen(found, width=s.width), [resource.qualified(subject.view.name)])
    return Exit.CHANGES if exit_code and found.changes else Exit.REACHED


def _compare(subject: Subject, chosen: list[str], file: str | None) -> TemplateDiff:
    from operators.cli.game import revisions

    if file is not None:
        return revisions.diff_of_manifest(subject, _manifest(subject, file), "stdin" if file == "-" else file)
    if chosen:
        return revisions.diff_of_revisions(subject, *chosen)
    return revisions.diff_in_rollout(subject)


def _manifest(subject: Subject, file: str) -> dict[str, Any]:
    """The document about the workload in a file that may hold others beside it."""
    import yaml

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = [d for d in yaml.safe_load_all(text) if isinstance(d, dict)]
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    mine = [d for d in found if d.get("kind") == subject.kind]
    mine = [d for d in mine if (d.get("metadata") or {}).get("name") == subject.view.name] or mine
    if not mine:
        raise UsageError(f"{file} holds no {subject.kind} {subject.view.name}")
    return mine[0]
