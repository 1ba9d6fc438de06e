"""Histograms of durations with the longest and the shortest beside them, as the dashboards know them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, Histogram

#: Of all durations except those of queue and requests.
BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120)
Labels = tuple[str, ...]


@dataclass(slots=True)
class Series:
    """One combination of labels: its histogram, and the extremes seen so far."""

    histogram: Histogram
    longest: Gauge | None
    shortest: Gauge | None
    high: float = float("-inf")
    low: float = float("inf")

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.histogram.observe(seconds)
        if self.longest is not None and seconds > self.high:
            self.high = seconds
            self.longest.set(seconds)
        if self.shortest is not None and seconds < self.low:
            self.low = seconds
            self.shortest.set(seconds)


class Durations:
    """A histogram of seconds, with gauges ``_max`` and ``_min`` where ``extremes`` are asked for.

    ``empty`` names further labels of the histogram that dashboards know and that are always "".
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        text: str,
        labels: Labels,
        *,
        extremes: bool = False,
        empty: Labels = (),
    ) -> None:
        self._empty = ("",) * len(empty)
        self._histogram = Histogram(name, text, (*labels, *empty), buckets=BUCKETS, registry=registry)
        self._longest = Gauge(f"{name}_max", f"{text} Longest.", labels, registry=registry) if extremes else None
        self._shortest = Gauge(f"{name}_min", f"{text} Shortest.", labels, registry=registry) if extremes else None
        self._series: dict[Labels, Series] = {}

    def labels(self, *values: str) -> Series:
        """The series of these label values."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = Series(
                self._histogram.labels(*values, *self._empty),
                self._longest.labels(*values) if self._longest is not None else None,
                self._shortest.labels(*values) if self._shortest is not None else None,
            )
        return series

    def forget(self, *values: str) -> None:
        """Drop a series."""
        if self._series.pop(values, None) is None:
            return
        self._histogram.remove(*values, *self._empty)
        for family in (self._longest, self._shortest):
            if family is not None:
                family.remove(*values)
