"""Canary steps: where a rollout stands, what holds it, when it goes on (docs/spec/gamedeployment.md 4).

The same for every kind of workload, and remembered on the object alone: the status holds the index of the step, the
hash of the list, the pauses and the stable revision; the spec holds ``paused``, and beside it, in an annotation, the
mark that says which step paused it. Two writes never depend on each other's success, because they are never made on
the same observation, and every half-written state has one reading:

* A pause begins in the spec. One patch sets ``paused`` together with the mark; a later pass finds the mark and copies
  it into ``pauseConditions``. The mark alone means: ours, still to be noted in the status.
* A pause ends in the status. Only when it holds no pause any more is ``paused`` reset, again together with the mark.
  So a pause condition beside ``paused: false`` can only be the word of a person: go on.
* A person's word is taken by first dropping the mark, then moving the index. So a mark never meets a later ``paused:
  true`` that somebody else set, and ``paused: true`` without mark and pause is a person's and stays (spec 7.2).
* A rollout begins (a new revision, another list) only when no HookRun of an earlier one is left. So a run found for
  a step was started by this step, and no old answer lets a new rollout pass.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from operators.api import keys
from operators.api.reasons import PauseReason
from operators.api.strategies import Canary, CanaryStep
from operators.kube.times import rfc3339, timestamp
from operators.planning.budgets import kept_old
from operators.planning.canary.commands import CanaryCommand, read_command
from operators.planning.canary.stephash import same_steps, step_hash
from operators.planning.workloadstatus import CanaryRecord, PauseCondition, WorkloadStatus

Json = Mapping[str, Any]
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class DesiredRollout:
    """What the spec asks of a rollout."""

    canary: Canary | None
    partition: int | str | None
    paused: bool
    replicas: int

    @property
    def steps(self) -> tuple[CanaryStep, ...]:
        """The steps; an empty canary is none."""
        return self.canary.steps if self.canary is not None else ()


@dataclass(frozen=True, slots=True)
class PauseMark:
    """The annotation beside ``paused``: which step of which rollout set it, since when, and what its hook said."""

    revision: str
    steps: str
    step: int
    reason: str
    since: float
    message: str = ""

    def dump(self) -> str:
        """The annotation's text."""
        body = {
            "revision": self.revision,
            "steps": self.steps,
            "step": self.step,
            "reason": self.reason,
            "since": rfc3339(self.since),
        }
        if self.message:
            body["message"] = self.message[:_MESSAGE_LIMIT]
        return json.dumps(body, sort_keys=True, separators=(",", ":"))


