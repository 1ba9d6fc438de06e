"""One path of kubectl's JSONPath dialect as steps of jsonpath-ng (spec/hooks.md 5.1).

Paths are written by users and followed within the operator. jsonpath-ng's own language has arithmetic, regular
expressions and unbounded recursion, so it never sees the text: the steps are read here and built from its parts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonpath_ng.ext.filter import Expression, Filter
from jsonpath_ng.jsonpath import Child, Fields, Index, JSONPath, Slice, This, Wildcard

_NAME = r"(?:\\.|[^\\.\[\](){}\s'\"*?,:=<>!$@])+"
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_NUMBER = r"-?[0-9]{1,9}"
_STEP = re.compile(
    rf"""(?P<noop>[$@])
    |(?P<deep>\.\.)(?=[^.])
    |\.?(?:(?P<all>\*|\[\s*\*\s*\])
    |\[\s*(?P<index>{_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\]
    |\[\s*(?P<slice>(?:{_NUMBER})?\s*:\s*(?:{_NUMBER})?(?:\s*:\s*(?:{_NUMBER})?)?)\s*\]
    |\[\s*(?P<names>(?:{_TEXT})(?:\s*,\s*(?:{_TEXT}))*)\s*\]
    |\[\s*\?\s*\((?P<filter>(?:{_TEXT}|[^'"])*?)\)\s*\]
    |(?P<name>{_NAME}))
    |(?P<end>\.)\Z""",
    re.VERBOSE,
)
_FILTER = re.compile(
    rf"\s*@(?P<path>(?:\.{_NAME}|\[\s*(?:{_NUMBER}|{_TEXT})\s*\])*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*",
    re.DOTALL,
)
_CONSTANTS = {"true": True, "false": False, "null": None, "nil": None}


class JsonPathError(ValueError):
    """The path cannot be read, or leads nowhere."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: what it selects of one value, and the key it names when it must find something.

    ``deep`` applies it to the value and to everything below. ``many`` says that it looks at every element.
    """

    part: JSONPath
    key: str = ""
    many: bool = False
    deep: bool = False

    def find(self, value: Any, spend: Callable[[int], None]) -> list[Any]:
        """What it selects of a value; ``spend`` is told of the work, and may raise to end it."""
        found: list[Any] = []
        for each in _below(value) if self.deep else (value,):
            spend(len(each) + 1 if self.many and isinstance(each, list | dict) else 1)
            found += [match.value for match in self.part.find(each)]
        spend(len(found))
        return found


def _below(value: Any) -> Iterator[Any]:
    """A value and all values within, parents first."""
    left = [value]
    while left:
        value = left.pop()
        yield value
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left += reversed(list(inner))


@lru_cache(maxsize=1024)
def steps_of(path: str) -> tuple[Step, ...]:
    """Read a path.

    Raises:
        JsonPathError: it is malformed, or descends with ``..`` twice.
    """
    steps: list[Step] = []
    text, at, deep = path.strip(), 0, False
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise JsonPathError(f"jsonPath {path!r} cannot be read at {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup == "deep":
            if any(step.deep for step in steps):
                raise JsonPathError(f"jsonPath {path!r}: .. may be used once only")
            deep = True
        elif match.lastgroup not in ("noop", "end"):
            steps.append(_step(str(match.lastgroup), match.group(str(match.lastgroup)), deep=deep))
            deep = False
    if deep:
        raise JsonPathError(f"jsonPath {path!r} ends too early")
    return tuple(steps)


def _step(kind: str, text: str, *, deep: bool) -> Step:
    if kind == "all":
        return Step(Wildcard(), many=True, deep=deep)
    if kind == "index":
        numbers = [int(number) for number in text.split(",")]
        return Step(Index(*numbers), f"index {text}", deep=deep)
    if kind == "slice":
        first, last, width = ([part.strip() for part in text.split(":")] + [""])[:3]
        return Step(
            Slice(int(first or 0), int(last) if last else None, _width(width)),
            many=True,
            deep=deep,
        )
    if kind == "filter":
        return Step(_filter(text), many=True, deep=deep)
    names = [_unquoted(name) for name in re.findall(_TEXT, text)] if kind == "names" else [_plain(text)]
    return Step(Fields(*names), ", ".join(names), deep=deep)


def _width(text: str) -> int | None:
    if text and int(text) <= 0:
        raise JsonPathError("jsonPath: the step of a slice must be greater than 0")
    return int(text) if text else None


def _plain(name: str) -> str:
    """A name without the backslashes that keep its dots."""
    return re.sub(r"\\(.)", r"\1", name)


def _unquoted(text: str) -> str:
    return _plain(text[1:-1])


def _filter(text: str) -> Filter:
    """``@.a.b`` (there is one) or ``@.a.b == literal``."""
    match = _FILTER.fullmatch(text)
    if match is None:
        raise JsonPathError(f"jsonPath filter {text!r} cannot be read: write it like ?(@.name == 'x')")
    target: JSONPath = This()
    for part in re.finditer(
        rf"\.(?P<name>{_NAME})|\[\s*(?:(?P<index>{_NUMBER})|(?P<text>{_TEXT}))\s*\]", match["path"]
    ):
        if part["index"] is not None:
            target = Child(target, Index(int(part["index"])))
        else:
            target = Child(target, Fields(_plain(part["name"]) if part["name"] else _unquoted(part["text"])))
    return Filter([Expression(target, match["op"], _literal(match["value"]) if match["op"] else None)])


def _literal(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        value = ast.literal_eval(text) if re.fullmatch(rf"{_TEXT}|[-+]?[0-9.eE+-]{{1,40}}", text) else ()
    except (SyntaxError, ValueError):
        value = ()
    if not isinstance(value, str | int | float):
        raise JsonPathError(f"jsonPath filter: {text[:40]!r} is no text, number, true, false or null")
    return value
