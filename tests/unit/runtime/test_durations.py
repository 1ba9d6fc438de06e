"""Histograms of durations, and the longest and the shortest beside them."""

from prometheus_client import CollectorRegistry, generate_latest

from operators.runtime.durations import Durations


def test_extremes_are_of_the_series_and_begin_anew_when_it_was_forgotten():
    registry = CollectorRegistry()
    durations = Durations(registry, "x_seconds", "X.", ("kind",), extremes=True)
    for seconds in (0.5, 2.0, 0.1):
        durations.labels("a").observe(seconds)
    durations.labels("b").observe(1.0)
    value = registry.get_sample_value
    assert (value("x_seconds_max", {"kind": "a"}), value("x_seconds_min", {"kind": "a"})) == (2.0, 0.1)
    assert (value("x_seconds_max", {"kind": "b"}), value("x_seconds_min", {"kind": "b"})) == (1.0, 1.0)
    durations.forget("a")
    assert value("x_seconds_max", {"kind": "a"}) is None
    durations.labels("a").observe(0.3)
    assert (value("x_seconds_max", {"kind": "a"}), value("x_seconds_count", {"kind": "a"})) == (0.3, 1)


def test_a_label_that_is_always_empty_is_of_the_histogram_alone():
    registry = CollectorRegistry()
    durations = Durations(registry, "x_seconds", "X.", ("kind",), extremes=True, empty=("uid",))
    durations.labels("a").observe(1.0)
    text = generate_latest(registry).decode()
    assert 'x_seconds_count{kind="a",uid=""} 1.0' in text
    assert 'x_seconds_max{kind="a"} 1.0' in text
    durations.forget("a")
    durations.forget("never seen")
    assert 'kind="' not in generate_latest(registry).decode()


def test_without_extremes_there_is_the_histogram_alone():
    registry = CollectorRegistry()
    Durations(registry, "x_seconds", "X.", ("kind",)).labels("a").observe(1.0)
    assert {family.name for family in registry.collect()} == {"x_seconds"}
