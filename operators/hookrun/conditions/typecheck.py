"""Types of conditions (spec/hooks.md 2.3), checked before anything is evaluated.

What a condition may do with a value follows from the value's kind: a string never meets a number, ``in`` looks into
lists and maps, ``&&`` joins truths. A part that short-circuiting would skip is checked all the same, so that a wrong
condition shows at its first measurement and not in the night it matters. Where a kind is known at evaluation only
(elements of a list that was written down, members of a map) the evaluator asks by the same rules.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.hookrun.conditions.parser import CLOSURES, STRING_WORDS, ExpressionError
from operators.hookrun.conditions.patterns import RegexError, compile_pattern

_ANY, _NIL, _BOOL, _INT, _FLOAT, _STRING, _LIST, _MAP = ("any", "nil", "bool", "int", "float", "string", "list", "map")
_NUMBERS = (_INT, _FLOAT)
#: Symbol and the kinds both sides may have; without kinds: any, as long as both have the same.
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
#: Kinds that the one value of a function may have.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "asInt": ("string", "number", "list"),
    "asFloat": ("string", "number", "list"),
    "isNaN": ("number",),
    "isInf": ("number",),
    "len": ("string", "list", "map"),
}
_RETURNS = {"asInt": _INT, "asFloat": _FLOAT, "len": _INT, "isNaN": _BOOL, "isInf": _BOOL}


def kind_of(value: Any) -> str:
    """The kind of a value, whole numbers and others being one."""
    if value is None:
        return _NIL
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return _STRING
    return _MAP if isinstance(value, dict) else _LIST


def need(kind: str, place: str, *wanted: str) -> None:
    """Refuse a kind that a place cannot use; ``any`` passes.

    Raises:
        ExpressionError: it is none of the wanted.
    """
    if kind not in (*wanted, _ANY):
        raise ExpressionError(f"{place} needs a {' or '.join(wanted)}, not a {kind}")


def fit(operation: type[ast.AST], left: str, right: str) -> None:
    """Refuse two kinds that an operator cannot join. Everything can be compared with nil.

    Raises:
        ExpressionError: it cannot.
    """
    symbol, kinds = OPERATORS[operation]
    known = [kind for kind in (left, right) if kind != _ANY]
    if kinds:
        good = all(kind in kinds for kind in known) and len(set(known)) < 2
    else:
        good = len(set(known)) < 2 or _NIL in known
    if not good:
        raise ExpressionError(f"{left} {symbol} {right} is not possible")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind as far as it is known; ``element`` is that of a list's elements."""

    name: str
    element: _Kind | None = None

    @property
    def shown(self) -> str:
        """The kind as users know it."""
        return "number" if self.name in _NUMBERS else self.name


_UNKNOWN, _TRUTH, _WHOLE = _Kind(_ANY), _Kind(_BOOL), _Kind(_INT)


def check(tree: ast.expr, result: Any) -> None:
    """Refuse a condition whose types do not fit a value like ``result``, or that is not true or false.

    Raises:
        ExpressionError: it says where.
    """
    found = _Checker(_result_kind(result)).kind(tree)
    if found.name not in (_BOOL, _ANY):
        raise ExpressionError(f"must be true or false, but is a {found.shown}")


def _result_kind(result: Any) -> _Kind:
    if isinstance(result, list):
        return _Kind(_LIST, _Kind(_FLOAT))
    name = kind_of(result)
    return _Kind(_FLOAT if name == "number" else name)


