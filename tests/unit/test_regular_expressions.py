"""No pattern of this project takes more than linear time on a text of somebody else.

Python's `re` backtracks: a pattern with two ways to read the same characters tries them all when the text does not fit.
Each pattern is parsed here, and the places where it could go on in two ways are looked at:

* a repetition that may give characters back must not begin with what may follow it, if it stands in another repetition
  or one comes later;
* the branches of an alternative inside a repetition must not begin alike, if they or what follows repeat;
* a pattern that is searched for must not repeat a character it can begin with, or each beginning reads on to the end.

Possessive repetitions (``*+``) and atomic groups give nothing back, so only their insides count.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from re import _constants as codes  # the standard library's own parser of patterns, which has no public name
from re import _parser as reader

import pytest

import operators
import webhooks

ALPHABET = frozenset([*map(chr, range(128)), *"éµμſKıİ一\u0663\u2028"])
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
SEARCHES = {"search", "sub", "subn", "finditer", "findall", "split"}
#: Repetitions up to this number of times are as good as a constant where they do not stand in another one.
SHORT = 300
#: Patterns that are no danger for a reason that cannot be seen in them.
HARMLESS = {
    ("operators.api.rules", "_VALUE"): "reads texts of this project",
    ("operators.gamestatefulset.ordinals", "_NAME"): "between two hyphens each digit is read once",
}
CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


class Structure:
    """What may go wrong with one pattern."""

    def __init__(self, pattern: str, flags: int) -> None:
        tree = reader.parse(pattern, flags)
        self._flags = tree.state.flags
        self.problems: list[str] = []
        self.looped: frozenset[str] = frozenset()
        self.begins, _ = self._first(list(tree))
        self._sequence(list(tree), frozenset(), in_loop=False, loop_after=False)

    def _sequence(self, items: list, after: frozenset[str], *, in_loop: bool, loop_after: bool) -> None:
        """Judge a sequence; ``after`` is what may follow it, with or without a repetition."""
        for at, (operation, value) in enumerate(items):
            rest = items[at + 1 :]
            begins, empty = self._first(rest)
            follows = begins | (after if empty else frozenset())
            loops = loop_after or self._has_loop(rest)
            if operation in REPEATS:
                self._repeat(operation, value, follows, in_loop=in_loop, loop_after=loops)
            elif operation is codes.BRANCH:
                self._branch([list(branch) for branch in value[1]], follows, in_loop=in_loop, loop_after=loops)
            elif operation is codes.SUBPATTERN:
                self._sequence(list(value[3]), follows, in_loop=in_loop, loop_after=loops)
            elif operation is codes.ATOMIC_GROUP:
                self._sequence(list(value), frozenset(), in_loop=in_loop, loop_after=False)
            elif operation in (codes.ASSERT, codes.ASSERT_NOT):
                self._sequence(list(value[1]), frozenset(), in_loop=in_loop, loop_after=False)

    def _repeat(
        self, operation: object, value: tuple, follows: frozenset[str], *, in_loop: bool, loop_after: bool
    ) -> None:
        least, most, body = value[0], value[1], list(value[2])
        begins, _ = self._first(body)
        long = most is codes.MAXREPEAT or most - least > SHORT
        gives_back = operation is not codes.POSSESSIVE_REPEAT
        if gives_back and most != least and (in_loop or (long and loop_after)) and begins & follows:
            self.problems.append(f"a repetition and what follows it both begin with {sorted(begins & follows)[:3]}")
        if long:
            self.looped |= self._characters(body)
        inside = (follows | (begins if most != 1 else frozenset())) if gives_back else frozenset()
        self._sequence(body, inside, in_loop=in_loop or most != 1, loop_after=gives_back and (loop_after or long))

    def _branch(self, branches: list[list], follows: frozenset[str], *, in_loop: bool, loop_after: bool) -> None:
        seen: frozenset[str] = frozenset()
        for branch in branches:
            begins, _ = self._first(branch)
            if in_loop and begins & seen and (loop_after or any(map(self._has_loop, branches))):
                self.problems.append(f"two branches in a repetition begin with {sorted(begins & seen)[:3]}")
            seen |= begins
            self._sequence(branch, follows, in_loop=in_loop, loop_after=loop_after)

    def _has_loop(self, items: list) -> bool:
        return any(
            (operation in REPEATS and (value[1] is codes.MAXREPEAT or value[1] > SHORT))
            or any(self._has_loop(inner) for inner in _inner(operation, value))
            for operation, value in items
        )

    def _first(self, items: list) -> tuple[frozenset[str], bool]:
        """Characters that a sequence can begin with, and whether it can be empty."""
        begins: frozenset[str] = frozenset()
        for operation, value in items:
            if operation in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
                continue
            inner = list(_inner(operation, value))
            if inner:
                firsts = [self._first(each) for each in inner]
                begins |= frozenset().union(*(found for found, _ in firsts))
                empty = any(nothing for _, nothing in firsts)
                if operation in REPEATS:
                    empty = empty or value[0] == 0
            else:
                begins |= self._one(operation, value)
                empty = False
            if not empty:
                return begins, False
        return begins, True

    def _characters(self, items: list) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for operation, value in items:
            inner = list(_inner(operation, value))
            if inner:
                found |= frozenset().union(*map(self._characters, inner))
            elif operation not in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
                found |= self._one(operation, value)
        return found

    def _one(self, operation: object, value: object) -> frozenset[str]:
        """What a part of one character takes."""
        if operation is codes.ANY:
            return ALPHABET if self._flags & re.DOTALL else ALPHABET - {"\n"}
        if operation is codes.LITERAL:
            return self._folded({chr(value)})
        if operation is codes.NOT_LITERAL:
            return ALPHABET - self._folded({chr(value)})
        assert operation is codes.IN, f"{operation} cannot be judged"
        taken: set[str] = set()
        for kind, item in value:
            if kind is codes.LITERAL:
                taken.add(chr(item))
            elif kind is codes.RANGE:
                taken |= {char for char in ALPHABET if item[0] <= ord(char) <= item[1]}
            elif kind is codes.CATEGORY:
                category = re.compile(CATEGORIES[item], self._flags & re.ASCII)
                taken |= {char for char in ALPHABET if category.match(char)}
        folded = self._folded(taken)
        return ALPHABET - folded if value[0][0] is codes.NEGATE else folded

    def _folded(self, characters: Iterable[str]) -> frozenset[str]:
        known = frozenset(characters)
        if not self._flags & re.IGNORECASE:
            return known
        return known | {char for char in ALPHABET if {char.lower(), char.upper()} & {c.lower() for c in known}}


def _inner(operation: object, value: object) -> Iterator[list]:
    if operation is codes.SUBPATTERN:
        yield list(value[3])
    elif operation is codes.ATOMIC_GROUP:
        yield list(value)
    elif operation is codes.BRANCH:
        yield from map(list, value[1])
    elif operation in REPEATS:
        yield list(value[2])


def problems(pattern: str, flags: int = 0, *, searched: bool = False) -> list[str]:
    found = Structure(pattern, flags)
    if searched and found.begins & found.looped:
        return [
            *found.problems,
            f"it is searched for, begins with and repeats {sorted(found.begins & found.looped)[:3]}",
        ]
    return found.problems


@pytest.mark.parametrize(
    ("pattern", "searched"),
    [
        (r"(a+)+$", False),
        (r"(?:a|aa)*b", True),
        (r"[0-9]+\.?[0-9]*", False),
        (r"\s*,\s*\s*x", False),
        (r".*a.*b", False),
        (r"(?:[a-z]*[a-z0-9]*)x", False),
        (r"(?:a?)*a", False),
        (r"[0-9]+x", True),
        (r"(?:\"[^\"]*\"|\"|x)*+", False),
        (r"(?:x+x+)++y", False),
        (r"(?i)k*Kx*", False),
        (r".+?\s*", False),
        (r"(?:a|ab|b)*c", False),
        (r"(?:ab?)*b", False),
        (r"[a-z]*[a-z0-9]x*", False),
    ],
)
def test_patterns_that_are_found_out(pattern: str, searched: bool) -> None:
    assert problems(pattern, searched=searched)


@pytest.mark.parametrize(
    ("pattern", "searched"),
    [
        (r"[0-9]++(?:\.[0-9]*+)?", False),
        (r"(?:[^\"\\]++|\\.)*+", False),
        (r"a*b*c", False),
        (r"(?:[a-z]+\.)*[0-9]", False),
        (r"//[^/?#]*@", True),
        (r"(?>a+)a", False),
        (r"[a-z]([-a-z0-9]{0,60}[a-z0-9])?", False),
        (r"(?:ms|s|m|h)++", False),
        (r"[a-z]*[a-z0-9]x", False),
    ],
)
def test_patterns_that_pass(pattern: str, searched: bool) -> None:
    assert problems(pattern, searched=searched) == []


def modules() -> Iterator[tuple[str, object, ast.Module]]:
    for package in (operators, webhooks):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                module = importlib.import_module(info.name)
                yield info.name, module, ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


MODULES = list(modules())


def _of_re(node: ast.AST) -> str:
    """The function of `re` that is called there, if it is one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return node.func.attr if isinstance(owner, ast.Name) and owner.id == "re" else ""
    return ""


