"""Which notes become which Event, and when: pure, with the time passed in."""

import re

import pytest

from operators.runtime.eventseries import BURST, CAPACITY, REFILL, SIMILAR, WINDOW, EventCorrelator, ObjectReference

ABOUT = ObjectReference("games/v1", "Game", "default", "lobby", "uid-1")
OTHER = ObjectReference("games/v1", "Game", "default", "arena", "uid-2")


def written(series):
    """As if the Event had been written just now."""
    series.due, series.written = None, series.count
    return series


def test_a_first_note_is_due_at_once():
    series = EventCorrelator().correlate(ABOUT, "Normal", "Created", "pod a", 100.0)
    assert (series.due, series.count, series.message) == (100.0, 1, "pod a")


def test_the_same_note_raises_the_count_of_the_same_event():
    correlator = EventCorrelator()
    first = written(correlator.correlate(ABOUT, "Normal", "Created", "pod a", 100.0))
    again = correlator.correlate(ABOUT, "Normal", "Created", "pod a", 130.0)
    assert again is first
    assert (again.count, again.written, again.first, again.last) == (2, 1, 100.0, 130.0)


def test_after_the_window_it_is_a_new_event():
    correlator = EventCorrelator()
    first = written(correlator.correlate(ABOUT, "Normal", "Created", "pod a", 100.0))
    second = correlator.correlate(ABOUT, "Normal", "Created", "pod a", 100.0 + WINDOW)
    assert second is not first
    assert second.name != first.name
    assert second.count == 1


@pytest.mark.parametrize(
    ("about", "type_", "reason"), [(OTHER, "Normal", "Created"), (ABOUT, "Warning", "Created"), (ABOUT, "Normal", "No")]
)
def test_object_type_and_reason_keep_events_apart(about, type_, reason):
    correlator = EventCorrelator()
    first = correlator.correlate(ABOUT, "Normal", "Created", "pod a", 100.0)
    second = correlator.correlate(about, type_, reason, "pod a", 100.0)
    assert second is not None
    assert second.name != first.name


def test_what_waits_to_be_written_takes_in_more_notes():
    correlator = EventCorrelator()
    series = correlator.correlate(ABOUT, "Normal", "Created", "pod a", 100.0)
    assert correlator.correlate(ABOUT, "Normal", "Created", "pod a", 101.0) is None
    assert correlator.correlate(ABOUT, "Normal", "Created", "pod a", 102.0) is None
    assert (series.count, series.last) == (3, 102.0)


def test_many_similar_notes_become_one_combined_event():
    correlator = EventCorrelator()
    events = [correlator.correlate(ABOUT, "Normal", "Created", f"pod {n}", 100.0) for n in range(500)]
    scheduled = [series for series in events if series is not None]
    assert len(scheduled) == SIMILAR + 1
    assert scheduled[-1].message == "(combined from similar events): pod 499"
    assert scheduled[-1].count == 500 - SIMILAR
    assert sum(series.count for series in scheduled) == 500


def test_a_message_known_before_the_combining_stays_its_own():
    correlator = EventCorrelator()
    known = written(correlator.correlate(ABOUT, "Normal", "Created", "pod 0", 100.0))
    for n in range(50):
        correlator.correlate(ABOUT, "Normal", "Created", f"pod {n}", 101.0)
    assert known.count == 2


def test_combining_ends_with_the_window():
    correlator = EventCorrelator()
    for n in range(50):
        correlator.correlate(ABOUT, "Normal", "Created", f"pod {n}", 100.0)
    assert correlator.correlate(ABOUT, "Normal", "Created", "pod 50", 100.0 + WINDOW).message == "pod 50"


def test_beyond_a_burst_writes_on_one_object_are_spread_over_time():
    correlator, dues = EventCorrelator(), []
    for n in range(BURST + 3):
        dues.append(correlator.correlate(ABOUT, "Normal", f"Reason{n}", "text", 100.0).due)
    assert dues[:BURST] == [100.0] * BURST
    assert dues[BURST:] == [100.0 + REFILL, 100.0 + 2 * REFILL, 100.0 + 3 * REFILL]
    assert correlator.correlate(OTHER, "Normal", "Reason", "text", 100.0).due == 100.0


def test_chatter_delays_no_alarm():
    correlator = EventCorrelator()
    for n in range(100):
        correlator.correlate(ABOUT, "Normal", f"Reason{n}", "text", 100.0)
    assert correlator.correlate(ABOUT, "Warning", "FailedCreate", "quota", 100.0).due == 100.0


def test_permission_comes_back_with_time():
    correlator = EventCorrelator()
    for n in range(BURST):
        written(correlator.correlate(ABOUT, "Normal", f"Reason{n}", "text", 100.0))
    later = 100.0 + 5 * REFILL
    dues = [correlator.correlate(ABOUT, "Normal", f"Later{n}", "text", later).due for n in range(6)]
    assert dues == [later] * 5 + [later + REFILL]


@pytest.mark.parametrize("name", ["lobby", "x" * 253, "a" * 199 + "-" + "b" * 50, "a" * 199 + "." + "b" * 50])
def test_names_are_valid_however_long_the_objects_is(name):
    about = ObjectReference("games/v1", "Game", "default", name, "uid")
    series = EventCorrelator().correlate(about, "Normal", "Created", "text", 100.0)
    assert len(series.name) <= 253
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", series.name)


def test_the_book_does_not_grow_without_bounds():
    correlator = EventCorrelator()
    for n in range(CAPACITY + 2000):
        about = ObjectReference("games/v1", "Game", "default", f"g{n}", f"uid-{n}")
        written(correlator.correlate(about, "Normal", "Created", "text", 100.0))
    assert len(correlator._series) <= CAPACITY
    assert len(correlator._messages) <= CAPACITY
    assert len(correlator._buckets) <= CAPACITY + 1
