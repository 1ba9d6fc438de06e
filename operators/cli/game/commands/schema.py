"""``schema``: JSON Schemas of the kinds, for editors."""

from __future__ import annotations

import json
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
    from operators.cli.game.names import SHORT
    from operators.cli.game.output import Screen
    from operators.cli.game.schemafiles import schemas, together

    screen, found = Screen.of(flags), schemas()
    spelled = {short: kind_.lower() for kind_, short in SHORT.items()}
    if kind is not None:
        wanted = spelled.get(kind.lower(), kind.lower())
        if wanted not in found:
            raise UsageError(f"{kind!r} is no kind of ours; there are {', '.join(found)}")
        found = {wanted: found[wanted]}
    if folder is None:
        screen.say(json.dumps(together() if kind is None else next(iter(found.values())), indent=1))
        return Exit.REACHED
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, one in found.items():
            target = Path(folder) / f"{name}.json"
            target.write_text(json.dumps(one, indent=1) + "\n", encoding="utf-8")
            screen.say(str(target))
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error}") from error
    return Exit.REACHED
