"""Patches of ``paused`` and of the mark beside it, always written together."""

from __future__ import annotations

from typing import Any

from operators.api import keys
from operators.api.reasons import PauseReason
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


def abort_patch(canary: CanaryState, author: str, since: float) -> PatchSpec:
    """Pause for the way back to the stable revision, and take the command off that asks for it: one write."""
    patch = pause_patch(new_mark(canary, PauseReason.ABORTED, since, f"aborted by {author}"))
    return without_command(patch)


def without_command(patch: PatchSpec | None) -> PatchSpec:
    """The patch, or an empty one, that takes a person's command off besides."""
    body: dict[str, Any] = dict(patch.patch) if patch is not None else {}
    annotations = {**(body.get("metadata") or {}).get("annotations", {}), keys.CANARY_COMMAND_ANNOTATION: None}
    body["metadata"] = {**(body.get("metadata") or {}), "annotations": annotations}
    return PatchSpec(body, patch.reason if patch is not None else "a canary command is taken off")


def unmark(canary: CanaryState) -> PatchSpec:
    """Take the mark back, and the pause it stands for if nobody has done so already."""
    body: dict[str, object] = {"metadata": {"annotations": {keys.CANARY_PAUSE_ANNOTATION: None}}}
    if canary.recorded.paused:
        body["spec"] = {"updateStrategy": {"paused": False}}
    return PatchSpec(body, "the pause of a canary step is over")
