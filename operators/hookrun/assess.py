"""What a HookRun measures now, and what its measurements mean (spec/hooks.md 4). Pure: the object and the time in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from operators.api.durations import parse_duration
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric
from operators.planning.inplace import rfc3339
from operators.planning.views import timestamp

FINAL = ("Successful", "Failed", "Error", "Inconclusive")
_WORST_LAST = ("Successful", "Running", "Pending", "Inconclusive", "Error", "Failed")
_KEPT, _ERROR_GAP = 10, 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement; times in Unix seconds."""

    phase: str
    started: float
    finished: float
    value: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Where a metric stands."""

    name: str
    phase: str = "Running"
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_successful: int = 0
    measurements: tuple[Measured, ...] = ()

    def with_measurement(self, measured: Measured) -> Result:
        """Count one more measurement; an error counts too, and ends a row of successes."""
        phase = measured.phase
        return replace(
            self,
            count=self.count + 1,
            successful=self.successful + (phase == "Successful"),
            failed=self.failed + (phase == "Failed"),
            inconclusive=self.inconclusive + (phase == "Inconclusive"),
            error=self.error + (phase == "Error"),
            consecutive_error=self.consecutive_error + 1 if phase == "Error" else 0,
            consecutive_successful=self.consecutive_successful + 1 if phase == "Successful" else 0,
            measurements=(*self.measurements, measured)[-_KEPT:],
        )


@dataclass(frozen=True, slots=True)
class RunState:
    """A HookRun as it stands. ``started`` is None before the first assessment."""

    spec: HookRunSpec
    phase: str = ""
    message: str = ""
    started: float | None = None
    completed: float | None = None
    results: tuple[Result, ...] = ()

    def result(self, name: str) -> Result | None:
        """The result of a metric, None before its first measurement."""
        return next((r for r in self.results if r.name == name), None)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What follows: the new state, metrics to measure now, when to look again, and metrics that just ended."""

    state: RunState
    measure: tuple[Metric, ...] = ()
    wake_after: float | None = None
    ended: tuple[Result, ...] = field(default=())


def refusal(spec: HookRunSpec) -> str:
    """Why the run cannot be executed, "" when it can; the first finding counts (spec/hooks.md 4.1)."""
    if not spec.metrics:
        return "no metrics specified"
    seen: set[str] = set()
    for number, metric in enumerate(spec.metrics):
        if metric.name in seen:
            return f"metrics[{number}]: duplicate name '{metric.name}"
        seen.add(metric.name)
        found = _metric_refusal(metric)
        if found:
            return f"metrics[{number}]: {found}"
    return ""


def _metric_refusal(metric: Metric) -> str:
    if metric.count > 0:
        if metric.count < (metric.failure_limit or 0) or metric.count < metric.successful_limit:
            return "count must be >= failureLimit && >= successfulLimit"
        if metric.count < metric.inconclusive_limit:
            return "count must be >= inconclusiveLimit"
    if metric.count > 1 and metric.interval is None:
        return "interval must be specified when count > 1"
    for text, name in ((metric.interval, "interval"), (metric.initial_delay, "startDelay")):
        if text is not None:
            try:
                parse_duration(text)
            except ValueError as error:
                return f"invalid {name} string: {error}"
    provider = metric.provider
    given = sum(p is not None for p in (provider.web, provider.prometheus, provider.kubernetes))
    return "" if given == 1 else ("no provider specified" if given == 0 else "multiple providers specified")


def effective_count(metric: Metric) -> int | None:
    """Measurements to take; None without end."""
    if metric.count:
        return metric.count
    return 1 if metric.interval is None else None


def metric_phase(metric: Metric, result: Result, *, terminating: bool) -> str:
    """The phase that the measurements so far mean; the first rule that matches counts (spec/hooks.md 4.4)."""
    if result.phase in FINAL:
        return result.phase
    if not result.measurements:
        return "Successful" if terminating else "Pending"
    single = metric.count == 0 and metric.interval is None
    undecided = not (metric.count or metric.successful_limit or metric.consecutive_successful_limit) and not single
    errors_allowed = metric.consecutive_error_limit
    row = metric.consecutive_successful_limit
    wanted = effective_count(metric)
    rules = (
        (metric.failure_limit is not None and result.failed > metric.failure_limit, "Failed"),
        (undecided and metric.failure_condition is not None and result.failed > 0, "Failed"),
        (metric.successful_limit > 0 and result.successful >= metric.successful_limit, "Successful"),
        (undecided and result.successful > 0, "Successful"),
        (result.inconclusive > metric.inconclusive_limit, "Inconclusive"),
        (errors_allowed is not None and result.consecutive_error >= max(1, errors_allowed), "Error"),
        (row is not None and result.consecutive_successful >= row, "Successful"),
        (single, result.measurements[-1].phase),
        (wanted is not None and result.count >= wanted, _exhausted(metric, result)),
        (terminating, "Successful"),
    )
    return next((phase for holds, phase in rules if holds), "Running")


def _exhausted(metric: Metric, result: Result) -> str:
    """The count ran out undecided: good by default, so that a delete can be forced (decision 4)."""
    return metric.on_count_exhausted if result.measurements[-1].phase != "Successful" else "Successful"


