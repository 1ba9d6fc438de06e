"""Metrics of the process under the names that dashboards know (docs/spec/packaging.md 5.4), and a few of our own."""

from __future__ import annotations

from collections.abc import Callable, Sized

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_QUEUE_BUCKETS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)


class QueueMetrics:
    """One work queue. What changes with time alone is computed when it is read."""

    def __init__(self, families: QueueFamilies, name: str) -> None:
        self.adds = families.adds.labels(name)
        self.retries = families.retries.labels(name)
        self.waited = families.waited.labels(name)
        self.worked = families.worked.labels(name)
        self._depth = families.depth.labels(name)
        self._unfinished = families.unfinished.labels(name)
        self._longest = families.longest.labels(name)

    def watch(self, waiting: Sized, running: Callable[[], list[float]]) -> None:
        """Read depth from ``waiting``, and from ``running`` how many seconds each pass under way has taken."""
        self._depth.set_function(lambda: float(len(waiting)))
        self._unfinished.set_function(lambda: sum(running()))
        self._longest.set_function(lambda: max(running(), default=0.0))


class QueueFamilies:
    """Metrics of all work queues of a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "bkbcs_workqueue_"
        self.depth = Gauge(prefix + "depth", "Keys waiting.", ("name",), registry=registry)
        self.adds = Counter(prefix + "adds", "Keys added.", ("name",), registry=registry)
        self.retries = Counter(prefix + "retries", "Keys added again after an error.", ("name",), registry=registry)
        self.waited = Histogram(
            prefix + "queue_duration_seconds",
            "Time in the queue.",
            ("name",),
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.worked = Histogram(
            prefix + "work_duration_seconds", "Time of a pass.", ("name",), buckets=_QUEUE_BUCKETS, registry=registry
        )
        self.unfinished = Gauge(
            prefix + "unfinished_work_seconds", "Seconds of passes under way.", ("name",), registry=registry
        )
        self.longest = Gauge(
            prefix + "longest_running_processor_seconds", "The longest pass under way.", ("name",), registry=registry
        )


class CacheMetrics:
    """The caches that passes read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix, label = "game_operators_cache_", ("cache",)
        self._objects = Gauge(prefix + "objects", "Objects held.", label, registry=registry)
        self.lists = Counter(prefix + "lists", "Complete lists taken.", label, registry=registry)
        self.failures = Counter(
            prefix + "failures", "Lists and watches that failed.", (*label, "reason"), registry=registry
        )
        self.unreadable = Counter(
            prefix + "unreadable_objects", "Objects left out because they cannot be decoded.", label, registry=registry
        )
        self.handler_errors = Counter(
            prefix + "handler_errors", "Changes that a subscriber failed on.", label, registry=registry
        )

    def watch(self, cache: str, store: Sized) -> None:
        """Read the number of objects from the store."""
        self._objects.labels(cache).set_function(lambda: float(len(store)))


class PassMetrics:
    """Passes that fail."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "game_operators_pass_failures",
            "Passes that ended with an error, by its kind.",
            ("controller", "error"),
            registry=registry,
        )


class EventMetrics:
    """Kubernetes Events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("game_operators_events", "Notes by what became of them.", ("result",), registry=registry)
        self.written = self._events.labels("written")
        self.merged = self._events.labels("merged")
        self.dropped = self._events.labels("dropped")
