"""Parses conditions (docs/spec/hooks.md 2.2) into a tree of :mod:`ast` nodes that only this parser makes.

The language is not Python: ``&&``, ``contains``, ``1..3``, ``c ? x : y`` and ``all(x, {# > 1})`` have no Python
spelling, and much of Python must not be reachable. So the text is parsed here, and Python's parser never sees it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

#: Bytes of a condition, nodes of its tree, nesting while it is read, and levels of the tree. Nodes are Python's: a
#: comparison, its operator and both sides are four.
MAX_TEXT, MAX_NODES, MAX_NESTING, MAX_LEVELS = 4096, 1200, 60, 120
_LARGEST = 2**63 - 1
#: Functions of one value, and those that apply a closure to every element of a list.
FUNCTIONS = ("asInt", "asFloat", "isNaN", "isInf", "len")
CLOSURES = ("all", "none", "any", "one", "filter", "map", "count")
#: Operators that are words; each becomes a call of a function of this name.
STRING_WORDS = ("contains", "startsWith", "endsWith", "matches")
_RESERVED = ("and", "or", "not", "in", "true", "false", "nil", *STRING_WORDS)
_TOKEN = re.compile(
    r"""\s*+(?:(?P<number>0[xX]_*+[0-9a-fA-F][0-9a-fA-F_]*+|(?:[0-9][0-9_]*+)?+\.[0-9][0-9_]*+(?:[eE][+-]?[0-9]++)?
        |[0-9][0-9_]*+(?:[eE][+-]?[0-9]++)?)
    |(?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    |(?P<word>[A-Za-z_$][A-Za-z0-9_$]*+)
    |(?P<op>\*\*|\.\.|&&|\|\||==|!=|<=|>=|[-+*/%<>!?:()\[\]{},.\#]))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {
    c: c for c in "\\'\"/"
}
_COMPARE: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "in": ast.In,
    "not in": ast.NotIn,
}
_ARITHMETIC: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "%": ast.Mod,
    "**": ast.Pow,
}
_BINDING = {"||": 10, "or": 10, "&&": 15, "and": 15, "..": 25, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 70}
_BINDING |= dict.fromkeys((*_COMPARE, *STRING_WORDS), 20)
_NOT_BINDING, _SIGN_BINDING = 50, 500


class ExpressionError(ValueError):
    """The condition cannot be parsed, or cannot be applied to this value."""


@dataclass(frozen=True, slots=True)
class _Token:
    type: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"cannot be read at position {at + 1}: {text[at:].strip()[:20]!r}")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        at = match.end()
    return [*found, _Token("end", "", end)]


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[code]
    if len(code) == 1:
        raise ExpressionError(f"\\{code} is not an escape sequence of strings, write \\\\{code} for a backslash")
    number = int(code, 8) if code.isdigit() and len(code) == 3 else int(code[1:], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise ExpressionError(f"\\{code} is not a Unicode character")
    return chr(number)


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    if plain[:2] in ("0x", "0X"):
        value: int | float = int(plain, 0)
    else:
        value = int(plain) if plain.isdecimal() else float(plain)
    if abs(value) > _LARGEST and isinstance(value, int):
        raise ExpressionError(f"the number {text[:40]} does not fit into 64 bits")
    return value


class Parser:
    """Precedence climbing over one condition; ``depth`` bounds both its recursion and the tree's."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._closures = 0

    def whole(self) -> ast.expr:
        """The condition's tree.

        Raises:
            ExpressionError: it is malformed.
        """
        tree = self._ternary()
        if self._peek().type != "end":
            self._unexpected()
        return tree

    def _peek(self, ahead: int = 0) -> _Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _unexpected(self) -> NoReturn:
        token = self._peek()
        raise ExpressionError(
            "ends too early" if token.type == "end" else f"unexpected {token.text[:40]!r} at position {token.at + 1}"
        )

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.type in ("op", "word") and token.text == text:
            self._next += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            self._unexpected()

    def _deeper(self, read: Callable[[], ast.expr]) -> ast.expr:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ExpressionError(f"nested too deeply: more than {MAX_NESTING} levels")
        try:
            return read()
        finally:
            self._depth -= 1

    def _ternary(self) -> ast.expr:
        return self._deeper(self._ternary_here)

    def _ternary_here(self) -> ast.expr:
        test = self._binary(0)
        if not self._take("?"):
            return test
        body = self._ternary()
        self._need(":")
        return ast.IfExp(test=test, body=body, orelse=self._ternary())

    def _infix(self) -> tuple[str, int]:
        """The operator that comes next and the number of its tokens; ("", 0) when there is none."""
        token = self._peek()
        if token.type == "word" and token.text == "not" and self._peek(1).text == "in" and self._peek(1).type == "word":
            return "not in", 2
        return (token.text, 1) if token.type in ("op", "word") and token.text in _BINDING else ("", 0)

    def _binary(self, minimum: int) -> ast.expr:
        left = self._deeper(self._prefix)
        while True:
            symbol, length = self._infix()
            if not symbol or _BINDING[symbol] < minimum:
                return left
            self._next += length
            above = _BINDING[symbol] + (symbol != "**")
            left = _join(symbol, left, self._deeper(lambda bound=above: self._binary(bound)))  # type: ignore[misc]  # default binds the loop's value

    def _prefix(self) -> ast.expr:
        if self._take("!") or self._take("not"):
            return ast.UnaryOp(op=ast.Not(), operand=self._deeper(lambda: self._binary(_NOT_BINDING)))
        if self._take("-"):
            return ast.UnaryOp(op=ast.USub(), operand=self._deeper(lambda: self._binary(_SIGN_BINDING)))
        if self._take("+"):
            return ast.UnaryOp(op=ast.UAdd(), operand=self._deeper(lambda: self._binary(_SIGN_BINDING)))
        return self._postfix(self._primary())

    def _postfix(self, value: ast.expr) -> ast.expr:
        while True:
            if self._take("["):
                value = ast.Subscript(value=value, slice=self._index())
            elif self._peek().text == "." and self._peek(1).type == "word":
                value = ast.Subscript(value=value, slice=ast.Constant(value=self._peek(1).text))
                self._next += 2
            else:
                return value

    def _index(self) -> ast.expr:
        lower = None if self._peek().text == ":" else self._ternary()
        if self._take("]") and lower is not None:
            return lower
        self._need(":")
        upper = None if self._peek().text == "]" else self._ternary()
        self._need("]")
        return ast.Slice(lower=lower, upper=upper)

    def _primary(self) -> ast.expr:
        token = self._peek()
        if token.type == "number":
            self._next += 1
            return ast.Constant(value=_number(token.text))
        if token.type == "string":
            self._next += 1
            return ast.Constant(value=_ESCAPE.sub(_unescape, token.text[1:-1]))
        if token.type == "word":
            return self._word(token.text)
        if self._take("("):
            inner = self._ternary()
            self._need(")")
            return inner
        if self._take("["):
            return ast.List(elts=self._items("]"))
        if self._take("{"):
            return self._map()
        return self._element()

    def _element(self) -> ast.expr:
        """``#``, or ``.name`` for its member: the element a closure is applied to."""
        member = self._peek().text == "." and self._peek(1).type == "word"
        if not (member or self._peek().text == "#"):
            self._unexpected()
        if not self._closures:
            raise ExpressionError(f"# is an element, so it can only stand between the braces of {', '.join(CLOSURES)}")
        if not member:
            self._next += 1
        return ast.Name(id="#")

    def _items(self, end: str) -> list[ast.expr]:
        items: list[ast.expr] = []
        while not self._take(end):
            if items:
                self._need(",")
            items.append(self._ternary())
        return items

    def _map(self) -> ast.expr:
        names: list[ast.expr | None] = []
        values: list[ast.expr] = []
        while not self._take("}"):
            if names:
                self._need(",")
            token = self._peek()
            if token.type == "word":
                self._next += 1
                names.append(ast.Constant(value=token.text))
            elif token.type == "string":
                names.append(self._primary())
            elif token.type == "number":
                self._next += 1
                names.append(ast.Constant(value=str(_number(token.text))))
            else:
                self._unexpected()
            self._need(":")
            values.append(self._ternary())
        return ast.Dict(keys=names, values=values)

    def _word(self, word: str) -> ast.expr:
        self._next += 1
        if word in ("true", "false", "nil"):
            return ast.Constant(value={"true": True, "false": False}.get(word))
        if word == "result":
            return ast.Name(id="result")
        if word in (*FUNCTIONS, *CLOSURES) and self._take("("):
            call = ast.Call(func=ast.Name(id=word), args=[self._ternary()], keywords=[])
            if word in CLOSURES:
                self._need(",")
                call.args.append(self._closure())
            self._need(")")
            return call
        if word in _RESERVED:
            self._next -= 1
            self._unexpected()
        raise ExpressionError(
            f"unknown name {word[:40]!r}: there are result and the functions {', '.join((*FUNCTIONS, *CLOSURES))}"
        )

    def _closure(self) -> ast.expr:
        self._need("{")
        self._closures += 1
        body = self._ternary()
        self._closures -= 1
        self._need("}")
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.Lambda(args=nothing, body=body)


def _join(symbol: str, left: ast.expr, right: ast.expr) -> ast.expr:
    if symbol in ("&&", "and", "||", "or"):
        operation = ast.And if symbol in ("&&", "and") else ast.Or
        if isinstance(left, ast.BoolOp) and isinstance(left.op, operation):
            left.values.append(right)
            return left
        return ast.BoolOp(op=operation(), values=[left, right])
    if symbol in _ARITHMETIC:
        return ast.BinOp(left=left, op=_ARITHMETIC[symbol](), right=right)
    if symbol in _COMPARE:
        return ast.Compare(left=left, ops=[_COMPARE[symbol]()], comparators=[right])
    name = "range" if symbol == ".." else symbol
    return ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[])


def parse(text: str) -> ast.expr:
    """The tree of a condition; nothing is kept for the next time.

    Raises:
        ExpressionError: it is too long, too deeply nested, malformed, or uses what the language does not have.
    """
    length = len(text.encode("utf-8", "replace"))
    if length > MAX_TEXT:
        raise ExpressionError(f"longer than {MAX_TEXT} bytes: it has {length}")
    tree = Parser(text).whole()
    level: list[ast.AST] = [tree]
    nodes = depth = 0
    while level:
        nodes, depth = nodes + len(level), depth + 1
        if nodes > MAX_NODES or depth > MAX_LEVELS:
            limit = f"{MAX_NODES} nodes (result == 1 has four)" if nodes > MAX_NODES else f"{MAX_LEVELS} levels"
            raise ExpressionError(f"too large: more than {limit}")
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return tree
