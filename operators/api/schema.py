"""Turns a pydantic model into a structural OpenAPI schema.

References are inlined, ``T | None`` becomes an optional T, titles go. What a structural schema cannot say is an error
here instead of a surprise on the API server.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DROPPED = ("title", "const", "discriminator", "$defs")


class NotStructural(TypeError):
    """The model says something that a CRD cannot."""


def structural(model: type[BaseModel], *, defaults: bool = True) -> dict[str, Any]:
    """The schema of a model by its aliases; without ``defaults`` for status, which nobody fills in."""
    schema = model.model_json_schema(by_alias=True)
    return _rewrite(schema, schema.get("$defs", {}), defaults=defaults)


def _rewrite(node: dict[str, Any], definitions: dict[str, Any], *, defaults: bool) -> dict[str, Any]:
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    if "anyOf" in node:
        options = [o for o in node["anyOf"] if o.get("type") != "null"]
        if len(options) != 1:
            raise NotStructural(f"a choice of {len(options)} types: {node}")
        rest = {k: v for k, v in node.items() if k not in ("anyOf", "default")}
        return _rewrite({**options[0], **rest}, definitions, defaults=defaults)
    result = {k: v for k, v in node.items() if k not in _DROPPED}
    if not defaults or result.get("default", "") in (None, [], {}):
        result.pop("default", None)
    if isinstance(result.get("default"), dict):
        result["default"] = {}
    if "properties" in result:
        result["properties"] = {
            name: _rewrite(child, definitions, defaults=defaults) for name, child in result["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _rewrite(result[key], definitions, defaults=defaults)
    return result
