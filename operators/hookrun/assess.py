"""What a HookRun measures now, and the phases that follow from its measurements (docs/spec/hooks.md 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from operators.api.durations import parse_duration
from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric

_WORST_LAST = (
    HookPhase.SUCCESSFUL,
    HookPhase.RUNNING,
    HookPhase.PENDING,
    HookPhase.INCONCLUSIVE,
    HookPhase.ERROR,
    HookPhase.FAILED,
)
_KEPT, _ERROR_GAP = 10, 10.0
_STOPPED, _SKIPPED = "metric terminated", "Run Terminated"
#: Every condition can be read.
NO_UNREADABLE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MeasurementState:
    """One measurement; times in Unix seconds. ``finished`` is None while it goes on, ``resume`` says when to look."""

    phase: str
    started: float
    finished: float | None
    value: str | None = None
    message: str = ""
    resume: float | None = None


@dataclass(frozen=True, slots=True)
class MetricState:
    """Where a metric stands."""

    name: str
    phase: str = HookPhase.RUNNING
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_successful: int = 0
    measurements: tuple[MeasurementState, ...] = ()

    def with_measurement(self, measurement: MeasurementState) -> MetricState:
        """Count one more measurement; an error counts too, and ends a row of successes. One under way is replaced."""
        phase = measurement.phase
        unfinished = bool(self.measurements) and self.measurements[-1].finished is None
        kept = self.measurements[:-1] if unfinished else self.measurements
        return replace(
            self,
            count=self.count + 1,
            successful=self.successful + (phase == HookPhase.SUCCESSFUL),
            failed=self.failed + (phase == HookPhase.FAILED),
            inconclusive=self.inconclusive + (phase == HookPhase.INCONCLUSIVE),
            error=self.error + (phase == HookPhase.ERROR),
            consecutive_error=self.consecutive_error + 1 if phase == HookPhase.ERROR else 0,
            consecutive_successful=self.consecutive_successful + 1 if phase == HookPhase.SUCCESSFUL else 0,
            measurements=(*kept, measurement)[-_KEPT:],
        )


@dataclass(frozen=True, slots=True)
class RunState:
    """A HookRun as it stands. ``started`` is None before the first assessment.

    ``subject`` is its namespace and name, for messages; ``refused`` says why its spec cannot be read.
    """

    spec: HookRunSpec
    phase: str = ""
    message: str = ""
    started: float | None = None
    completed: float | None = None
    results: tuple[MetricState, ...] = ()
    subject: str = ""
    refused: str = ""

    def result(self, name: str) -> MetricState | None:
        """The result of a metric, None before its first measurement."""
        return next((r for r in self.results if r.name == name), None)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What follows: the new state, metrics to measure now, when to look again, and metrics that just ended."""

    state: RunState
    measure: tuple[Metric, ...] = ()
    wake_after: float | None = None
    ended: tuple[MetricState, ...] = field(default=())


def refusal(spec: HookRunSpec, unreadable: Mapping[str, str] = NO_UNREADABLE) -> str:
    """Why the run cannot be executed, "" when it can; the first reason counts (docs/spec/hooks.md 4.1).

    ``unreadable`` says of metrics, by name, which condition does not parse: all their measurements would be errors,
    until the count runs out and the pod goes.

    The texts are those of the Go operators, down to ``startDelay`` and the missing quote: tools match them.
    """
    if not spec.metrics:
        return "no metrics specified"
    seen: set[str] = set()
    for number, metric in enumerate(spec.metrics):
        if metric.name in seen:
            return f"metrics[{number}]: duplicate name '{metric.name}"
        seen.add(metric.name)
        found = _metric_refusal(metric) or unreadable.get(metric.name, "")
        if found:
            return f"metrics[{number}]: {found}"
    return ""


def _metric_refusal(metric: Metric) -> str:
    rules = (_count_refusal, _limit_refusal, _provider_refusal)
    return next((found for rule in rules if (found := rule(metric))), "")


def _count_refusal(metric: Metric) -> str:
    if metric.count > 0:
        if metric.count < (metric.failure_limit or 0) or metric.count < metric.successful_limit:
            return "count must be >= failureLimit && >= successfulLimit"
        if metric.count < metric.inconclusive_limit:
            return "count must be >= inconclusiveLimit"
    return "interval must be specified when count > 1" if metric.count > 1 and metric.interval is None else ""


def _limit_refusal(metric: Metric) -> str:
    for text, name in ((metric.interval, "interval"), (metric.initial_delay, "startDelay")):
        if text is not None:
            try:
                parse_duration(text)
            except ValueError as error:
                return f"invalid {name} string: {error}"
    for limit, name, least in (
        (metric.failure_limit, "failureLimit", 0),
        (metric.successful_limit, "successLimit", 0),
        (metric.inconclusive_limit, "inconclusiveLimit", 0),
        (metric.consecutive_error_limit, "consecutiveErrorLimit", 0),
        (metric.consecutive_successful_limit, "consecutiveSuccessfulLimit", 1),
    ):
        if limit is not None and limit < least:
            return f"{name} must be >= {least}"
    return ""


