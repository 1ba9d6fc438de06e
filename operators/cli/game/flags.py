"""Flags that every command takes, and how a command gets them as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import typer

from operators.cli.game.exits import Exit, UsageError

Format = Literal["text", "wide", "json", "yaml", "name"]


def seconds(text: str) -> float:
    """Seconds of ``30``, ``30s``, ``1m30s``, ``2h``; 0 stands for no limit.

    Raises:
        UsageError: it is none of these.
    """
    from operators.flags import seconds_or_none

    try:
        return seconds_or_none(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no duration: write 30s, 5m or 1h30m ({error})") from error


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said beside a command's own arguments. The annotations are the options."""

    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Namespace; without it the one of the context.")
    ] = None
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")] = False
    context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None
    kubeconfig: Annotated[str | None, typer.Option("--kubeconfig", help="The kubeconfig file.")] = None
    user: Annotated[str | None, typer.Option("--as", help="User to act as.")] = None
    request_timeout: Annotated[str, typer.Option("--request-timeout", help="Time for one request.")] = "15s"
    output: Annotated[Format, typer.Option("-o", "--output", help="Form of the output.")] = "text"
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR says the same.")] = False
    ascii: Annotated[bool, typer.Option("--ascii", help="ASCII characters only.")] = False
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC instead of the local zone.")] = False


def with_flags(function: Callable[..., int]) -> Callable[..., None]:
    """A command for Typer from a function whose first parameter is ``flags: Flags``, and that returns the exit code.

    Typer sees the fields of `Flags` as options behind those of the command. A command that has a parameter called like
    a field takes the place of it: so ``plan`` has more forms of output.
    """
    signature = inspect.signature(function, eval_str=True)
    own = [p for name, p in signature.parameters.items() if name != "flags"]
    instead = {p.name for p in own}
    names = [f.name for f in fields(Flags)]
    hints = inspect.get_annotations(Flags, eval_str=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(Flags)
        if f.name not in instead
    ]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]

    def command(**given: Any) -> None:
        flags = Flags(**{name: given[name] if name in instead else given.pop(name) for name in names})
        try:
            code = function(flags, **given)
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        raise typer.Exit(int(code))

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = signature.replace(  # type: ignore[attr-defined] # what Typer reads the options from
        parameters=[*own, *shared], return_annotation=None
    )
    command.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    return command
