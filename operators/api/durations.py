"""Durations as Go writes them: ``5s``, ``1h30m``, ``1.5h`` (docs/spec/hooks.md 1.3)."""

from __future__ import annotations

import re
from typing import Final

#: What the API server allows, too.
_MAX_LENGTH: Final = 64
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(ns|us|µs|μs|ms|s|m|h)")
#: What the API server checks; the parser below is the rule.
PATTERN: Final = r"^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: the text is no duration, is negative, or has more than 64 characters; the message names the value.
    """
    if len(text) > _MAX_LENGTH:
        shown = repr(f"{text[:20]}...")
        raise ValueError(f"invalid duration {shown}: it has {len(text)} characters, at most {_MAX_LENGTH} are allowed")
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return 0.0
    total, at = 0.0, 0
    while (part := _PART.match(rest, at)) is not None:
        total, at = total + float(part[1]) * _UNITS[part[2]], part.end()
    if not rest or at < len(rest):
        raise ValueError(f"invalid duration {text!r}: write it like 5s, 1h30m or 500ms")
    if sign == "-" and total > 0:
        raise ValueError(f"invalid duration {text!r}: must not be negative")
    return total
