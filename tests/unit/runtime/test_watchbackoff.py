"""What a list or a watch waits for after a failure, and for how long."""

import pytest

from operators.kube.errors import Gone, Throttled, Unavailable
from operators.runtime.watchbackoff import LONGEST, LONGEST_UNANSWERED, WatchBackoff

DOWN = Unavailable(0, "ConnectionRefused", "connection refused")
BUSY = Unavailable(500, "InternalError", "etcd is busy")
EXPIRED = Gone(410, "Expired", "too old resource version")
#: The largest factor of the jitter is 1.
LATE = 1.0


def after(*errors):
    waits = WatchBackoff()
    return [waits.failed(error, LATE) for error in errors]


def test_a_server_that_is_down_is_asked_about_once_a_second_however_long():
    assert after(*[DOWN] * 100)[-50:] == [LONGEST_UNANSWERED] * 50


def test_a_server_that_refuses_is_asked_less_and_less():
    waits = after(*[BUSY] * 10)
    assert waits[:4] == [0.4, 0.8, 1.6, 3.2]
    assert waits[-1] == LONGEST


@pytest.mark.parametrize("outage", [0, 1, 60])
def test_an_expired_version_after_an_outage_is_listed_at_once(outage):
    assert after(*[DOWN] * outage, EXPIRED)[-1] == 0.0


@pytest.mark.parametrize("outage", [1, 60])
def test_any_answer_ends_the_outage(outage):
    assert after(*[DOWN] * outage, BUSY)[-1] == 0.4


def test_a_version_that_keeps_expiring_is_no_hot_loop():
    waits = WatchBackoff()
    seen = []
    for _ in range(8):
        seen.append(waits.failed(EXPIRED, LATE))
        waits.listed()
    assert seen[0] == 0.0
    assert seen[1:5] == [0.4, 0.8, 1.6, 3.2]
    waits.heard()
    assert waits.failed(EXPIRED, LATE) == 0.0


def test_a_server_that_is_starting_is_asked_again_after_a_second_whatever_it_says():
    starting = Unavailable(503, "ServiceUnavailable", "some HTTP paths are not installed yet", retry_after=5.0)
    assert after(starting) == [1.0]


def test_the_server_gets_the_time_it_asks_for():
    assert after(Throttled(429, "TooManyRequests", "slow down", retry_after=7.0)) == [7.0]
