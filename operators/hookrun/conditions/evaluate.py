"""Conditions over a measured value (spec/hooks.md 2), evaluated by simpleeval with operators of our own.

A condition is read once by `parser`, can reach nothing but ``result``, is checked by `typecheck` against the kind of
value it meets, and must come out as true or false. The work is bounded: every node evaluated and every element touched
is counted, so that no condition can hold up the operator.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from operators.hookrun.conditions import parser as grammar
from operators.hookrun.conditions.parser import ExpressionError
from operators.hookrun.conditions.patterns import RegexError, compile_pattern
from operators.hookrun.conditions.typecheck import ARGUMENTS, check, fit, kind_of, need

__all__ = ["ExpressionError", "evaluate", "parse"]

_MAX_STEPS, _MAX_LIST, _MAX_STRING = 50_000, 10_000, 65_536
_LARGEST = 2**63 - 1
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_FLOAT = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,5})?|[+-]?inf(inity)?|nan",
    re.IGNORECASE,
)
_INT = re.compile(r"[+-]?[0-9]{1,40}")


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
    check(tree, result)
    try:
        answer = _Evaluator(result).eval(text, previously_parsed=tree)
    except ExpressionError:
        raise
    except (ArithmeticError, InvalidExpression) as error:
        raise ExpressionError(f"{type(error).__name__}: {error}") from error
    except (TypeError, ValueError, LookupError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"cannot be evaluated: {type(error).__name__}") from error
    if not isinstance(answer, bool):
        raise ExpressionError(f"must be true or false, but is a {kind_of(answer)}")
    return answer


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        raise ExpressionError("the number does not fit into 64 bits")
    if isinstance(value, str) and len(value) > _MAX_STRING:
        raise ExpressionError(f"a string of more than {_MAX_STRING} characters")
    return value


def _binary(operation: type[ast.AST], function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        fit(operation, kind_of(left), kind_of(right))
        return _bounded(function(left, right))

    return apply


def _signed(symbol: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        need(kind_of(value), symbol, "number")
        return _bounded(function(value))

    return apply


def _not(value: Any) -> bool:
    need(kind_of(value), "!", "bool")
    return not value


def _quotient(left: float, right: float) -> float:
    """By the rules of floating point where one side is a float: x/0 is infinite. Whole numbers cannot be divided by 0.

    Raises:
        ZeroDivisionError: both are whole, and the second is 0.
    """
    if right or (isinstance(left, int) and isinstance(right, int)):
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _remainder(left: float, right: float) -> int:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise ExpressionError("% needs whole numbers")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    operation: _binary(operation, function)
    for operation, function in {
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: _quotient,
        ast.Mod: _remainder,
        ast.Pow: math.pow,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }.items()
} | {ast.Not: _not, ast.USub: _signed("-", operator.neg), ast.UAdd: _signed("+", operator.pos)}


def _only(value: Any) -> Any:
    """The one element of a list of one, as an instant query returns it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _as_int(value: Any) -> int:
    value = _only(value)
    if kind_of(value) != "number" and not (isinstance(value, str) and _INT.fullmatch(value)):
        raise ExpressionError(f"asInt: {str(value)[:80]!r} is no whole number")
    return int(_bounded(int(value)))


def _as_float(value: Any) -> float:
    value = _only(value)
    if kind_of(value) != "number" and not (isinstance(value, str) and _FLOAT.fullmatch(value)):
        raise ExpressionError(f"asFloat: {str(value)[:80]!r} is no number")
    number = float(value)
    if math.isinf(number) and isinstance(value, str) and _INFINITE.fullmatch(value) is None:
        raise ExpressionError(f"asFloat: {value[:80]!r} is out of range")
    return number


