"""Flags, each with an environment variable GAME_WEBHOOKS_<FLAG> in its place."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any, Final

_PREFIX: Final = "GAME_WEBHOOKS_"


def variable(name: str) -> str:
    """The environment variable of a flag."""
    return _PREFIX + name.upper().replace("-", "_")


def flag(
    parser: argparse.ArgumentParser, name: str, default: Any, text: str, type_: Callable[[str], Any] = str
) -> None:
    """A flag with one value; the environment stands in where it is not given."""
    given = os.environ.get(variable(name))
    shown = f"{text} (default: {default if default not in ('', None) else 'none'}; env {variable(name)})"
    # A default that is a text goes through the type like a value on the command line, and errors name the flag.
    parser.add_argument(f"--{name}", default=default if given is None else given, type=type_, help=shown)


def switch(parser: argparse.ArgumentParser, name: str, *, default: bool, text: str) -> None:
    """A flag that is on or off: ``--name``, ``--name=true`` or ``--name=false``."""
    given = os.environ.get(variable(name))
    shown = f"{text} (default: {str(default).lower()}; env {variable(name)})"
    parser.add_argument(
        f"--{name}",
        nargs="?",
        const=True,
        default=default if given is None else given,
        type=truth,
        metavar="true|false",
        help=shown,
    )


def truth(text: str) -> bool:
    """A truth as a text.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise argparse.ArgumentTypeError(f"true or false, not {text!r}")


def listed(text: str) -> tuple[str, ...]:
    """A list, separated by commas."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def pair(text: str) -> tuple[str, str]:
    """``namespace/name``.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"namespace/name, not {text!r}")
    return namespace, name


def seconds(text: str) -> float:
    """A positive number of seconds.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"a positive number of seconds, not {text!r}")
    return value
