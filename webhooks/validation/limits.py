"""The limits of the CRDs on what the webhooks read: lengths of texts and numbers of items (docs/spec/admission.md 6).

The API server has applied them when it asks, but a review may come from anybody. They are applied here again before
anything is compiled. The tables hold the fields that the rules look at, and a test compares them with the CRDs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from webhooks.objects import Json, part
from webhooks.validation.problems import Problem


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most so many characters."""

    longest: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at most so many items."""

    most: int
    item: Fields


#: Numbers beyond and longer words are left out where neither a text nor a list is expected.
_LARGEST: Final = 2**63 - 1
_WORD: Final = 64
#: What stands at each field. ``None`` is a number, a word or a truth value, which needs no limit.
Fields: TypeAlias = Mapping[str, "Text | Items | Fields | None"]

_ARGUMENT: Final[Fields] = {"name": Text(253), "value": Text(4096)}
_HOOK: Final[Fields] = {"hook": {"templateName": Text(253), "args": Items(64, _ARGUMENT)}}
_METRIC: Final[Fields] = {
    "name": Text(253),
    "count": None,
    "successfulLimit": None,
    "consecutiveSuccessfulLimit": None,
    "successCondition": Text(4096),
    "failureCondition": Text(4096),
    "provider": {
        "web": {
            "url": Text(4096),
            "jsonPath": Text(1024),
            "headers": Items(64, {"key": Text(256), "value": Text(4096)}),
        },
        "prometheus": {"address": Text(2048), "query": Text(8192)},
        "kubernetes": {"function": None, "fields": Items(32, {"path": Text(512), "value": Text(4096)})},
    },
}
HOOK_TEMPLATE: Final[Fields] = {"metrics": Items(32, _METRIC), "args": Items(128, _ARGUMENT)}
WORKLOAD: Final[Fields] = {
    "preDeleteUpdateStrategy": _HOOK,
    "preInplaceUpdateStrategy": _HOOK,
    "postInplaceUpdateStrategy": _HOOK,
    "updateStrategy": {"canary": {"steps": Items(128, _HOOK)}},
}


def limit_problems(fields: Fields, holder: Json) -> list[Problem]:
    """What the spec of an object has beyond the limits."""
    return list(_beyond(fields, part(holder, "spec"), "spec"))


def _beyond(fields: Fields, holder: Json, where: str) -> Iterator[Problem]:
    for name, limit in fields.items():
        value, field = holder.get(name), f"{where}.{name}"
        if isinstance(limit, Text) and isinstance(value, str):
            if len(value) > limit.longest:
                yield Problem(field, f"has {len(value)} characters, at most {limit.longest} are allowed")
        elif isinstance(limit, Items) and isinstance(value, list):
            if len(value) > limit.most:
                yield Problem(field, f"has {len(value)} items, at most {limit.most} are allowed")
            else:
                for index, item in enumerate(value):
                    yield from _beyond(limit.item, item if isinstance(item, dict) else {}, f"{field}[{index}]")
        elif isinstance(limit, Mapping) and isinstance(value, dict):
            yield from _beyond(limit, value, field)


def known_part(fields: Fields, holder: Json) -> dict[str, Any]:
    """The fields of these names and nothing else, with what has another type left out: it is no deeper than the table.

    Items of another type are left out, too.
    """
    kept: dict[str, Any] = {}
    for name, limit in fields.items():
        value = holder.get(name)
        if isinstance(limit, Items) and isinstance(value, list):
            kept[name] = [known_part(limit.item, item) for item in value if isinstance(item, dict)]
        elif isinstance(limit, Mapping) and isinstance(value, dict):
            kept[name] = known_part(limit, value)
        elif (isinstance(limit, Text) and isinstance(value, str)) or (limit is None and _is_scalar(value)):
            kept[name] = value
    return kept


def _is_scalar(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return -_LARGEST <= value <= _LARGEST
    return isinstance(value, bool | float) or (isinstance(value, str) and len(value) <= _WORD)
