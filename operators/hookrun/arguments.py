"""``{{ args.X }}`` in URLs, headers and queries (spec/hooks.md 3.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

_URL_LEGAL = "-._~:/?#[]@!$&'()*+,;=%"
_AUTHORITY = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


class ArgumentError(ValueError):
    """A tag that cannot be filled."""


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


def _raw(before: str, value: str) -> str:
    """The value as it is."""
    del before
    return value


def substitute(text: str, values: Mapping[str, str], fit: Callable[[str, str], str] = _raw) -> str:
    """Fill all tags; what is filled in is not looked at again.

    ``fit`` makes a value fit its place: it gets the finished text before the tag, and the value.

    Raises:
        ArgumentError: a tag is not closed, or names nothing.
    """
    done, rest = "", text
    while "{{" in rest:
        before, _, rest = rest.partition("{{")
        tag, closed, rest = rest.partition("}}")
        if not closed:
            raise ArgumentError(f'Cannot find end tag="}}}}" in the template {text!r}')
        name = tag.strip()
        if not name.startswith("args.") or name[5:] not in values:
            raise ArgumentError(f"failed to resolve {{{{{tag}}}}}")
        done += before
        done += fit(done, values[name[5:]])
    return done + rest


def url_value(before: str, value: str) -> str:
    """A value for a URL: characters that no URL may hold are percent-encoded, an IPv6 address as host gets brackets."""
    if _AUTHORITY.match(before):
        return f"[{value}]" if _IPV6.fullmatch(value) and not before.endswith("[") else value
    return quote(value, safe=_URL_LEGAL)


def header_value(before: str, value: str) -> str:
    """A value for a header, which may not end the header.

    Raises:
        ArgumentError: it holds a line break.
    """
    del before
    if "\r" in value or "\n" in value:
        raise ArgumentError("a header value holds a line break")
    return value


def query_value(before: str, value: str) -> str:
    """A value for PromQL: inside a quoted string it cannot end that string.

    Raises:
        ArgumentError: it holds a back-quote, or a line break, where the string cannot.
    """
    quoted = _open_quote(before)
    if quoted == "`":
        if "`" in value:
            raise ArgumentError("a value with a back-quote does not fit into a raw string of the query")
        return value
    if not quoted:
        return value
    value = value.replace("\\", "\\\\").replace(quoted, "\\" + quoted)
    return value.replace("\n", "\\n").replace("\r", "\\r")


def _open_quote(text: str) -> str:
    """The quote character of the string that is open at the end of a query's text, "" when none is."""
    quote_, at = "", 0
    while at < len(text):
        char = text[at]
        if not quote_ and char in "\"'`":
            quote_ = char
        elif char == quote_:
            quote_ = ""
        elif char == "\\" and quote_ in ("'", '"'):
            at += 1
        at += 1
    return quote_
