"""Metrics of workloads (spec/packaging.md 5.2 and 5.3). The series of a workload go when it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

#: Of all durations except those of queue and requests.
BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 20, 30, 60, 120)
Labels = tuple[str, ...]


#: A gauge of the spec, not of the status.
DESIRED = "desired"
#: Name and text of gauges by the field of the status they show.
GAME_DEPLOYMENT_GAUGES: Mapping[str, tuple[str, str]] = {
    DESIRED: ("replicas", "Desired pods."),
    "readyReplicas": ("ready_replicas", "Ready pods."),
    "availableReplicas": ("available_replicas", "Available pods."),
    "updatedReplicas": ("updated_replicas", "Updated pods."),
    "updatedReadyReplicas": ("updated_ready_replicas", "Updated and ready pods."),
}
GAME_STATEFUL_SET_GAUGES: Mapping[str, tuple[str, str]] = {
    "replicas": ("replicas", "Pods that exist."),
    "readyReplicas": ("ready_replicas", "Ready pods."),
    "currentReplicas": ("current_replicas", "Pods at the current revision."),
    "updatedReplicas": ("updated_replicas", "Updated pods."),
    "updatedReadyReplicas": ("updated_ready_replicas", "Updated and ready pods."),
}
Identify = Callable[[str], Labels]


def _whole(workload: str) -> Labels:
    """One label for the workload."""
    return (workload,)


def _parts(workload: str) -> Labels:
    """Two labels for the workload, its namespace and its name."""
    namespace, _, name = workload.partition("/")
    return namespace, name


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

    The first value is the workload, ``namespace/name``; ``identify`` makes its labels of it. Its combinations are
    remembered, so that forgetting it costs no search.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        text: str,
        labels: Labels,
        *,
        extremes: bool = True,
        identify: Identify = _whole,
    ) -> None:
        self._identify = identify
        self._histogram = Histogram(name, text, labels, buckets=BUCKETS, registry=registry)
        self._longest = Gauge(f"{name}_max", f"{text} Longest.", labels, registry=registry) if extremes else None
        self._shortest = Gauge(f"{name}_min", f"{text} Shortest.", labels, registry=registry) if extremes else None
        self._known: dict[str, dict[Labels, _Series]] = {}

    def labels(self, *values: str) -> _Series:
        """The series of these label values; ``observe`` counts one duration in seconds."""
        of_workload = self._known.setdefault(values[0], {})
        series = of_workload.get(values)
        if series is None:
            shown = (*self._identify(values[0]), *values[1:])
            series = of_workload[values] = _Series(
                self._histogram.labels(*shown),
                self._longest.labels(*shown) if self._longest is not None else None,
                self._shortest.labels(*shown) if self._shortest is not None else None,
            )
        return series

    def forget(self, workload: str) -> None:
        """Drop all series of a workload."""
        for values in self._known.pop(workload, ()):
            for family in (self._histogram, self._longest, self._shortest):
                if family is not None:
                    family.remove(*self._identify(workload), *values[1:])


class WorkloadMetrics:
    """Metrics of one kind of workload; a workload is named ``namespace/name``.

    ``reconcile``, ``create``, ``update`` and ``delete`` take failures too: the label ``status`` is ``success`` or
    ``failure``, and the published error ratios are made of it. ``identity`` are the labels that name the workload:
    ``gd`` for GameDeployments, ``namespace`` and ``name`` for GameStatefulSets, as their dashboards know them.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        prefix: str = "bkbcs_gamedeployment_",
        *,
        identity: Labels = ("gd",),
        gauges: Mapping[str, tuple[str, str]] = GAME_DEPLOYMENT_GAUGES,
    ) -> None:
        self._identify: Identify = _whole if len(identity) == 1 else _parts
        labels = (*identity, "status")
        detailed = (*labels, "grace", "action")

        def durations(name: str, text: str, labels: Labels, *, extremes: bool = True) -> Durations:
            return Durations(registry, prefix + name, text, labels, extremes=extremes, identify=self._identify)

        self.reconcile = durations("reconcile_duration_seconds", "One pass.", labels, extremes=False)
        self.create = durations("pod_create_duration_seconds", "Creating a pod.", labels)
        self.update = durations("pod_update_duration_seconds", "Updating a pod.", detailed)
        self.delete = durations("pod_delete_duration_seconds", "Deleting a pod.", detailed)
        self._gauges = {
            field: Gauge(prefix + name, text, identity, registry=registry) for field, (name, text) in gauges.items()
        }
        self._shown: dict[str, dict[str, Any]] = {}
        text = "What waits or is refused."
        self.blocked = Gauge(prefix + "blocked", text, (*identity, "reason"), registry=registry)
        self._reasons: dict[str, set[str]] = {}

    def observe_status(self, workload: str, desired: int, status: Mapping[str, object]) -> None:
        """Gauges of a workload."""
        gauges = self._shown.get(workload)
        if gauges is None:
            labels = self._identify(workload)
            gauges = self._shown[workload] = {field: gauge.labels(*labels) for field, gauge in self._gauges.items()}
        for field, gauge in gauges.items():
            value = desired if field == DESIRED else status.get(field) or 0
            gauge.set(float(str(value)))

    def observe_blocked(self, workload: str, counts: Mapping[str, int]) -> None:
        """How many pods wait for which reason; reasons that are over go."""
        labels = self._identify(workload)
        for reason in self._reasons.pop(workload, set()) - counts.keys():
            self.blocked.remove(*labels, reason)
        for reason, count in counts.items():
            self.blocked.labels(*labels, reason).set(count)
        if counts:
            self._reasons[workload] = set(counts)

    def forget(self, workload: str) -> None:
        """Drop the series of a workload that is gone."""
        self.observe_blocked(workload, {})
        if self._shown.pop(workload, None) is not None:
            for gauge in self._gauges.values():
                gauge.remove(*self._identify(workload))
        for durations in (self.reconcile, self.create, self.update, self.delete):
            durations.forget(workload)


def statefulset_metrics(registry: CollectorRegistry) -> WorkloadMetrics:
    """Metrics of GameStatefulSets (spec/gamestatefulset.md 7.2)."""
    prefix, identity = "bkbcs_gamestatefulset_", ("namespace", "name")
    return WorkloadMetrics(registry, prefix, identity=identity, gauges=GAME_STATEFUL_SET_GAUGES)


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