def _typed(name: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        need(kind_of(value), name, *ARGUMENTS[name])
        return function(value)

    return apply


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "asInt": _as_int,
    "asFloat": _as_float,
    "isNaN": math.isnan,
    "isInf": math.isinf,
    "len": len,
}
_FUNCTIONS = {name: _typed(name, function) for name, function in _PLAIN.items()}
_SEARCHES: Mapping[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


class _Evaluator(SimpleEval):  # type: ignore[misc]  # simpleeval has no types
    """simpleeval over our own trees, with lists, maps and closures, and with every step counted."""

    def __init__(self, result: Any) -> None:
        operators = {
            **_OPERATORS,
            ast.Add: self._sum,
            ast.Eq: self._equal,
            ast.NotEq: lambda left, right: not self._equal(left, right),
            ast.In: self._contains,
            ast.NotIn: lambda left, right: not self._contains(left, right),
        }
        functions = {**_FUNCTIONS, "range": self._range, "matches": self._matches}
        functions |= {name: self._search(name, function) for name, function in _SEARCHES.items()}
        super().__init__(operators=operators, functions=functions, names={"result": result})
        self.nodes |= {ast.List: self._list, ast.Dict: self._map}
        self._steps = 0

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
        need(kind_of(value), place, "bool")
        return bool(value)

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

    def _sum(self, left: Any, right: Any) -> Any:
        fit(ast.Add, kind_of(left), kind_of(right))
        if isinstance(left, str):
            self._spend((len(left) + len(right)) // 64)
        return _bounded(left + right)

    def _equal(self, left: Any, right: Any) -> bool:
        fit(ast.Eq, kind_of(left), kind_of(right))
        if isinstance(left, str | list | dict):
            self._spend(len(left) // (64 if isinstance(left, str) else 1))
        return bool(left == right)

    def _contains(self, left: Any, right: Any) -> bool:
        need(kind_of(right), "in", "list", "map")
        self._spend(len(right))
        return any(kind_of(left) == kind_of(item) and self._equal(left, item) for item in right)

    def _eval_subscript(self, node: Any) -> Any:
        value = self._eval(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(value, node.slice)
        index = self._eval(node.slice)
        if isinstance(value, dict):
            need(kind_of(index), "a map's index", "string")
            return value.get(index)
        need(kind_of(value), "[ ] or a member", "list", "map")
        need(kind_of(index), "an index", "number")
        if not isinstance(index, int) or not 0 <= index < len(value):
            raise ExpressionError(f"index {index} is out of range: there are {len(value)} elements")
        return value[index]

    def _slice(self, value: Any, bounds: ast.Slice) -> Any:
        need(kind_of(value), "a slice", "list", "string")
        ends = [0 if bounds.lower is None else self._eval(bounds.lower)]
        ends.append(len(value) if bounds.upper is None else self._eval(bounds.upper))
        if any(not isinstance(end, int) or isinstance(end, bool) or end < 0 for end in ends):
            raise ExpressionError("slices need whole numbers from 0 on")
        self._spend(len(value) // 64)
        return value[ends[0] : ends[1]]

    def _eval_call(self, node: Any) -> Any:
        if node.func.id in grammar.CLOSURES:
            return self._closure(node.func.id, self._eval(node.args[0]), node.args[1].body)
        return super()._eval_call(node)

    def _range(self, low: Any, high: Any) -> list[int]:
        if type(low) is not int or type(high) is not int:
            raise ExpressionError(".. needs whole numbers")
        if high - low >= _MAX_LIST:
            raise ExpressionError(f"a range of more than {_MAX_LIST} numbers")
        self._spend(max(0, high - low))
        return list(range(low, high + 1))

    def _search(self, name: str, function: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
        def apply(text: Any, wanted: Any) -> bool:
            need(kind_of(text), name, "string")
            need(kind_of(wanted), name, "string")
            self._spend((len(text) + len(wanted)) // 64)
            return function(text, wanted)

        return apply

    def _matches(self, text: Any, pattern: Any) -> bool:
        need(kind_of(text), "matches", "string")
        need(kind_of(pattern), "matches", "string")
        try:
            return compile_pattern(pattern).search(text, self._spend)
        except RegexError as error:
            raise ExpressionError(f"matches: {error}") from error

    def _closure(self, name: str, items: Any, body: ast.expr) -> Any:
        need(kind_of(items), name, "list")
        outer, answers = self.names.get("#"), []
        for item in items:
            self.names["#"] = item
            answers.append(self._eval(body) if name == "map" else self._truth(body, name))
        self.names["#"] = outer
        if name == "map":
            return answers
        if name == "filter":
            return [item for item, kept in zip(items, answers, strict=True) if kept]
        number = sum(answers)
        truths = {"all": number == len(answers), "none": not number, "any": number > 0, "one": number == 1}
        return truths.get(name, number)
