"""``schema``: JSON Schemas of the kinds, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operators.cli.game.exits import CommandError, Exit, UsageError
from operators.cli.game.flags import Flags


def command(
    flags: Flags,
    *,
    kind: Annotated[str | None, typer.Argument(help="One kind, like gamedeployment; none: all in one.")] = None,
    folder: Annotated[str | None, typer.Option("--dir", help="Write a file for each kind into this folder.")] = None,
) -> int:
    """Print the JSON Schema of manifests. In a file: # yaml-language-server: $schema=PATH."""
    from operators.api import editors
    from operators.cli.game.names import SHORT
    from operators.cli.game.output import Screen

    screen, found = Screen.of(flags), editors.schemas()
    if kind is not None:
        spelled = {short: name.lower() for name, short in SHORT.items()}
        wanted = f"{spelled.get(kind.lower(), kind.lower())}.json"
        if wanted not in found or wanted == editors.ALL:
            there = ", ".join(name.removesuffix(".json") for name in found if name != editors.ALL)
            raise UsageError(f"{kind!r} is no kind of ours; there are {there}")
        found = {wanted: found[wanted]}
    if folder is None:
        screen.say(editors.text(found[editors.ALL if kind is None else next(iter(found))]).rstrip("\n"))
        return Exit.REACHED
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, one in found.items():
            target = Path(folder) / name
            target.write_text(editors.text(one), encoding="utf-8")
            screen.say(str(target))
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error}") from error
    return Exit.REACHED
