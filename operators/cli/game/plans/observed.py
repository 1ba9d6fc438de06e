"""How long pods took so far: starts and restarts, read off the conditions of the pods that are there. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from operators.api import keys
from operators.kube.times import timestamp
from operators.planning.inplace.annotations import read_state

Json = Mapping[str, Any]
#: Seconds beyond which it was no start: a probe has changed its mind later.
_LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Took:
    """A time span that was observed so often; ``seconds`` is None where it never was."""

    seconds: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Spans:
    """From creation to ready, and from a new image (or the end of the old container) to ready."""

    start: Took
    restart: Took


def observed(pods: Iterable[Json], *, slow: bool = False) -> Spans:
    """The median of what these pods took, or the time that nine of ten took at most (``slow``)."""
    starts: list[float] = []
    restarts: list[float] = []
    for body in pods:
        ready = _ready_since(body)
        if ready is None:
            continue
        restarted = _restarted(body)
        begun = restarted if restarted is not None else timestamp(body["metadata"].get("creationTimestamp"))
        if begun is not None and 0 <= ready - begun <= _LONGEST:
            (starts if restarted is None else restarts).append(ready - begun)
    return Spans(_took(starts, slow=slow), _took(restarts, slow=slow))


def _took(values: Sequence[float], *, slow: bool) -> Took:
    if not values:
        return Took(None, 0)
    ordered = sorted(values)
    part = 0.9 if slow else 0.5
    return Took(ordered[max(0, math.ceil(part * len(ordered)) - 1)], len(ordered))


def _ready_since(body: Json) -> float | None:
    for condition in (body.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return timestamp(condition.get("lastTransitionTime"))
    return None


def _restarted(body: Json) -> float | None:
    """When its containers began to change for the last time: patched in place, or ended and started anew."""
    metadata, statuses = body["metadata"], (body.get("status") or {}).get("containerStatuses") or ()
    ends = [
        timestamp(((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
        for s in statuses
        if s.get("restartCount")
    ]
    times = [t for t in ends if t is not None]
    state = read_state((metadata.get("annotations") or {}).get(keys.INPLACE_STATE_ANNOTATION))
    if state is not None:
        times += [before.at for before in state.recorded.values() if before.at is not None]
    return max(times, default=None)
