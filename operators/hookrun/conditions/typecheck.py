"""Types of conditions (docs/spec/hooks.md 2.3), checked before anything is evaluated.

What a condition may do with a value follows from the value's type: a string never meets a number, ``in`` looks into
lists and maps, ``&&`` joins truths. A part that short-circuiting would skip is checked all the same, so that a wrong
condition shows at its first measurement and not in the night it matters. Where a type is known at evaluation only
(elements of a list that was written down, members of a map) the evaluator asks by the same rules.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.hookrun.conditions.parser import CLOSURES, STRING_WORDS, ExpressionError
from operators.hookrun.conditions.patterns import PatternError, Patterns
from operators.hookrun.conditions.work import Work

_ANY, _NIL, _BOOL, _INT, _FLOAT, _STRING, _LIST, _MAP = ("any", "nil", "bool", "int", "float", "string", "list", "map")
_NUMBERS = (_INT, _FLOAT)
#: Symbol and the types both sides may have; without types: any, as long as both have the same.
OPERATORS: Mapping[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("number", "string")),
    ast.Sub: ("-", ("number",)),
    ast.Mult: ("*", ("number",)),
    ast.Div: ("/", ("number",)),
    ast.Mod: ("%", ("number",)),
    ast.Pow: ("**", ("number",)),
    ast.Eq: ("==", ()),
    ast.NotEq: ("!=", ()),
    ast.Lt: ("<", ("number", "string")),
    ast.LtE: ("<=", ("number", "string")),
    ast.Gt: (">", ("number", "string")),
    ast.GtE: (">=", ("number", "string")),
}
#: Types that the one value of a function may have.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "asInt": ("string", "number", "list"),
    "asFloat": ("string", "number", "list"),
    "isNaN": ("number",),
    "isInf": ("number",),
    "len": ("string", "list", "map"),
}
_RETURNS = {"asInt": _INT, "asFloat": _FLOAT, "len": _INT, "isNaN": _BOOL, "isInf": _BOOL}


def type_name(value: Any) -> str:
    """The type of a value as users know it; whole numbers and others are one type."""
    if value is None:
        return _NIL
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return _STRING
    return _MAP if isinstance(value, dict) else _LIST


def require_type(found: str, place: str, *wanted: str) -> None:
    """Refuse a type that a place cannot use; ``any`` passes.

    Raises:
        ExpressionError: it is none of the wanted.
    """
    if found not in (*wanted, _ANY):
        raise ExpressionError(f"{place} needs a {' or '.join(wanted)}, not a {found}")


def check_operands(operation: type[ast.AST], left: str, right: str) -> None:
    """Refuse two types that an operator cannot join. Everything can be compared with nil.

    Raises:
        ExpressionError: it cannot.
    """
    symbol, types = OPERATORS[operation]
    known = [name for name in (left, right) if name != _ANY]
    if types:
        good = all(name in types for name in known) and len(set(known)) < 2
    else:
        good = len(set(known)) < 2 or _NIL in known
    if not good:
        wanted = f"two values of the type {' or '.join(types)}" if types else "two values of one type"
        raise ExpressionError(f"{left} {symbol} {right} is not possible: {symbol} needs {wanted}")


@dataclass(frozen=True, slots=True)
class _Type:
    """A type as far as it is known; ``element`` is that of a list's elements."""

    name: str
    element: _Type | None = None

    @property
    def shown(self) -> str:
        """The type as users know it."""
        return "number" if self.name in _NUMBERS else self.name


_UNKNOWN, _TRUTH, _WHOLE = _Type(_ANY), _Type(_BOOL), _Type(_INT)


def check_condition(tree: ast.expr, result: Any, patterns: Patterns | None = None) -> None:
    """Refuse a condition whose types do not fit a value like ``result``, or that is not true or false.

    Each node is visited once. ``patterns`` compiles what ``matches`` is given, and counts that.

    Raises:
        ExpressionError: the message says where, or the patterns are too much work.
    """
    found = _TypeChecker(_result_type(result), patterns or Patterns(Work().spend)).type_of(tree)
    if found.name not in (_BOOL, _ANY):
        raise ExpressionError(f"must be true or false, but is a {found.shown}")


def _result_type(result: Any) -> _Type:
    if isinstance(result, list):
        return _Type(_LIST, _Type(_FLOAT))
    name = type_name(result)
    return _Type(_FLOAT if name == "number" else name)


