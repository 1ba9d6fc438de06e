"""docs/schemas/, JSON Schemas for editors, made from the CRDs: ``python -m operators.api.editors``.

Draft 7, which yaml-language-server and every validator of JSON Schema read. A schema says what one object can be told
by its shape: fields, types, limits, patterns. What a CRD says beyond that (rules that look at two fields, or at the old
object) stands in the descriptions, in the words of the API server's refusal.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from operators.api import keys
from operators.api.crds import definitions
from operators.api.rules import PERCENT, REFUSED, Schema, exactly_one

FOLDER: Final = Path("docs/schemas")
#: One schema for files with objects of several kinds, others than ours among them.
ALL: Final = "all.json"
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
#: What people write of an object's metadata; the rest of it is the API server's and is left open.
_METADATA: Final[Schema] = {
    "type": "object",
    "description": "Name, namespace, labels and annotations of the object.",
    "properties": {
        "name": {"type": "string", "description": "Name, unique among the kind in its namespace."},
        "generateName": {"type": "string", "description": "Beginning of a name that the API server completes."},
        "namespace": {"type": "string", "description": "Namespace; absent: that of the request."},
        "labels": {**_TEXTS, "description": "Labels; io.tencent.bcs.dev/deletion-allow lets the object be deleted."},
        "annotations": {**_TEXTS, "description": "Annotations."},
    },
}
#: A CEL rule that is nothing but a pattern, with the escapes of a CEL text.
_PATTERN: Final = re.compile(r"self\.matches\('((?:[^'\\]|\\.)*)'\)")
_ESCAPED: Final = re.compile(r"\\(.)")
#: A rule that asks for one field, as `operators.api.rules.required` writes it.
_REQUIRED: Final = re.compile(r"has\(self\.(\w+)\)")
#: A rule that asks for exactly one of several, as `operators.api.rules.exactly_one` writes it.
_ONE: Final = re.compile(r"\(has\(self\.(\w+)\) \? 1 : 0\)")
_PLAIN: Final = (
    "default", "description", "enum", "format", "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
    "minLength", "minimum", "pattern", "required", "type", "uniqueItems",
)  # fmt: skip


def schemas() -> dict[str, Schema]:
    """Every schema by file name: one a kind, and `ALL`."""
    kinds = {d["spec"]["names"]["kind"]: _object(d) for d in definitions().values()}
    found = {f"{kind.lower()}.json": {"$schema": _DRAFT, **schema} for kind, schema in kinds.items()}
    return {**found, ALL: _combined(kinds)}


def text(schema: Schema) -> str:
    """A schema as it is written to its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _object(definition: Schema) -> Schema:
    """The schema of one kind."""
    kind = definition["spec"]["names"]["kind"]
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema = _translated(root)
    schema["title"] = kind
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    properties = schema["properties"]
    properties["apiVersion"] |= {"enum": [keys.API_VERSION]}
    properties["kind"] |= {"enum": [kind]}
    properties["metadata"] = _METADATA
    return schema


def _combined(kinds: dict[str, Schema]) -> Schema:
    """Each of our objects by the schema of its kind; an object of another group passes as it is."""
    ours: Schema = {"properties": {"apiVersion": {"const": keys.API_VERSION}}, "required": ["apiVersion"]}
    named: Schema = {"required": ["kind"], "properties": {"kind": {"enum": list(kinds)}}}
    branches: list[Schema] = [{"if": ours, "then": named}]
    for kind in kinds:
        this: Schema = {
            "properties": {**ours["properties"], "kind": {"const": kind}},
            "required": ["apiVersion", "kind"],
        }
        branches.append({"if": this, "then": {"$ref": f"#/definitions/{kind}"}})
    return {
        "$schema": _DRAFT,
        "title": f"All kinds of {keys.API_VERSION}",
        "type": "object",
        "allOf": branches,
        "definitions": kinds,
    }


def _translated(node: Schema) -> Schema:
    """A structural schema in the words of JSON Schema."""
    result: Schema = {key: node[key] for key in _PLAIN if key in node}
    if node.get("x-kubernetes-int-or-string"):
        result |= _int_or_text(node)
    if node.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True
    if node.get("nullable"):
        result["type"] = [node["type"], "null"]
    _add_rules(node, result)
    if "items" in node:
        result["items"] = _translated(node["items"])
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        result["additionalProperties"] = _translated(extra)
    if "properties" in node:
        kept = node["properties"].keys() - set(_refused(node))
        result["properties"] = {n: _translated(child) for n, child in node["properties"].items() if n in kept}
        if not node.get("x-kubernetes-preserve-unknown-fields") and extra is None:
            result["additionalProperties"] = False
    return result


def _refused(node: Schema) -> list[str]:
    """Fields that are declared only to be refused; a schema does without them."""
    found = node.get("properties", {}).items()
    return [name for name, child in found if child.get("description", "").startswith(REFUSED)]


def _without(fields: list[str], rule: str) -> str:
    """A rule where these fields are absent."""
    for name in fields:
        rule = rule.removeprefix(f"has(self.{name}) || ")
    return rule


def _int_or_text(node: Schema) -> Schema:
    """A number or a text; where the CRD asks for a percentage, such a text."""
    rules = [rule["rule"] for rule in node.get("x-kubernetes-validations", ())]
    percent = any("self.matches" in rule and "type(self) == int" in rule for rule in rules)
    limits: Schema = {"minimum": 0, "pattern": PERCENT} if percent else {}
    return {"type": ["integer", "string"], **limits}


def _add_rules(node: Schema, result: Schema) -> None:
    """Rules about a shape become that shape; the messages of all end the description."""
    told: list[str] = []
    for rule in node.get("x-kubernetes-validations", ()):
        if (found := _PATTERN.fullmatch(rule["rule"])) and "pattern" not in result:
            result["pattern"] = _ESCAPED.sub(r"\1", found[1])
        elif found := _REQUIRED.fullmatch(rule["rule"]):
            result["required"] = [*result.get("required", ()), found[1]]
        elif _without(_refused(node), rule["rule"]) == exactly_one(*(names := _ONE.findall(rule["rule"]))):
            result["oneOf"] = [{"required": [name]} for name in names]
        if rule["message"] not in told:
            told.append(rule["message"])
    if told:
        said = " ".join(f"Rule: {message}." for message in told)
        result["description"] = f"{result['description']} {said}" if "description" in result else said


def write(folder: Path = FOLDER) -> None:
    """Write all schemas; what is in the folder besides goes."""
    folder.mkdir(exist_ok=True)
    made: dict[str, Any] = schemas()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, schema in made.items():
        (folder / name).write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    write(*(Path(argument) for argument in sys.argv[1:2]))
