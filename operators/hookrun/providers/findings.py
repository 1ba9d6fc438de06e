"""What is wrong with a metric of a HookTemplate, found without measuring it (docs/spec/admission.md 6, H7 to H10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from operators.hookrun.arguments import ArgumentError, substitute
from operators.planning.hooks.arguments import is_built_in

RawObject = Mapping[str, Any]
_TAG = re.compile(r"\{\{([^{}]*)\}\}")
#: Headers that say where a message ends, or what happens to its connection; those of proxies besides.
_FRAMING = frozenset(
    {"content-length", "transfer-encoding", "connection", "upgrade", "expect", "keep-alive", "te", "trailer"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong where: ``field`` is a path below the metric. One that is not fatal is a warning."""

    field: str
    text: str
    fatal: bool = True


class TemplateArguments(Mapping[str, str]):
    """Arguments as they may be at run time: declared values, and a placeholder for each that is filled in later."""

    def __init__(self, declared: Mapping[str, str | None]) -> None:
        self._declared = declared

    def __getitem__(self, name: str) -> str:
        if name in self._declared:
            value = self._declared[name]
            return "x" if value is None else value
        if is_built_in(name):
            return "x"
        raise KeyError(name)

    def has_value(self, name: str) -> bool:
        """Whether the template itself gives the value."""
        return self._declared.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


def text(settings: RawObject, field: str) -> str:
    """A text of a raw object, "" where there is none."""
    found = settings.get(field)
    return found if isinstance(found, str) else ""


def entries(settings: RawObject, field: str) -> Sequence[RawObject]:
    """The objects in a list of a raw object, none where there is no list."""
    found = settings.get(field)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else ()


def frames_message(name: str) -> bool:
    """Whether a header says where a message ends, or what happens to its connection: no hook may set it."""
    lowered = name.strip().lower()
    return lowered in _FRAMING or lowered.startswith("proxy-")


def header_findings(field: str, headers: Sequence[RawObject], args: TemplateArguments) -> Iterator[Finding]:
    """Headers that no hook may set, and their arguments."""
    for header in headers:
        name = text(header, "key")
        where = f"{field}[{name}]"
        if frames_message(name):
            yield Finding(f"{where}.key", f"{name[:64]} says how messages are sent, and hooks may not set it")
        yield from tag_findings(where, text(header, "value"), args)


def tag_findings(field: str, templated: str, args: TemplateArguments) -> Iterator[Finding]:
    """A tag that is not closed never works; an argument that is not declared may still come from a workload's hook."""
    try:
        substitute(templated, args)
    except ArgumentError as error:
        if templated.count("{{") != len(_TAG.findall(templated)):
            yield Finding(field, str(error))
        else:
            reason = f"{error}: the template declares no such argument, so each measurement ends in an error"
            yield Finding(field, reason, fatal=False)


def address_findings(field: str, url: str, args: TemplateArguments) -> Iterator[Finding]:
    """The address with its arguments filled in; one that begins with an argument without value may become any."""
    broken = list(tag_findings(field, url, args))
    yield from broken
    first = _TAG.match(url)
    open_start = first is not None and not args.has_value(first.group(1).strip().removeprefix("args."))
    if url and not broken and not open_start:
        filled = substitute(url, args)
        if not _is_http(filled):
            yield Finding(field, "this is not an address that begins with http:// or https:// and names a host")


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
