"""What a review is answered with."""

from __future__ import annotations

from dataclasses import dataclass

FORBIDDEN = (403, "Forbidden")
INVALID = (422, "Invalid")
MALFORMED = (400, "BadRequest")
#: The API server cuts warnings that are longer, and drops all beyond 4096 characters together.
_WARNING_LIMIT, _WARNINGS = 256, 12
#: Characters of a refusal; it names texts of users, which may be long.
_MESSAGE_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed or not; a refusal has a message for the user, an HTTP code and a reason; warnings go with both."""

    allowed: bool
    message: str = ""
    code: int = 200
    reason: str = ""
    warnings: tuple[str, ...] = ()


def allow(*warnings: str) -> Verdict:
    """Accept, telling the user what may go wrong."""
    return Verdict(allowed=True, warnings=tuple(_header(w) for w in warnings[:_WARNINGS]))


def _header(warning: str) -> str:
    """A warning as it travels, in a header: one line, and not cut by others; its middle is left out, if need be.

    What the API server says of a pod begins with which, and ends with why.
    """
    line = "".join(c if c.isprintable() else " " for c in warning)
    if len(line) <= _WARNING_LIMIT:
        return line
    half = _WARNING_LIMIT // 2
    return f"{line[:half]}…{line[half + 1 - _WARNING_LIMIT :]}"


def refuse(message: str, how: tuple[int, str] = FORBIDDEN, warnings: tuple[str, ...] = ()) -> Verdict:
    """Refuse, with the HTTP code and reason that the client gets."""
    if len(message) > _MESSAGE_LIMIT:
        message = message[: _MESSAGE_LIMIT - 1] + "…"
    return Verdict(allowed=False, message=message, code=how[0], reason=how[1], warnings=allow(*warnings).warnings)
