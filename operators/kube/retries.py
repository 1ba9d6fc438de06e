"""Which requests are sent again, and when (docs/decisions/0002-client.md)."""

from __future__ import annotations

from operators.kube.errors import ApiError, Throttled, Unavailable

#: Requests in all, the first one included, where the client is not told otherwise.
ATTEMPTS = 4
#: Longer than this a request does not wait inside a pass: the key waits in the queue instead, and the worker is free.
LONGEST_WAIT = 10.0
_FIRST_WAIT = 0.2


def wait_before_repeat(
    error: ApiError, attempt: int, *, repeatable: bool, chance: float, attempts: int = ATTEMPTS
) -> float | None:
    """Seconds until the request is sent again, None when it is not.

    What the server refused before it looked (429, or 503 with a time) is repeated whatever the verb. What may have
    happened already (no answer, other server errors) is repeated only if doing it twice is the same as once.

    Args:
        error: How the request failed.
        attempt: How many attempts failed before this one.
        repeatable: A read, or a write that is guarded so that a second one changes nothing.
        chance: From [0, 1), spreads the requests of many.
        attempts: Requests in all.
    """
    told = error.retry_after
    refused = isinstance(error, Throttled) or (error.status == 503 and told is not None)
    if attempt >= attempts - 1 or not (refused or (repeatable and isinstance(error, Unavailable))):
        return None
    if told is not None and told > 0:
        return told * (1 + chance / 4) if told <= LONGEST_WAIT else None
    return _FIRST_WAIT * 2.0**attempt * (0.5 + chance / 2)


def backoff(failures: int, *, first: float, cap: float, chance: float) -> float:
    """Seconds after the ``failures``-th failure in a row (1, 2, ...): doubling from ``first``, never above ``cap``."""
    return min(first * 2.0 ** min(failures - 1, 60), cap) * (0.75 + chance / 4)
