"""Conditions in the status, as ``kubectl wait`` and people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operators.api.reasons import ConditionType
from operators.kube.times import rfc3339

Json = Mapping[str, Any]
_MESSAGE_LIMIT = 1024


def condition(type_: str, status: bool, reason: str, message: str, generation: int) -> dict[str, Any]:  # noqa: FBT001
    """One condition, its transition time still open."""
    return {
        "type": type_,
        "status": "True" if status else "False",
        "reason": reason,
        "message": message[:_MESSAGE_LIMIT],
        "observedGeneration": generation,
    }


#: Types that the controllers of workloads write, now or in the Go operators.
OURS = frozenset(ConditionType)


def settle(old: Sequence[Json], new: Sequence[Json], now: float) -> list[dict[str, Any]]:
    """Give each condition its transition time: the old one unless the status changed.

    Conditions of types that are not `OURS` belong to others, and stay as they are (spec/gamestatefulset.md 8.4).
    """
    before = {c.get("type"): c for c in old}
    settled = []
    for entry in new:
        known = before.get(entry["type"])
        same = known is not None and known.get("status") == entry["status"]
        since = known["lastTransitionTime"] if same and known and known.get("lastTransitionTime") else rfc3339(now)
        settled.append({**entry, "lastTransitionTime": since})
    return settled + [dict(c) for c in old if c.get("type") not in OURS]
