"""``undo``, ``set image``, ``scale`` and ``restart``: one guarded patch each, and before it what it will do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operators.cli.game.commands.steer import Anyway, DryRun, Name
from operators.cli.game.exits import CommandError, Exit
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from operators.cli.game.access import Access
    from operators.cli.game.changing import Changed
    from operators.cli.game.subject import Subject
    from operators.kube.resources import Resource


def undo(
    flags: Flags,
    *,
    name: Name,
    to: Annotated[str | None, typer.Option("--to", help="Revision to go back to, by number or name.")] = None,
    dry_run: DryRun = "none",
    anyway: Anyway = False,
) -> int:
    """Set the template of an earlier revision: the stable one, or the one before. Nothing else is changed."""

    async def decide(connection: Access, resource: Resource, subject: Subject) -> Changed:
        from operators.cli.game import changing

        goal = changing.goal_of_undo(subject, to)
        change = changing.undo(resource, subject, goal)
        await _still_stored(connection, goal)
        return change

    return asyncio.run(_write(flags, name, decide, dry_run, anyway=anyway))


def set_image(
    flags: Flags,
    *,
    name: Name,
    images: Annotated[list[str], typer.Argument(help="CONTAINER=IMAGE, one or several.", show_default=False)],
    dry_run: DryRun = "none",
    anyway: Anyway = False,
) -> int:
    """Release new images of containers; nothing else of the template is written."""
    from operators.cli.game.changing import images_of_arguments

    wanted = images_of_arguments(images)

    async def decide(_: Access, resource: Resource, subject: Subject) -> Changed:
        from operators.cli.game import changing

        return changing.set_image(resource, subject, wanted)

    return asyncio.run(_write(flags, name, decide, dry_run, anyway=anyway))


def scale(
    flags: Flags,
    *,
    name: Name,
    replicas: Annotated[int | None, typer.Option("--replicas", help="How many pods there shall be.")] = None,
    remove: Annotated[
        str | None, typer.Option("--remove", help="Pods that go, with their replicas; separated by commas.")
    ] = None,
    replace: Annotated[str | None, typer.Option("--replace", help="Pods that are replaced; replicas stay.")] = None,
    dry_run: DryRun = "none",
    anyway: Anyway = False,
) -> int:
    """Set the number of pods, or choose which go or are replaced. Their hooks are asked first, as ever."""
    from operators.cli.game.scaling import wish

    wanted = wish(replicas, remove, replace)

    async def decide(connection: Access, resource: Resource, subject: Subject) -> Changed:
        from operators.cli.game import scaling

        return scaling.scale(resource, subject, wanted, await _autoscalers(connection))

    return asyncio.run(_write(flags, name, decide, dry_run, anyway=anyway))


def restart(
    flags: Flags,
    *,
    name: Name,
    containers: Annotated[
        list[str] | None, typer.Option("--container", help="Only this container, in place; may be repeated.")
    ] = None,
    recreate: Annotated[bool, typer.Option("--recreate", help="Replace the pods instead.")] = False,
    dry_run: DryRun = "none",
    anyway: Anyway = False,
) -> int:
    """Restart what runs, within budget, grace and hooks, the longest running first: same images, no new revision."""
    now, chosen = time.time(), tuple(containers or ())

    async def decide(_: Access, resource: Resource, subject: Subject) -> Changed:
        from operators.cli.game import changing

        return changing.restart(resource, subject, chosen, now, recreate=recreate)

    return asyncio.run(_write(flags, name, decide, dry_run, anyway=anyway))


async def _write(
    flags: Flags,
    name: str,
    decide: Callable[[Access, Resource, Subject], Awaitable[Changed]],
    dry_run: DryRun,
    *,
    anyway: bool,
) -> int:
    from operators.cli.game import live
    from operators.cli.game.access import access
    from operators.cli.game.exits import NothingToDo
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.output import Screen, complain
    from operators.cli.game.writing import write

    screen = Screen.of(flags)
    async with access(flags) as connection:
        _, subject = await live.load(connection, name)
        try:
            change = await decide(connection, KINDS[subject.kind].resource, subject)
        except NothingToDo as told:
            screen.say(str(told))
            return Exit.REACHED
        for text in change.warnings:
            complain(f"Warning: {text}")
        await write(connection, screen, change.write, dry_run=dry_run, anyway=anyway)
    return Exit.REACHED


async def _still_stored(connection: Access, goal: Any) -> None:
    """The revision is as it was read, a moment before its template is written.

    Raises:
        CommandError: it was removed or changed meanwhile.
    """
    from operators.kube.errors import NotFound
    from operators.kube.resources import CONTROLLER_REVISIONS

    try:
        held = await connection.client.get(CONTROLLER_REVISIONS, goal.namespace, goal.name)
    except NotFound as error:
        raise CommandError(
            f"revision {goal.revision} ({goal.name}) was removed meanwhile; nothing was written"
        ) from error
    if held["metadata"]["uid"] != goal.uid:
        raise CommandError(f"revision {goal.revision} ({goal.name}) was made anew meanwhile; nothing was written")


async def _autoscalers(connection: Access) -> list[Any]:
    """The autoscalers of the namespace; where they cannot be read that is said, and the command goes on."""
    from operators.cli.game.output import complain
    from operators.kube.errors import ApiError
    from operators.kube.resources import Resource

    scalers = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    try:
        return list((await connection.client.list(scalers, connection.own_namespace))["items"])
    except ApiError as error:
        complain(f"Warning: whether an autoscaler sets the replicas cannot be read: {error}")
        return []