class _Checker:
    """Kinds of all nodes of a tree, from the leaves up; the tree's depth is bounded by the parser."""

    def __init__(self, result: _Kind) -> None:
        self._result = result
        self._elements: list[_Kind] = []

    def kind(self, node: ast.expr) -> _Kind:
        """The kind of a node, all below it being checked."""
        found: _Kind = getattr(self, f"_{type(node).__name__.lower()}")(node)
        return found

    def _need(self, node: ast.expr, place: str, *wanted: str) -> _Kind:
        found = self.kind(node)
        need(found.shown, place, *wanted)
        return found

    def _constant(self, node: ast.Constant) -> _Kind:
        if isinstance(node.value, float):
            return _Kind(_FLOAT)
        name = kind_of(node.value)
        return _Kind(_INT if name == "number" else name)

    def _name(self, node: ast.Name) -> _Kind:
        return self._elements[-1] if node.id == "#" else self._result

    def _unaryop(self, node: ast.UnaryOp) -> _Kind:
        if isinstance(node.op, ast.Not):
            self._need(node.operand, "!", _BOOL)
            return _TRUTH
        return self._need(node.operand, "-" if isinstance(node.op, ast.USub) else "+", "number")

    def _boolop(self, node: ast.BoolOp) -> _Kind:
        for value in node.values:
            self._need(value, "&&" if isinstance(node.op, ast.And) else "||", _BOOL)
        return _TRUTH

    def _binop(self, node: ast.BinOp) -> _Kind:
        left, right = self.kind(node.left), self.kind(node.right)
        fit(type(node.op), left.shown, right.shown)
        if isinstance(node.op, ast.Mod) and _FLOAT in (left.name, right.name):
            raise ExpressionError("% needs whole numbers")
        if isinstance(node.op, ast.Div | ast.Pow) or _FLOAT in (left.name, right.name):
            return _Kind(_FLOAT)
        return left if left.name == right.name else _UNKNOWN

    def _compare(self, node: ast.Compare) -> _Kind:
        left, right = self.kind(node.left), self.kind(node.comparators[0])
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            need(right.shown, "in", _LIST, _MAP)
        else:
            fit(type(node.ops[0]), left.shown, right.shown)
        return _TRUTH

    def _ifexp(self, node: ast.IfExp) -> _Kind:
        self._need(node.test, "? :", _BOOL)
        body, other = self.kind(node.body), self.kind(node.orelse)
        return body if body == other else _UNKNOWN

    def _list(self, node: ast.List) -> _Kind:
        for item in node.elts:
            self.kind(item)
        return _Kind(_LIST)

    def _dict(self, node: ast.Dict) -> _Kind:
        for value in node.values:
            self.kind(value)
        return _Kind(_MAP)

    def _subscript(self, node: ast.Subscript) -> _Kind:
        value = self.kind(node.value)
        if isinstance(node.slice, ast.Slice):
            need(value.shown, "a slice", _LIST, _STRING)
            for end in (node.slice.lower, node.slice.upper):
                if end is not None:
                    self._whole(end, "a slice")
            return value
        index = self.kind(node.slice)
        need(value.shown, "[ ] or a member", _LIST, _MAP)
        if value.name == _MAP:
            need(index.shown, "a map's index", _STRING)
        if value.name == _LIST:
            self._whole(node.slice, "an index")
            return value.element or _UNKNOWN
        return _UNKNOWN

    def _whole(self, node: ast.expr, place: str) -> None:
        found = self._need(node, place, "number")
        if found.name == _FLOAT:
            raise ExpressionError(f"{place} needs whole numbers")

    def _call(self, node: ast.Call) -> _Kind:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in CLOSURES:
            return self._closure(name, node.args[0], node.args[1])
        if name == "range":
            for end in node.args:
                self._whole(end, "..")
            return _Kind(_LIST, _WHOLE)
        if name in STRING_WORDS:
            for text in node.args:
                self._need(text, name, _STRING)
            if name == "matches" and isinstance(node.args[1], ast.Constant):
                _check_pattern(node.args[1].value)
            return _TRUTH
        self._need(node.args[0], name, *ARGUMENTS[name])
        return _Kind(_RETURNS[name])

    def _closure(self, name: str, items: ast.expr, body: ast.expr) -> _Kind:
        found = self._need(items, name, _LIST)
        self._elements.append(found.element or _UNKNOWN)
        inner = self.kind(body.body if isinstance(body, ast.Lambda) else body)
        self._elements.pop()
        if name == "map":
            return _Kind(_LIST, inner)
        need(inner.shown, name, _BOOL)
        if name == "filter":
            return found
        return _WHOLE if name == "count" else _TRUTH


def _check_pattern(pattern: Any) -> None:
    try:
        compile_pattern(pattern)
    except RegexError as error:
        raise ExpressionError(f"matches: {error}") from error
