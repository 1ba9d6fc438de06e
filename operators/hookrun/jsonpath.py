"""Values out of a JSON answer, in the dialect of kubectl (spec/hooks.md 5.1), on jsonpath-ng.

``{$.a.b}``, ``{.a.b}`` and the white paper's ``${.a.b}`` are the same. Text around the braces is kept, ``{"text"}`` is
text, and ``{range .list[*]}...{end}`` repeats what it encloses. The work is bounded: no path can hold up the operator.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from operators.hookrun.jsonsteps import JsonPathError, steps_of

__all__ = ["JsonPathError", "check", "extract", "render"]

_GROUP = re.compile(r"""\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}""")
_MAX_OUTPUT, _MAX_WORK = 1 << 20, 20_000


def extract(template: str, body: Any) -> str:
    """Apply a path template to an answer.

    Raises:
        JsonPathError: the path cannot be read, a key is not found, or there is too much to look at.
    """
    try:
        return _Extraction().apply(_parts(template), body)
    except RecursionError as error:
        raise JsonPathError("jsonPath: nested too deeply") from error


def check(template: str) -> None:
    """Read a path template without an answer to apply it to.

    Raises:
        JsonPathError: it cannot be read.
    """
    parts = _parts(template)
    depth = 0
    for at, (kind, _) in enumerate(parts):
        depth += {"range": 1, "end": -1}.get(kind, 0)
        if depth < 0:
            raise JsonPathError("jsonPath: {end} without {range}")
        if kind == "range":
            _closing(parts, at)


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


class _Extraction:
    """One application of a template; counts what it does."""

    def __init__(self) -> None:
        self._work = self._size = 0

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > _MAX_WORK:
            raise JsonPathError("jsonPath: the answer has too many elements to look at")

    def _text(self, text: str) -> str:
        self._size += len(text)
        if self._size > _MAX_OUTPUT:
            raise JsonPathError("jsonPath: the outcome is too large")
        return text

    def _find(self, path: str, body: Any) -> list[Any]:
        values = [body]
        for step in steps_of(path):
            found = [inner for value in values for inner in step.find(value, self._spend)]
            if values and not found and step.key:
                raise JsonPathError(f"Could not find JsonPath in body: {step.key} is not found")
            values = found
        return values

    def apply(self, parts: Sequence[tuple[str, str]], body: Any) -> str:
        """The text that the parts of a template give."""
        done, at = [], 0
        while at < len(parts):
            kind, text = parts[at]
            if kind == "text":
                done.append(self._text(text))
            elif kind == "path":
                done.append(" ".join(self._text(render(value)) for value in self._find(text, body)))
            elif kind == "range":
                closing = _closing(parts, at)
                inside = parts[at + 1 : closing]
                for item in self._find(text, body):
                    self._spend(1)
                    done.append(self.apply(inside, item))
                at = closing
            else:
                raise JsonPathError("jsonPath: {end} without {range}")
            at += 1
        return "".join(done)


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[tuple[str, str], ...]:
    """The template as (kind, text): literal text, path, ``range`` or ``end``."""
    template = template.removeprefix("$") if template.startswith("${") else template
    parts: list[tuple[str, str]] = []
    end = 0
    for match in _GROUP.finditer(template):
        parts += [_literal(template[end : match.start()]), _part(match.group(1).strip())]
        end = match.end()
    parts.append(_literal(template[end:]))
    if sum(any(step.deep for step in steps_of(text)) for kind, text in parts if kind in ("path", "range")) > 1:
        raise JsonPathError("jsonPath: .. may be used once only")
    return tuple(parts)


def _literal(text: str) -> tuple[str, str]:
    if "{" in text:
        raise JsonPathError("jsonPath: a { is not closed")
    return "text", text


def _part(inside: str) -> tuple[str, str]:
    if inside[:1] in ("'", '"'):
        try:
            return "text", str(ast.literal_eval(inside))
        except (SyntaxError, ValueError) as error:
            raise JsonPathError(f"jsonPath: {inside} is not a quoted text") from error
    if inside == "end":
        return "end", ""
    if inside.startswith("range "):
        return "range", inside[6:]
    return "path", inside


def _closing(parts: Sequence[tuple[str, str]], opening: int) -> int:
    depth = 0
    for at in range(opening, len(parts)):
        depth += {"range": 1, "end": -1}.get(parts[at][0], 0)
        if not depth:
            return at
    raise JsonPathError("jsonPath: {range} without {end}")
