"""What is sent again, and when: a table, no clock."""

import pytest

from operators.kube.errors import Conflict, Forbidden, Invalid, Throttled, Unavailable
from operators.kube.retries import ATTEMPTS, backoff, wait_before_repeat

THROTTLED = Throttled(429, "TooManyRequests", "", 1.0)
OVERLOADED = Unavailable(503, "ServiceUnavailable", "", 2.0)
BROKEN = Unavailable(500, "InternalError", "")
SERVER_TIMEOUT = Unavailable(500, "ServerTimeout", "", 2.0)
NO_ANSWER = Unavailable(0, "NoAnswer", "")


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("error", [THROTTLED, OVERLOADED])
def test_what_was_refused_unseen_is_repeated_whatever_the_verb(error, repeatable):
    assert wait_before_repeat(error, 0, repeatable=repeatable, chance=0.0) == error.retry_after


@pytest.mark.parametrize("error", [BROKEN, SERVER_TIMEOUT, NO_ANSWER, Unavailable(503, "", "")])
def test_what_may_have_happened_is_repeated_only_when_twice_is_the_same_as_once(error):
    assert wait_before_repeat(error, 0, repeatable=True, chance=0.0) is not None
    assert wait_before_repeat(error, 0, repeatable=False, chance=0.0) is None


@pytest.mark.parametrize("error", [Conflict(409, "", ""), Invalid(422, "", ""), Forbidden(403, "", "")])
def test_refusals_are_never_repeated(error):
    assert wait_before_repeat(error, 0, repeatable=True, chance=0.0) is None


def test_the_server_is_never_asked_sooner_than_it_said():
    for chance in (0.0, 0.5, 0.999):
        assert 1.0 <= wait_before_repeat(THROTTLED, 0, repeatable=False, chance=chance) < 1.25


def test_a_long_wait_is_left_to_the_queue():
    assert wait_before_repeat(Throttled(429, "", "", 10.5), 0, repeatable=True, chance=0.0) is None


def test_a_throttled_request_without_a_time_waits_longer_each_time():
    waits = [wait_before_repeat(Throttled(429, "", ""), n, repeatable=False, chance=0.0) for n in range(ATTEMPTS)]
    assert waits[0] < waits[1] < waits[2]
    assert waits[-1] is None


def test_the_last_attempt_is_the_last():
    assert wait_before_repeat(THROTTLED, ATTEMPTS - 1, repeatable=True, chance=0.0) is None


def test_backoff_doubles_up_to_its_cap_and_stays_there():
    waits = [backoff(n, first=0.005, cap=60.0, chance=0.999999) for n in range(1, 30)]
    assert waits[0] == pytest.approx(0.005, rel=0.01)
    assert waits[1] == pytest.approx(0.010, rel=0.01)
    assert max(waits) <= 60.0
    assert waits[-1] == pytest.approx(60.0, rel=0.01)
    assert backoff(10_000, first=0.005, cap=60.0, chance=0.0) == pytest.approx(45.0)
