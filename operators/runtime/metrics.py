"""Metrics under the names that dashboards know (spec/packaging.md 5)."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120)
_QUEUE_BUCKETS = tuple(1e-8 * 10**i for i in range(10))
_REST_BUCKETS = tuple(0.001 * 2**i for i in range(10))


class RestMetrics:
    """Requests to the API server."""

    def __init__(self, registry: CollectorRegistry, host: str = "") -> None:
        self._host = host
        self._requests = Counter(
            "bkbcs_rest_client_requests", "Requests by result.", ("code", "method", "host"), registry=registry
        )
        self._duration = Histogram(
            "bkbcs_rest_client_request_duration_seconds",
            "Duration of requests by verb and collection.",
            ("verb", "url"),
            buckets=_REST_BUCKETS,
            registry=registry,
        )

    def request(self, method: str, plural: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(str(status) if status else "<error>", method, self._host).inc()
        self._duration.labels(method, plural).observe(seconds)


class QueueMetrics:
    """One work queue."""

    def __init__(self, families: QueueFamilies, name: str) -> None:
        self.depth = families.depth.labels(name)
        self.adds = families.adds.labels(name)
        self.retries = families.retries.labels(name)
        self.waited = families.waited.labels(name)
        self.worked = families.worked.labels(name)
        self.unfinished = families.unfinished.labels(name)
        self.longest = families.longest.labels(name)


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


class WorkloadMetrics:
    """GameDeployment metrics; label ``gd`` is ``namespace/name``."""

    def __init__(self, registry: CollectorRegistry, prefix: str = "bkbcs_gamedeployment_") -> None:
        self._series: set[str] = set()
        self.reconcile = Histogram(
            prefix + "reconcile_duration_seconds", "One pass.", ("gd", "status"), buckets=BUCKETS, registry=registry
        )
        self.create = Histogram(
            prefix + "pod_create_duration_seconds",
            "Creating a pod.",
            ("gd", "status"),
            buckets=BUCKETS,
            registry=registry,
        )
        labels = ("gd", "status", "grace", "action")
        self.update = Histogram(
            prefix + "pod_update_duration_seconds", "Updating a pod.", labels, buckets=BUCKETS, registry=registry
        )
        self.delete = Histogram(
            prefix + "pod_delete_duration_seconds", "Deleting a pod.", labels, buckets=BUCKETS, registry=registry
        )
        self._gauges = {
            field: Gauge(prefix + name, text, ("gd",), registry=registry)
            for field, name, text in (
                ("replicas", "replicas", "Desired pods."),
                ("readyReplicas", "ready_replicas", "Ready pods."),
                ("availableReplicas", "available_replicas", "Available pods."),
                ("updatedReplicas", "updated_replicas", "Updated pods."),
                ("updatedReadyReplicas", "updated_ready_replicas", "Updated and ready pods."),
            )
        }
        self.blocked = Gauge(prefix + "blocked", "What waits or is refused.", ("gd", "reason"), registry=registry)
        self._reasons: dict[str, set[str]] = {}

    def observe_status(self, gd: str, desired: int, status: dict[str, object]) -> None:
        """Gauges of a workload."""
        for field, gauge in self._gauges.items():
            value = desired if field == "replicas" else status.get(field) or 0
            gauge.labels(gd).set(float(str(value)))

    def observe_blocked(self, gd: str, counts: dict[str, int]) -> None:
        """How many pods wait for which reason; reasons that are over go."""
        for reason in self._reasons.get(gd, set()) - counts.keys():
            self.blocked.remove(gd, reason)
        for reason, count in counts.items():
            self.blocked.labels(gd, reason).set(count)
        self._reasons[gd] = set(counts)

    def forget(self, gd: str) -> None:
        """Drop the series of a workload that is gone."""
        self.observe_blocked(gd, {})
        families: list[Gauge | Histogram] = [
            *self._gauges.values(),
            self.reconcile,
            self.create,
            self.update,
            self.delete,
        ]
        for family in families:
            for labels in [values for values in family._metrics if values[0] == gd]:  # noqa: SLF001 - no public listing
                family.remove(*labels)


class Heartbeat:
    """Whether the event loop still turns."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def beat(self) -> None:
        """The loop turns now."""
        self.last = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last turn."""
        return time.monotonic() - self.last
