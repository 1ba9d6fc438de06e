"""The phases of a canary, and how the object says which one holds.

Four fields on the object tell it, and nothing else is remembered: ``paused`` in the spec, the mark beside it in an
annotation, the pause conditions in the status, and the index of the step in the status (with the revision and the hash
of the list that it counts for). They are written one at a time, and the operator may stop between any two writes, so
that every combination of them has exactly one phase.

The usual way of a pausing step, with the writer of each change::

    IN_STEP ──controller: spec──▶ PAUSE_MARKED ──controller: status──▶ PAUSED or HOOK_FAILED
                                                                         │ a person: paused false
    IN_STEP of the next step ◀──controller: mark off, then status── RESUMED
"""

from __future__ import annotations

from enum import Enum, auto

from operators.api.reasons import PauseReason
from operators.api.strategies import CanaryStep
from operators.planning.canary.state import CanaryState


class StepKind(Enum):
    """What a step asks for."""

    PARTITION = auto()
    PAUSE = auto()
    HOOK = auto()
    #: Not exactly one of the three.
    INVALID = auto()


class Phase(Enum):
    """Where a canary stands between two writes."""

    #: The status holds a pause and the spec is paused, but the mark is missing, or is that of another step.
    PAUSE_UNMARKED = auto()
    #: The revision or the list of steps is not the one on record.
    NOT_BEGUN = auto()
    #: There is no list of steps.
    WITHOUT_STEPS = auto()
    #: All steps are done.
    DONE = auto()
    #: The mark of the step in force stands in the spec, and its pause not yet in the status.
    PAUSE_MARKED = auto()
    #: The step is under way, and nothing holds it.
    IN_STEP = auto()
    #: A person has paused: nothing goes on, and nobody resets it.
    USER_PAUSED = auto()
    #: The pause of a pause step is on record.
    PAUSED = auto()
    #: The failure of the step's hook is on record.
    HOOK_FAILED = auto()
    #: The same, and ``autoRollback`` is on.
    ROLLING_BACK = auto()
    #: A person's abort is on record.
    ABORTED = auto()
    #: An abort is on record, and ``paused`` is false: a person's word to start over.
    RETRIED = auto()
    #: The pause of the step is on record, and ``paused`` is false: a person's word to go on.
    RESUMED = auto()


#: The reason under which a step's pause stands in the status.
_REASONS = {StepKind.PAUSE: PauseReason.PAUSE_STEP, StepKind.HOOK: PauseReason.HOOK_STEP}


def kind_of(step: CanaryStep) -> StepKind:
    """What a step asks for."""
    asked = {StepKind.PARTITION: step.partition, StepKind.PAUSE: step.pause, StepKind.HOOK: step.hook}
    given = [kind for kind, value in asked.items() if value is not None]
    return given[0] if len(given) == 1 else StepKind.INVALID


def phase_of(canary: CanaryState) -> Phase:
    """The phase that the recorded fields say."""
    recorded = canary.recorded
    marked_for_another = canary.active and not canary.begins and not canary.marked
    if recorded.pauses and recorded.paused and (recorded.mark is None or marked_for_another):
        return Phase.PAUSE_UNMARKED
    if not canary.steps:
        return Phase.WITHOUT_STEPS
    if canary.begins:
        return Phase.NOT_BEGUN
    if not canary.active:
        return Phase.DONE
    if canary.marked and recorded.mark is not None and recorded.mark.reason not in recorded.pauses:
        return Phase.PAUSE_MARKED
    return _phase_in_step(canary, kind_of(canary.steps[canary.index or 0]))


def _phase_in_step(canary: CanaryState, kind: StepKind) -> Phase:
    recorded = canary.recorded
    if PauseReason.ABORTED in recorded.pauses:
        return Phase.ABORTED if recorded.paused else Phase.RETRIED
    if kind is StepKind.INVALID:
        return Phase.IN_STEP
    if _REASONS.get(kind) not in recorded.pauses:
        return Phase.USER_PAUSED if recorded.user_paused else Phase.IN_STEP
    if not recorded.paused:
        return Phase.RESUMED
    if kind is StepKind.PAUSE:
        return Phase.PAUSED
    return Phase.ROLLING_BACK if canary.automatic else Phase.HOOK_FAILED
