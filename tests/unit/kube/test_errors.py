"""Answers become errors typed by what to do next; waits become seconds."""

import pytest

from operators.kube import errors
from operators.kube.errors import ApiError, error_for, retry_after


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


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("", "", None),
        ("7", "", 7.0),
        (" 0.5 ", "", 0.5),
        ("0", "", 0.0),
        ("-3", "", 0.0),
        ("soon", "", None),
        ("inf", "", None),
        ("Wed, 25 Nov 2026 19:00:10 GMT", "Wed, 25 Nov 2026 19:00:00 GMT", 10.0),
        ("Wed, 25 Nov 2026 18:59:00 GMT", "Wed, 25 Nov 2026 19:00:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 19:00:10 GMT", "not a date", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_date(header, date, seconds):
    assert retry_after(header, date) == seconds


def test_retry_after_as_date_without_a_date_header_uses_our_clock():
    assert retry_after("Wed, 25 Nov 1998 19:00:00 GMT") == 0.0
    assert retry_after("Wed, 25 Nov 2998 19:00:00 GMT") > 1e9
