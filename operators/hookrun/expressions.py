"""Conditions over a measured value (spec/hooks.md 2).

A small language: literals, arithmetic, comparison, ``&& || !``, ``in``, indexing, and a fixed set of functions. It is
parsed once, evaluated by simpleeval with our own operators, and can reach nothing but ``result``. Types are strict:
a string never equals a number, and a condition must come out as true or false.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from simpleeval import SimpleEval

_MAX_TEXT, _MAX_NODES, _MAX_DEPTH = 4096, 400, 40
_TOKENS = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_]\w*)|(?P<op>&&|\|\||!=|!)|(?P<other>.)""",
    re.S,
)
_WORDS = {"true": "True", "false": "False", "nil": "None", "null": "None"}
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "!=": "!="}
_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Mod,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Subscript,
    ast.Call,
    ast.List,
    ast.Tuple,
)


class ExpressionError(ValueError):
    """The condition cannot be read, or not be applied to this value."""


def _kind(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "list"


def _same(symbol: str, left: Any, right: Any, *, only: tuple[str, ...] = ()) -> None:
    kinds = (_kind(left), _kind(right))
    if kinds[0] != kinds[1] or (only and kinds[0] not in only):
        raise ExpressionError(f"{kinds[0]} {symbol} {kinds[1]} is not possible")


def _compare(symbol: str, function: Callable[[Any, Any], Any], *only: str) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        if not (symbol in ("==", "!=") and "nil" in (_kind(left), _kind(right))):
            _same(symbol, left, right, only=only)
        return function(left, right)

    return apply


def _contains(left: Any, right: Any) -> bool:
    if _kind(right) != "list":
        raise ExpressionError(f"in needs a list on the right, not a {_kind(right)}")
    return any(_kind(left) == _kind(x) and left == x for x in right)


def _parse(convert: Callable[[str], Any], pattern: str, name: str) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if _kind(value) == "number":
            return convert(value)
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.I) is None:
            raise ExpressionError(f"{name}: {str(value)[:80]!r} is no number of that kind")
        return convert(value)

    return apply


def _length(value: Any) -> int:
    if _kind(value) not in ("string", "list"):
        raise ExpressionError(f"len of a {_kind(value)} is not possible")
    return len(value)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "asInt": _parse(int, r"[+-]?\d{1,19}", "asInt"),
    "asFloat": _parse(float, r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?|nan|[+-]?inf", "asFloat"),
    "isNaN": lambda value: _kind(value) == "number" and math.isnan(value),
    "isInf": lambda value: _kind(value) == "number" and math.isinf(value),
    "len": _length,
}
_NUMERIC = ("number",)
_APPLY: dict[type, Callable[..., Any]] = {
    ast.Add: _compare("+", operator.add, "number", "string"),
    ast.Sub: _compare("-", operator.sub, *_NUMERIC),
    ast.Mult: _compare("*", operator.mul, *_NUMERIC),
    ast.Div: _compare("/", operator.truediv, *_NUMERIC),
    ast.Mod: _compare("%", operator.mod, *_NUMERIC),
    ast.Eq: _compare("==", operator.eq),
    ast.NotEq: _compare("!=", operator.ne),
    ast.Lt: _compare("<", operator.lt, "number", "string"),
    ast.LtE: _compare("<=", operator.le, "number", "string"),
    ast.Gt: _compare(">", operator.gt, "number", "string"),
    ast.GtE: _compare(">=", operator.ge, "number", "string"),
    ast.In: _contains,
    ast.NotIn: lambda left, right: not _contains(left, right),
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def _translate(text: str) -> str:
    parts = []
    for match in _TOKENS.finditer(text):
        token = match.group()
        if match.lastgroup == "name":
            token = _WORDS.get(token, token)
        elif match.lastgroup == "op":
            token = _OPERATORS[token]
        parts.append(token)
    return "".join(parts).strip()


def _check(node: ast.AST, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise ExpressionError("the condition is nested too deeply")
    if not isinstance(node, _ALLOWED):
        raise ExpressionError(f"{type(node).__name__} is not part of the language")
    if isinstance(node, ast.Name) and node.id not in ("result", *_FUNCTIONS):
        raise ExpressionError(f"unknown name {node.id!r}: there are result and {', '.join(_FUNCTIONS)}")
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        if not known or len(node.args) != 1 or node.keywords:
            raise ExpressionError(f"functions take one argument; there are {', '.join(_FUNCTIONS)}")
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | bool | None):
        raise ExpressionError("only numbers, strings, true, false and nil can be written down")
    for child in ast.iter_child_nodes(node):
        _check(child, depth + 1)


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Read a condition.

    Raises:
        ExpressionError: it is too long, malformed, or uses something that the language does not have.
    """
    if len(text) > _MAX_TEXT:
        raise ExpressionError(f"longer than {_MAX_TEXT} characters")
    translated = _translate(text)
    if max(translated.count(c) for c in "([-+") > _MAX_NODES:
        raise ExpressionError("the condition is too large")
    try:
        tree = ast.parse(translated, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"cannot be read: {getattr(error, 'msg', error)}") from error
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise ExpressionError("the condition is too large")
    _check(tree)
    return tree.body


def evaluate(text: str, result: Any) -> bool:
    """Whether the condition holds for the value.

    Raises:
        ExpressionError: the condition is malformed, does not fit the value, or is not true or false.
    """
    tree = parse(text)
    evaluator = SimpleEval(operators=_APPLY, functions=_FUNCTIONS, names={"result": result})
    try:
        answer = evaluator.eval(text, previously_parsed=tree)
    except ExpressionError:
        raise
    except Exception as error:
        raise ExpressionError(f"{type(error).__name__}: {error}") from error
    if not isinstance(answer, bool):
        raise ExpressionError(f"must be true or false, but is a {_kind(answer)}")
    return answer
