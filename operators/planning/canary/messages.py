"""What is said of a canary: in conditions, and in Events."""

from __future__ import annotations

from operators.api.reasons import BlockedReason, EventReason, PauseReason
from operators.kube.times import rfc3339
from operators.planning.actions import Blocked, Note
from operators.planning.canary.commands import ABORT, RETRY, CanaryCommand
from operators.planning.canary.hooks import describe_run
from operators.planning.canary.state import CanaryState, PodCounts, describe
from operators.planning.views import HookRunView


def hook_failure(canary: CanaryState, run: HookRunView | None) -> str:
    """What the failed hook of the step said: as the mark has it, else its run."""
    mark = canary.recorded.mark
    if mark is not None and canary.marked and mark.message:
        return mark.message
    return describe_run(run) if run is not None else "its HookRun failed and is gone"


def paused(canary: CanaryState, reason: str, since: float, failure: str = "") -> Blocked:
    """The step waits since a time (Unix seconds), for its own end or for a person; ``failure`` is that of its hook."""
    if reason == PauseReason.HOOK_STEP:
        text = f"{canary.label}: {failure}; paused: set updateStrategy.paused to false to go on, or roll back"
        return Blocked(BlockedReason.CANARY_HOOK_FAILED, text, waiting=False)
    if reason == PauseReason.ABORTED:
        return Blocked(BlockedReason.CANARY_ABORTED, f"{canary.label}: {failure}", waiting=False)
    pause = canary.steps[canary.index or 0].pause
    if pause is not None and pause.duration is not None:
        text = f"{canary.label}: waits from {rfc3339(since)} until {rfc3339(since + pause.duration)}"
    else:
        text = f"{canary.label}: waits since {rfc3339(since)} for a person to set updateStrategy.paused to false"
    return Blocked(BlockedReason.CANARY_PAUSED, text)


def paused_by_user(canary: CanaryState, more: str = "") -> Blocked:
    """A person has paused; ``more`` is what the step lacks besides."""
    text = f"{canary.label}: updateStrategy.paused was set by a user, steps do not go on{more}"
    return Blocked(BlockedReason.PAUSED, text)


def rolled_back(canary: CanaryState, counts: PodCounts, failure: str) -> Blocked:
    """Pods go back to the stable revision, or there is none to go back to."""
    if not canary.rolling_back:
        text = f"{canary.label}: {failure}; autoRollback finds no revision {canary.stable!r} to go back to"
        return Blocked(BlockedReason.CANARY_ROLLBACK_NOT_POSSIBLE, text, waiting=False)
    text = (
        f"{canary.label}: {failure}; autoRollback: {counts.stable} of {counts.replicas} pods are at the stable "
        f"revision {canary.stable}; change the template, or set updateStrategy.paused to false to start the steps over"
    )
    return Blocked(BlockedReason.CANARY_ROLLED_BACK, text, waiting=False)


def aborted(canary: CanaryState, counts: PodCounts, said: str) -> Blocked:
    """A person has sent the pods back to the stable revision, or there is none to go back to."""
    if not canary.rolling_back:
        text = f"{canary.label}: {said}; there is no revision {canary.stable!r} to go back to"
        return Blocked(BlockedReason.CANARY_ROLLBACK_NOT_POSSIBLE, text, waiting=False)
    text = (
        f"{canary.label}: {said}: {counts.stable} of {counts.replicas} pods are at the stable revision "
        f"{canary.stable}; change the template, or set updateStrategy.paused to false to start the steps over"
    )
    return Blocked(BlockedReason.CANARY_ABORTED, text, waiting=False)


def command_obeyed(canary: CanaryState, command: CanaryCommand, to: int) -> Note:
    """A person's command is carried out."""
    count = len(canary.steps)
    if command.do == ABORT:
        text = f"{canary.label} is aborted: pods go back to the stable revision {canary.stable}"
    elif command.do == RETRY:
        text = f"the steps start again from step {to + 1} of {count} ({describe(canary.steps[to])})"
    else:
        names = "; ".join(f"{i + 1} ({describe(canary.steps[i])})" for i in range(command.index, to))
        onto = f"step {to + 1} of {count} ({describe(canary.steps[to])})" if to < count else "all pods"
        text = f"skipped: canary steps {names}; going on with {onto}"
    return Note("Normal", EventReason.CANARY_COMMAND_OBEYED, f"{text} ({command.do}, by {command.author})")


def command_stale(command: CanaryCommand, why: str) -> Note:
    """A person's command is taken off, and nothing else is done."""
    name = f"{command.do}, by {command.author}" if not command.problem else "unreadable"
    return Note("Warning", EventReason.CANARY_COMMAND_STALE, f"canary command ({name}) is not obeyed: {why}")


def resumed(canary: CanaryState, although: str = "") -> Note:
    """A person goes on."""
    text = f"{canary.label} is resumed: updateStrategy.paused is false{although}; going on{_next_step(canary)}"
    return Note("Normal", EventReason.CANARY_RESUMED, text)


def starts_over(canary: CanaryState, failure: str) -> Note:
    """A person goes on after an automatic rollback."""
    text = f"{canary.label} is resumed: updateStrategy.paused is false; the steps start over ({failure})"
    return Note("Normal", EventReason.CANARY_RESUMED, text)


def pause_over(canary: CanaryState, seconds: int | None) -> Note:
    """The time of a pause is over."""
    text = f"{canary.label}: {seconds} s are over, going on{_next_step(canary)}"
    return Note("Normal", EventReason.CANARY_PAUSE_OVER, text)


def pause_kept(canary: CanaryState, end: float) -> Note:
    """A person went on before the time of a pause was over."""
    text = f"{canary.label} lasts until {rfc3339(end)}: setting updateStrategy.paused does not shorten it"
    return Note("Normal", EventReason.CANARY_PAUSE_KEPT, text)


def step_reached(index: int) -> Note:
    """The index of the step has moved."""
    return Note("Normal", EventReason.SET_STEP_INDEX, f"Set Step Index to {index}")


def _next_step(canary: CanaryState) -> str:
    steps, following = canary.steps, (canary.index or 0) + 1
    if following == len(steps):
        return " with all pods"
    return f" with step {following + 1} of {len(steps)} ({describe(steps[following])})"
