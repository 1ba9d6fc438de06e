"""``version``: which versions of client, operators and definitions there are, and whether they fit."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operators.cli.game.exits import Exit
from operators.cli.game.flags import Flags

if TYPE_CHECKING:
    from operators.cli.game.access import Access


def command(
    flags: Flags,
    *,
    client: Annotated[bool, typer.Option("--client", help="Only that of this program; no cluster is asked.")] = False,
) -> int:
    """Say which versions there are, and what does not fit together."""
    return asyncio.run(_version(flags, client=client))


async def _version(flags: Flags, *, client: bool) -> int:
    from importlib import metadata

    from operators.cli.game.access import access
    from operators.cli.game.documents import VersionReport
    from operators.cli.game.output import Screen
    from operators.cli.game.versions import definitions_of, operators_of, skew, version_screen
    from operators.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource

    screen, known = Screen.of(flags), metadata.version("game-operators")
    commit = os.environ.get("GAME_OPERATORS_GIT_COMMIT", "")
    found = VersionReport(client=known, commit=commit if commit != "unknown" else "")
    if not client:
        deployments = Resource("apps", "v1", "deployments", "Deployment")
        unreadable: list[str] = []
        async with access(flags) as connection:
            server = await connection.client.version()
            held = await _all(connection, deployments, unreadable)
            kinds = await _all(connection, CUSTOM_RESOURCE_DEFINITIONS, unreadable)
        operators = operators_of(held or [])
        definitions = definitions_of(kinds) if kinds is not None else ()
        found = VersionReport(
            client=known,
            commit=found.commit,
            server=server,
            operators=operators,
            definitions=definitions,
            skew=skew(known, operators, definitions),
            unreadable=tuple(unreadable),
        )
    screen.show(found, lambda _: version_screen(found), [found.client])
    return Exit.REACHED


async def _all(connection: Access, resource: Any, unreadable: list[str]) -> list[Any] | None:
    """Every object of a collection; None where it cannot be read, and then it is named."""
    from operators.kube.errors import ApiError

    try:
        return [body async for body in connection.client.items(resource)]
    except ApiError as error:
        unreadable.append(f"{resource.plural} ({error.reason or error})")
        return None
