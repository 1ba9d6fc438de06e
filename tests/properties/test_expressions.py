"""No text makes the condition language hang, reach Python, or fail other than by its own error.

Work is counted, not timed: what the evaluator, the type checker, the patterns and the selectors really do is counted
from outside and compared with the steps they were charged.
"""

from __future__ import annotations

import ast
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonpath_ng import jsonpath as selectors

from operators.hookrun import jsonpath
from operators.hookrun.conditions import evaluate as evaluation
from operators.hookrun.conditions import patterns
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate, parse
from operators.hookrun.conditions.parser import CLOSURES, FUNCTIONS, MAX_NODES, MAX_TEXT, STRING_WORDS, Parser
from operators.hookrun.conditions.typecheck import _TypeChecker
from operators.hookrun.conditions.work import MAX_STEPS, Work
from operators.hookrun.jsonpath import JsonPathError, extract

EXAMPLES = int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000"))
_WORDS = """
result asInt asFloat len isNaN isInf all any none one count filter map ( ) [ ] { } # . , : ? ! && || and or not in
contains startsWith endsWith matches == != < <= > >= + - * / % ** .. true false nil 0 1 -1 9999 1e308 .5 'a'
"(a+)+$" '' __class__ __import__ lambda import 0x7fffffffffffffff 0x_ \\ ; @ ` é
"""
ALLOWED = (
    ast.Constant,
    ast.Name,
    ast.UnaryOp,
    ast.BoolOp,
    ast.BinOp,
    ast.Compare,
    ast.IfExp,
    ast.List,
    ast.Dict,
    ast.Subscript,
    ast.Slice,
    ast.Call,
    ast.Lambda,
    ast.arguments,
    ast.operator,
    ast.cmpop,
    ast.boolop,
    ast.unaryop,
)
NAMES = {"result", "#", "range", *FUNCTIONS, *CLOSURES, *STRING_WORDS}
TOKENS = st.sampled_from([*_WORDS.split(), "\n"])
VALUES = st.one_of(
    st.text(max_size=30), st.floats(), st.lists(st.floats(), max_size=5), st.integers(), st.just("a" * 2000 + "b")
)
OPERANDS = st.sampled_from(
    [
        "result",
        "1",
        "2.5",
        "'a'",
        "[true]",
        "true",
        "nil",
        "[1, 2]",
        "1..9",
        "result[0]",
        "asInt(result)",
        "len(result)",
        "{}",
    ]
)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "-", "*", "/", "%", "**", "==", "!=", "<", ">", "&&", "||", "in", "contains", "matches", ".."]
    )
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"!({e})"),
        st.tuples(st.sampled_from(["all", "map", "count", "filter"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {{{t[2]} == #}})"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} ? {t[1]} : {t[2]}"),
    )


SENTENCES = st.recursive(OPERANDS, _combined, max_leaves=25)


@dataclass
class Done:
    """What was really done for one condition or path."""

    work: Work = field(default_factory=Work)
    done: Counter[str] = field(default_factory=Counter)


def _counting(done: Counter[str], name: str, function):
    def counted(*args, **kwargs):
        done[name] += 1
        assert done[name] < 200_000, name
        return function(*args, **kwargs)

    return counted


@contextmanager
def counted() -> Iterator[Done]:
    """Count nodes visited, elements compared, instructions compiled, and characters moved over by patterns."""
    seen = Done()

    class Counted(patterns.Pattern):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            seen.done["instructions"] += self.size

        def search(self, text: str, spend) -> bool:
            found = super().search(text, spend)
            seen.done["moves"] += len(text) * self.size
            return found

    evaluator, checker = evaluation._Evaluator, _TypeChecker
    with ExitStack() as stack:
        stack.enter_context(patch.object(evaluation, "Work", lambda: seen.work))
        stack.enter_context(patch.object(patterns, "Pattern", Counted))
        for owner, name in ((evaluator, "_eval"), (evaluator, "_same"), (checker, "type_of"), (Parser, "_peek")):
            stack.enter_context(patch.object(owner, name, _counting(seen.done, name, getattr(owner, name))))
        yield seen


def _safe(text: str, value: object) -> None:
    """The condition is answered or refused, in its own words; the value is left as it was; all work was charged."""
    before, reason = repr(value), ""
    with counted() as seen:
        try:
            answer = evaluate(text, value)
        except ExpressionError as error:
            answer, reason = False, str(error)
    assert not any(word in reason for word in ("object at 0x", "<class", "Traceback", "cannot be evaluated"))
    assert answer is True or answer is False
    assert repr(value) == before
    done, steps = seen.done, seen.work.steps
    assert done["_peek"] <= 40 * len(text) + 40
    assert done["type_of"] <= MAX_NODES
    assert done["_eval"] + done["_same"] <= 2 * steps
    assert done["instructions"] <= 2 * steps + patterns._INSTRUCTIONS_PER_STEP
    assert done["moves"] <= 256 * min(steps, MAX_STEPS) + 256 * done["_eval"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(TOKENS, max_size=60).map(" ".join))
def test_what_is_read_holds_nothing_of_python(text: str) -> None:
    """A tree that can be evaluated is made of these nodes and plain constants, and names nothing but the value."""
    try:
        tree = parse(text)
    except ExpressionError:
        return
    for node in ast.walk(tree):
        assert isinstance(node, ALLOWED), ast.dump(node)
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, str | int | float | bool | None)
        if isinstance(node, ast.Name):
            assert node.id in NAMES


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(TOKENS, max_size=60).map(" ".join), VALUES)
def test_any_row_of_tokens(text: str, value: object) -> None:
    _safe(text, value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(SENTENCES, VALUES)
def test_any_sentence(text: str, value: object) -> None:
    _safe(text, value)


#: Each is put into itself until the condition is as long as the CRD allows.
SHAPES = st.sampled_from(
    [
        "(0..3)[{}]",
        "!({})",
        "-{}",
        "({} ? 1 : 2)",
        "[{}]",
        "{{a: {}}}",
        "len([{}])",
        "map(1..9, {{{}}})[0]",
        "all(0..9, {{{} == #}})",
        "count(result[1:], {{# == {}}})",
        "{} + 1",
        "{} || true",
        "map(result, {{[#]}}) == map(result, {{[{}]}})",
        "(result contains result[0:9]) || {}",
        "(result[1:2] matches result) == {}",
        "count(0..2500, {{'x' matches result[#:#+390]}}) > {}",
        "(result matches '^[ab]*a[ab]{{90}}c') || {}",
        "{} in map(1..99, {{result[0:]}})",
        "map(1..60, {{result[0:]}}) == map(1..60, {{result[0:]}}) || {}",
        "(result matches '^(\\\\pL|[0-9]){{9}}$') && {}",
        "asFloat(result) > {}",
    ]
)
_ODD = "".join("abcdefgh"[n * n * 7 % 8] + "ijklmnop"[n // 3 % 8] + "qrstuvwx"[n // 24 % 8] for n in range(1000))
LARGE = st.one_of(
    st.just(_ODD),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=4).map(lambda some: some * 1000),
    st.tuples(st.text(min_size=1, max_size=3), st.sampled_from([1, 99, 2400, 60_000]), st.text(max_size=1)).map(
        lambda t: t[0] * t[1] + t[2]
    ),
)


def _grown(shape: str, heart: str, levels: int) -> str:
    text = heart
    for _ in range(levels):
        longer = shape.format(text)
        if len(longer.encode()) > MAX_TEXT:
            break
        text = longer
    return text


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(SHAPES, OPERANDS, st.sampled_from([1, 2, 14, 28, 400]), st.sampled_from(["{}", "{} == 1", "{} > 0"]), LARGE)
@example("(0..3)[{}]", "0", 28, "{} == 0", "a")
@example("-{}", "result[0]", 55, "{} == 0", [1.0])
def test_any_shape_up_to_the_limit_of_the_crd(shape: str, heart: str, levels: int, asked: str, value: object) -> None:
    _safe(asked.format(_grown(shape, heart, levels)), value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=5000), VALUES)
def test_any_text(text: str, value: object) -> None:
    _safe(text, value)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=64), st.text(max_size=40))
def test_any_pattern(pattern: str, text: str) -> None:
    quoted = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    _safe(f'result matches "{quoted}"', text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_comparison_is_that_of_numbers(left: float, right: float) -> None:
    assert evaluate("result[0] < result[1]", [left, right]) == (left < right)
    assert evaluate("result[0] == result[1]", [left, right]) == (left == right)


_STEPS = "{ } . a .. [ ] 0 * ?(@.a==1) $ @ ' \" : , end"
BODY = {"a": [{"a": 1}, {"a": "b"}, None, [[[]]]], "b": {"a": 2.5, "b": {"a": {"a": [0] * 50}}}}
PATHS = st.lists(st.sampled_from([*_STEPS.split(), "range "]), max_size=12).map("".join)


SELECTORS = (selectors.Wildcard, selectors.Fields, selectors.Index, selectors.Slice, selectors.Child, selectors.This)


def _extracted(path: str, body: object) -> str | None:
    """What is found; all that the selectors look at was charged."""
    done: Counter[str] = Counter()
    extraction = jsonpath._Extraction()
    with ExitStack() as stack:
        stack.enter_context(patch.object(jsonpath, "_Extraction", lambda: extraction))
        looked_up = _counting(done, "names", selectors.Fields.get_field_datum)
        stack.enter_context(patch.object(selectors.Fields, "get_field_datum", staticmethod(looked_up)))
        for selector in SELECTORS:
            stack.enter_context(patch.object(selector, "find", _counting(done, "finds", selector.find)))
        found = selectors.DatumInContext
        stack.enter_context(patch.object(found, "__init__", _counting(done, "found", found.__init__)))
        try:
            text: str | None = extract(path, body)
        except JsonPathError:
            text = None
    assert done["names"] <= extraction.steps
    assert done["finds"] <= 2 * extraction.steps
    assert done["found"] <= 3 * extraction.steps
    return text


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(PATHS, PATHS.map(lambda p: "{." + p + "}"), st.text(max_size=40)))
def test_any_path(path: str) -> None:
    _extracted(path, BODY)


_MANY_NAMES = "['a'" + ",'q'" * 90 + "]"
_FILTERS = ["[?(@.a.a.a)]", "[?(@.a)]", "[?(@[0]==1)]"]
PIECES = st.sampled_from(
    ["*", "..a", ".a", "[*]", "[0,0,0]", "['a','a','b']", "[0:]", "[-1]", "['*']", _MANY_NAMES, *_FILTERS]
)
BODIES = st.sampled_from(
    [
        [{}] * 3000,
        [{"a": {"a": {"a": 1}}}] * 500,
        {"a": [[0] * 100] * 100, "b": [{"a": 1}] * 50},
        json.loads('{"a":[' * 60 + "1" + "]}" * 60),
        "x" * 1000,
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(PIECES, min_size=1, max_size=6), st.sampled_from([1, 20, 100]), st.sampled_from(["{}", "{range }"]), BODIES
)
def test_any_path_up_to_the_limit_of_the_crd(pieces: list[str], times: int, form: str, body: object) -> None:
    path = ("".join(pieces) * times)[:900]
    whole = "{" + path + "}" if form == "{}" else "{range " + path + "}" + '{"x"}' * 20 + "{.a}{end}"
    _extracted(whole, body)
