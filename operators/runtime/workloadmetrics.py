"""Metrics of workloads (spec/packaging.md 5.2 and 5.3). The series of a workload go when it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

#: Of all durations except those of queue and requests.
BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120)
Labels = tuple[str, ...]


@dataclass(slots=True)
class _Series:
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
    """A histogram with gauges ``_max`` and ``_min`` beside it.

    The first label is the workload. Its combinations are remembered, so that forgetting it costs no search.
    """

    def __init__(
        self, registry: CollectorRegistry, name: str, text: str, labels: Labels, *, extremes: bool = True
    ) -> None:
        self._histogram = Histogram(name, text, labels, buckets=BUCKETS, registry=registry)
        self._longest = Gauge(f"{name}_max", f"{text} Longest.", labels, registry=registry) if extremes else None
        self._shortest = Gauge(f"{name}_min", f"{text} Shortest.", labels, registry=registry) if extremes else None
        self._known: dict[str, dict[Labels, _Series]] = {}

    def labels(self, *values: str) -> _Series:
        """The series of these label values; ``observe`` counts one duration in seconds."""
        of_workload = self._known.setdefault(values[0], {})
        series = of_workload.get(values)
        if series is None:
            series = of_workload[values] = _Series(
                self._histogram.labels(*values),
                self._longest.labels(*values) if self._longest is not None else None,
                self._shortest.labels(*values) if self._shortest is not None else None,
            )
        return series

    def forget(self, workload: str) -> None:
        """Drop all series of a workload."""
        for values in self._known.pop(workload, ()):
            for family in (self._histogram, self._longest, self._shortest):
                if family is not None:
                    family.remove(*values)


class WorkloadMetrics:
    """GameDeployment metrics; label ``gd`` is ``namespace/name``.

    ``reconcile``, ``create``, ``update`` and ``delete`` take failures too: the label ``status`` is ``success`` or
    ``failure``, and the published error ratios are made of it.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str = "bkbcs_gamedeployment_") -> None:
        labels = ("gd", "status")
        detailed = (*labels, "grace", "action")
        name = prefix + "reconcile_duration_seconds"
        self.reconcile = Durations(registry, name, "One pass.", labels, extremes=False)
        self.create = Durations(registry, prefix + "pod_create_duration_seconds", "Creating a pod.", labels)
        self.update = Durations(registry, prefix + "pod_update_duration_seconds", "Updating a pod.", detailed)
        self.delete = Durations(registry, prefix + "pod_delete_duration_seconds", "Deleting a pod.", detailed)
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
        self._shown: dict[str, dict[str, Any]] = {}
        self.blocked = Gauge(prefix + "blocked", "What waits or is refused.", ("gd", "reason"), registry=registry)
        self._reasons: dict[str, set[str]] = {}

    def observe_status(self, gd: str, desired: int, status: Mapping[str, object]) -> None:
        """Gauges of a workload."""
        gauges = self._shown.get(gd)
        if gauges is None:
            gauges = self._shown[gd] = {field: gauge.labels(gd) for field, gauge in self._gauges.items()}
        for field, gauge in gauges.items():
            value = desired if field == "replicas" else status.get(field) or 0
            gauge.set(float(str(value)))

    def observe_blocked(self, gd: str, counts: Mapping[str, int]) -> None:
        """How many pods wait for which reason; reasons that are over go."""
        for reason in self._reasons.pop(gd, set()) - counts.keys():
            self.blocked.remove(gd, reason)
        for reason, count in counts.items():
            self.blocked.labels(gd, reason).set(count)
        if counts:
            self._reasons[gd] = set(counts)

    def forget(self, gd: str) -> None:
        """Drop the series of a workload that is gone."""
        self.observe_blocked(gd, {})
        if self._shown.pop(gd, None) is not None:
            for gauge in self._gauges.values():
                gauge.remove(gd)
        for durations in (self.reconcile, self.create, self.update, self.delete):
            durations.forget(gd)


class HookRunCreations:
    """Starting a HookRun for a pod, for all kinds of workload (spec/packaging.md 5.4)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "bkbcs_gameworkload_hookrun_create_duration_seconds",
            "Creating a HookRun.",
            ("namespace", "name", "status", "action", "objectKind"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._known: dict[Labels, set[Labels]] = {}

    def observe(self, namespace: str, name: str, kind: str, action: str, status: str, seconds: float) -> None:
        """Count one creation for the workload of this kind; ``action`` is predelete, preinplace or postinplace."""
        values = (namespace, name, status, action, kind)
        self._known.setdefault((namespace, name, kind), set()).add(values)
        self._histogram.labels(*values).observe(seconds)

    def forget(self, namespace: str, name: str, kind: str) -> None:
        """Drop the series of a workload that is gone."""
        for values in self._known.pop((namespace, name, kind), ()):
            self._histogram.remove(*values)


def operator_version(
    registry: CollectorRegistry, component: str, name: str, image: str, build: Mapping[str, str], **crds: str
) -> None:
    """The gauge ``bkbcs_<component>_operator_version``, always 1.

    Args:
        registry: Where to register.
        component: ``gamedeployment``, ``hook``.
        name: Value of the label ``name``.
        image: Reference of the image that runs, as far as known.
        build: Values of git_version, git_commit and build_date.
        **crds: Label by label the version of a CRD, "" when it is not known.
    """
    values = {
        "name": name,
        "image_version": image_version(image),
        **{label: f"v1-{version}" for label, version in crds.items()},
        **{label: build.get(label, "") for label in ("git_version", "git_commit", "build_date")},
    }
    metric = f"bkbcs_{component}_operator_version"
    Gauge(metric, "What runs.", tuple(values), registry=registry).labels(**values).set(1)


def image_version(reference: str) -> str:
    """Tag of an image reference, else its digest, else "" (a registry's port is no tag)."""
    name, _, digest = reference.partition("@")
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return tag or digest
