"""Metrics of workloads (docs/spec/packaging.md 5.2 and 5.3). The series of a workload go when it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

from operators.runtime.durations import BUCKETS, Durations, Labels, Series

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


def _one_label(workload: str) -> Labels:
    """One label for the workload."""
    return (workload,)


def _two_labels(workload: str) -> Labels:
    """Two labels for the workload, its namespace and its name."""
    namespace, _, name = workload.partition("/")
    return namespace, name


class WorkloadDurations:
    """Durations whose first label values name a workload, so that all its series can go together.

    A workload is named ``namespace/name``; ``identify`` makes its labels of that. Its series are remembered, so that
    forgetting a workload costs no search.
    """

    def __init__(self, durations: Durations, identify: Identify) -> None:
        self._durations, self._identify = durations, identify
        self._known: dict[str, dict[Labels, Series]] = {}

    def labels(self, workload: str, *values: str) -> Series:
        """The series of a workload and further label values; ``observe`` counts one duration in seconds."""
        of_workload = self._known.setdefault(workload, {})
        series = of_workload.get(values)
        if series is None:
            series = of_workload[values] = self._durations.labels(*self._identify(workload), *values)
        return series

    def forget(self, workload: str) -> None:
        """Drop all series of a workload."""
        for values in self._known.pop(workload, ()):
            self._durations.forget(*self._identify(workload), *values)


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
        self._identify: Identify = _one_label if len(identity) == 1 else _two_labels
        labels = (*identity, "status")
        detailed = (*labels, "grace", "action")

        def durations(name: str, text: str, labels: Labels, *, extremes: bool = True) -> WorkloadDurations:
            return WorkloadDurations(
                Durations(registry, prefix + name, text, labels, extremes=extremes), self._identify
            )

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
    """Metrics of GameStatefulSets (docs/spec/gamestatefulset.md 7.2)."""
    prefix, identity = "bkbcs_gamestatefulset_", ("namespace", "name")
    return WorkloadMetrics(registry, prefix, identity=identity, gauges=GAME_STATEFUL_SET_GAUGES)


class HookRunCreations:
    """Starting a HookRun for a pod, for all kinds of workload (docs/spec/packaging.md 5.4)."""

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
