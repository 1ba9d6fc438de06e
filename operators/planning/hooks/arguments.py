"""Arguments of a HookRun: the template's, filled and completed by who starts it (docs/spec/hooks.md 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BUILT_IN = re.compile(r"(PodName|PodNamespace|PodIP|HostIP|(PodContainer|ModifiedContainer)\[\d+\])\Z")


class UnresolvedArgument(ValueError):
    """The template declares an argument that nobody gave a value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"args.{name} was not resolved")
        self.name = name


@dataclass(frozen=True, slots=True)
class Merged:
    """Arguments with their values, in order, and the names of supplied ones that were not wanted."""

    args: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]


def is_built_in(name: str) -> bool:
    """Whether a controller gives this argument by itself, declared or not."""
    return _BUILT_IN.match(name) is not None


def merge_arguments(template_args: Sequence[tuple[str, str | None]], supplied: Sequence[tuple[str, str]]) -> Merged:
    """Fill the declared arguments; built-in ones are added undeclared, others are dropped. Later entries win.

    Raises:
        UnresolvedArgument: a declared argument is left without a value.
    """
    values: dict[str, str | None] = dict(template_args)
    dropped: list[str] = []
    for name, value in supplied:
        if name in values or is_built_in(name):
            values[name] = value
        else:
            dropped.append(name)
    resolved: list[tuple[str, str]] = []
    for name, found in values.items():
        if found is None:
            raise UnresolvedArgument(name)
        resolved.append((name, found))
    return Merged(tuple(resolved), tuple(dropped))
