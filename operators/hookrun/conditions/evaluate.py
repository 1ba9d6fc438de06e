"""Conditions over a measured value (docs/spec/hooks.md 2), evaluated by simpleeval with operators of our own.

A condition is parsed once by `parser`, can reach nothing but ``result``, is checked by `typecheck` against the type of
value it meets, and must come out as true or false. The work is bounded: every node evaluated, every element touched and
every pattern is counted, so that no condition can hold up the operator.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from simpleeval import EvalWithCompoundTypes, InvalidExpression

from operators.hookrun.conditions import parser
from operators.hookrun.conditions.parser import ExpressionError
from operators.hookrun.conditions.patterns import PatternError, Patterns
from operators.hookrun.conditions.typecheck import (
    ARGUMENTS,
    check_condition,
    check_operands,
    require_type,
    type_name,
)
from operators.hookrun.conditions.work import Work
from operators.hookrun.parsecache import ParseCache

__all__ = ["ExpressionError", "evaluate", "parse"]

_MAX_LIST, _MAX_STRING = 10_000, 65_536
_LARGEST = 2**63 - 1
#: Numbers are read from texts up to this length only; the longest float written in full has about 330 digits.
_MAX_NUMBER = 350
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE | re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:e[+-]?[0-9]{1,5}+)?|[+-]?inf(?:inity)?|nan",
    re.IGNORECASE | re.ASCII,
)
_INT = re.compile(r"[+-]?[0-9]{1,40}+")
#: Bytes of all trees that are kept, and what one of their nodes and one character of the text take.
_KEPT_BYTES, _NODE_BYTES, _CHARACTER_BYTES = 3 << 20, 320, 8


def _weight(text: str, tree: ast.expr) -> int:
    return _CHARACTER_BYTES * len(text) + _NODE_BYTES * sum(1 for _ in ast.walk(tree))


_trees = ParseCache(parser.parse, _weight, _KEPT_BYTES)


def parse(text: str) -> ast.expr:
    """The tree of a condition, which is kept for the next time.

    Raises:
        ExpressionError: see `parser.parse`.
    """
    return _trees(text)


def evaluate(text: str, result: Any) -> bool:
    """Whether the condition holds for the value: a string, a number, or a list of numbers.

    Raises:
        ExpressionError: the condition is malformed, does not fit the value, or is not true or false.
    """
    tree, work = parse(text), Work()
    patterns = Patterns(work.spend)
    check_condition(tree, result, patterns)
    try:
        answer = _Evaluator(result, work, patterns).eval(text, previously_parsed=tree)
    except ExpressionError:
        raise
    except ZeroDivisionError as error:
        raise ExpressionError("a whole number cannot be divided by 0") from error
    except OverflowError as error:
        raise ExpressionError("a number is out of the range of 64-bit floats") from error
    except InvalidExpression as error:
        raise ExpressionError(f"cannot be evaluated: {error}") from error
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise ExpressionError(f"cannot be evaluated: {type(error).__name__}") from error
    if not isinstance(answer, bool):
        raise ExpressionError(f"must be true or false, but is a {type_name(answer)}")
    return answer


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        raise ExpressionError("the outcome, a whole number, does not fit into 64 bits")
    if isinstance(value, str) and len(value) > _MAX_STRING:
        raise ExpressionError(f"the outcome, a string, has more than {_MAX_STRING} characters")
    return value


def _binary(operation: type[ast.AST], function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        check_operands(operation, type_name(left), type_name(right))
        return _bounded(function(left, right))

    return apply


def _signed(symbol: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        require_type(type_name(value), symbol, "number")
        return _bounded(function(value))

    return apply


def _not(value: Any) -> bool:
    require_type(type_name(value), "!", "bool")
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
    }.items()
} | {ast.Not: _not, ast.USub: _signed("-", operator.neg), ast.UAdd: _signed("+", operator.pos)}


_ORDER: Mapping[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
#: What conditions are made of.
_NODES = frozenset(
    {
        ast.Constant,
        ast.Name,
        ast.UnaryOp,
        ast.BinOp,
        ast.BoolOp,
        ast.Compare,
        ast.IfExp,
        ast.List,
        ast.Dict,
        ast.Subscript,
        ast.Call,
    }
)


def _only(value: Any) -> Any:
    """The one element of a list of one, as an instant query returns it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _number_text(name: str, value: Any) -> Any:
    """What a function makes a number of: a number or a text, which is short enough to be read."""
    value = _only(value)
    if isinstance(value, str) and len(value) > _MAX_NUMBER:
        start = repr(value[:20])
        said = f"a text of {len(value)} characters is too long for a number, at most {_MAX_NUMBER} are allowed"
        raise ExpressionError(f"{name}: {said}; it begins with {start}")
    return value


