"""Conditions in the status, as ``kubectl wait`` and people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from operators.api.reasons import ConditionType
from operators.kube.times import rfc3339
from operators.planning.workloadstatus import Condition

Json = Mapping[str, Any]
_MESSAGE_LIMIT = 1024
#: Types that the controllers of workloads write, now or in the Go operators.
OURS = frozenset(ConditionType)


def condition(type_: ConditionType, reason: str, message: str, generation: int, *, holds: bool) -> Condition:
    """One condition, its transition time still open."""
    return Condition(type_, "True" if holds else "False", reason, message[:_MESSAGE_LIMIT], generation)


def with_transition_times(
    old: Sequence[Json], new: Sequence[Condition | Json], now: float
) -> tuple[Condition | Json, ...]:
    """Give each new condition its transition time: the old one unless the status changed.

    A mapping among ``new`` is an old condition that stays as it is. So do conditions of types that are not `OURS`:
    they belong to others (docs/spec/gamestatefulset.md 8.4).
    """
    before = {c.get("type"): c for c in old}
    timed = [_timed(entry, before.get(entry.type), now) if isinstance(entry, Condition) else entry for entry in new]
    return (*timed, *(c for c in old if c.get("type") not in OURS))


def _timed(entry: Condition, known: Json | None, now: float) -> Condition:
    since = known.get("lastTransitionTime") if known is not None and known.get("status") == entry.status else None
    return replace(entry, last_transition_time=since or rfc3339(now))
