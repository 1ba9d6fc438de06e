"""What a pass decides about a canary, and what the step in force comes to."""

from __future__ import annotations

from dataclasses import dataclass

from operators.planning.actions import Action, Blocked, Note, PatchSpec
from operators.planning.canary.state import CanaryStatus


@dataclass(frozen=True, slots=True)
class Decision:
    """What a pass does about the canary. ``patch`` is the move in the spec, ``wait`` a time to look again."""

    canary_status: CanaryStatus
    actions: tuple[Action, ...] = ()
    patch: PatchSpec | None = None
    blocked: tuple[Blocked, ...] = ()
    notes: tuple[Note, ...] = ()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The step is not over."""

    blocked: Blocked
    actions: tuple[Action, ...] = ()
    patch: PatchSpec | None = None
    notes: tuple[Note, ...] = ()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """The step asks for a pause."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over; ``said`` is why."""

    said: Note | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """The steps begin anew."""

    said: Note


#: What the step in force comes to.
Verdict = Wait | Pause | Done | Restart