class _TypeChecker:
    """Types of all nodes of a tree, from the leaves up; the tree's depth is bounded by the parser."""

    def __init__(self, result: _Type, patterns: Patterns) -> None:
        self._result = result
        self._patterns = patterns
        self._elements: list[_Type] = []

    def type_of(self, node: ast.expr) -> _Type:
        """The type of a node, all below it being checked."""
        found: _Type = getattr(self, f"_{type(node).__name__.lower()}")(node)
        return found

    def _require(self, node: ast.expr, place: str, *wanted: str) -> _Type:
        found = self.type_of(node)
        require_type(found.shown, place, *wanted)
        return found

    def _constant(self, node: ast.Constant) -> _Type:
        if isinstance(node.value, float):
            return _Type(_FLOAT)
        name = type_name(node.value)
        return _Type(_INT if name == "number" else name)

    def _name(self, node: ast.Name) -> _Type:
        return self._elements[-1] if node.id == "#" else self._result

    def _unaryop(self, node: ast.UnaryOp) -> _Type:
        if isinstance(node.op, ast.Not):
            self._require(node.operand, "!", _BOOL)
            return _TRUTH
        return self._require(node.operand, "-" if isinstance(node.op, ast.USub) else "+", "number")

    def _boolop(self, node: ast.BoolOp) -> _Type:
        for value in node.values:
            self._require(value, "&&" if isinstance(node.op, ast.And) else "||", _BOOL)
        return _TRUTH

    def _binop(self, node: ast.BinOp) -> _Type:
        left, right = self.type_of(node.left), self.type_of(node.right)
        check_operands(type(node.op), left.shown, right.shown)
        if isinstance(node.op, ast.Mod) and _FLOAT in (left.name, right.name):
            raise ExpressionError("% needs whole numbers")
        if isinstance(node.op, ast.Div | ast.Pow) or _FLOAT in (left.name, right.name):
            return _Type(_FLOAT)
        return left if left.name == right.name else _UNKNOWN

    def _compare(self, node: ast.Compare) -> _Type:
        left, right = self.type_of(node.left), self.type_of(node.comparators[0])
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            require_type(right.shown, "in", _LIST, _MAP)
        else:
            check_operands(type(node.ops[0]), left.shown, right.shown)
        return _TRUTH

    def _ifexp(self, node: ast.IfExp) -> _Type:
        self._require(node.test, "? :", _BOOL)
        body, other = self.type_of(node.body), self.type_of(node.orelse)
        return body if body == other else _UNKNOWN

    def _list(self, node: ast.List) -> _Type:
        for item in node.elts:
            self.type_of(item)
        return _Type(_LIST)

    def _dict(self, node: ast.Dict) -> _Type:
        for value in node.values:
            self.type_of(value)
        return _Type(_MAP)

    def _subscript(self, node: ast.Subscript) -> _Type:
        value = self.type_of(node.value)
        if isinstance(node.slice, ast.Slice):
            require_type(value.shown, "a slice", _LIST, _STRING)
            for end in (node.slice.lower, node.slice.upper):
                if end is not None:
                    _require_whole(self.type_of(end), "a slice")
            return value
        index = self.type_of(node.slice)
        require_type(value.shown, "[ ] or a member", _LIST, _MAP)
        if value.name == _MAP:
            require_type(index.shown, "a map's index", _STRING)
        if value.name == _LIST:
            _require_whole(index, "an index")
            return value.element or _UNKNOWN
        return _UNKNOWN

    def _call(self, node: ast.Call) -> _Type:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in CLOSURES:
            return self._closure(name, node.args[0], node.args[1])
        if name == "range":
            for end in node.args:
                _require_whole(self.type_of(end), "..")
            return _Type(_LIST, _WHOLE)
        if name in STRING_WORDS:
            for text in node.args:
                self._require(text, name, _STRING)
            pattern = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if name == "matches" and isinstance(pattern, str):
                self._check_pattern(pattern)
            return _TRUTH
        self._require(node.args[0], name, *ARGUMENTS[name])
        return _Type(_RETURNS[name])

    def _closure(self, name: str, items: ast.expr, body: ast.expr) -> _Type:
        found = self._require(items, name, _LIST)
        self._elements.append(found.element or _UNKNOWN)
        inner = self.type_of(body.body if isinstance(body, ast.Lambda) else body)
        self._elements.pop()
        if name == "map":
            return _Type(_LIST, inner)
        require_type(inner.shown, name, _BOOL)
        if name == "filter":
            return found
        return _WHOLE if name == "count" else _TRUTH

    def _check_pattern(self, pattern: str) -> None:
        try:
            self._patterns.compiled(pattern)
        except PatternError as error:
            raise ExpressionError(f"matches: {error}") from error


def _require_whole(found: _Type, place: str) -> None:
    require_type(found.shown, place, "number")
    if found.name == _FLOAT:
        raise ExpressionError(f"{place} needs whole numbers")
