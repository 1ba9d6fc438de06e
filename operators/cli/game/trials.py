"""What a measurement means for a run, and how it is shown (``hook run``). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.api.hookrun import HookRunSpec
from operators.cli.game.documents import HookTrial, MetricTrial
from operators.cli.game.text import BAD, DIM, GOOD, HOLD, TITLE, Line, Span, line
from operators.hookrun.assess import MeasurementState, RunState, add_measurement, assess
from operators.hookrun.workers import MeasurementVerdict

Json = Mapping[str, Any]
_STYLES = {HookPhase.SUCCESSFUL: GOOD, HookPhase.FAILED: BAD, HookPhase.ERROR: BAD}


def outcome(spec: HookRunSpec, verdicts: Sequence[tuple[str, MeasurementVerdict]], now: float) -> tuple[str, str]:
    """The phase of these measurements, and what a run would do after them, by the controller's own rules."""
    state = RunState(spec, phase="Running", started=now)
    phases = [v.phase for _, v in verdicts]
    for name, verdict in verdicts:
        if verdict.phase != HookPhase.PENDING:
            measured = MeasurementState(verdict.phase, now, now, verdict.value, verdict.message)
            state = add_measurement(state, name, measured)
    worst = next((p for p in (HookPhase.ERROR, HookPhase.FAILED, HookPhase.INCONCLUSIVE) if p in phases), None)
    phase = str(worst or (HookPhase.PENDING if HookPhase.PENDING in phases else HookPhase.SUCCESSFUL))
    for _ in range(3):  # a run that ends for one metric ends the others in the pass after
        state = assess(state, now).state
    return phase, _as_a_run(spec, state)


def _as_a_run(spec: HookRunSpec, state: RunState) -> str:
    if state.phase in FINAL_PHASES:
        end = {
            HookPhase.SUCCESSFUL: "the pod may go, or the step goes on",
        }.get(HookPhase(state.phase), "the pod stays, or the step pauses, until a person acts")
        return f"ends {state.phase} at once: {end}"
    names = {r.name for r in state.results if r.phase in FINAL_PHASES}
    left = next((m for m in spec.metrics if m.name not in names), spec.metrics[0])
    pace = f"every {left.interval}" if left.interval else "again"
    if left.count:
        end = f"{left.count} times at most, then it ends {left.on_count_exhausted}"
    elif left.interval:
        end = "for ever"
    else:
        end = "until it answers"
    return f"asked {pace}, {end}; the pod stays as long as the answer is not as wanted"


def trial_screen(found: HookTrial) -> list[Line]:
    """What was asked, what came back, and what that means."""
    lines: list[Line] = []
    for one in found.metrics:
        lines += _metric(one)
    style = _STYLES.get(HookPhase(found.phase), HOLD)
    end = f"  As a run: {found.as_a_run}." if found.as_a_run else ""
    return [*lines, line(Span("once: ", TITLE), Span(found.phase, style), f".{end}")]


def _metric(one: MetricTrial) -> list[Line]:
    status = f" → {one.status} in {one.seconds * 1000:.0f} ms" if one.status is not None else ""
    answer = "   " + " ".join(one.answer.split()) if one.answer else ""
    lines = [line(Span(f"{one.name}: ", TITLE), f"{one.request}{status}", Span(answer, DIM))]
    read = [f'jsonPath {one.path} → "{one.value}"'] if one.path and one.value is not None else []
    if not one.path and one.value is not None:
        read = [f"value {one.value}"]
    read += [f"{condition} → {holds}" for condition, holds in one.conditions.items()]
    if read:
        lines.append(line("  " + "     ".join(read)))
    said = f": {one.message}" if one.message and not (one.conditions and one.phase == HookPhase.FAILED) else ""
    lines.append(line("  ", Span(one.phase, _STYLES.get(HookPhase(one.phase), HOLD)), said))
    return lines


def trials_of_run(body: Json) -> tuple[MetricTrial, ...]:
    """What a HookRun in the cluster has measured last, metric by metric."""
    spec = {m["name"]: m for m in (body.get("spec") or {}).get("metrics") or ()}
    found = []
    for result in (body.get("status") or {}).get("metricResults") or ():
        last: Json = (result.get("measurements") or ({},))[-1]
        metric = spec.get(result.get("name")) or {}
        provider = next(iter(metric.get("provider") or {}), "")
        settings = (metric.get("provider") or {}).get(provider) or {}
        found.append(
            MetricTrial(
                name=str(result.get("name")),
                provider=provider,
                request=f"{provider} {settings.get('url') or settings.get('query') or settings.get('function') or ''}",
                status=None,
                seconds=0.0,
                answer="",
                path=str(settings.get("jsonPath") or ""),
                value=last.get("value"),
                conditions={},
                phase=str(last.get("phase") or result.get("phase") or HookPhase.PENDING),
                message=str(last.get("message") or result.get("message") or ""),
            )
        )
    return tuple(found)
