"""The status of a HookRun as the API has it, to and from the state that is assessed (spec/hooks.md 1.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.api.hookrun import HookRunSpec
from operators.hookrun.assess import MeasurementState, MetricState, RunState
from operators.kube.times import rfc3339, timestamp

_COUNTERS = {
    "count": "count",
    "successful": "successful",
    "failed": "failed",
    "inconclusive": "inconclusive",
    "error": "error",
    "consecutiveError": "consecutive_error",
    "consecutiveSuccessful": "consecutive_successful",
}


def read_state(spec: HookRunSpec, status: Mapping[str, Any], *, subject: str = "", refused: str = "") -> RunState:
    """The state that an object records; for ``subject`` and ``refused`` see `RunState`."""
    results = tuple(
        MetricState(
            name=entry.get("name") or "",
            phase=entry.get("phase") or HookPhase.RUNNING,
            message=entry.get("message") or "",
            measurements=tuple(_read_measurement(m) for m in entry.get("measurements") or ()),
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
        subject=subject,
        refused=refused,
    )


def _read_measurement(entry: Mapping[str, Any]) -> MeasurementState:
    finished, resume = timestamp(entry.get("finishedAt")), timestamp(entry.get("resumeAt"))
    phase = entry.get("phase") or HookPhase.RUNNING
    if finished is None and phase in FINAL_PHASES:
        finished = timestamp(entry.get("startedAt")) or 0.0
    started = timestamp(entry.get("startedAt")) or finished or 0.0
    return MeasurementState(phase, started, finished, entry.get("value"), entry.get("message") or "", resume)


def dump_status(state: RunState, generation: int, old: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The status to write."""
    status: dict[str, Any] = {"phase": str(state.phase), "observedGeneration": generation}
    if state.message:
        status["message"] = state.message
    if state.started is not None:
        status["startedAt"] = rfc3339(state.started)
    if state.completed is not None:
        status["completedAt"] = rfc3339(state.completed)
        good = state.phase == HookPhase.SUCCESSFUL
        known = next((c for c in old if c.get("type") == ("Complete" if good else "Failed")), None)
        status["conditions"] = [
            {
                "type": "Complete" if good else "Failed",
                "status": "True",
                "reason": str(state.phase),
                "message": state.message or f"hook completed {state.phase}",
                "lastTransitionTime": (known or {}).get("lastTransitionTime") or rfc3339(state.completed),
            }
        ]
    if state.results:
        status["metricResults"] = [_dump_result(r) for r in state.results]
    return status


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns the old status into the new one, empty when they are equal; it replaces lists."""
    gone: dict[str, Any] = {key: None for key in old if key not in new}
    return gone | {key: value for key, value in new.items() if old.get(key) != value}


def _dump_result(result: MetricState) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": result.name, "phase": str(result.phase)}
    if result.message:
        entry["message"] = result.message
    entry.update({key: getattr(result, field_) for key, field_ in _COUNTERS.items() if getattr(result, field_)})
    entry["measurements"] = [
        {
            "phase": str(m.phase),
            "startedAt": rfc3339(m.started),
            **({"finishedAt": rfc3339(m.finished)} if m.finished is not None else {}),
            **({"resumeAt": rfc3339(m.resume)} if m.resume is not None else {}),
            **({"value": m.value} if m.value is not None else {}),
            **({"message": m.message} if m.message else {}),
        }
        for m in result.measurements
    ]
    return entry
