"""Answers become errors typed by what to do next."""

import pytest

from operators.kube import errors
from operators.kube.errors import ApiError, error_for


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", ApiError),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Gone", errors.Gone),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.Throttled),
        (500, "InternalError", errors.Unavailable),
        (503, "ServiceUnavailable", errors.Unavailable),
        (504, "Timeout", errors.Unavailable),
    ],
)
def test_error_is_typed_by_status_and_reason(status, reason, kind):
    error = error_for(status, reason, "text", 3.0)
    assert type(error) is kind
    assert (error.status, error.reason, str(error), error.retry_after) == (status, reason, "text", 3.0)


def test_error_without_text_says_its_reason_or_number():
    assert str(error_for(500, "InternalError", "")) == "InternalError"
    assert str(error_for(502, "", "")) == "502"
