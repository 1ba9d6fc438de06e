"""Reading raw objects that may be older than today's schema: a part of the wrong type counts as absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]
_NOTHING: Final[Json] = {}


def part(holder: Json | None, *path: str) -> Json:
    """The object at a path, empty when there is none."""
    found: Any = holder
    for field in path:
        found = found.get(field) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else _NOTHING


def entries(holder: Json, field: str) -> Sequence[Json]:
    """The objects in a list, none when there is no list."""
    found = holder.get(field)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else ()


def text(holder: Json, field: str) -> str:
    """A text, "" when there is none."""
    found = holder.get(field)
    return found if isinstance(found, str) else ""


def number(holder: Json, field: str, otherwise: int) -> int:
    """A whole number."""
    found = holder.get(field)
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise


def texts(holder: Json, *path: str) -> dict[str, str]:
    """The entries of a map whose values are texts: labels, annotations."""
    return {key: value for key, value in part(holder, *path).items() if isinstance(value, str)}
