"""docs/api.md, made from the same schemas as the CRDs: ``python -m operators.api.reference``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from operators.api.crds import definitions
from operators.api.rules import REFUSED, Schema

FILE: Final = Path("docs/api.md")

_HEAD = """\
# The API, field by field

Made from the models by `make crds`; `kubectl explain gd.spec` says the same. Group `tkex.tencent.com`, version
`v1alpha1`. A default stands in the schema, so that it shows on the object. Rules are checked by the API server, see
[validation.md](validation.md) for what it answers. int-or-percent is a number like `3` or a percentage like `25%`.

"""
_LIMITS: Final = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
    ("maxProperties", "at most {} entries"),
    ("maxLength", "at most {} characters"),
)
_INT32: Final = 2_147_483_647


def reference() -> str:
    """The whole page."""
    return _HEAD + "\n".join("".join(_kind(definition)) for definition in definitions().values())


def _kind(definition: Schema) -> Iterator[str]:
    names = definition["spec"]["names"]
    version = definition["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n\n{schema['description']}\n\n"
    categories = " and ".join(f"`{c}`" for c in names["categories"])
    yield f"Short name `{names['shortNames'][0]}`, categories {categories}. "
    yield f"Subresources: {', '.join(f'`{name}`' for name in version['subresources'])}.\n\n"
    columns = [
        c["name"].upper() + (" (wide)" if c.get("priority") else "") for c in version["additionalPrinterColumns"]
    ]
    yield f"Columns of `kubectl get`: NAME, {', '.join(columns)}.\n\n"
    yield "".join(f"* {rule}\n" for rule in _rules(schema))
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield f"\n### {names['kind']} {part}\n\n"
            yield from _table(schema["properties"][part])


def _table(schema: Schema) -> Iterator[str]:
    rules = _rules(schema)
    yield "".join(f"* {rule}\n" for rule in rules) + ("\n" if rules else "")
    yield "| field | type | default | meaning |\n|---|---|---|---|\n"
    for path, field, required in _fields(schema, ""):
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ("required" if required else "")
        yield f"| `{path}` | {_type(field)} | {default} | {_meaning(field)} |\n"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """All fields below a schema, without those that are there only to be refused."""
    for name, field in schema.get("properties", {}).items():
        if field.get("description", "").startswith(REFUSED):
            continue
        entries = "[]" if field.get("type") == "array" else ""
        yield f"{path}{name}{entries}", field, name in schema.get("required", ())
        yield from _fields(field.get("items", field), f"{path}{name}{entries}.")


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "int-or-percent"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}s"
    if field["type"] == "object" and "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}s"
    return str(field["type"])


def _meaning(field: Schema) -> str:
    limits = [text.format(field[key]) for key, text in _LIMITS if _worth_saying(field, key)]
    rules = _rules(field)
    if field.get("type") == "array":
        rules += _rules(field["items"])
        if "x-kubernetes-list-map-keys" in field:
            limits.append(f"unique by {', '.join(field['x-kubernetes-list-map-keys'])}")
        elif field.get("x-kubernetes-list-type") == "set":
            limits.append("no entry twice")
    parts = [field["description"], *([f"{', '.join(limits).capitalize()}."] if limits else []), *rules]
    return " ".join(parts).replace("|", "\\|")


def _worth_saying(field: Schema, key: str) -> bool:
    noise: dict[str, Any] = {"maximum": _INT32, "minItems": 0}
    return key in field and field[key] != noise.get(key) and not field.get("x-kubernetes-int-or-string")


def _rules(schema: Schema) -> list[str]:
    """The messages of the rules on a field, none twice; they begin with the name of a field, as it is written."""
    messages = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
    return [f"*{message}.*" for message in dict.fromkeys(messages)]


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
