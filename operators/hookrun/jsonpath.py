"""Values out of a JSON answer, in the dialect of kubectl (docs/spec/hooks.md 5.1), on jsonpath-ng.

``{$.a.b}``, ``{.a.b}`` and the white paper's ``${.a.b}`` are the same. Text around the braces is kept, ``{"text"}`` is
text, and ``{range .list[*]}...{end}`` repeats what it encloses.

Paths are written by users and followed inside the operator. jsonpath-ng's own language has arithmetic, regular
expressions and unbounded recursion, so it never sees the text: a path is parsed here into steps, each of which is one
selector of jsonpath-ng, and every value that a selector will look at is counted before it does.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from jsonpath_ng.ext.filter import Expression, Filter
from jsonpath_ng.jsonpath import Child, Fields, Index, JSONPath, Slice, This, Wildcard

from operators.hookrun.parsecache import ParseCache

_MAX_OUTPUT, _MAX_STEPS = 1 << 20, 20_000
#: Bytes of all templates that are kept, and at most so many for each of their characters.
_KEPT_BYTES, _CHARACTER_BYTES = 1 << 20, 256
_TEXT = r"'(?:[^'\\]++|\\.)*+'|\"(?:[^\"\\]++|\\.)*+\""
_NAME = r"(?:\\.|[^\\.\[\](){}\s'\"*?,:=<>!$@])++"
_NUMBER = r"-?[0-9]{1,9}+"
_GROUP = re.compile(rf"""\{{((?:[^{{}}"']++|{_TEXT})*+)\}}""")
_STEP = re.compile(
    rf"""(?P<noop>[$@])
    |(?P<deep>\.\.)(?=[^.])
    |\.?(?:(?P<all>\*|\[\s*+\*\s*+\])
    |\[\s*+(?P<index>{_NUMBER}(?:\s*+,\s*+{_NUMBER})*+)\s*+\]
    |\[\s*+(?P<slice>(?:{_NUMBER})?\s*+:\s*+(?:{_NUMBER})?(?:\s*+:\s*+(?:{_NUMBER})?)?)\s*+\]
    |\[\s*+(?P<names>(?:{_TEXT})(?:\s*+,\s*+(?:{_TEXT}))*+)\s*+\]
    |\[\s*+\?\s*+\((?P<filter>(?:{_TEXT}|[^'")]++|\)(?!\s*+\]))*+)\)\s*+\]
    |(?P<name>{_NAME}))
    |(?P<end>\.)\Z""",
    re.VERBOSE,
)
_MEMBER = re.compile(rf"\.(?P<name>{_NAME})|\[\s*+(?:(?P<index>{_NUMBER})|(?P<text>{_TEXT}))\s*+\]")
_COMPARISON = re.compile(r"\s*+(?P<op>==|!=|<=|>=|<|>)\s*+(?P<value>.++)", re.DOTALL)
_QUOTED = re.compile(rf"({_TEXT})\s*+,?\s*+")
_ESCAPED = re.compile(r"\\(.)")
_LITERAL = re.compile(rf"{_TEXT}|[-+]?[0-9.eE+-]{{1,40}}+")
_CONSTANTS = {"true": True, "false": False, "null": None, "nil": None}


class JsonPathError(ValueError):
    """The path cannot be parsed, leads nowhere, or makes too much work with this answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One selector of a path, and the key it names when it must find something.

    ``cost`` is what the selector looks at in a value: its names, its indexes, or for each element one and the members
    of the filter. ``many`` says that it looks at every element, ``deep`` that it is applied to all values below, too.
    """

    selector: JSONPath
    cost: int = 1
    key: str = ""
    many: bool = False
    deep: bool = False

    def find(self, value: Any, spend: Callable[[int], None]) -> list[Any]:
        """What it selects of a value; ``spend`` is told of the steps before, and may raise to prevent them."""
        found: list[Any] = []
        for each in _below(value) if self.deep else (value,):
            spend(self.cost * (len(each) + 1 if self.many and isinstance(each, list | dict) else 1))
            found += [match.value for match in self.selector.find(each)]
        spend(len(found))
        return found


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    steps: tuple[Step, ...]
    inside: tuple[_Part, ...]


_Part = _Text | _Path | _Range


def extract(template: str, body: Any) -> str:
    """Apply a path template to an answer. What was parsed is kept for the next time.

    Raises:
        JsonPathError: the path cannot be parsed, a key is not found, or there is too much to look at.
    """
    try:
        return _Extraction().apply(_templates(template), body)
    except RecursionError as error:
        raise JsonPathError("jsonPath: the path is nested too deeply") from error


def check(template: str) -> None:
    """Parse a path template without an answer to apply it to, and keep nothing.

    Raises:
        JsonPathError: it cannot be parsed.
    """
    parse(template)


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
    """One application of a template; counts its steps and the characters it gives."""

    def __init__(self) -> None:
        self.steps = self._size = 0

    def spend(self, steps: int) -> None:
        """Count steps that are about to be taken."""
        self.steps += steps
        if self.steps > _MAX_STEPS:
            raise JsonPathError(f"jsonPath: the path takes too long in this answer: more than {_MAX_STEPS} steps")

    def _text(self, text: str) -> str:
        self._size += len(text)
        if self._size > _MAX_OUTPUT:
            raise JsonPathError(f"jsonPath: the outcome is too large: more than {_MAX_OUTPUT} characters")
        return text

    def _find(self, steps: Iterable[Step], body: Any) -> list[Any]:
        values = [body]
        for step in steps:
            found = [inner for value in values for inner in step.find(value, self.spend)]
            if values and not found and step.key:
                raise JsonPathError(f"Could not find JsonPath in body: {step.key} is not found")
            values = found
        return values

    def apply(self, parts: tuple[_Part, ...], body: Any) -> str:
        """The text that the parts of a template give."""
        done: list[str] = []
        self.spend(len(parts))
        for part in parts:
            if isinstance(part, _Text):
                done.append(self._text(part.text))
            elif isinstance(part, _Path):
                done.append(" ".join(self._text(render(value)) for value in self._find(part.steps, body)))
            else:
                done += [self.apply(part.inside, item) for item in self._find(part.steps, body)]
        return "".join(done)


def parse(template: str) -> tuple[_Part, ...]:
    """The parts of a template.

    Raises:
        JsonPathError: it is malformed, or descends with ``..`` twice.
    """
    template = template.removeprefix("$") if template.startswith("${") else template
    levels: list[list[_Part]] = [[]]
    ranges: list[tuple[Step, ...]] = []
    at = deep = 0
    while (opened := template.find("{", at)) >= 0:
        levels[-1].append(_Text(template[at:opened]))
        group = _GROUP.match(template, opened)
        if group is None:
            raise JsonPathError(f"jsonPath: the {{ at character {opened + 1} is not closed")
        at, inside = group.end(), group[1].strip()
        if inside == "end":
            if not ranges:
                raise JsonPathError("jsonPath: {end} without {range}")
            body = tuple(levels.pop())
            levels[-1].append(_Range(ranges.pop(), body))
        elif inside[:1] in ("'", '"'):
            levels[-1].append(_Text(_unquoted_text(inside)))
        else:
            steps = _steps(inside.removeprefix("range "))
            deep += any(step.deep for step in steps)
            if inside.startswith("range "):
                ranges.append(steps)
                levels.append([])
            else:
                levels[-1].append(_Path(steps))
    if ranges:
        raise JsonPathError("jsonPath: {range} without {end}")
    if deep > 1:
        raise JsonPathError("jsonPath: .. may be used once only")
    return (*levels[0], _Text(template[at:]))


_templates = ParseCache(parse, lambda text, _: _CHARACTER_BYTES * (len(text) + 4), _KEPT_BYTES)


def _unquoted_text(inside: str) -> str:
    try:
        return str(ast.literal_eval(inside))
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise JsonPathError(f"jsonPath: {inside[:80]!r} is not a quoted text") from error


def _steps(text: str) -> tuple[Step, ...]:
    """The steps of one path."""
    steps: list[Step] = []
    path, at, deep = text.strip(), 0, False
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise JsonPathError(f"jsonPath {path[:80]!r} cannot be read at character {at + 1}: {path[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup == "deep":
            if any(step.deep for step in steps):
                raise JsonPathError(f"jsonPath {path[:80]!r}: .. may be used once only")
            deep = True
        elif match.lastgroup not in ("noop", "end"):
            steps.append(_step(str(match.lastgroup), match.group(str(match.lastgroup)), deep=deep))
            deep = False
    if deep:
        raise JsonPathError(f"jsonPath {path[:80]!r} ends too early: a name is missing behind ..")
    return tuple(steps)


def _step(selector: str, text: str, *, deep: bool) -> Step:
    if selector == "all":
        return Step(Wildcard(), many=True, deep=deep)
    if selector == "index":
        numbers = [int(number) for number in text.split(",")]
        return Step(Index(*numbers), len(numbers), f"index {text}", deep=deep)
    if selector == "slice":
        first, last, width = ([part.strip() for part in text.split(":")] + [""])[:3]
        part = Slice(int(first or 0), int(last) if last else None, _width(width))
        return Step(part, many=True, deep=deep)
    if selector == "filter":
        condition, members = _filter(text)
        return Step(condition, members + 1, many=True, deep=deep)
    names = _quoted(text) if selector == "names" else [_unescaped(text)]
    everything = "*" in names  # jsonpath-ng takes a field of this name for all of them
    return Step(Fields(*names), len(names), ", ".join(names), many=everything, deep=deep)


def _width(text: str) -> int | None:
    if text and int(text) <= 0:
        raise JsonPathError(f"jsonPath: the step of a slice must be greater than 0, not {text}")
    return int(text) if text else None


def _quoted(text: str) -> list[str]:
    names, at = [], 0
    while (quoted := _QUOTED.match(text, at)) is not None:
        names.append(_unescaped(quoted[1][1:-1]))
        at = quoted.end()
    return names


def _unescaped(name: str) -> str:
    """A name without the backslashes that keep its dots."""
    return _ESCAPED.sub(r"\1", name)


def _filter(text: str) -> tuple[Filter, int]:
    """``@.a.b`` (there is one) or ``@.a.b == literal``, and the number of its members."""
    rest, at, members = text.strip(), 1, 0
    if not rest.startswith("@"):
        _unreadable_filter(text)
    target: JSONPath = This()
    while (member := _MEMBER.match(rest, at)) is not None:
        target, at, members = Child(target, _selector(member)), member.end(), members + 1
    if at == len(rest):
        return Filter([Expression(target, None, None)]), members
    comparison = _COMPARISON.fullmatch(rest, at)
    if comparison is None:
        _unreadable_filter(text)
    return Filter([Expression(target, comparison["op"], _literal(comparison["value"]))]), members


def _unreadable_filter(text: str) -> NoReturn:
    raise JsonPathError(f"jsonPath filter {text[:80]!r} cannot be read: write it like ?(@.name == 'x')")


def _selector(member: re.Match[str]) -> JSONPath:
    if member["index"] is not None:
        return Index(int(member["index"]))
    name = _unescaped(member["name"] or member["text"][1:-1])
    if name == "*":
        raise JsonPathError("jsonPath filter: a member cannot be *, because it would be all of them")
    return Fields(name)


def _literal(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        value = ast.literal_eval(text) if _LITERAL.fullmatch(text) else ()
    except (SyntaxError, ValueError):
        value = ()
    if not isinstance(value, str | int | float):
        raise JsonPathError(f"jsonPath filter: {text[:40]!r} is not a text, a number, true, false or null")
    return value


def _below(value: Any) -> Iterator[Any]:
    """A value and all values within, parents first."""
    left = [value]
    while left:
        value = left.pop()
        yield value
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left += reversed(list(inner))
