"""Events for what waits or is refused: written when it is new, and not again with every pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from operators.planning.actions import Blocked, Note

#: What comes and goes with every batch of a rollout is told again only after being away for so many seconds.
_AWAY = 60.0


class EventDeduplicator:
    """Which Events one workload has had. Memory of the process: after a restart each is written once more."""

    def __init__(self) -> None:
        self._stuck: set[tuple[str, str]] = set()
        self._seen: dict[str, float] = {}

    def new_notes(self, blocked: Sequence[Blocked], now: float) -> list[Note]:
        """One Event for each reason: of what needs a person for every pod that is new to it, else once."""
        by_reason: dict[str, list[Blocked]] = {}
        for item in blocked:
            by_reason.setdefault(item.reason, []).append(item)
        found = [note for reason, items in by_reason.items() if (note := self._of(reason, items, now)) is not None]
        self._stuck = {(b.reason, b.pod) for b in blocked if not b.waiting}
        return found

    def _of(self, reason: str, items: list[Blocked], now: float) -> Note | None:
        stuck = [b for b in items if not b.waiting]
        last = self._seen.get(reason)
        self._seen[reason] = now
        if stuck:
            new = [b for b in stuck if (b.reason, b.pod) not in self._stuck]
            return _announce("Warning", reason, new) if new else None
        return _announce("Normal", reason, items) if last is None or now - last > _AWAY else None


def _announce(type_: Literal["Normal", "Warning"], reason: str, items: list[Blocked]) -> Note:
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    return Note(type_, reason, f"{items[0].message}{more}")
