"""``{{ args.X }}`` in URLs, headers and queries (spec/hooks.md 3.3)."""

from __future__ import annotations

from collections.abc import Mapping


class ArgumentError(ValueError):
    """A tag that cannot be filled."""


def values_of(args: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    """All arguments of a run, the last of a name counting.

    Raises:
        ArgumentError: one has no value, used or not.
    """
    values: dict[str, str] = {}
    for name, value in args:
        if value is None:
            raise ArgumentError(f'argument "{name}" was not supplied')
        values[name] = value
    return values


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Fill all tags; what is filled in is not looked at again.

    Raises:
        ArgumentError: a tag is not closed, or names nothing.
    """
    parts: list[str] = []
    rest = text
    while "{{" in rest:
        before, _, rest = rest.partition("{{")
        tag, closed, rest = rest.partition("}}")
        if not closed:
            raise ArgumentError(f'Cannot find end tag="}}}}" in the template {text!r}')
        name = tag.strip()
        if not name.startswith("args.") or name[5:] not in values:
            raise ArgumentError(f"failed to resolve {{{{{tag}}}}}")
        parts += [before, values[name[5:]]]
    return "".join([*parts, rest])
