"""``python -m helm.reference`` writes docs/values.md from the chart's schema of values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_SCHEMA = _ROOT / "helm" / "game-operators" / "values.schema.json"
_DOCUMENT = _ROOT / "docs" / "values.md"
_HEAD = """# Values of the Helm chart

Made from `helm/game-operators/values.schema.json` by `python -m helm.reference`; do not edit. Values that are not
listed here are refused.
"""


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" if value else "empty" for value in schema["enum"])
    kind = schema["type"]
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if "minimum" in schema and "maximum" in schema:
        return f"{text}, {schema['minimum']} to {schema['maximum']}"
    return f"{text}, {schema['minimum']} or more" if "minimum" in schema else text


def _cell(schema: Mapping[str, Any]) -> str:
    """The description where a bar would end a cell."""
    return str(schema["description"]).replace("|", "\\|")


def _rows(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        if "properties" in inner:
            yield from _rows(inner, here)
        else:
            default = json.dumps(inner["default"], ensure_ascii=False)
            yield f"| `{here}` | {_kind(inner)} | `{default}` | {_cell(inner)} |"


def render() -> str:
    """The document."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    parts = [_HEAD]
    plain = {name: inner for name, inner in schema["properties"].items() if "properties" not in inner}
    columns = "| value | kind | default | meaning |\n|---|---|---|---|"
    parts.append("\n".join(["## General\n", columns, *_rows({"properties": plain}, "")]))
    for name, inner in schema["properties"].items():
        if "properties" in inner:
            parts.append("\n".join([f"## {name}\n", f"{inner['description']}\n", columns, *_rows(inner, name)]))
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    _DOCUMENT.write_text(render(), encoding="utf-8")
