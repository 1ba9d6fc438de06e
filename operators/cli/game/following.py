"""How a wait for a rollout ends, and what it says meanwhile. Pure: one look at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from operators.api.reasons import BlockedReason, ConditionType
from operators.cli.game.documents import Summary
from operators.cli.game.exits import Exit, UsageError
from operators.cli.game.subject import Subject
from operators.cli.game.summary import planned_conditions, summary
from operators.cli.game.text import elapsed

#: Seconds after which a generation that the operators have not seen is worth an explanation.
UNSEEN_FOR = 30.0


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for; ``step`` counts from 1."""

    what: Literal["complete", "paused", "available", "step"] = "complete"
    step: int = 0


def read_goal(text: str) -> Goal:
    """``complete``, ``paused``, ``available`` or ``step=N``.

    Raises:
        UsageError: it is none of these.
    """
    if text == "complete":
        return Goal("complete")
    if text == "paused":
        return Goal("paused")
    if text == "available":
        return Goal("available")
    word, _, number = text.partition("=")
    if word == "step" and number.isdigit() and int(number) > 0:
        return Goal("step", int(number))
    raise UsageError(f"--for={text}: say complete, paused, available or step=N")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: a line for people, how the wait ends by it (None: it goes on), and in which words."""

    line: str
    code: Exit | None = None
    sentence: str = ""
    unseen: bool = False


@dataclass
class Follower:
    """A wait. Times are Unix seconds; ``revision`` is what was asked for, "" where a newer release is followed."""

    goal: Goal
    began: float
    blocked_grace: float
    revision: str = ""
    _blocked_since: float | None = None
    _update: str = ""
    _told: str = field(default="", repr=False)

    def look(self, subject: Subject) -> Look:
        """What the workload says now."""
        found, now = summary(subject), subject.now
        name = found.workload.name
        if subject.view.deleting:
            return Look(f"{name} is being deleted", Exit.FAILED, f"{name} is being deleted.")
        if not subject.seen:
            return Look(f"generation {subject.view.generation} is not seen by the operators yet", unseen=True)
        replaced = self._replaced(subject, name)
        if replaced is not None:
            return replaced
        line = progress(found)
        reached = self._reached(subject, found)
        if reached:
            return Look(line, Exit.REACHED, f"{reached} {after(now - self.began)}.")
        return self._stopped(subject, found, line)

    def new_release(self, subject: Subject) -> str:
        """A line about a release that has come meanwhile, "" when there is none; to be asked before `look`."""
        update = _update_revision(subject)
        before, self._update = self._update, update or self._update
        if before and update and before != update and not self.revision:
            return f"a new release: {update} takes the place of {before}, and is followed now"
        return ""

    def _replaced(self, subject: Subject, name: str) -> Look | None:
        """Another revision than the one that was asked for is rolled out."""
        update = _update_revision(subject)
        if not self.revision or update == self.revision:
            return None
        text = f"{name} goes to revision {update}, not to {self.revision}"
        return Look(text, Exit.FAILED, f"{text}.")

    def _reached(self, subject: Subject, found: Summary) -> str:
        """The sentence of a goal that is reached, "" while it is not."""
        name, pods = found.workload.name, found.pods
        if self.goal.what == "available":
            held = planned_conditions(subject).get(ConditionType.AVAILABLE, {})
            return f"{name} is available: {held.get('message')}" if held.get("status") == "True" else ""
        if self.goal.what == "paused" and rests(subject, found):
            return f"{name} rests: {found.words.lower()} at {found.step.does}"
        if self.goal.what == "step" and (found.step.number >= self.goal.step or found.state == "complete"):
            return f"{name} has come to step {found.step.number} of {found.step.count}: {found.step.does}"
        if found.state == "complete" and self.goal.what in ("complete", "paused"):
            images = ", ".join(i.new for i in found.images)
            return f"{name} is complete: {pods.new} of {pods.wanted} pods run {images} and are ready"
        return ""

    def _stopped(self, subject: Subject, found: Summary, line: str) -> Look:
        """Whether it goes on by itself."""
        now, name = subject.now, found.workload.name
        if found.state == "blocked":
            self._blocked_since = now if self._blocked_since is None else self._blocked_since
            line = f"{line}; blocked: {found.needs_you}"
            if now - self._blocked_since >= self.blocked_grace:
                return Look(line, Exit.BLOCKED, f"{name} needs a person: {found.needs_you}.")
            return Look(line)
        self._blocked_since = None
        if rests(subject, found):
            said = _resting(found)
            return Look(f"{line}; {said}", Exit.RESTS, f"{name} {said}.")
        return Look(line)


def progress(found: Summary) -> str:
    """``step 1/5 partition 30: 12 of 20 updated, 10 ready``."""
    step, pods = found.step, found.pods
    where = f"step {step.number}/{step.count} {step.does}" if step.count else step.does or "update"
    told = f"{where}: {step.done} of {step.due} updated, {min(pods.new_ready, step.due)} ready"
    waiting = len(found.waits_for)
    return f"{told}, {waiting} asked by hooks" if waiting else told


def rests(subject: Subject, found: Summary) -> bool:
    """Nothing goes on before a person says so, and that is what was wished for; a timed pause ends by itself."""
    if found.state != "held":
        return False
    if found.reason != BlockedReason.CANARY_PAUSED or subject.standing is None:
        return True
    canary = subject.standing.rollout.canary
    step = canary.steps[canary.index or 0] if canary.active else None
    return step is None or step.pause is None or step.pause.duration is None


def _resting(found: Summary) -> str:
    """Why it rests, in words that follow a name."""
    if found.reason == BlockedReason.PARTITION_REACHED:
        kept = found.pods.wanted - found.step.due
        return f"rests: partition keeps {kept} of {found.pods.wanted}"
    if found.reason == BlockedReason.ON_DELETE:
        return "rests: its pods are updated when somebody deletes them"
    if found.reason == BlockedReason.PAUSED:
        return "rests: updateStrategy.paused was set by a person"
    return f"rests for a person at step {found.step.number}/{found.step.count} {found.step.does}"


def after(seconds: float) -> str:
    """``after 01:25``."""
    return f"after {elapsed(seconds)}"


def _update_revision(subject: Subject) -> str:
    return subject.standing.rollout.revisions.update if subject.standing is not None else ""
