"""JSON Schemas of the four kinds, for editors and for tools that know no Kubernetes (``schema``). Pure.

They are made of the definitions that the API server gets, so that both refuse the same fields and values; rules across
fields are the server's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from operators.api import keys
from operators.api.crds import definitions

Json = Mapping[str, Any]
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_KEPT: Final = frozenset(
    {
        "description", "default", "enum", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum",
        "minItems", "minLength", "minProperties", "minimum", "pattern", "required", "type", "uniqueItems",
    }
)  # fmt: skip


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind, by the kind in lower case."""
    found = {}
    for definition in definitions().values():
        spec: Any = definition["spec"]
        kind = spec["names"]["kind"]
        (version,) = spec["versions"]
        found[kind.lower()] = _of_kind(kind, version["schema"]["openAPIV3Schema"])
    return found


def together() -> dict[str, Any]:
    """One schema for files that hold any of the kinds."""
    return {"$schema": _DRAFT, "oneOf": [{**one, "$schema": _DRAFT} for one in schemas().values()]}


def _of_kind(kind: str, schema: Json) -> dict[str, Any]:
    made = _node(schema)
    made["$schema"] = _DRAFT
    made["title"] = kind
    properties = made.setdefault("properties", {})
    properties["apiVersion"] = {"const": keys.API_VERSION}
    properties["kind"] = {"const": kind}
    properties["metadata"] = {"type": "object"}
    made["required"] = sorted({"apiVersion", "kind", "metadata", *made.get("required", ())})
    return made


def _node(schema: Json) -> dict[str, Any]:
    """A part of a definition: what the API server would prune is refused, because nobody writes it on purpose."""
    made: dict[str, Any] = {k: v for k, v in schema.items() if k in _KEPT and k != "items"}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if "properties" in schema:
        made["properties"] = {name: _node(part) for name, part in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    held = schema.get("additionalProperties")
    if isinstance(held, Mapping):
        made["additionalProperties"] = _node(held)
    if "items" in schema:
        made["items"] = _node(schema["items"])
    return made
