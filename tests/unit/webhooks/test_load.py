"""What the server takes on at a time."""

from __future__ import annotations

import tracemalloc

import pytest

from operators.kube.wire import decode
from webhooks.load import Load, LoadLimits, Overloaded, weight


def load(**limits) -> Load:
    return Load(LoadLimits(**limits))


def test_reviews_beyond_the_limit_are_refused_until_one_ends():
    one = load(reviews=1)
    with one.judging():
        with pytest.raises(Overloaded, match="1 reviews are judged already"), one.judging():
            pass
        assert one.reviews == 1
    with one.judging():
        pass
    assert one.reviews == 0


def test_memory_is_given_back():
    some = load(memory_bytes=10)
    with some.room() as first, some.room() as second:
        first.take(6)
        second.take(4)
        with pytest.raises(Overloaded, match="too many bytes"):
            second.take(1)
        assert some.memory_bytes == 10
    assert some.memory_bytes == 0


def test_a_review_that_is_alone_may_take_any_memory():
    some = load(memory_bytes=10)
    with some.room() as only:
        only.take(8)
        only.take(100)
        with some.room() as other, pytest.raises(Overloaded):
            other.take(1)
    with some.room() as other:
        other.take(1)


def test_attack_f4_the_slowest_body_gives_its_room_up_to_a_later_one():
    some, gone = load(memory_bytes=10), []
    with some.room() as slow, some.room() as slower, some.room() as late:
        with (
            some.arriving(slow, lambda: gone.append("slow")),
            some.arriving(slower, lambda: gone.append("slower")),
        ):
            slow.take(5)
            slower.take(5)
            with some.arriving(late, lambda: gone.append("late")):
                late.take(5)
                assert gone == ["slow"]
                late.take(2)
                assert gone == ["slow", "slower"]
                with pytest.raises(Overloaded):
                    some.take(slow, 9)
        assert some.memory_bytes == 7
    assert some.memory_bytes == 0


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join(["{}"] * 20_000) + "]",
        "[" + ",".join(['{"a":1}'] * 20_000) + "]",
        "[" + ",".join(["[]"] * 20_000) + "]",
        "[" + ",".join(["[[]]"] * 20_000) + "]",
        "[" + ",".join(['"ab"'] * 20_000) + "]",
        "[" + ",".join(["1.5"] * 20_000) + "]",
        "{" + ",".join(f'"{i}":0' for i in range(20_000)) + "}",
        '"' + "a" * 100_000 + "\U0001f3ae" + '"',
    ],
)
def test_a_body_weighs_at_least_what_is_read_from_it(text):
    body = text.encode()
    tracemalloc.start()
    try:
        value = decode(body)
        assert value
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used <= weight(body)