def _as_int(value: Any) -> int:
    value = _number_text("asInt", value)
    if type_name(value) != "number" and not (isinstance(value, str) and _INT.fullmatch(value)):
        raise ExpressionError(f"asInt: {_shown(value)} is not a whole number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError(f"asInt: {value} is not a whole number")
    return int(_bounded(int(value)))


def _as_float(value: Any) -> float:
    value = _number_text("asFloat", value)
    if type_name(value) != "number" and not (isinstance(value, str) and _FLOAT.fullmatch(value)):
        raise ExpressionError(f"asFloat: {_shown(value)} is not a number")
    number = float(value)
    if math.isinf(number) and isinstance(value, str) and _INFINITE.fullmatch(value) is None:
        raise ExpressionError(f"asFloat: {value[:80]!r} is out of range of 64-bit floats")
    return number


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a {type_name(value)} of {len(value)} elements"
    return repr(value[:80]) if isinstance(value, str) else f"a {type_name(value)}"


def _find_steps(text: str, wanted: str) -> int:
    """Steps of a search for a text, which CPython makes in time text x wanted unless both are long."""
    most = len(wanted) if len(text) < 2_500 else 100 if len(text) < 30_000 else 5
    return len(text) * min(len(wanted), most) // 2048


def _typed(name: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        require_type(type_name(value), name, *ARGUMENTS[name])
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


class _Evaluator(EvalWithCompoundTypes):  # type: ignore[misc]  # simpleeval has no types
    """simpleeval over our own trees, with closures, and with every step counted.

    Of its nodes those of the language are left, so that attributes, imports, formats and comprehensions have no way in
    even if the parser made one.
    """

    def __init__(self, result: Any, work: Work, patterns: Patterns) -> None:
        operators = {
            **_OPERATORS,
            **{operation: self._ordered(operation, function) for operation, function in _ORDER.items()},
            ast.Add: self._sum,
            ast.Eq: self._equal,
            ast.NotEq: lambda left, right: not self._equal(left, right),
            ast.In: self._contains,
            ast.NotIn: lambda left, right: not self._contains(left, right),
        }
        functions = {**_FUNCTIONS, "range": self._range, "matches": self._matches}
        functions |= {name: self._search(name, function) for name, function in _SEARCHES.items()}
        super().__init__(operators=operators, functions=functions, names={"result": result})
        for node in self.nodes.keys() - _NODES:
            del self.nodes[node]
        self._spend = work.spend
        self._patterns = patterns

    def _eval(self, node: Any) -> Any:
        """One node. Values are plain data here, so simpleeval's search for functions among them is left out."""
        self._spend(1)
        return self.nodes[type(node)](node)

    def _truth(self, node: Any, place: str) -> bool:
        value = self._eval(node)
        require_type(type_name(value), place, "bool")
        return bool(value)

    def _eval_boolop(self, node: Any) -> bool:
        if isinstance(node.op, ast.And):
            return all(self._truth(value, "&&") for value in node.values)
        return any(self._truth(value, "||") for value in node.values)

    def _eval_ifexp(self, node: Any) -> Any:
        return self._eval(node.body if self._truth(node.test, "? :") else node.orelse)

    def _sum(self, left: Any, right: Any) -> Any:
        check_operands(ast.Add, type_name(left), type_name(right))
        if isinstance(left, str):
            self._spend((len(left) + len(right)) // 64)
        return _bounded(left + right)

    def _ordered(self, operation: type[ast.AST], function: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        def apply(left: Any, right: Any) -> bool:
            check_operands(operation, type_name(left), type_name(right))
            if isinstance(left, str):
                self._spend(min(len(left), len(right)) // 64)
            return function(left, right)

        return apply

    def _equal(self, left: Any, right: Any) -> bool:
        check_operands(ast.Eq, type_name(left), type_name(right))
        return self._same(left, right)

    def _same(self, left: Any, right: Any) -> bool:
        """Equality that counts each element it looks at, at any depth."""
        if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
            self._spend(len(left))
            return all(self._same(*pair) for pair in zip(left, right, strict=True))
        if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
            self._spend(len(left))
            return all(self._same(value, right[key]) for key, value in left.items())
        if isinstance(left, str) and isinstance(right, str):
            self._spend(len(left) // 64)
        return not isinstance(left, list | dict) and bool(left == right)

    def _contains(self, left: Any, right: Any) -> bool:
        require_type(type_name(right), "in", "list", "map")
        self._spend(len(right))
        return any(type_name(left) == type_name(item) and self._equal(left, item) for item in right)

    def _eval_subscript(self, node: Any) -> Any:
        value = self._eval(node.value)
        if isinstance(node.slice, ast.Slice):
            return self._slice(value, node.slice)
        index = self._eval(node.slice)
        if isinstance(value, dict):
            require_type(type_name(index), "a map's index", "string")
            return value.get(index)
        require_type(type_name(value), "[ ] or a member", "list", "map")
        require_type(type_name(index), "an index", "number")
        if not isinstance(index, int) or not 0 <= index < len(value):
            raise ExpressionError(f"index {index} is out of range: the list has {len(value)} elements")
        return value[index]

    def _slice(self, value: Any, bounds: ast.Slice) -> Any:
        require_type(type_name(value), "a slice", "list", "string")
        ends = [0 if bounds.lower is None else self._eval(bounds.lower)]
        ends.append(len(value) if bounds.upper is None else self._eval(bounds.upper))
        if any(not isinstance(end, int) or isinstance(end, bool) or end < 0 for end in ends):
            raise ExpressionError("the ends of a slice must be whole numbers from 0 on")
        self._spend(len(value) // 64)
        return value[ends[0] : ends[1]]

    def _eval_call(self, node: Any) -> Any:
        if node.func.id in parser.CLOSURES:
            return self._closure(node.func.id, self._eval(node.args[0]), node.args[1].body)
        return super()._eval_call(node)

    def _range(self, low: Any, high: Any) -> list[int]:
        if type(low) is not int or type(high) is not int:
            raise ExpressionError(".. needs whole numbers")
        if high - low >= _MAX_LIST:
            raise ExpressionError(f"a range of {high - low + 1} numbers is too long, at most {_MAX_LIST} are allowed")
        self._spend(max(0, high - low))
        return list(range(low, high + 1))

    def _search(self, name: str, function: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
        def apply(text: Any, wanted: Any) -> bool:
            require_type(type_name(text), name, "string")
            require_type(type_name(wanted), name, "string")
            self._spend((len(text) + len(wanted)) // 64 + (_find_steps(text, wanted) if name == "contains" else 0))
            return function(text, wanted)

        return apply

    def _matches(self, text: Any, pattern: Any) -> bool:
        require_type(type_name(text), "matches", "string")
        require_type(type_name(pattern), "matches", "string")
        try:
            return self._patterns.search(pattern, text)
        except PatternError as error:
            raise ExpressionError(f"matches: {error}") from error

    def _closure(self, name: str, items: Any, body: ast.expr) -> Any:
        require_type(type_name(items), name, "list")
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