def read_pause_mark(text: str | None) -> PauseMark | None:
    """The mark; an unreadable one is a mark all the same, of no step, and so is taken back."""
    if text is None:
        return None
    try:
        body = json.loads(text)
        since = timestamp(body["since"]) or 0.0
        return PauseMark(
            body["revision"], body["steps"], int(body["step"]), body["reason"], since, str(body.get("message") or "")
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return PauseMark("", "", -1, "", 0.0)


@dataclass(frozen=True, slots=True)
class RecordedState:
    """What the object remembers of its rollout. ``pauses`` maps reasons to start times."""

    update: str = ""
    step_hash: str = ""
    index: int | None = None
    pauses: Mapping[str, float] = field(default_factory=dict)
    stable: str = ""
    hook_run: str = ""
    mark: PauseMark | None = None
    paused: bool = False
    command: CanaryCommand | None = None

    @property
    def user_paused(self) -> bool:
        """Paused by a person: never reset, and nothing advances (spec 7.2)."""
        return self.paused and self.mark is None and not self.pauses


def read_recorded(status: Json, annotations: Mapping[str, str], *, paused: bool) -> RecordedState:
    """Read it off the object."""
    canary, index = status.get("canary") or {}, status.get("currentStepIndex")
    return RecordedState(
        update=str(status.get("updateRevision") or ""),
        step_hash=str(status.get("currentStepHash") or ""),
        index=None if index is None else int(index),
        pauses={p["reason"]: timestamp(p.get("startTime")) or 0.0 for p in status.get("pauseConditions") or ()},
        stable=str(canary.get("revision") or ""),
        hook_run=str(canary.get("currentStepHookRun") or ""),
        mark=read_pause_mark(annotations.get(keys.CANARY_PAUSE_ANNOTATION)),
        paused=paused,
        command=read_command(annotations.get(keys.CANARY_COMMAND_ANNOTATION)),
    )


@dataclass(frozen=True, slots=True)
class CanaryState:
    """Where a rollout stands in this pass.

    ``index`` is the step in force, the number of steps when all are done, None without steps. ``begins`` holds while a
    new rollout has not been put on record: nothing is updated yet. ``target`` is the revision pods are brought to and
    ``kept`` the number of them that stay where they are; ``held`` tells that no pod may be updated at all,
    ``returnable`` that the stable revision is stored, so that pods can go back to it.
    """

    desired: DesiredRollout
    recorded: RecordedState
    update: str
    stable: str
    index: int | None
    begins: bool
    kept: int
    held: bool
    target: str
    returnable: bool = False

    @property
    def steps(self) -> tuple[CanaryStep, ...]:
        """The steps of the spec."""
        return self.desired.steps

    @property
    def automatic(self) -> bool:
        """A failed hook takes the pods back by itself (``autoRollback``)."""
        return self.desired.canary is not None and self.desired.canary.auto_rollback

    @property
    def active(self) -> bool:
        """Some step is still to be done."""
        return self.index is not None and self.index < len(self.steps)

    @property
    def rolling_back(self) -> bool:
        """Pods go back to the stable revision although the template says otherwise."""
        return self.target != self.update

    @property
    def marked(self) -> bool:
        """The spec is paused by, or on behalf of, the step in force."""
        mark = self.recorded.mark
        where = (self.update, step_hash(self.steps), self.index)
        return mark is not None and not self.begins and (mark.revision, mark.steps, mark.step) == where

    @property
    def label(self) -> str:
        """``canary step 2 of 5 (pause 60 s)``: counted from 1, for people."""
        index = self.index or 0
        return f"canary step {index + 1} of {len(self.steps)} ({describe(self.steps[index])})"


def describe(step: CanaryStep) -> str:
    """A step in a few words."""
    if step.partition is not None:
        return f"partition {step.partition}"
    if step.hook is not None:
        return f"hook {step.hook.template_name}"
    if step.pause is not None:
        return "pause" if step.pause.duration is None else f"pause {step.pause.duration} s"
    return "empty"


def partition_in_force(steps: Sequence[CanaryStep], index: int, replicas: int) -> int:
    """Pods kept at the old version: the nearest partition at or before the step (spec 4.2).

    Before the first partition nothing may be updated; after the last step everything is.
    """
    if index >= len(steps):
        return 0
    for step in reversed(steps[: index + 1]):
        if step.partition is not None:
            return kept_old(step.partition, replicas)
    return replicas


def canary_state(
    desired: DesiredRollout,
    recorded: RecordedState,
    update: str,
    current: str,
    *,
    mixed: bool,
    known: Collection[str],
    new: bool = False,
) -> CanaryState:
    """Find where the rollout stands.

    ``current`` is the revision pods come from, ``mixed`` tells whether any pod is not at ``update``, ``known`` are the
    stored revisions, ``new`` tells that no revision was ever complete. A workload without stable revision that runs
    other pods takes theirs as stable: the steps of a canary that comes with the first new template, or meets pods that
    were there before it, are not skipped (decision 5). "" is the stable revision while theirs is not known. So is it
    when such pods join a new workload that had taken itself for an empty one.
    """
    steps, origin = desired.steps, current if mixed else update
    if mixed and current == update:
        origin = ""
    joined = new and mixed and recorded.update == update == recorded.stable and recorded.index == len(steps)
    stable = origin if joined or not recorded.stable else recorded.stable
    if not steps:
        kept = kept_old(desired.partition, desired.replicas)
        held = desired.paused or bool(recorded.pauses)
        return CanaryState(desired, recorded, update, stable, None, begins=False, kept=kept, held=held, target=update)
    moved = bool(recorded.update) and recorded.update != update
    begins = joined or moved or recorded.index is None or not same_steps(recorded.step_hash, steps)
    if begins or recorded.index is None:
        index = len(steps) if stable == update else 0
    else:
        index = max(0, min(recorded.index, len(steps)))
    back = not begins and _rolls_back(desired, recorded, index) and stable in known
    held = not back and (begins or desired.paused or bool(recorded.pauses))
    kept = 0 if back else partition_in_force(steps, index, desired.replicas)
    return CanaryState(
        desired,
        recorded,
        update,
        stable,
        index,
        begins,
        kept,
        held,
        target=stable if back else update,
        returnable=stable in known,
    )


def _rolls_back(desired: DesiredRollout, recorded: RecordedState, index: int) -> bool:
    """Aborted; or ``autoRollback``: the hook of the step failed. That is on record, and nobody has resumed."""
    if index < len(desired.steps) and desired.paused and PauseReason.ABORTED in recorded.pauses:
        return True
    automatic = desired.canary is not None and desired.canary.auto_rollback
    at_hook = index < len(desired.steps) and desired.steps[index].hook is not None
    return automatic and at_hook and desired.paused and PauseReason.HOOK_STEP in recorded.pauses


@dataclass(frozen=True, slots=True)
class PodCounts:
    """Pods that stay (not those chosen to go): how many, how many of them updated, ready, back at the stable revision.

    ``updated_ready`` counts pods whose update is complete in every respect, not only those that look ready.
    """

    replicas: int
    outdated: int
    updated: int
    updated_ready: int
    ready: int
    available: int
    stable: int = 0

    def missing(self, kept: int) -> str:
        """What the partition still waits for, with numbers; "" when it is reached (spec 4.3).

        More updated pods than asked for is reached too: a step that was overshot never hangs.
        """
        due = max(0, self.replicas - kept)
        if self.updated_ready < due:
            text = f"{min(self.updated, due)} of {due} pods updated"
            late = min(self.updated, due) - self.updated_ready
            return f"{text}, waiting for {late} to be ready" if late > 0 else text
        if self.outdated > kept:
            return f"{due} of {due} pods updated, waiting for {self.outdated - kept} old pods to go"
        if self.available < self.ready:
            late = self.ready - self.available
            return f"{due} of {due} pods updated, waiting for {late} ready pods to become available"
        return ""


@dataclass(frozen=True, slots=True)
class CanaryStatus:
    """What the status is to remember."""

    update: str
    step_hash: str
    index: int | None
    pauses: Mapping[str, float]
    stable: str
    hook_run: str = ""

    def recorded_in(self, status: WorkloadStatus, old: Json) -> WorkloadStatus:
        """The status with these fields; ``old`` is the one on the object, whose other fields of ``canary`` are kept."""
        known = old.get("canary") or {}
        shown = self.hook_run if self.hook_run or "currentStepHookRun" in known else None
        return replace(
            status,
            update_revision=self.update,
            canary=CanaryRecord(self.stable, shown, known),
            pause_conditions=tuple(PauseCondition(r, rfc3339(since)) for r, since in sorted(self.pauses.items())),
            current_step_hash=self.step_hash or None,
            current_step_index=self.index,
        )


def whole_second(now: float) -> float:
    """A start time as the object can hold it, rounded up: a timed pause is never shorter than promised."""
    return float(math.ceil(now))
