"""Conditions over a measured value (spec/hooks.md 2), evaluated by simpleeval with operators of our own.

A condition is read once by :mod:`operators.hookrun.grammar` and can reach nothing but ``result``. Types are strict: a
string never equals a number, and a condition must come out as true or false. The work is bounded: every node evaluated
and every element touched is counted, so that no condition can hold up the operator.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from operators.hookrun import grammar
from operators.hookrun.grammar import ExpressionError
from operators.hookrun.regex import RegexError, compile_pattern

__all__ = ["ExpressionError", "evaluate", "parse"]

_MAX_STEPS, _MAX_LIST, _MAX_STRING = 200_000, 10_000, 65_536
_LARGEST = 2**63 - 1
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_ORDERED = ("number", "string")


def _kind(value: Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "map" if isinstance(value, dict) else "list"


def _need(value: Any, kind: str, place: str) -> None:
    if _kind(value) != kind:
        raise ExpressionError(f"{place} needs a {kind}, not a {_kind(value)}")


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        raise ExpressionError("the number does not fit into 64 bits")
    if isinstance(value, str) and len(value) > _MAX_STRING:
        raise ExpressionError(f"a string of more than {_MAX_STRING} characters")
    return value


def _binary(symbol: str, function: Callable[[Any, Any], Any], *kinds: str) -> Callable[[Any, Any], Any]:
    """An operator on two values of one kind; with no kinds given any kind will do, and nil goes with all."""

    def apply(left: Any, right: Any) -> Any:
        found = (_kind(left), _kind(right))
        if (found[0] != found[1] and (kinds or "nil" not in found)) or (kinds and found[0] not in kinds):
            raise ExpressionError(f"{found[0]} {symbol} {found[1]} is not possible")
        return _bounded(function(left, right))

    return apply


def _signed(symbol: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        _need(value, "number", symbol)
        return _bounded(function(value))

    return apply


def _not(value: Any) -> bool:
    _need(value, "bool", "!")
    return not value


def _remainder(left: float, right: float) -> int:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise ExpressionError("% needs whole numbers")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _as_int(value: Any) -> int:
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if _kind(value) not in _ORDERED or (isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,40}", value) is None):
        raise ExpressionError(f"asInt: {str(value)[:80]!r} is no whole number")
    return int(_bounded(int(value)))


def _as_float(value: Any) -> float:
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    pattern = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,5})?|[+-]?inf(inity)?|nan"
    if _kind(value) not in _ORDERED or (isinstance(value, str) and re.fullmatch(pattern, value, re.IGNORECASE) is None):
        raise ExpressionError(f"asFloat: {str(value)[:80]!r} is no number")
    number = float(value)
    if math.isinf(number) and isinstance(value, str) and _INFINITE.fullmatch(value) is None:
        raise ExpressionError(f"asFloat: {value[:80]!r} is out of range")
    return number


def _length(value: Any) -> int:
    if _kind(value) not in ("string", "list", "map"):
        raise ExpressionError(f"len of a {_kind(value)} is not possible")
    return len(value)


def _float_test(name: str, test: Callable[[float], bool]) -> Callable[[Any], bool]:
    def apply(value: Any) -> bool:
        _need(value, "number", name)
        return test(value)

    return apply


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "asInt": _as_int,
    "asFloat": _as_float,
    "isNaN": _float_test("isNaN", math.isnan),
    "isInf": _float_test("isInf", math.isinf),
    "len": _length,
}
_SEARCH: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: _binary("+", operator.add, *_ORDERED),
    ast.Sub: _binary("-", operator.sub, "number"),
    ast.Mult: _binary("*", operator.mul, "number"),
    ast.Div: _binary("/", operator.truediv, "number"),
    ast.Mod: _binary("%", _remainder, "number"),
    ast.Pow: _binary("**", math.pow, "number"),
    ast.Eq: _binary("==", operator.eq),
    ast.NotEq: _binary("!=", operator.ne),
    ast.Lt: _binary("<", operator.lt, *_ORDERED),
    ast.LtE: _binary("<=", operator.le, *_ORDERED),
    ast.Gt: _binary(">", operator.gt, *_ORDERED),
    ast.GtE: _binary(">=", operator.ge, *_ORDERED),
    ast.Not: _not,
    ast.USub: _signed("-", operator.neg),
    ast.UAdd: _signed("+", operator.pos),
}


class _Evaluator(SimpleEval):  # type: ignore[misc]  # simpleeval has no types
    """simpleeval over our own trees, with lists, maps and closures, and with every step counted."""

    def __init__(self, result: Any) -> None:
        operators = _OPERATORS | {
            ast.In: self._contains,
            ast.NotIn: lambda left, right: not self._contains(left, right),
        }
        super().__init__(operators=operators, functions={}, names={"result": result})
        self.nodes |= {ast.List: self._list, ast.Dict: self._map}
        self._steps = 0
        self._elements: list[Any] = []

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise ExpressionError("evaluation takes too long")

    def _eval(self, node: Any) -> Any:
        """One node. Values are plain data here, so simpleeval's search for functions among them is left out."""
        self._spend(1)
        return self.nodes[type(node)](node)

    def _truth(self, node: Any, place: str) -> bool:
        value = self._eval(node)
        _need(value, "bool", place)
        return bool(value)

    def _eval_name(self, node: Any) -> Any:
        return self._elements[-1] if node.id == "#" else self.names[node.id]

    def _eval_boolop(self, node: Any) -> bool:
        if isinstance(node.op, ast.And):
            return all(self._truth(value, "&&") for value in node.values)
        return any(self._truth(value, "||") for value in node.values)

    def _eval_ifexp(self, node: Any) -> Any:
        return self._eval(node.body if self._truth(node.test, "? :") else node.orelse)

    def _list(self, node: Any) -> list[Any]:
        return [self._eval(item) for item in node.elts]

    def _map(self, node: Any) -> dict[str, Any]:
        return {str(self._eval(key)): self._eval(value) for key, value in zip(node.keys, node.values, strict=True)}

    def _contains(self, left: Any, right: Any) -> bool:
        if _kind(right) not in ("list", "map"):
            raise ExpressionError(f"in needs a list or map on the right, not a {_kind(right)}")
        self._spend(len(right))
        return any(_kind(left) == _kind(item) and left == item for item in right)

    def _eval_subscript(self, node: Any) -> Any:
        value = self._eval(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(value, node.slice)
        index = self._eval(node.slice)
        if isinstance(value, dict):
            _need(index, "string", "a map's index")
            return value.get(index)
        _need(value, "list", "[ ]")
        _need(index, "number", "an index")
        if not isinstance(index, int) or not 0 <= index < len(value):
            raise ExpressionError(f"index {index} is out of range: there are {len(value)} elements")
        return value[index]

    def _slice(self, value: Any, bounds: ast.Slice) -> Any:
        if _kind(value) not in ("list", "string"):
            raise ExpressionError(f"a {_kind(value)} cannot be sliced")
        ends = [0 if bounds.lower is None else self._eval(bounds.lower)]
        ends.append(len(value) if bounds.upper is None else self._eval(bounds.upper))
        if any(not isinstance(end, int) or isinstance(end, bool) or end < 0 for end in ends):
            raise ExpressionError("slices need whole numbers from 0 on")
        self._spend(len(value))
        return value[ends[0] : ends[1]]

    def _eval_call(self, node: Any) -> Any:
        name = node.func.id
        if name in grammar.CLOSURES:
            return self._closure(name, self._eval(node.args[0]), node.args[1].body)
        values = [self._eval(argument) for argument in node.args]
        if name in _SIMPLE:
            return _SIMPLE[name](values[0])
        if name == "range":
            return self._range(*values)
        return self._search(name, *values)

    def _range(self, low: Any, high: Any) -> list[int]:
        if type(low) is not int or type(high) is not int:
            raise ExpressionError(".. needs whole numbers")
        if high - low >= _MAX_LIST:
            raise ExpressionError(f"a range of more than {_MAX_LIST} numbers")
        self._spend(max(0, high - low))
        return list(range(low, high + 1))

    def _search(self, name: str, text: Any, wanted: Any) -> bool:
        _need(text, "string", name)
        _need(wanted, "string", name)
        if name in _SEARCH:
            self._spend((len(text) + len(wanted)) // 64)
            return _SEARCH[name](text, wanted)
        try:
            return compile_pattern(wanted).search(text, self._spend)
        except RegexError as error:
            raise ExpressionError(f"matches: {error}") from error

    def _closure(self, name: str, items: Any, body: ast.expr) -> Any:
        _need(items, "list", name)
        answers = []
        for item in items:
            self._elements.append(item)
            answers.append(self._eval(body) if name == "map" else self._truth(body, name))
            self._elements.pop()
        if name == "map":
            return answers
        if name == "filter":
            return [item for item, kept in zip(items, answers, strict=True) if kept]
        number = sum(answers)
        return {"all": number == len(answers), "none": not number, "any": number > 0, "one": number == 1}.get(
            name, number
        )


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Read a condition; the tree is kept for the next time.

    Raises:
        ExpressionError: it is too long, malformed, or uses something that the language does not have.
    """
    return grammar.parse(text)


def evaluate(text: str, result: Any) -> bool:
    """Whether the condition holds for the value: a string, a number, or a list of numbers.

    Raises:
        ExpressionError: the condition is malformed, does not fit the value, or is not true or false.
    """
    tree = parse(text)
    try:
        answer = _Evaluator(result).eval(text, previously_parsed=tree)
    except (ArithmeticError, InvalidExpression) as error:
        raise ExpressionError(f"{type(error).__name__}: {error}") from error
    except ExpressionError:
        raise
    except (TypeError, ValueError, LookupError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"cannot be evaluated: {type(error).__name__}") from error
    if not isinstance(answer, bool):
        raise ExpressionError(f"must be true or false, but is a {_kind(answer)}")
    return answer
