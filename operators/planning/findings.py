"""What a step of planning finds: returned by the step, joined by who called it, never filled in by others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from operators.planning.actions import Action, Blocked


@dataclass(frozen=True, slots=True)
class Findings:
    """What to do, what waits or is refused, and after how many seconds time alone changes that."""

    actions: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    waits: tuple[float, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.actions + other.actions, self.blocked + other.blocked, self.waits + other.waits)


NOTHING = Findings()


def join(found: Iterable[Findings]) -> Findings:
    """All of them, in order; also for thousands of pods."""
    known = list(found)
    return Findings(
        tuple(a for f in known for a in f.actions),
        tuple(b for f in known for b in f.blocked),
        tuple(w for f in known for w in f.waits),
    )