def _provider_refusal(metric: Metric) -> str:
    given = len(metric.provider.given())
    return "" if given == 1 else ("no provider specified" if given == 0 else "multiple providers specified")


_INVALID_FIELD = {
    "failureLimit": "failureLimit must be >= 0",
    "successfulLimit": "successLimit must be >= 0",
    "inconclusiveLimit": "inconclusiveLimit must be >= 0",
    "consecutiveErrorLimit": "consecutiveErrorLimit must be >= 0",
    "consecutiveSuccessfulLimit": "consecutiveSuccessfulLimit must be >= 1",
    "provider": "no provider specified",
}


def invalid_field(location: Sequence[int | str], text: str) -> str:
    """The reason, as `refusal` words it, for a spec that the models refuse at ``location``."""
    if tuple(location) == ("metrics",):
        return "no metrics specified"
    if len(location) == 3 and location[0] == "metrics" and location[2] in _INVALID_FIELD:
        return f"metrics[{location[1]}]: {_INVALID_FIELD[str(location[2])]}"
    return f"spec.{'.'.join(map(str, location))}: {text}"


def effective_count(metric: Metric) -> int | None:
    """Measurements to take; None without end."""
    if metric.count:
        return metric.count
    return 1 if metric.interval is None else None


def metric_phase(metric: Metric, result: MetricState, *, terminating: bool) -> str:
    """The phase that the measurements so far mean; the first rule that matches counts (docs/spec/hooks.md 4.4)."""
    if result.phase in FINAL_PHASES:
        return result.phase
    if not result.measurements:
        return HookPhase.SUCCESSFUL if terminating else HookPhase.PENDING
    if result.measurements[-1].phase not in FINAL_PHASES:
        return HookPhase.RUNNING
    single = metric.count == 0 and metric.interval is None
    undecided = not (metric.count or metric.successful_limit or metric.consecutive_successful_limit) and not single
    one_is_enough = undecided and metric.failure_condition is not None and metric.failure_limit is None
    errors_allowed = metric.consecutive_error_limit
    row = metric.consecutive_successful_limit
    wanted = effective_count(metric)
    rules = (
        (metric.failure_limit is not None and result.failed > metric.failure_limit, HookPhase.FAILED),
        (one_is_enough and result.failed > 0, HookPhase.FAILED),
        (metric.successful_limit > 0 and result.successful >= metric.successful_limit, HookPhase.SUCCESSFUL),
        (undecided and result.successful > 0, HookPhase.SUCCESSFUL),
        (result.inconclusive > metric.inconclusive_limit, HookPhase.INCONCLUSIVE),
        (errors_allowed is not None and result.consecutive_error >= max(1, errors_allowed), HookPhase.ERROR),
        (row is not None and result.consecutive_successful >= row, HookPhase.SUCCESSFUL),
        (single and result.count > 0, result.measurements[-1].phase),
        (wanted is not None and result.count >= wanted, _exhausted_phase(metric, result)),
        (terminating, HookPhase.SUCCESSFUL),
    )
    return next((phase for holds, phase in rules if holds), HookPhase.RUNNING)


def _exhausted_phase(metric: Metric, result: MetricState) -> str:
    """The count ran out: good by default whatever was measured, so that a delete can be forced (decision 4).

    ``onCountExhausted: Failed`` asks for what was wanted: the successes of a limit, without one that the last was one.
    """
    limited = bool(metric.successful_limit or metric.consecutive_successful_limit)
    reached = not limited and result.measurements[-1].phase == HookPhase.SUCCESSFUL
    return HookPhase.SUCCESSFUL if reached else metric.on_count_exhausted


