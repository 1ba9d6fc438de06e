"""No text makes the condition language hang, reach Python, or fail other than by its own error."""

from __future__ import annotations

import ast
import os
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hookrun.conditions.evaluate import ExpressionError, evaluate, parse
from operators.hookrun.conditions.parser import CLOSURES, FUNCTIONS, STRING_WORDS
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
    ["result", "1", "2.5", "'a'", "true", "nil", "[1, 2]", "1..9", "result[0]", "asInt(result)", "len(result)", "{}"]
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


def _safe(text: str, value: object) -> None:
    """The condition is answered or refused, in its own words and in time; the value is left as it was."""
    before, began, reason = repr(value), time.process_time(), ""
    try:
        answer = evaluate(text, value)
    except ExpressionError as error:
        answer, reason = False, str(error)
    assert not any(word in reason for word in ("object at 0x", "<class", "Traceback", "cannot be evaluated"))
    assert answer is True or answer is False
    assert repr(value) == before
    assert time.process_time() - began < 1.0


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


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(PATHS, PATHS.map(lambda p: "{." + p + "}"), st.text(max_size=40)))
def test_any_path(path: str) -> None:
    began = time.process_time()
    try:
        text = extract(path, BODY)
    except JsonPathError:
        text = ""
    assert isinstance(text, str)
    assert time.process_time() - began < 1.0
