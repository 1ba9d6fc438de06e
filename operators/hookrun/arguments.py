"""``{{ args.X }}`` in URLs, headers and queries (docs/spec/hooks.md 3.3).

A value is written as its place needs it: escaped in a quoted string of a query, percent-encoded in a URL. The place
follows from the text before the value, which is read once, piece by piece: the time is linear in the finished text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

_URL_LEGAL = "-._~:/?#[]@!$&'()*+,;=%"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://")
_MAX_SCHEME = 64
_AUTHORITY_END = re.compile(r"[/?#]")
_IPV6 = re.compile(r"[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*+")
#: PromQL up to the first string or comment that is not ended. As in its lexer, a comment ends at CR or LF, a raw string
#: may hold several lines, and one in other quotes may not.
_ENDED = re.compile(
    r"""(?:[^"'`\#]++|"(?:[^"\\\n]++|\\[^\n])*+"|'(?:[^'\\\n]++|\\[^\n])*+'|`[^`]*+`|\#[^\r\n]*+[\r\n])*+""",
    re.VERBOSE,
)
#: What may stand inside each of them, by the character that opens it.
_INSIDE = {
    '"': re.compile(r'(?:[^"\\\n]++|\\[^\n])*+'),
    "'": re.compile(r"(?:[^'\\\n]++|\\[^\n])*+"),
    "`": re.compile(r"[^`]*+"),
    "#": re.compile(r"[^\r\n]*+"),
}
_QUOTES = frozenset("'\"")
#: A tag as messages show it: what stands between the braces of others may be part of a password.
_SHOWN_TAG = re.compile(r"(?:args\.[-\w.\[\]]{1,63}+)?+", re.ASCII)


class ArgumentError(ValueError):
    """A tag that cannot be filled."""


class Place(Protocol):
    """Where a value is to be written. It is told of all text before, once and in order."""

    def read(self, text: str) -> None:
        """Go on to the end of this text, which follows what was read before."""

    def fit(self, value: str) -> str:
        """The value as it is written here; it is read afterwards.

        Raises:
            ArgumentError: the value cannot be written here.
        """


def values_of(args: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    """All arguments of a run, the last of a name counting.

    Raises:
        ArgumentError: one has no value, used or not.
    """
    values: dict[str, str] = {}
    for name, value in args:
        if value is None:
            raise ArgumentError(f'argument "{name}" was not supplied')
        values[name] = value
    return values


class _AsItIs:
    def read(self, text: str) -> None:
        """Nothing depends on it."""

    def fit(self, value: str) -> str:
        return value


def substitute(text: str, values: Mapping[str, str], place: Callable[[], Place] = _AsItIs) -> str:
    """Fill all tags; what is filled in is not searched for tags.

    ``place`` makes what fits values into the text: `url_value`, `header_value`, `query_value`.

    Raises:
        ArgumentError: a tag is not closed or names nothing, or its value cannot be written there.
    """
    done: list[str] = []
    here, at = place(), 0

    def write(piece: str) -> None:
        here.read(piece)
        done.append(piece)

    while (opened := text.find("{{", at)) >= 0:
        closed = text.find("}}", opened + 2)
        if closed < 0:
            raise ArgumentError(f'Cannot find end tag="}}}}" for the {{{{ at character {opened + 1}')
        tag = text[opened + 2 : closed]
        name = tag.strip()
        if not name.startswith("args.") or name[5:] not in values:
            raise ArgumentError(f"failed to resolve {_shown_tag(tag, opened)}")
        write(text[at:opened])
        write(here.fit(values[name[5:]]))
        at = closed + 2
    write(text[at:])
    return "".join(done)


def _shown_tag(tag: str, at: int) -> str:
    if _SHOWN_TAG.fullmatch(tag.strip()):
        return f"{{{{{tag}}}}}"
    return f"the tag at character {at + 1}, which is not of the form {{{{ args.<name> }}}}"


def url_value() -> Place:
    """Values for a URL: characters that no URL may hold are percent-encoded, an IPv6 address as host gets brackets."""
    return _Url()


def header_value() -> Place:
    """Values for a header, which may not end the header: a line break in one is refused."""
    return _Header()


def query_value() -> Place:
    """Values for PromQL: inside a quoted string or a comment they cannot end it."""
    return _Query()


class _Url:
    """Knows whether the text so far ends in the scheme, in the authority, or behind it."""

    def __init__(self) -> None:
        self._start = ""
        self._part = "scheme"
        self._bracket = False

    def read(self, text: str) -> None:
        if self._part == "scheme":
            known = len(self._start)
            self._start += text[: _MAX_SCHEME + 3]
            scheme = _SCHEME.match(self._start)
            if scheme is None:
                if len(self._start) > _MAX_SCHEME + 2:
                    self._part = "path"
                return
            self._part, text = "authority", text[scheme.end() - known :]
        if self._part == "authority" and _AUTHORITY_END.search(text):
            self._part = "path"
        self._bracket = text.endswith("[") if text else self._bracket

    def fit(self, value: str) -> str:
        if self._part != "authority":
            return quote(value, safe=_URL_LEGAL)
        address = value.count(":") > 1 and _IPV6.fullmatch(value)
        return f"[{value}]" if address and not self._bracket else value


class _Header:
    def read(self, text: str) -> None:
        """Nothing depends on it."""

    def fit(self, value: str) -> str:
        if "\r" in value or "\n" in value:
            raise ArgumentError("the value of a header holds a line break")
        return value


class _Query:
    """Knows the string or the comment that is open at the end of the text so far."""

    def __init__(self) -> None:
        self._open = ""
        self._escape = False
        self._broken = False

    def read(self, text: str) -> None:
        if self._broken or not text:
            return
        at = 0
        if self._escape:
            self._escape, self._broken, at = False, text[0] == "\n", 1
        if self._open:
            at = self._read_inside(text, at)
        if not (self._open or self._broken):
            at = _end(_ENDED, text, at)
            if at < len(text):
                self._open = text[at]
                self._read_inside(text, at + 1)

    def _read_inside(self, text: str, at: int) -> int:
        """Go on to the end of what is open, or of the text; a backslash may be the last that is there of it."""
        at = _end(_INSIDE[self._open], text, at)
        if at == len(text):
            return at
        if text[at] == "\\" and at + 1 == len(text):
            self._escape = True
        elif self._open in _QUOTES and text[at] != self._open:
            self._broken = True
        else:
            self._open = ""
        return at + 1

    def fit(self, value: str) -> str:
        if self._broken:
            raise ArgumentError("a value cannot stand behind a string that does not end in its line of the query")
        if self._escape:
            raise ArgumentError("a value cannot stand directly behind a backslash in a string of the query")
        if self._open == "`" and "`" in value:
            raise ArgumentError("a value with a back-quote cannot stand in a raw string of the query")
        if self._open == "#" and ("\n" in value or "\r" in value):
            raise ArgumentError("a value with a line break cannot stand in a comment of the query")
        if self._open not in _QUOTES:
            return value
        value = value.replace("\\", "\\\\").replace(self._open, "\\" + self._open)
        return value.replace("\n", "\\n").replace("\r", "\\r")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()