def assess(
    state: RunState,
    now: float,
    running: Collection[str] = (),
    *,
    started: float | None = None,
    unreadable: Mapping[str, str] = NO_UNREADABLE,
) -> Assessment:
    """Assess a run: settle phases, say what to measure, and when to look again.

    ``running`` names metrics that are being measured: they are neither asked for again nor waited for by time.
    ``started`` is when the run began if its status does not tell yet; by default now. ``unreadable`` is as for
    `refusal`.
    """
    if state.phase in FINAL_PHASES:
        return Assessment(state)
    reason = state.refused or ("" if state.results else refusal(state.spec, unreadable))
    if reason:
        text = f"HookRun: {state.subject}, hook spec invalid: {reason}"
        return Assessment(replace(state, phase=HookPhase.ERROR, message=text, completed=now))
    if state.started is None:
        state = replace(state, started=now if started is None else started)
    if _is_terminating(state):
        state = _stop(state, now)
    state, ended = _settle(state)
    terminating = _is_terminating(state)
    phase = _run_phase(state, terminating=terminating)
    if phase in FINAL_PHASES:
        return Assessment(replace(state, phase=phase, completed=now), ended=ended)
    state = replace(state, phase=HookPhase.RUNNING)
    if terminating:  # what is left ends in the next pass
        return Assessment(state, wake_after=0.0, ended=ended)
    times = tuple((m, t) for m, t in _times(state) if m.name not in running)
    measure = tuple(metric for metric, moment in times if moment <= now)
    later = min((moment - now for _, moment in times if moment > now), default=None)
    return Assessment(state, measure, later, ended)


def _is_terminating(state: RunState) -> bool:
    """The run was interrupted, or a metric has ended otherwise than Successful."""
    return state.spec.terminate or any(
        r.phase in FINAL_PHASES and r.phase != HookPhase.SUCCESSFUL for r in state.results
    )


def _stop(state: RunState, now: float) -> RunState:
    """End measurements under way; on request, metrics that were never measured count as good (4.5 G1)."""
    for result in state.results:
        last = result.measurements[-1] if result.measurements else None
        if last is not None and last.finished is None and result.phase not in FINAL_PHASES:
            ended = replace(last, phase=HookPhase.SUCCESSFUL, finished=now, message=_STOPPED)
            state = add_measurement(state, result.name, ended)
    if not state.spec.terminate:
        return state
    known = {r.name for r in state.results}
    skipped = [MetricState(m.name, HookPhase.SUCCESSFUL, _SKIPPED) for m in state.spec.metrics if m.name not in known]
    return replace(state, results=(*state.results, *skipped))


def _settle(state: RunState) -> tuple[RunState, tuple[MetricState, ...]]:
    """Phases as the measurements have them now, and the results that became final by it."""
    terminating = _is_terminating(state)
    settled, ended = [], []
    for result in state.results:
        metric = next((m for m in state.spec.metrics if m.name == result.name), None)
        phase = metric_phase(metric, result, terminating=terminating) if metric else result.phase
        if phase == result.phase:
            settled.append(result)
            continue
        last = result.measurements[-1].message if result.measurements else ""
        settled.append(replace(result, phase=phase, message=last))
        if phase in FINAL_PHASES:
            ended.append(settled[-1])
    return replace(state, results=tuple(settled)), tuple(ended)


def _run_phase(state: RunState, *, terminating: bool) -> str:
    """Worst of the metrics once all are final; metrics that a terminating run never began do not count."""
    phases = []
    for metric in state.spec.metrics:
        result = state.result(metric.name)
        if result is None:
            if terminating:
                continue
            return HookPhase.RUNNING
        if result.phase not in FINAL_PHASES:
            return HookPhase.RUNNING
        phases.append(result.phase)
    return max(phases, key=_WORST_LAST.index, default=HookPhase.SUCCESSFUL)


def _times(state: RunState) -> Iterator[tuple[Metric, float]]:
    """When each metric is to be measured next; under Ordered each waits for the end of the one before (4.2)."""
    for number, metric in enumerate(state.spec.metrics):
        if state.spec.policy == "Ordered" and number:
            before = state.result(state.spec.metrics[number - 1].name)
            if before is None or before.phase not in FINAL_PHASES:
                return
        moment = _next_time(metric, state.result(metric.name), state.started)
        if moment is not None:
            yield metric, moment


def _seconds(text: str | None, absent: float) -> float | None:
    """A duration; None when it cannot be read, as in an object older than the validation."""
    if text is None:
        return absent
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _next_time(metric: Metric, result: MetricState | None, started: float | None) -> float | None:
    """When a metric is to be measured next, None when never."""
    if result is not None and result.phase in FINAL_PHASES:
        return None
    if result is None or not result.measurements:
        delay = _seconds(metric.initial_delay, 0.0)
        return None if delay is None else (started or 0.0) + delay
    last, wanted = result.measurements[-1], effective_count(metric)
    if last.finished is None:
        return last.resume if last.resume is not None else last.started
    gap = _seconds(metric.interval, _ERROR_GAP)
    if gap is None or (wanted is not None and result.count >= wanted):
        return None
    return last.finished + max(gap, 1.0)


def add_measurement(state: RunState, name: str, measurement: MeasurementState) -> RunState:
    """Add a measurement to a run."""
    known = state.result(name)
    updated = (known or MetricState(name)).with_measurement(measurement)
    others = [updated if r.name == name else r for r in state.results]
    return replace(state, results=tuple(others) if known else (*state.results, updated))
