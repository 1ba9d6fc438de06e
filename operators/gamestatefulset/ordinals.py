"""Ordinals: which there are to be, and which pod holds one (docs/spec/gamestatefulset.md 2.3)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_NAME = re.compile(r"(.*)-([0-9]+)\Z")
_LARGEST = 2**31 - 1


def ordinal_of(workload: str, name: str) -> int | None:
    """The ordinal in a pod's name, None when the name is no member's.

    A member is called exactly ``<workload>-<ordinal>``: leading zeros, and numbers beyond 32 bits, are none of ours.
    """
    match = _NAME.match(name)
    if match is None or match.group(1) != workload:
        return None
    ordinal = int(match.group(2))
    return ordinal if ordinal <= _LARGEST and name == pod_name(workload, ordinal) else None


def pod_name(workload: str, ordinal: int) -> str:
    """``<workload>-<ordinal>``."""
    return f"{workload}-{ordinal}"


def count_up(reserved: Collection[int]) -> Iterator[int]:
    """0, 1, 2 … without those that must not exist."""
    ordinal = 0
    while True:
        if ordinal not in reserved:
            yield ordinal
        ordinal += 1


def members(replicas: int, reserved: Collection[int], beyond: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ordinals of the replicas, and the next ``beyond`` above them for surge; both ascending.

    Reserved ordinals do not exist: 3 replicas without 1 are 0, 2 and 3.
    """
    source = count_up(frozenset(reserved))
    return tuple(next(source) for _ in range(replicas)), tuple(next(source) for _ in range(beyond))
