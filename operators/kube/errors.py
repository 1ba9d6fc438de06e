"""Errors of the API server, typed by what to do next."""

from __future__ import annotations


class ApiError(Exception):
    """A request that did not succeed.

    ``status`` is 0 when no answer came; ``retry_after`` are the seconds the server asks to wait, None if it does not.
    ``causes`` are the fields that were found wrong and what is wrong with each, where the server says so (422).
    """

    causes: tuple[tuple[str, str], ...] = ()

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message or reason or str(status))
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFound(ApiError):
    """The object is not there."""


class AlreadyExists(ApiError):
    """The name is taken."""


class Conflict(ApiError):
    """The object changed since it was read: plan again."""


class Gone(ApiError):
    """The resourceVersion is too old: list again."""


class Invalid(ApiError):
    """The object is refused by validation: retrying the same is useless."""


class Unauthorized(ApiError):
    """The credentials are not, or no longer, good."""


class Forbidden(ApiError):
    """Refused by authorization, quota or admission."""


class Throttled(ApiError):
    """Too many requests."""


class Unavailable(ApiError):
    """No answer, or a server error: whether a write happened is unknown."""


class NotLeading(ApiError):
    """The write was not sent: the Lease may be another's by now."""


#: Answers of these codes may be others for the same request later: conflicts, outdated reads, credentials, load.
_PASSING = frozenset((401, 404, 408, 409, 410, 425, 429))


def is_lasting(error: ApiError) -> bool:
    """Whether the same request will be refused until somebody changes something (400, 403, 413, 415, 422 and others).

    Quota and admission (403) count: what they refuse does not pass by being asked again.
    """
    return (400 <= error.status < 500 and error.status not in _PASSING) or isinstance(error, Invalid)


def error_for(status: int, reason: str, message: str, retry_after: float | None = None) -> ApiError:
    """The error of an answer."""
    kinds: dict[int, type[ApiError]] = {
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        410: Gone,
        422: Invalid,
        429: Throttled,
    }
    kind = kinds.get(status, Unavailable if status >= 500 else ApiError)
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExists
    if reason == "Expired":
        kind = Gone
    return kind(status, reason, message, retry_after)