def assess(state: RunState, now: float) -> Assessment:
    """Assess a run: settle phases, say what to measure, and when to look again."""
    if state.phase in FINAL:
        return Assessment(state)
    if not state.results:
        reason = refusal(state.spec)
        if reason:
            return Assessment(replace(state, phase="Error", message=f"hook spec invalid: {reason}", completed=now))
    state = replace(state, started=state.started if state.started is not None else now)
    terminating = state.spec.terminate or any(r.phase in ("Failed", "Error", "Inconclusive") for r in state.results)
    settled, ended = [], []
    for result in state.results:
        metric = next((m for m in state.spec.metrics if m.name == result.name), None)
        phase = metric_phase(metric, result, terminating=terminating) if metric else result.phase
        if phase != result.phase:
            last = result.measurements[-1].message if result.measurements else ""
            settled.append(replace(result, phase=phase, message=last))
            if phase in FINAL:
                ended.append(settled[-1])
        else:
            settled.append(result)
    state = replace(state, results=tuple(settled))
    terminating = state.spec.terminate or any(r.phase in ("Failed", "Error", "Inconclusive") for r in state.results)
    phase = _run_phase(state, terminating=terminating)
    if phase in FINAL:
        return Assessment(replace(state, phase=phase, completed=now), ended=tuple(ended))
    state = replace(state, phase="Running")
    measure = () if terminating else tuple(_due(state, now))
    return Assessment(state, measure, _wake_after(state, now), tuple(ended))


def _run_phase(state: RunState, *, terminating: bool) -> str:
    """Worst of the metrics once all are final; metrics that a terminating run never began do not count."""
    phases = []
    for metric in state.spec.metrics:
        result = state.result(metric.name)
        if result is None:
            if terminating:
                continue
            return "Running"
        if result.phase not in FINAL:
            return "Running"
        phases.append(result.phase)
    return max(phases, key=_WORST_LAST.index, default="Successful")


def _due(state: RunState, now: float) -> list[Metric]:
    """Metrics to measure now, in order; under Ordered each waits for the one before (spec/hooks.md 4.2)."""
    due = []
    for number, metric in enumerate(state.spec.metrics):
        if state.spec.policy == "Ordered" and number:
            before = state.result(state.spec.metrics[number - 1].name)
            if before is None or before.phase not in FINAL:
                break
        result = state.result(metric.name)
        moment = _next_time(metric, result, state.started)
        if moment is not None and moment <= now:
            due.append(metric)
    return due


def _next_time(metric: Metric, result: Result | None, started: float | None) -> float | None:
    """When a metric is to be measured next, None when never."""
    if result is None:
        delay = parse_duration(metric.initial_delay) if metric.initial_delay else 0.0
        return (started or 0.0) + delay
    wanted = effective_count(metric)
    if result.phase in FINAL or (wanted is not None and result.count >= wanted) or not result.measurements:
        return None
    gap = parse_duration(metric.interval) if metric.interval else _ERROR_GAP
    return result.measurements[-1].finished + max(gap, 1.0)


def _wake_after(state: RunState, now: float) -> float | None:
    times = [_next_time(m, state.result(m.name), state.started) for m in state.spec.metrics]
    return min((max(0.0, t - now) for t in times if t is not None), default=None)


def record(state: RunState, name: str, measured: Measured) -> RunState:
    """Add a measurement to a run."""
    known = state.result(name)
    updated = (known or Result(name)).with_measurement(measured)
    others = [updated if r.name == name else r for r in state.results]
    return replace(state, results=tuple(others) if known else (*state.results, updated))


_COUNTERS = {
    "count": "count",
    "successful": "successful",
    "failed": "failed",
    "inconclusive": "inconclusive",
    "error": "error",
    "consecutiveError": "consecutive_error",
    "consecutiveSuccessful": "consecutive_successful",
}


def read_state(spec: HookRunSpec, status: Mapping[str, Any]) -> RunState:
    """The state that an object records."""
    results = tuple(
        Result(
            name=entry["name"],
            phase=entry.get("phase") or "Running",
            message=entry.get("message") or "",
            measurements=tuple(_measured(m) for m in entry.get("measurements") or ()),
            **{field_: int(entry.get(key) or 0) for key, field_ in _COUNTERS.items()},
        )
        for entry in status.get("metricResults") or ()
    )
    return RunState(
        spec=spec,
        phase=status.get("phase") or "",
        message=status.get("message") or "",
        started=timestamp(status.get("startedAt")),
        completed=timestamp(status.get("completedAt")),
        results=results,
    )


def _measured(entry: Mapping[str, Any]) -> Measured:
    finished = timestamp(entry.get("finishedAt")) or 0.0
    started = timestamp(entry.get("startedAt")) or finished
    return Measured(entry.get("phase") or "Error", started, finished, entry.get("value"), entry.get("message") or "")


def dump_status(state: RunState, generation: int, old: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The status to write."""
    status: dict[str, Any] = {"phase": state.phase, "observedGeneration": generation}
    if state.message:
        status["message"] = state.message
    if state.started is not None:
        status["startedAt"] = rfc3339(state.started)
    if state.completed is not None:
        status["completedAt"] = rfc3339(state.completed)
        good = state.phase == "Successful"
        known = next((c for c in old if c.get("type") == ("Complete" if good else "Failed")), None)
        status["conditions"] = [
            {
                "type": "Complete" if good else "Failed",
                "status": "True",
                "reason": state.phase,
                "message": state.message or f"hook completed {state.phase}",
                "lastTransitionTime": (known or {}).get("lastTransitionTime") or rfc3339(state.completed),
            }
        ]
    if state.results:
        status["metricResults"] = [_dump_result(r) for r in state.results]
    return status


def _dump_result(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": result.name, "phase": result.phase}
    if result.message:
        entry["message"] = result.message
    entry.update({key: getattr(result, field_) for key, field_ in _COUNTERS.items() if getattr(result, field_)})
    entry["measurements"] = [
        {
            "phase": m.phase,
            "startedAt": rfc3339(m.started),
            "finishedAt": rfc3339(m.finished),
            **({"value": m.value} if m.value is not None else {}),
            **({"message": m.message} if m.message else {}),
        }
        for m in result.measurements
    ]
    return entry
