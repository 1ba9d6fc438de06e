"""Every combination of the fields that a canary is remembered by has one phase, and every phase has its move."""

import itertools

import pytest

from operators.api.reasons import PauseReason
from operators.api.strategies import Canary
from operators.planning.canary.phases import Phase, StepKind, kind_of, phase_of
from operators.planning.canary.state import DesiredRollout, PauseMark, RecordedState, canary_state
from operators.planning.canary.stephash import step_hash
from operators.planning.canary.steps import MOVES

PARTITION, PAUSE, HOOK = {"partition": 1}, {"pause": {}}, {"hook": {"templateName": "check"}}
BOTH = {"partition": 1, "pause": {}}
REASONS = tuple(PauseReason)
MARKS = [None, *itertools.product((0, 1), REASONS)]


def where(step, *, auto=False, index=0, update="new", pauses=(), mark=None, paused=False, count=2):
    """A canary at one of two equal steps, or behind them; ``mark`` is (step, reason)."""
    body = {"steps": [step] * count, "autoRollback": auto} if step is not None else None
    canary = None if body is None else Canary.model_validate(body)
    steps = canary.steps if canary else ()
    found = None if mark is None else PauseMark("new", step_hash(steps), mark[0], mark[1], 5.0)
    held = dict.fromkeys(pauses, 5.0)
    recorded = RecordedState(update, step_hash(steps), index, held, "old", mark=found, paused=paused)
    return canary_state(
        DesiredRollout(canary, None, paused, 3), recorded, "new", "old", mixed=True, known={"new", "old"}
    )


def every():
    """All combinations."""
    pauses = [(), *((r,) for r in REASONS), REASONS]
    for step, auto, index, update, held, mark, paused in itertools.product(
        (None, PARTITION, PAUSE, HOOK, BOTH), (False, True), (None, 0, 2), ("new", "old"), pauses, MARKS, (False, True)
    ):
        yield where(step, auto=auto, index=index, update=update, pauses=held, mark=mark, paused=paused)


def row(canary):
    kind = kind_of(canary.steps[canary.index]) if canary.active and not canary.begins else None
    return phase_of(canary), kind


def test_every_combination_of_the_fields_has_a_move_and_every_move_a_combination():
    assert {row(canary) for canary in every()} == MOVES.keys()


@pytest.mark.parametrize(
    ("how", "phase"),
    [
        ({"step": PAUSE}, Phase.IN_STEP),
        ({"step": PAUSE, "mark": (0, REASONS[0]), "paused": True}, Phase.PAUSE_MARKED),
        ({"step": PAUSE, "mark": (0, REASONS[0]), "paused": True, "pauses": REASONS[:1]}, Phase.PAUSED),
        ({"step": PAUSE, "mark": (0, REASONS[0]), "pauses": REASONS[:1]}, Phase.RESUMED),
        ({"step": PAUSE, "pauses": REASONS[:1]}, Phase.RESUMED),
        ({"step": PAUSE, "pauses": REASONS[:1], "paused": True}, Phase.PAUSE_UNMARKED),
        ({"step": PAUSE, "pauses": REASONS[:1], "paused": True, "mark": (1, REASONS[0])}, Phase.PAUSE_UNMARKED),
        ({"step": PAUSE, "paused": True}, Phase.USER_PAUSED),
        ({"step": PARTITION, "paused": True}, Phase.USER_PAUSED),
        ({"step": HOOK, "mark": (0, REASONS[1]), "paused": True, "pauses": REASONS[1:2]}, Phase.HOOK_FAILED),
        (
            {"step": HOOK, "mark": (0, REASONS[1]), "paused": True, "pauses": REASONS[1:2], "auto": True},
            Phase.ROLLING_BACK,
        ),
        ({"step": HOOK, "pauses": REASONS[1:2], "auto": True}, Phase.RESUMED),
        ({"step": PARTITION, "mark": (0, REASONS[2]), "paused": True}, Phase.PAUSE_MARKED),
        ({"step": PARTITION, "mark": (0, REASONS[2]), "paused": True, "pauses": REASONS[2:]}, Phase.ABORTED),
        ({"step": BOTH, "mark": (0, REASONS[2]), "paused": True, "pauses": REASONS[2:]}, Phase.ABORTED),
        ({"step": PAUSE, "mark": (0, REASONS[2]), "pauses": REASONS[2:]}, Phase.RETRIED),
        ({"step": BOTH, "paused": True}, Phase.IN_STEP),
        ({"step": HOOK, "update": "old"}, Phase.NOT_BEGUN),
        ({"step": HOOK, "index": None}, Phase.NOT_BEGUN),
        ({"step": HOOK, "index": 2}, Phase.DONE),
        ({"step": None}, Phase.WITHOUT_STEPS),
    ],
)
def test_what_the_fields_say(how, phase):
    assert phase_of(where(**how)) is phase


def test_a_step_asks_for_exactly_one_thing():
    steps = Canary.model_validate({"steps": [PARTITION, PAUSE, HOOK, BOTH, {}]}).steps
    kinds = [StepKind.PARTITION, StepKind.PAUSE, StepKind.HOOK, StepKind.INVALID, StepKind.INVALID]
    assert [kind_of(step) for step in steps] == kinds
