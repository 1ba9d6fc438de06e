"""The fields of a pod spec, and which of their values say nothing.

``podfields.json`` beside this module lists them. It is made from the Go types of Kubernetes and from the defaults that
the API server's own code sets (``python -m devcluster.podtypes``); nothing in it is written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from operators.planning.amounts import spelled, spelled_resource

Json = Mapping[str, Any]
#: ``dict`` first: what comes from JSON is told without the slow question to an abstract class.
_MAPPINGS = (dict, Mapping)
_Reduce = Callable[[Any], Any]
#: Of each field: how its value is reduced, if at all, and the reduced values that say nothing.
Fields = dict[str, tuple[_Reduce | None, tuple[Any, ...]]]

#: What admission writes into every pod whose spec leaves it open, in any cluster; no default of the types.
_ADMITTED = {"PodSpec": {"serviceAccountName": "default", "preemptionPolicy": "PreemptLowerPriority"}}
_SCALAR_TYPES = frozenset((str, int, float, bool, type(None)))
_ZEROS: dict[str, Any] = {"string": "", "boolean": False, "integer": 0, "intOrString": 0, "quantity": "0"}
_LISTS: dict[str, Any] = {"strings": "", "integers": 0}


def reduced(value: Json, fields: Fields) -> dict[str, Any]:
    """An object without what says nothing: nulls, defaults, and zero values that Go cannot tell from absent ones.

    Amounts come in one spelling. A field that is not known is kept, unless it is null or empty; a value that is of
    another type than its field is kept as well.
    """
    kept: dict[str, Any] = {}
    for key, found in value.items():
        if found is None:
            continue
        known = fields.get(key)
        if known is None:
            entry = _plain(found)
            if entry is None or entry in ({}, []):
                continue
        else:
            reduce, unsaid = known
            entry = found if reduce is None else reduce(found)
            if entry in unsaid and any(entry == u and type(entry) is type(u) for u in unsaid):
                continue
        kept[key] = entry
    return kept


def _plain(value: Any) -> Any:
    """A value of which no type is known. There may be hundreds of thousands: the exact types are asked for first."""
    kind = type(value)
    if kind in _SCALAR_TYPES:
        return value
    if kind is list:
        return [_plain(entry) for entry in value]
    if kind is dict or isinstance(value, Mapping):
        return reduced(value, {})
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _object(fields: Fields) -> _Reduce:
    return lambda value: reduced(value, fields) if isinstance(value, _MAPPINGS) else value


def _objects(fields: Fields) -> _Reduce:
    def reduce(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{} if e is None else reduced(e, fields) if isinstance(e, _MAPPINGS) else e for e in value]

    return reduce


def _list(zero: Any) -> _Reduce:
    """Go reads null in a list, and as a value of a map, as the zero value."""
    return lambda value: [zero if e is None else e for e in value] if isinstance(value, list | tuple) else value


def _texts(value: Any) -> Any:
    """Labels and the like."""
    return {k: "" if v is None else v for k, v in value.items()} if isinstance(value, _MAPPINGS) else value


def _resources(value: Any) -> Any:
    return {k: spelled_resource(v) for k, v in value.items()} if isinstance(value, _MAPPINGS) else value


_SCALARS: dict[str, _Reduce | None] = {
    "string": None,
    "boolean": None,
    "integer": _whole,
    "intOrString": _whole,
    "quantity": spelled,
    "map": _texts,
    "amounts": _resources,
    "any": _plain,
    **{kind: _list(zero) for kind, zero in _LISTS.items()},
}


def _field(kind: str, default: tuple[Any, ...], types: Mapping[str, Fields]) -> tuple[_Reduce | None, tuple[Any, ...]]:
    name = kind.removeprefix("*")
    if name.startswith("[]"):
        return _objects(types[name.removeprefix("[]")]), ([],)
    reduce = _object(types[name]) if name in types else _SCALARS[name]
    if kind.startswith("*"):
        return reduce, default
    if name in _LISTS:
        return reduce, ([],)
    return reduce, ([], {}) if name == "any" else (_ZEROS.get(name, {}), *default)


def _read() -> dict[str, Fields]:
    listed = json.loads(Path(__file__).with_name("podfields.json").read_bytes())
    types: dict[str, Fields] = {name: {} for name in listed}
    for name, fields in listed.items():
        admitted = _ADMITTED.get(name, {})
        for key, found in fields.items():
            kind, *default = found if isinstance(found, list) else [found]
            default += [admitted[key]] if key in admitted else []
            types[name][key] = _field(kind, tuple(default), types)
    return types


#: By Go's name of the type, e.g. ``PodSpec``.
TYPES = _read()