def _held(name: str, value: object) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _held(name, each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _held(name, each)


def compiled(module: object) -> list[tuple[str, re.Pattern[str]]]:
    return [found for name, value in vars(module).items() for found in _held(name, value)]


def test_every_pattern_has_a_name_in_its_module() -> None:
    """What is compiled elsewhere would not be looked at below."""
    for name, module, tree in MODULES:
        calls = [_of_re(node) for node in ast.walk(tree) if _of_re(node)]
        imported = {
            alias.asname or alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
        }
        own = [found for held, found in compiled(module) if held not in imported]
        assert calls.count("compile") == len(own), name
        assert set(calls) <= {"compile", "escape", "fullmatch"}, name


def patterns() -> Iterator[tuple[str, str, str, int, bool]]:
    searched = {
        node.func.value.id
        for _, _, tree in MODULES
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES
        if isinstance(node.func.value, ast.Name)
    }
    for name, module, tree in MODULES:
        for held, pattern in compiled(module):
            yield name, held, pattern.pattern, pattern.flags & ~re.UNICODE, held in searched
        for node in ast.walk(tree):
            if _of_re(node) == "fullmatch":
                yield name, f"line {node.lineno}", ast.literal_eval(node.args[0]), 0, False


PATTERNS = list(patterns())


@pytest.mark.parametrize(
    ("module", "name", "pattern", "flags", "searched"),
    PATTERNS,
    ids=[f"{module}.{name}" for module, name, *_ in PATTERNS],
)
def test_no_pattern_can_read_a_text_in_two_ways(
    module: str, name: str, pattern: str, flags: int, searched: bool
) -> None:
    found = problems(pattern, flags, searched=searched)
    assert bool(found) == ((module, name) in HARMLESS), found


def test_the_patterns_of_the_languages_are_among_them() -> None:
    named = {(module, name) for module, name, *_ in PATTERNS}
    assert named >= {
        ("operators.api.durations", "_PART"),
        ("operators.hookrun.arguments", "_ENDED"),
        ("operators.hookrun.arguments", "_INSIDE"),
        ("operators.hookrun.conditions.evaluate", "_FLOAT"),
        ("operators.hookrun.conditions.parser", "_TOKEN"),
        ("operators.hookrun.jsonpath", "_STEP"),
        *HARMLESS,
    }
