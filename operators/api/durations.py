"""Durations as Go writes them: ``5s``, ``1h30m``, ``1.5h`` (spec/hooks.md 1.3)."""

from __future__ import annotations

import re
from typing import Final

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
#: What the API server checks; the parser below is the rule.
PATTERN: Final = r"^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: no duration, or a negative one; the text names the value.
    """
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return 0.0
    total, end = 0.0, 0
    for match in _PART.finditer(rest):
        if match.start() != end:
            break
        total += float(match.group(1)) * _UNITS[match.group(2)]
        end = match.end()
    if not rest or end != len(rest):
        raise ValueError(f"invalid duration {text!r}: write it like 5s, 1h30m or 500ms")
    if sign == "-" and total > 0:
        raise ValueError(f"invalid duration {text!r}: must not be negative")
    return total
