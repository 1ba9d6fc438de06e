"""Who goes first: the order of updates and of scale-in (docs/spec/gamedeployment.md 2.7, 6.4; decision 10)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from operators.api import keys
from operators.planning.views import PodView

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}

SortKey = tuple[Any, ...]


def expendable(pod: PodView) -> SortKey:
    """The least useful pod sorts first: unscheduled, pending, not ready, just ready, often restarted, young."""
    return (
        bool(pod.node),
        _PHASES.get(pod.phase, 2),
        pod.ready,
        -(pod.ready_since or 0.0),
        -pod.restarts,
        -pod.created,
        pod.name,
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _pod_cost(pod: PodView) -> float | None:
    cost = _number(pod.annotations.get(keys.POD_COST_ANNOTATION))
    return cost if cost is not None else _number(pod.annotations.get(keys.LEGACY_POD_COST_ANNOTATION))


def cost_order(node_costs: Mapping[str, str], *, descending: bool) -> Callable[[PodView], SortKey]:
    """Sort key of scale-in.

    Pods that have not started serve nobody and go before any cost is asked. Then node cost and pod cost decide (a
    missing or unreadable one goes last); among equals not-ready pods go before ready ones, then the newest, then who
    got ready last and who restarted most.
    """

    def key(pod: PodView) -> SortKey:
        node, cost = _number(node_costs.get(pod.node)), _pod_cost(pod)
        return (
            bool(pod.node),
            pod.phase != "Pending",
            math.inf if node is None else node,
            math.inf if cost is None else (-cost if descending else cost),
            pod.ready,
            _PHASES.get(pod.phase, 2),
            -pod.created,
            -(pod.ready_since or 0.0),
            -pod.restarts,
            pod.name,
        )

    return key


def choose_victims(
    old: Sequence[PodView],
    new: Sequence[PodView],
    total: int,
    from_old: int,
    chosen: Collection[str],
    order: Callable[[PodView], SortKey],
) -> list[PodView]:
    """``total`` pods to remove, ``from_old`` of them old ones; where one group has too few, fewer go.

    Pods already ``chosen`` (their hook was asked) come first, so that a restart never picks a second victim. A new pod
    that is not ready may go in place of an old one, because it never outlives a ready pod of equal cost (decision 10):
    scaling in while a broken version is stuck at its budget must not end a match.
    """

    def first(pods: Sequence[PodView], count: int) -> list[PodView]:
        if count >= len(pods):
            return list(pods)
        return sorted(pods, key=lambda p: (p.name not in chosen, order(p)))[: max(0, count)]

    if total <= 0:
        return []
    if from_old <= 0:
        return first(new, total)
    expected = first([*old, *(p for p in new if not p.ready)], min(from_old, total))
    taken = {p.name for p in expected}
    return expected + first([p for p in new if p.name not in taken], total - max(from_old, len(expected)))
