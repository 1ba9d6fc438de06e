"""Which notes become which Event, and when it may be written: pure, with the time passed in.

The same note on the same object within ten minutes raises a count. More than ten different notes of one reason become
one combined Event. Writes on one object are limited; what has to wait is merged meanwhile, so that nothing is lost but
the single moments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

WINDOW = 600.0
SIMILAR = 10
BURST, REFILL = 25, 10.0
#: Series remembered; the oldest are forgotten first.
CAPACITY = 5000


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """What an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class Series:
    """One Event: ``count`` notes so far, of which ``written`` are in the object called ``name``. Unix seconds."""

    about: ObjectReference
    type: str
    reason: str
    message: str
    name: str
    first: float
    last: float
    count: int = 0
    written: int = 0
    due: float | None = None
    attempts: int = 0


@dataclass(slots=True)
class _TokenBucket:
    """Permission to write: ``BURST`` at once, then one every ``REFILL`` seconds."""

    tokens: float
    at: float

    def take(self, now: float) -> float:
        """Use one permission; the time from when it holds."""
        self.tokens = min(float(BURST), self.tokens + (now - self.at) / REFILL)
        self.at = now
        self.tokens -= 1
        return now + max(0.0, -self.tokens) * REFILL


@dataclass(slots=True)
class EventCorrelator:
    """All series of the last minutes. Normal and Warning notes have limits of their own: chatter delays no alarm."""

    _series: dict[str, Series] = field(default_factory=dict)
    _messages: dict[str, tuple[float, set[str]]] = field(default_factory=dict)
    _buckets: dict[tuple[str, str], _TokenBucket] = field(default_factory=dict)

    def correlate(self, about: ObjectReference, type_: str, reason: str, message: str, now: float) -> Series | None:
        """Take a note at Unix time ``now``.

        Returns:
            The series if it has to be written at its ``due``; None when an earlier note of it still waits for that.
        """
        series = self._find(about, type_, reason, message, now)
        series.count += 1
        series.last = now
        if series.due is not None:
            return None
        bucket = self._buckets.setdefault((about.uid, type_), _TokenBucket(float(BURST), now))
        series.due = bucket.take(now)
        return series

    def _find(self, about: ObjectReference, type_: str, reason: str, message: str, now: float) -> Series:
        group = f"{about.uid}/{type_}/{reason}"
        since, messages = self._messages.get(group, (now, set()))
        if now - since >= WINDOW:
            since, messages = now, set()
        self._messages[group] = (since, messages)
        combined = message not in messages and len(messages) >= SIMILAR
        if not combined:
            messages.add(message)
        key = f"{group}/" if combined else f"{group}/{message}"
        series = self._series.get(key)
        if series is None or (series.due is None and now - series.first >= WINDOW):
            name = _event_name(about.name, key, now)
            series = self._series[key] = Series(about, type_, reason, message, name, now, now)
            self._forget_old()
        if combined:
            series.message = f"(combined from similar events): {message}"
        return series

    def _forget_old(self) -> None:
        """Keep within capacity; what waits to be written stays."""
        while len(self._messages) > CAPACITY:
            del self._messages[next(iter(self._messages))]
        while len(self._buckets) > CAPACITY:
            del self._buckets[next(iter(self._buckets))]
        if len(self._series) > CAPACITY:
            oldest = [key for key, series in self._series.items() if series.due is None]
            for key in oldest[: CAPACITY // 10]:
                del self._series[key]


def _event_name(name: str, key: str, now: float) -> str:
    """Unique for a series and the moment it began; a valid name however long the object's is."""
    digest = hashlib.sha256(f"{key}{now:.6f}".encode()).hexdigest()[:16]
    return f"{name[:200].rstrip('-.')}.{digest}"
