"""Values out of a JSON answer, in the dialect of kubectl (spec/hooks.md 5.1), on jsonpath-ng.

``{$.a.b}``, ``{.a.b}`` and the white paper's ``${.a.b}`` are the same. Text around the braces is kept.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import parse as parse_path

_GROUP = re.compile(r"\{([^{}]*)\}")
_ESCAPED = re.compile(r"\.((?:[^.\[\]\\]|\\.)*\\\.(?:[^.\[\]\\]|\\.)*)")


class JsonPathError(ValueError):
    """The path cannot be read, or leads nowhere."""


def _standard(path: str) -> str:
    """Kubectl's spelling to the standard one: a root, and bracket quotes for keys with escaped dots."""
    path = _ESCAPED.sub(lambda m: "['" + m.group(1).replace("\\.", ".") + "']", path.strip())
    path = path.removeprefix("$").removeprefix("@")
    if path in ("", "."):
        return "$"
    return "$" + path if path[0] in ".[" else "$." + path


@lru_cache(maxsize=1024)
def _compile(path: str) -> Any:
    try:
        return parse_path(_standard(path))
    except (JSONPathError, ValueError, TypeError, AttributeError) as error:
        raise JsonPathError(f"jsonPath {path!r} cannot be read: {error}") from error


def render(value: Any) -> str:
    """A found value as text: strings as they are, whole numbers plain, objects as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, separators=(",", ":"))


def extract(template: str, body: Any) -> str:
    """Apply a path template to an answer.

    Raises:
        JsonPathError: the path cannot be read, or a key is not found.
    """
    if template.startswith("${"):
        template = template[1:]
    parts: list[str] = []
    end = 0
    for match in _GROUP.finditer(template):
        parts.append(template[end : match.start()])
        found = [render(m.value) for m in _compile(match.group(1)).find(body)]
        if not found and "?" not in match.group(1):
            key = re.split(r"[.\[]", match.group(1))[-1].strip("]'\"")
            raise JsonPathError(f"Could not find JsonPath in body: {key} is not found")
        parts.append(" ".join(found))
        end = match.end()
    return "".join(parts) + template[end:]
