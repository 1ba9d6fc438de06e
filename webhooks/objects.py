"""Reads parts of objects whose shape nobody has checked.

A review carries objects as the user sent them, and as the API server stored them under an older schema: any field may
be missing or of another type. Each function returns a part if it has the expected type, and else an empty value, so
that the rules need no type checks of their own. Example: ``number(part(workload, "spec"), "replicas", 1)``.
"""

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
    """A whole number, ``otherwise`` when there is none."""
    found = holder.get(field)
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise


def texts(holder: Json, *path: str) -> dict[str, str]:
    """The entries of a map whose values are texts: labels, annotations."""
    return {key: value for key, value in part(holder, *path).items() if isinstance(value, str)}
