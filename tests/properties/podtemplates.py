"""Pod templates that vary in one place: every field of the pod, absent, null, zero, at its default, and set."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from devcluster.podtypes import FIELDS

#: A field that is not there.
ABSENT = object()
Path = tuple[str | int, ...]

_VALUES: dict[str, tuple[Any, ...]] = {
    "string": ("", "one", "other", "Always", "IfNotPresent", "default"),
    "boolean": (False, True),
    "integer": (0, 7, 8, 1, -1),
    "intOrString": (0, 80, "", "80", "web"),
    "quantity": ("0", 0, "1", "1000m", 1, "0.5", "500m", "1Gi", 1073741824, "1e3", "1k", "0.1n", "1n", "123456789.5u"),
    "amounts": ({}, {"cpu": None}, {"cpu": "0"}, {"cpu": "1"}, {"cpu": "1000m"}, {"cpu": 1}, {"cpu": "2.5"},
                {"cpu": "2.5001"}, {"cpu": "2501m"}, {"memory": "1Gi"}, {"memory": "1024Mi"}, {"memory": "1.5Gi"},
                {"memory": "1610612736"}, {"cpu": "1", "memory": "2Gi"}, {"hugepages-2Mi": "4Mi"}),
    "map": ({}, {"a": None}, {"a": ""}, {"a": "b"}, {"a": "c"}, {"a": "b", "d": "e"}),
    "strings": ([], [None], [""], ["a"], ["b"], ["a", "b"], ["b", "a"]),
    "integers": ([], [None], [0], [7], [7, 8], [8, 7]),
}  # fmt: skip


@cache
def types() -> Mapping[str, Mapping[str, Any]]:
    """Kind of each field, or kind and default, by type."""
    return json.loads(FIELDS.read_text())


def kind_of(found: Any) -> str:
    """The kind of a field, e.g. ``string``, ``Probe``, ``[]Container``."""
    return (found[0] if isinstance(found, list) else found).removeprefix("*")


def values(found: Any) -> list[Any]:
    """What a field is tried with."""
    kind, default = kind_of(found), found[1:] if isinstance(found, list) else []
    if kind == "any":
        return [ABSENT, None]
    if kind.startswith("[]"):
        return [ABSENT, None, [], [{}], [None], [{}, {}]]
    if kind in types():
        return [ABSENT, None, {}]
    return [ABSENT, None, *_VALUES[kind], *default]


def paths(type_: str = "PodSpec", path: Path = ("spec",)) -> Iterator[tuple[Path, Any]]:
    """Every field below a type, with what is known of it."""
    for name, found in types()[type_].items():
        if type_ == "ObjectMeta" and name not in ("labels", "annotations"):
            continue  # what else a claim's template says of its metadata is refused
        here = (*path, name)
        yield here, found
        kind = kind_of(found)
        if kind.removeprefix("[]") in types():
            yield from paths(kind.removeprefix("[]"), (*here, 0) if kind.startswith("[]") else here)


def put(template: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The template with a value at a path; what lies between is made."""
    changed = copy.deepcopy(template)
    at: Any = changed
    for step, following in itertools.pairwise(path):
        made: Any = [{}] if isinstance(following, int) else {}
        at = at[step] if isinstance(step, int) else at.setdefault(step, made)
    if value is ABSENT:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = value
    return changed


def variants() -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """For each field of the pod the templates that differ in it alone."""
    for what in ("labels", "annotations"):
        path: Path = ("metadata", what)
        yield path, [put({}, path, value) for value in values("map")]
    yield ("metadata", "finalizers"), [put({}, ("metadata", "finalizers"), value) for value in values("strings")]
    for path, found in paths():
        yield path, [put({}, path, value) for value in values(found)]


def filled(chance: random.Random, share: float = 0.5, type_: str = "PodSpec") -> dict[str, Any]:
    """An object of a type with many fields set to something."""
    made: dict[str, Any] = {}
    for name, found in types()[type_].items():
        kind = kind_of(found)
        if type_ == "ObjectMeta" and name not in ("labels", "annotations"):
            continue
        if chance.random() > share:
            continue
        inner = kind.removeprefix("[]")
        if inner in types() and chance.random() < 0.9:
            entries = [filled(chance, share, inner) for _ in range(chance.randint(1, 2))]
            made[name] = entries if kind.startswith("[]") else entries[0]
        else:
            value = chance.choice(values(found))
            if value is not ABSENT:
                made[name] = value
    return made


def spots(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where a value could be changed."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from spots(inner, (*path, key))
