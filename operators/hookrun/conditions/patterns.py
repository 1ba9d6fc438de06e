"""Regular expressions whose matching time grows with the text only (``matches``, spec/hooks.md 2.2).

Patterns are written by users and matched within the operator, so a backtracking matcher would let one of them stop all
hooks. Here the pattern becomes a set of states that is moved along the text, as RE2 does; what that cannot do
(back-references, look-around) is refused.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from re import _constants as c  # type: ignore[attr-defined]  # the standard library's own reader of patterns
from re import _parser as reader  # type: ignore[attr-defined]  # private, but the same since Python 2
from typing import Any

_MAX_STATES, _MAX_TEXT, _MAX_DEPTH = 400, 1024, 100
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")
_WORD = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_SETS = {
    c.CATEGORY_DIGIT: (frozenset("0123456789"), True),
    c.CATEGORY_NOT_DIGIT: (frozenset("0123456789"), False),
    c.CATEGORY_SPACE: (frozenset("\t\n\f\r "), True),
    c.CATEGORY_NOT_SPACE: (frozenset("\t\n\f\r "), False),
    c.CATEGORY_WORD: (_WORD, True),
    c.CATEGORY_NOT_WORD: (_WORD, False),
}


def _edge(text: str, at: int) -> bool:
    return (at > 0 and text[at - 1] in _WORD) != (at < len(text) and text[at] in _WORD)


_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE
_POSITIONS = {
    c.AT_BEGINNING: lambda _, at: at == 0,
    c.AT_BEGINNING_STRING: lambda _, at: at == 0,
    c.AT_END: lambda text, at: at == len(text),
    c.AT_END_STRING: lambda text, at: at == len(text),
    c.AT_BOUNDARY: _edge,
    c.AT_NON_BOUNDARY: lambda text, at: not _edge(text, at),
}
_LINES = {
    c.AT_BEGINNING: lambda text, at: at == 0 or text[at - 1] == "\n",
    c.AT_END: lambda text, at: at == len(text) or text[at] == "\n",
}


class RegexError(ValueError):
    """The pattern is malformed, too large, or needs backtracking."""


@dataclass(slots=True)
class _State:
    """Consumes a character when ``accepts`` is set, else moves on freely where ``holds`` allows it."""

    accepts: Callable[[str], bool] | None = None
    holds: Callable[[str, int], bool] | None = None
    targets: tuple[int, ...] = ()


class Pattern:
    """A pattern ready to be matched."""

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_TEXT:
            raise RegexError(f"longer than {_MAX_TEXT} characters")
        if _NAMED_CLASS.search(text):
            raise RegexError("classes like [:alpha:] are not supported, write a-zA-Z")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of [[ and the like, which mean here what they say
                tree = reader.parse(text)
        except (re.error, RecursionError, OverflowError, ValueError) as error:
            raise RegexError(f"cannot be read: {error}") from error
        flags = tree.state.flags
        if flags & ~int(_FLAGS):
            raise RegexError("of the flags only i, m and s can be used")
        self._fold, self._lines = bool(flags & re.IGNORECASE), bool(flags & re.MULTILINE)
        self._dot_all = bool(flags & re.DOTALL)
        self._copies = self._depth = 0
        self._states: list[_State] = [_State()]
        self._start = self._sequence(tree, 0)

    def _add(self, state: _State) -> int:
        if len(self._states) >= _MAX_STATES:
            raise RegexError("the pattern is too large")
        self._states.append(state)
        return len(self._states) - 1

    def _sequence(self, items: Iterable[Any], then: int) -> int:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RegexError("nested too deeply")
        for operation, value in reversed(list(items)):
            then = self._item(operation, value, then)
        self._depth -= 1
        return then

    def _item(self, operation: Any, value: Any, then: int) -> int:
        if operation in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN):
            return self._add(_State(accepts=self._accepts(operation, value), targets=(then,)))
        if operation is c.SUBPATTERN:
            _, add, drop, inner = value
            if add or drop:
                raise RegexError("flags can be set for the whole pattern only")
            return self._sequence(inner, then)
        if operation is c.BRANCH:
            return self._add(_State(targets=tuple(self._sequence(branch, then) for branch in value[1])))
        if operation in (c.MAX_REPEAT, c.MIN_REPEAT):
            least, most, inner = value
            return self._repeat(least, most, inner, then)
        if operation is c.AT:
            holds = (_LINES if self._lines else {}).get(value) or _POSITIONS[value]
            return self._add(_State(holds=holds, targets=(then,)))
        raise RegexError("back-references, look-around and possessive repeats are not supported")

    def _repeat(self, least: int, most: Any, inner: Any, then: int) -> int:
        items = list(inner)
        self._copies += least if most is c.MAXREPEAT else int(most)
        if self._copies > _MAX_STATES:
            raise RegexError("the pattern is too large")
        if most is c.MAXREPEAT:
            loop = self._add(_State())
            self._states[loop].targets = (self._sequence(items, loop), then)
            then = loop
        else:
            skip = then
            for _ in range(int(most) - least):
                then = self._add(_State(targets=(self._sequence(items, then), skip)))
        for _ in range(least):
            then = self._sequence(items, then)
        return then

    def _accepts(self, operation: Any, value: Any) -> Callable[[str], bool]:
        if operation is c.ANY:
            return (lambda _: True) if self._dot_all else (lambda char: char != "\n")
        if operation is c.LITERAL:
            wanted = self._folded(chr(value))
            return lambda char: self._folded(char) == wanted
        if operation is c.NOT_LITERAL:
            unwanted = self._folded(chr(value))
            return lambda char: self._folded(char) != unwanted
        return self._one_of(value)

    def _folded(self, char: str) -> str:
        return char.lower() if self._fold else char

    def _one_of(self, items: Any) -> Callable[[str], bool]:
        negated = any(kind is c.NEGATE for kind, _ in items)
        wanted = _Class(items)

        def accepts(char: str) -> bool:
            forms = {char, char.lower(), char.upper()} if self._fold else {char}
            return negated != any(form in wanted for form in forms)

        return accepts

    def search(self, text: str, spend: Callable[[int], None]) -> bool:
        """Whether the pattern occurs in the text; ``spend`` is told of the work done, and may raise to end it."""
        active: set[int] = set()
        for at in range(len(text) + 1):
            active = self._free_moves({*active, self._start}, text, at)
            spend(len(active))
            if 0 in active:
                return True
            if at < len(text):
                active = self._moves(active, text[at])
        return False

    def _moves(self, active: set[int], char: str) -> set[int]:
        states = (self._states[number] for number in active)
        return {target for state in states if state.accepts and state.accepts(char) for target in state.targets}

    def _free_moves(self, active: set[int], text: str, at: int) -> set[int]:
        todo, reached = list(active), set(active)
        while todo:
            state = self._states[todo.pop()]
            if state.accepts is None and (state.holds is None or state.holds(text, at)):
                fresh = [target for target in state.targets if target not in reached]
                reached.update(fresh)
                todo += fresh
        return reached


class _Class:
    """What stands in brackets; a look into it costs the same however long it was written."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._literals: set[str] = set()
        self._categories: set[Any] = set()
        ranges: list[tuple[int, int]] = []
        for kind, value in items:
            if kind is c.LITERAL:
                self._literals.add(chr(value))
            elif kind is c.RANGE:
                ranges.append((int(value[0]), int(value[1])))
            elif kind is c.CATEGORY:
                self._categories.add(value)
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, char: str) -> bool:
        if char in self._literals:
            return True
        if self._starts and len(char) == 1:
            at = bisect_right(self._starts, ord(char)) - 1
            if at >= 0 and ord(char) <= self._ends[at]:
                return True
        return any((char in members) == wanted for members, wanted in map(_SETS.__getitem__, self._categories))


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> Pattern:
    """A pattern, read once.

    Raises:
        RegexError: see the class.
    """
    return Pattern(text)
