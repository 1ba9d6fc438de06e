"""Times as they stand on objects: RFC 3339 in UTC outside, Unix seconds inside."""

from __future__ import annotations

from datetime import UTC, datetime

_LAST = 253_402_300_799.0


def timestamp(text: str | None) -> float | None:
    """RFC 3339 to Unix seconds; None for absent text.

    Raises:
        ValueError: the text is no RFC 3339 time.
    """
    if not text:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC, whole seconds; what is beyond the year 9999 is its end."""
    return datetime.fromtimestamp(int(min(seconds, _LAST)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
