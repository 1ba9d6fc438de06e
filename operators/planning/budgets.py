"""How many pods an update may take at once (docs/spec/gamedeployment.md 2.7, 6.2; decisions 2 and 3).

Percentages are taken of the desired replicas: the partition and maxSurge round up, maxUnavailable rounds down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def _percent(value: int | str, total: int) -> float:
    """The share of ``total`` that an int or a percentage names; ints stay as they are.

    Raises:
        ValueError: neither an integer nor a percentage.
    """
    if isinstance(value, int):
        return float(value)
    text = value.strip()
    if text.endswith("%"):
        return int(text[:-1]) * total / 100
    return float(int(text))


def kept_old(partition: int | str | None, replicas: int) -> int:
    """Pods that stay at the old version: ``partition`` clamped to 0…replicas.

    A percentage rounds up, but below 100 % at least one pod is updated.
    """
    if partition is None:
        return 0
    kept = math.ceil(_percent(partition, replicas))
    if isinstance(partition, str) and partition.strip().endswith("%"):
        percent = int(partition.strip()[:-1])
        if 0 < percent < 100 and replicas > 0:
            kept = min(kept, replicas - 1)
    return max(0, min(kept, replicas))


def at_least_one(value: int | str, total: int) -> int:
    """A number of pods, or a percentage of ``total`` rounded up; never less than 1."""
    return max(1, math.ceil(_percent(value, total)))


@dataclass(frozen=True, slots=True)
class Budget:
    """Pods that may be down, and pods that may exist beyond the replicas, during an update."""

    unavailable: int
    surge: int


def budget(max_unavailable: int | str, max_surge: int | str, replicas: int) -> Budget:
    """The budget in pods. A percentage of maxUnavailable gives at least 1 when there is no surge to work with."""
    surge = max(0, math.ceil(_percent(max_surge, replicas)))
    unavailable = max(0, math.floor(_percent(max_unavailable, replicas)))
    is_percent = isinstance(max_unavailable, str) and max_unavailable.strip() not in ("0%", "0")
    if surge == 0 and unavailable == 0 and is_percent:
        unavailable = 1
    return Budget(unavailable, surge)


@dataclass(frozen=True, slots=True)
class Difference:
    """What scaling has to do: ``total`` > 0 pods too many, < 0 too few; ``old`` of them from (or at) the old version.

    ``old`` is negative where old pods are missing below the partition.
    """

    total: int
    old: int


def difference(replicas: int, kept: int, active: int, outdated: int, surge: int, restarting: int = 0) -> Difference:
    """Compare the pods there are with those there should be (docs/spec/gamedeployment.md 6.2).

    ``restarting`` pods are at the version they should have, and bring surge all the same.
    Never negative surge: a lost old pod is replaced, and raising the partition in mid-rollout deletes nothing.
    """
    if outdated == 0 and kept == 0:
        return Difference(active - replicas - min(surge, restarting), 0)
    if kept:
        old = outdated - min(kept, replicas)
        surge = max(0, min(surge, old + restarting))
    else:
        old = 0
        surge = min(surge, outdated + restarting)
    total = active - replicas - surge
    if kept == 0 and total >= 0:
        old = min(outdated, total)
    return Difference(total, old)
