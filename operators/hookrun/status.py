"""The status of a HookRun as the API has it, to and from the state that is assessed (docs/spec/hooks.md 1.6).

An object that is larger than etcd takes can never be written again, so its run would never end. A status therefore has
a size that it keeps: single texts are cut, and of measurements the oldest go first. Counters always stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.api.hookrun import HookRunSpec
from operators.hookrun.assess import MeasurementState, MetricState, RunState
from operators.hookrun.outcome import clip, json_bytes
from operators.kube.errors import ApiError
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
#: Bytes of JSON of a whole status, of the message of a run, and of any other text in it.
STATUS_LIMIT = 256_000
_RUN_MESSAGE_LIMIT, _TEXT_LIMIT = 8192, 1024
#: What the API server and etcd say when an object or a request is larger than they take.
_TOO_LARGE = ("request is too large", "request entity too large", "message larger than max")


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
    """The status to write, at most `STATUS_LIMIT` bytes of JSON as long as the names in it are short."""
    status: dict[str, Any] = {"phase": str(state.phase), "observedGeneration": generation}
    message = clip(state.message, _RUN_MESSAGE_LIMIT)
    if message:
        status["message"] = message
    if state.started is not None:
        status["startedAt"] = rfc3339(state.started)
    good = state.phase == HookPhase.SUCCESSFUL
    status["conditions"] = [_ready(state, generation)]
    if state.completed is not None:
        status["completedAt"] = rfc3339(state.completed)
        known = next((c for c in old if c.get("type") == ("Complete" if good else "Failed")), None)
        status["conditions"].insert(
            0,
            {
                "type": "Complete" if good else "Failed",
                "status": "True",
                "reason": str(state.phase),
                "message": message or f"hook completed {state.phase}",
                "lastTransitionTime": (known or {}).get("lastTransitionTime") or rfc3339(state.completed),
            },
        )
    if state.results:
        results = [_dump_result(r) for r in state.results]
        _shorten(results, _size(status) + _size(results) - STATUS_LIMIT)
        status["metricResults"] = results
    return status


def _ready(state: RunState, generation: int) -> dict[str, Any]:
    """``Ready``: the hook has said yes. Short, since a status has a size that it keeps."""
    good, ended = state.phase == HookPhase.SUCCESSFUL, state.completed is not None
    phase = str(state.phase) or str(HookPhase.RUNNING)
    found: dict[str, Any] = {
        "type": "Ready",
        "status": "True" if good and ended else "False",
        "reason": phase,
        "message": f"hook completed {phase}" if ended else "the hook has not answered yet",
        "observedGeneration": generation,
    }
    since = state.completed if good and ended else state.started or state.completed
    return found if since is None else found | {"lastTransitionTime": rfc3339(since)}


def is_too_large(error: ApiError) -> bool:
    """Whether a write was refused because of the size of the object, so that it will never succeed."""
    return error.status == 413 or any(text in error.message.lower() for text in _TOO_LARGE)


def end_as_too_large(state: RunState, error: ApiError, now: float) -> RunState:
    """The end of a run whose status cannot be written: an Error that says why, with counters and no measurements."""
    message = f"the status cannot be written: {error.message}"
    results = tuple(replace(result, message="", measurements=()) for result in state.results)
    return replace(state, phase=HookPhase.ERROR, message=message, completed=now, results=results)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns the old status into the new one, empty when they are equal; it replaces lists."""
    gone: dict[str, Any] = {key: None for key in old if key not in new}
    return gone | {key: value for key, value in new.items() if old.get(key) != value}


def _dump_result(result: MetricState) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": result.name, "phase": str(result.phase)}
    if result.message:
        entry["message"] = clip(result.message, _TEXT_LIMIT)
    entry.update({key: getattr(result, field_) for key, field_ in _COUNTERS.items() if getattr(result, field_)})
    entry["measurements"] = [_dump_measurement(m) for m in result.measurements]
    return entry


def _dump_measurement(measurement: MeasurementState) -> dict[str, Any]:
    entry: dict[str, Any] = {"phase": str(measurement.phase), "startedAt": rfc3339(measurement.started)}
    if measurement.finished is not None:
        entry["finishedAt"] = rfc3339(measurement.finished)
    if measurement.resume is not None:
        entry["resumeAt"] = rfc3339(measurement.resume)
    if measurement.value is not None:
        entry["value"] = clip(measurement.value, _TEXT_LIMIT)
    if measurement.message:
        entry["message"] = clip(measurement.message, _TEXT_LIMIT)
    return entry


def _shorten(results: Sequence[dict[str, Any]], excess: int) -> None:
    """Take out so many bytes at least: the oldest measurements first, but never the last of a metric.

    What a metric does next depends on its last measurement. When these alone are too much, their values go.
    """
    older = [(m["startedAt"], number, m) for number, r in enumerate(results) for m in r["measurements"][:-1]]
    older.sort(key=lambda entry: entry[0])
    for _, number, measurement in older:
        if excess <= 0:
            return
        results[number]["measurements"].remove(measurement)
        excess -= _size(measurement) + 1
    for last in (r["measurements"][-1] for r in results if r["measurements"]):
        if excess > 0 and "value" in last:
            excess -= _size(last.pop("value"))


def _size(value: Any) -> int:
    """Bytes of a part of the status as JSON, commas and quotes included."""
    if isinstance(value, str):
        return json_bytes(value) + 2
    if isinstance(value, Mapping):
        return 2 + sum(_size(key) + _size(entry) + 2 for key, entry in value.items())
    if isinstance(value, list):
        return 2 + sum(_size(entry) + 1 for entry in value)
    return len(str(value))
