"""Metrics of hooks under the names that dashboards know (spec/packaging.md 5.1), and two of our own.

Series of a run are removed with the run. Those of an owner stay for an hour after its last run: runs last seconds, and
a series must not be removed before it was scraped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from operators.api import keys
from operators.api.hookphase import HookPhase
from operators.api.hooktemplate import Metric
from operators.hookrun.view import RunView
from operators.runtime.metrics import BUCKETS

_REMEMBERED, _SWEEP = 3600.0, 60.0
_Owner = tuple[str, str]


class _Durations:
    """Durations by labels that begin with namespace and owner, and with ``extremes`` the longest and the shortest.

    ``empty`` names labels of the histogram that dashboards know and that are always "".
    """

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        registry: CollectorRegistry,
        *,
        extremes: bool = False,
        empty: tuple[str, ...] = (),
    ) -> None:
        self._empty = ("",) * len(empty)
        self._histogram = Histogram(name, text, (*labels, *empty), buckets=BUCKETS, registry=registry)
        self._extremes: list[tuple[Gauge, Callable[[float, float], float]]] = []
        if extremes:
            self._extremes.append((Gauge(f"{name}_max", f"{text} Longest.", labels, registry=registry), max))
            self._extremes.append((Gauge(f"{name}_min", f"{text} Shortest.", labels, registry=registry), min))
        self._values: dict[tuple[int, tuple[str, ...]], float] = {}

    def observe(self, labels: tuple[str, ...], seconds: float) -> None:
        """Note a duration."""
        self._histogram.labels(*labels, *self._empty).observe(seconds)
        for number, (gauge, better) in enumerate(self._extremes):
            value = better(seconds, self._values.get((number, labels), seconds))
            self._values[number, labels] = value
            gauge.labels(*labels).set(value)

    def drop(self, labels: tuple[str, ...]) -> None:
        """Forget a series."""
        self._histogram.remove(*labels, *self._empty)
        for number, (gauge, _) in enumerate(self._extremes):
            gauge.remove(*labels)
            del self._values[number, labels]


class HookMetrics:
    """What happens to HookRuns. Times of runs are Unix time, ``clock`` is monotonic."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        prefix = "bkbcs_hook_"
        self._clock = clock
        owner = ("namespace", "owner")
        self._passes = _Durations(prefix + "reconcile_duration_seconds", "One pass.", (*owner, "status"), registry)
        self._executions = _Durations(
            prefix + "hookrun_exec_duration_seconds",
            "Parts of the work on a run.",
            (*owner, "action", "status"),
            registry,
            extremes=True,
            empty=("uid",),
        )
        self._measurements = _Durations(
            prefix + "metric_exec_duration_seconds",
            "One measurement.",
            (*owner, "metric", "phase"),
            registry,
            extremes=True,
        )
        self._runs = _Durations(
            prefix + "hookrun_duration_seconds", "A run from start to end.", (*owner, "phase"), registry
        )
        self._providers = Counter(
            prefix + "measurements", "Measurements taken.", ("provider", "phase"), registry=registry
        )
        self._ages = Gauge(
            prefix + "hookrun_survive_time_seconds",
            "Age of a run when it was last looked at.",
            (*owner, "name", "phase"),
            registry=registry,
        )
        self._age_of: dict[str, tuple[str, ...]] = {}
        self._seen: dict[_Owner, float] = {}
        self._series: dict[_Owner, set[tuple[_Durations, tuple[str, ...]]]] = {}
        self._swept = clock()
        _version(registry)

    def _observe(self, family: _Durations, run: RunView, seconds: float, *labels: str) -> None:
        owner = (run.namespace, run.owned_by)
        full = (*owner, *labels)
        self._seen[owner] = self._clock()
        self._series.setdefault(owner, set()).add((family, full))
        family.observe(full, max(0.0, seconds))

    def observe_pass(self, run: RunView, seconds: float, *, good: bool) -> None:
        """A pass has ended."""
        self._observe(self._passes, run, seconds, "success" if good else "failure")

    def observe_validation(self, run: RunView, seconds: float, *, good: bool) -> None:
        """A run was looked at for the first time."""
        self._observe(self._executions, run, seconds, "validateMetrics", "success" if good else "failure")

    def observe_measurement(self, run: RunView, metric: Metric, phase: str, seconds: float) -> None:
        """A measurement has ended."""
        self._providers.labels(next(iter(metric.provider.given()), ""), phase).inc()
        self._observe(self._measurements, run, seconds, metric.name, phase)
        if phase == HookPhase.ERROR:
            self._observe(self._executions, run, seconds, "invalidHookConfig", "failure")
        status = "error" if phase == HookPhase.ERROR else "success"
        self._observe(self._executions, run, seconds, "executeHookRun", status)

    def observe_end(self, run: RunView, phase: str, seconds: float) -> None:
        """A run has ended."""
        self._observe(self._runs, run, seconds, phase)

    def set_age(self, run: RunView, phase: str, seconds: float) -> None:
        """A run of this age has this phase."""
        labels = (run.namespace, run.owned_by, run.name, phase)
        before = self._age_of.get(run.uid)
        if before is not None and before != labels:
            self._ages.remove(*before)
        self._age_of[run.uid] = labels
        self._ages.labels(*labels).set(max(0.0, seconds))

    def forget(self, uid: str) -> None:
        """A run is gone; now and then, so are the series of owners without runs."""
        labels = self._age_of.pop(uid, None)
        if labels is not None:
            self._ages.remove(*labels)
        now = self._clock()
        if now - self._swept >= _SWEEP:
            self._swept = now
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        alive = {labels[:2] for labels in self._age_of.values()}
        for owner in [o for o, seen in self._seen.items() if o not in alive and now - seen >= _REMEMBERED]:
            del self._seen[owner]
            for family, labels in self._series.pop(owner):
                family.drop(labels)


def _version(registry: CollectorRegistry) -> None:
    """Which operator this is; the labels that a build of ours does not know stay empty."""
    labels = ("name", "image_version", "hookrun_version", "hooktemplate_version", "git_version", "git_commit")
    gauge = Gauge("bkbcs_hook_operator_version", "Version.", (*labels, "build_date"), registry=registry)
    gauge.labels("Hook", version("game-operators"), keys.VERSION, keys.VERSION, "", "", "").set(1)
