"""The wire format on bytes alone: no socket."""

import json

import pytest

from operators.kube.errors import ApiError, Conflict, Forbidden, Gone, Invalid, Unavailable
from operators.kube.wire import (
    LineSplitter,
    answer_error,
    decode_object,
    query,
    retry_after,
    status_error,
    watch_event,
    watch_query,
)

UID_CHANGED = {"causes": [{"field": "metadata.uid", "message": "field is immutable"}]}


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


# ---- errors


def test_an_answer_that_is_a_status_object_gives_reason_and_message():
    error = answer_error(403, b'{"reason": "Forbidden", "message": "exceeded quota", "code": 500}')
    assert (type(error), error.status, error.reason, str(error)) == (Forbidden, 403, "Forbidden", "exceeded quota")


@pytest.mark.parametrize("content", [b"<html>busy</html>", b"[1]", b"\xff\xfe"])
def test_an_answer_of_a_proxy_is_shown_as_it_is(content):
    error = answer_error(502, content)
    assert type(error) is Unavailable
    assert str(error) == content.decode(errors="replace")
    assert len(str(answer_error(502, b"x" * 10_000))) == 500


def test_the_wait_of_the_headers_wins_over_that_of_the_body():
    body = json.dumps({"details": {"retryAfterSeconds": 7}}).encode()
    assert answer_error(429, body).retry_after == 7.0
    assert answer_error(429, body, wait=2.0).retry_after == 2.0


def test_a_guard_by_uid_that_failed_is_a_conflict():
    assert type(status_error({"code": 422, "details": UID_CHANGED})) is Conflict
    assert type(status_error({"code": 422, "details": {"causes": [{"field": "spec.replicas"}]}})) is Invalid
    assert type(status_error({"code": 422, "details": "odd"})) is Invalid


def test_the_fields_that_are_wrong_come_along():
    causes = [{"field": "spec.replicas", "message": "must not be negative"}, {"field": "spec"}, "odd"]
    found = status_error({"code": 422, "details": {"causes": causes}})
    assert found.causes == (("spec.replicas", "must not be negative"), ("spec", ""))
    assert status_error({"code": 422, "details": {"causes": 7}}).causes == ()
    assert status_error({"code": 403}).causes == ()


def test_a_status_object_without_a_code_is_a_server_error():
    assert type(status_error({"message": "why"})) is Unavailable


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b'{"a":'])
def test_a_successful_answer_is_an_object(content):
    with pytest.raises(ValueError, match=r"."):
        decode_object(content)
    assert decode_object(b'{"a": 1}') == {"a": 1}


# ---- watches


def test_lines_are_the_same_wherever_chunks_are_cut():
    text = b'{"a": 1}\n\n{"b": 2}\n{"cut'
    for size in range(1, len(text) + 1):
        splitter = LineSplitter()
        lines = [line for i in range(0, len(text), size) for line in splitter.split(text[i : i + size])]
        assert lines == [b'{"a": 1}', b'{"b": 2}']
        assert splitter.end() == [b'{"cut']


def test_a_stream_that_ends_with_a_line_leaves_no_rest():
    splitter = LineSplitter()
    assert splitter.split(b"1\n") == [b"1"]
    assert splitter.end() == []


def test_an_error_event_is_raised():
    assert watch_event(b'{"type": "ADDED", "object": {}}') == {"type": "ADDED", "object": {}}
    with pytest.raises(Gone, match="too old"):
        watch_event(b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}')
    with pytest.raises(ApiError):
        watch_event(b'{"type": "ERROR", "object": {"code": 400}}')


def test_parameters_without_a_value_are_not_sent():
    assert query(limit="", labelSelector="a=b") == {"labelSelector": "a=b"}
    assert watch_query("7", "", 300) == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "300",
    }
