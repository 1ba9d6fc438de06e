"""What becomes of a person's command in a pass: obeyed, waited with, found done, or found stale.

The index of the step is in the status and the command in an annotation, so that two writes are needed, in one order:
first the index moves, then the annotation goes. Whoever finds the annotation beside an index that stands where the
command wanted it takes it off and does nothing else. ``abort`` is one patch: the mark of the way back comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from operators.kube.times import rfc3339
from operators.planning.canary.commands import ABORT, PROMOTE_FULL, RETRY, CanaryCommand
from operators.planning.canary.phases import Phase, phase_of
from operators.planning.canary.state import CanaryState
from operators.planning.canary.stephash import same_steps


class Standing(Enum):
    """Where a command stands."""

    #: It is for another revision, list or step, or asks for what there is not.
    STALE = auto()
    #: The object has to be put on record first.
    WAITS = auto()
    #: To be obeyed now.
    IN_FORCE = auto()
    #: The index stands where it was to go.
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Hearing:
    """Where a command stands; ``why`` it is stale, and the index ``to`` which it leads."""

    standing: Standing
    why: str = ""
    to: int = 0


def hear(canary: CanaryState, command: CanaryCommand) -> Hearing:
    """Judge a command."""
    why = command.problem or _for_another(canary, command)
    if why:
        return Hearing(Standing.STALE, why)
    if canary.begins or phase_of(canary) is Phase.PAUSE_UNMARKED:
        return Hearing(Standing.WAITS)
    to = _goal(canary, command)
    possible = to < len(canary.steps) if command.do == RETRY else command.do != ABORT
    if possible and canary.index == to and not (command.index == to and canary.recorded.pauses):
        return Hearing(Standing.DONE, to=to)
    why = _not_now(canary, command, to)
    return Hearing(Standing.STALE, why) if why else Hearing(Standing.IN_FORCE, to=to)


def _for_another(canary: CanaryState, command: CanaryCommand) -> str:
    if command.revision != canary.update:
        return f"it is for revision {command.revision}, in force is {canary.update}"
    if not canary.steps:
        return "there are no canary steps"
    if not same_steps(command.steps, canary.steps):
        return f"it is for another list of steps (hash {command.steps})"
    return ""


def _goal(canary: CanaryState, command: CanaryCommand) -> int:
    if command.do == PROMOTE_FULL:
        return len(canary.steps)
    if command.do == RETRY:
        return command.to or 0
    return command.index + 1 if command.to is None else command.to


def _not_now(canary: CanaryState, command: CanaryCommand, to: int) -> str:
    index, count = canary.index or 0, len(canary.steps)
    if not canary.active:
        return "all steps are done"
    if command.index != index:
        return f"it is for step {command.index + 1}, in force is step {index + 1} of {count}"
    if command.do == ABORT:
        return "" if canary.returnable else f"no revision {canary.stable!r} is stored to go back to"
    if command.do == RETRY and not 0 <= to <= index:
        return f"retry goes back to a step from 1 to {index + 1}, not to {to + 1}"
    if command.do != RETRY and not index < to <= count:
        return f"a skip goes on to a step from {index + 2} to {count + 1}, not to {to + 1}"
    since = max(canary.recorded.pauses.values(), default=0.0)
    if to == index and command.at < since:
        return f"it was asked for at {rfc3339(command.at)}, before the pause it would end began ({rfc3339(since)})"
    return ""
