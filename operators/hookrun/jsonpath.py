"""Values out of a JSON answer, in the dialect of kubectl (spec/hooks.md 5.1), on jsonpath-ng.

``{$.a.b}``, ``{.a.b}`` and the white paper's ``${.a.b}`` are the same. Text around the braces is kept, ``{"text"}`` is
text, and ``{range .list[*]}...{end}`` repeats what it encloses.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import parse as parse_path

_GROUP = re.compile(r"""\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}""")
_ESCAPED = re.compile(r"\.((?:[^.\[\]\\]|\\.)*\\\.(?:[^.\[\]\\]|\\.)*)")
_MAX_OUTPUT = 1 << 20


class JsonPathError(ValueError):
    """The path cannot be read, or leads nowhere."""


def _standard(path: str) -> str:
    """The standard spelling of kubectl's: a root, and bracket quotes for keys with escaped dots."""
    path = _ESCAPED.sub(lambda m: "['" + m.group(1).replace("\\.", ".") + "']", path.strip())
    path = path.removeprefix("$").removeprefix("@")
    if path in ("", "."):
        return "$"
    return "$" + path if path[0] in ".[" else "$." + path


@lru_cache(maxsize=1024)
def _compile(path: str) -> Any:
    try:
        return parse_path(_standard(path))
    except (JSONPathError, ValueError, TypeError, AttributeError, RecursionError) as error:
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
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _find(path: str, body: Any) -> list[Any]:
    try:
        found = [match.value for match in _compile(path).find(body)]
    except (JSONPathError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise JsonPathError(f"jsonPath {path!r} cannot be applied: {error}") from error
    if not found and not re.search(r"[?*:]|\.\.", path):  # a filter or a wildcard may well find nothing
        key = re.split(r"[.\[]", path)[-1].strip("]'\" ")
        raise JsonPathError(f"Could not find JsonPath in body: {key} is not found")
    return found


def _parts(template: str) -> list[tuple[str, str]]:
    """The template as (kind, text): literal text, path, ``range`` or ``end``."""
    parts: list[tuple[str, str]] = []
    end = 0
    for match in _GROUP.finditer(template):
        parts.append(("text", template[end : match.start()]))
        inside = match.group(1).strip()
        end = match.end()
        if inside[:1] in ("'", '"'):
            try:
                parts.append(("text", str(ast.literal_eval(inside))))
            except (SyntaxError, ValueError) as error:
                raise JsonPathError(f"jsonPath: {inside} is not a quoted text") from error
        elif inside == "end":
            parts.append(("end", ""))
        elif inside.startswith("range "):
            parts.append(("range", inside[6:]))
        else:
            parts.append(("path", inside))
    parts.append(("text", template[end:]))
    if any(kind == "text" and "{" in text for kind, text in parts[-1:]):
        raise JsonPathError("jsonPath: a { is not closed")
    return parts


def _apply(parts: Sequence[tuple[str, str]], body: Any) -> str:
    done, at = "", 0
    while at < len(parts):
        kind, text = parts[at]
        if kind == "text":
            done += text
        elif kind == "path":
            done += " ".join(map(render, _find(text, body)))
        elif kind == "range":
            closing = _closing(parts, at)
            for item in _find(text, body):
                done += _apply(parts[at + 1 : closing], item)
                if len(done) > _MAX_OUTPUT:
                    raise JsonPathError("jsonPath: the outcome is too large")
            at = closing
        else:
            raise JsonPathError("jsonPath: {end} without {range}")
        at += 1
    return done


def _closing(parts: Sequence[tuple[str, str]], opening: int) -> int:
    depth = 0
    for at in range(opening, len(parts)):
        depth += {"range": 1, "end": -1}.get(parts[at][0], 0)
        if not depth:
            return at
    raise JsonPathError("jsonPath: {range} without {end}")


def extract(template: str, body: Any) -> str:
    """Apply a path template to an answer.

    Raises:
        JsonPathError: the path cannot be read, or a key is not found.
    """
    return _apply(_parts(template.removeprefix("$") if template.startswith("${") else template), body)
