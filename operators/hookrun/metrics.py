"""Metrics of hooks under the names that dashboards know (docs/spec/packaging.md 5.1), and two of our own.

Series of a run are removed with the run. Those of an owner stay for an hour after its last run: runs last seconds, and
a series must not be removed before it was scraped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge

from operators.api import keys
from operators.api.hookphase import HookPhase
from operators.api.hooktemplate import Metric
from operators.hookrun.view import RunView
from operators.runtime.durations import Durations

_REMEMBERED, _SWEEP = 3600.0, 60.0
_Owner = tuple[str, str]


class HookMetrics:
    """What happens to HookRuns. Times of runs are Unix time, ``clock`` is monotonic."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        prefix = "bkbcs_hook_"
        self._clock = clock
        owner = ("namespace", "owner")
        self._passes = Durations(registry, prefix + "reconcile_duration_seconds", "One pass.", (*owner, "status"))
        self._executions = Durations(
            registry,
            prefix + "hookrun_exec_duration_seconds",
            "Parts of the work on a run.",
            (*owner, "action", "status"),
            extremes=True,
            empty=("uid",),
        )
        self._measurements = Durations(
            registry,
            prefix + "metric_exec_duration_seconds",
            "One measurement.",
            (*owner, "metric", "phase"),
            extremes=True,
        )
        self._runs = Durations(
            registry, prefix + "hookrun_duration_seconds", "A run from start to end.", (*owner, "phase")
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
        self._series: dict[_Owner, set[tuple[Durations, tuple[str, ...]]]] = {}
        self._swept = clock()
        _version(registry)

    def _observe(self, family: Durations, run: RunView, seconds: float, *labels: str) -> None:
        owner = (run.namespace, run.owned_by)
        full = (*owner, *labels)
        self._seen[owner] = self._clock()
        self._series.setdefault(owner, set()).add((family, full))
        family.labels(*full).observe(max(0.0, seconds))

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
                family.forget(*labels)


def _version(registry: CollectorRegistry) -> None:
    """Which operator this is; the labels that a build of ours does not know stay empty."""
    labels = ("name", "image_version", "hookrun_version", "hooktemplate_version", "git_version", "git_commit")
    gauge = Gauge("bkbcs_hook_operator_version", "Version.", (*labels, "build_date"), registry=registry)
    gauge.labels("Hook", version("game-operators"), keys.VERSION, keys.VERSION, "", "", "").set(1)
