"""What a HookRun has measured, read off its object: nothing but errors, and for how long (docs/spec/hooks.md 6.6).

Pure, and without a clock: how long follows from the times of the measurements, so that what is seen changes only with
the object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operators.api.durations import parse_duration
from operators.api.hookphase import FINAL_PHASES, HookPhase
from operators.kube.times import timestamp

Json = Mapping[str, Any]
#: A metric that has measured nothing but errors so many times, and for so many seconds, needs a person.
TIMES, SECONDS = 3, 60.0
#: Errors by which a provider says what it has read: no value as wanted is an answer, not a failure to get one.
_ANSWERS = ("Get failed. Path: ", "Path: ")


@dataclass(frozen=True, slots=True)
class Measured:
    """``unanswered``: it has measured something or has ended, not as Successful, and nothing it got was an answer.

    ``failing`` is the metric that needs a person and what went wrong last, "" while none does; ``since`` is when it was
    measured first (Unix seconds).
    """

    unanswered: bool = False
    failing: str = ""
    since: float = 0.0


NOTHING_MEASURED = Measured()


def measured(spec: Json, status: Json) -> Measured:
    """What the status of a run says of its measurements."""
    phase = status.get("phase") or ""
    results = [r for r in status.get("metricResults") or () if r.get("measurements")]
    erring = [r for r in results if _only_errors(r)]
    unanswered = len(erring) == len(results) and (bool(results) or phase == HookPhase.ERROR)
    if phase in FINAL_PHASES:
        return Measured(unanswered and phase != HookPhase.SUCCESSFUL)
    for result in erring:
        since, last = _since(spec, status, result), result["measurements"][-1]
        lasted = (timestamp(last.get("finishedAt")) or 0.0) - since
        if result.get("phase") not in FINAL_PHASES and int(result["count"]) >= TIMES and lasted >= SECONDS:
            said = str(last.get("message") or last.get("phase"))
            return Measured(unanswered, f"metric {result.get('name')}: {said}"[:300], since)
    return Measured(unanswered)


def _only_errors(result: Json) -> bool:
    """Every measurement was an error, and none of those on record says what was read."""
    count = int(result.get("count") or 0)
    if not count or int(result.get("error") or 0) != count:
        return False
    return not any(str(m.get("message") or "").startswith(_ANSWERS) for m in result["measurements"])


def _since(spec: Json, status: Json, result: Json) -> float:
    """When the metric was measured first; where that is not on record any more, the earliest it can have been."""
    kept = result["measurements"]
    if len(kept) >= int(result.get("count") or 0):
        return timestamp(kept[0].get("startedAt")) or 0.0
    return max((timestamp(status.get("startedAt")) or 0.0, *_not_before(spec, status, str(result.get("name")))))


def _not_before(spec: Json, status: Json, name: str) -> Iterator[float]:
    """Times before which the metric cannot have been measured: its delay, and under Ordered the end of others."""
    ended = {r.get("name"): r["measurements"][-1] for r in status.get("metricResults") or () if r.get("measurements")}
    for metric in spec.get("metrics") or ():
        if metric.get("name") == name:
            try:
                delay = parse_duration(str(metric.get("initialDelay") or "0s"))
            except ValueError:
                delay = 0.0
            yield (timestamp(status.get("startedAt")) or 0.0) + delay
            return
        if spec.get("policy") == "Ordered" and metric.get("name") in ended:
            yield timestamp(ended[metric.get("name")].get("finishedAt")) or 0.0


def version(spec: Json, *, with_args: bool = True) -> str:
    """What a HookTemplate asks, as a short text that is equal for equal questions.

    Of a HookRun only metrics and policy can be compared: its arguments are filled.
    """
    asked = {"metrics": spec.get("metrics") or (), "policy": spec.get("policy") or ""}
    if with_args:
        asked["args"] = spec.get("args") or ()
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=list).encode()).hexdigest()[:16]
