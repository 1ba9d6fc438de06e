"""Patches of ``paused`` and of the mark beside it, always written together."""

from __future__ import annotations

from operators.api import keys
from operators.planning.actions import PatchSpec
from operators.planning.canary.state import CanaryState, PauseMark
from operators.planning.canary.stephash import step_hash


def new_mark(canary: CanaryState, reason: str, since: float, message: str = "") -> PauseMark:
    """The mark of the step in force; ``since`` is in Unix seconds, ``message`` what a hook said."""
    return PauseMark(canary.update, step_hash(canary.steps), canary.index or 0, reason, since, message)


def mark_from_status(canary: CanaryState) -> PauseMark:
    """The mark of a pause that is in the status, and whose own mark is missing."""
    recorded = canary.recorded
    reason, since = min(recorded.pauses.items())
    if canary.active and not canary.begins:
        return new_mark(canary, reason, since)
    index = -1 if recorded.index is None else recorded.index
    return PauseMark(recorded.update, recorded.step_hash, index, reason, since)


def pause_patch(mark: PauseMark) -> PatchSpec:
    """Pause, and say which step did."""
    annotations = {keys.CANARY_PAUSE_ANNOTATION: mark.dump()}
    body = {"metadata": {"annotations": annotations}, "spec": {"updateStrategy": {"paused": True}}}
    return PatchSpec(body, f"paused by canary step {mark.step}")


def unmark(canary: CanaryState) -> PatchSpec:
    """Take the mark back, and the pause it stands for if nobody has done so already."""
    body: dict[str, object] = {"metadata": {"annotations": {keys.CANARY_PAUSE_ANNOTATION: None}}}
    if canary.recorded.paused:
        body["spec"] = {"updateStrategy": {"paused": False}}
    return PatchSpec(body, "the pause of a canary step is over")
