"""One pass over the step in force: what is done, what is recorded, what is said (spec/gamedeployment.md 2.9, 4).

`canary` tells how state is kept; here every pass makes at most one move: a patch of the spec, or another record in
the status, never one that counts on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operators.api import keys
from operators.api.reasons import BlockedReason, EventReason, PauseReason
from operators.api.strategies import CanaryStep
from operators.kube.times import rfc3339
from operators.planning.actions import (
    Action,
    Blocked,
    DeleteHookRun,
    Note,
    PatchSpec,
    TerminateHookRun,
)
from operators.planning.canary.hooks import StepHooks, belongs_to_rollout, belongs_to_step, describe_run, step_run
from operators.planning.canary.state import (
    CanaryState,
    CanaryStatus,
    PauseMark,
    PodCounts,
    describe,
    whole_second,
)
from operators.planning.canary.stephash import step_hash
from operators.planning.views import HookRunView


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
class _Wait:
    """The step is not over."""

    blocked: Blocked
    actions: tuple[Action, ...] = ()
    patch: PatchSpec | None = None
    notes: tuple[Note, ...] = ()
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class _Pause:
    """The step asks for a pause."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Done:
    """The step is over; ``said`` is why."""

    said: Note | None = None


@dataclass(frozen=True, slots=True)
class _Restart:
    """The steps begin anew."""

    said: Note


_Verdict = _Wait | _Pause | _Done | _Restart


def decide(canary: CanaryState, counts: PodCounts, hooks: StepHooks, now: float, *, complete: bool) -> Decision:
    """The move of this pass. ``complete``: every pod is at the update revision, none missing or too many."""
    return _Pass(canary, counts, hooks, now, complete).decide()


class _Pass:
    def __init__(self, canary: CanaryState, counts: PodCounts, hooks: StepHooks, now: float, complete: bool) -> None:  # noqa: FBT001
        self.canary, self.recorded, self.pod_counts = canary, canary.recorded, counts
        self.hooks, self.now, self.complete = hooks, now, complete
        self.runs = [r for r in hooks.runs if not r.deleting]

    # ---- the frame

    def decide(self) -> Decision:
        canary, recorded = self.canary, self.recorded
        if (
            recorded.pauses
            and recorded.paused
            and (recorded.mark is None or (canary.active and not self._settled_mark()))
        ):
            return self._hold(patch=self._pause_patch(self._mark_from_status()))
        if canary.begins or not canary.steps:
            return self._begin(canary.index)
        others = self._other_runs()
        if not canary.active:
            patch = self._unmark() if recorded.mark and (not recorded.paused or not recorded.pauses) else None
            return Decision(self._canary_status(len(canary.steps), {}, canary.update), others, patch)
        return self._step(others)

    def _settled_mark(self) -> bool:
        return self.canary.begins or self.canary.marked

    def _step(self, others: tuple[Action, ...]) -> Decision:
        mark = self.recorded.mark
        if self.canary.marked and mark is not None and mark.reason not in self.recorded.pauses:
            pauses = {**self.recorded.pauses, mark.reason: mark.since}
            return self._hold(others, pauses=pauses, blocked=(self._paused(mark.reason, mark.since),))
        verdict = self._verdict()
        if isinstance(verdict, _Done):
            return self._advance(verdict, others)
        if isinstance(verdict, _Restart):
            return self._begin(0, (verdict.said,))
        if isinstance(verdict, _Pause):
            mark = self._new_mark(verdict.reason, whole_second(self.now), verdict.message)
            shown = self._paused(mark.reason, mark.since, verdict.message)
            return self._hold(others, patch=self._pause_patch(mark), blocked=(shown,))
        patch = verdict.patch
        if patch is None and mark is not None and not self.canary.marked and not self.recorded.pauses:
            patch = self._unmark()  # left over from a step that is done
        actions = (*others, *verdict.actions)
        return self._hold(actions, patch=patch, blocked=(verdict.blocked,), notes=verdict.notes, wait=verdict.wait)

    def _advance(self, verdict: _Done, others: tuple[Action, ...]) -> Decision:
        canary, following = self.canary, (self.canary.index or 0) + 1
        if self.recorded.mark is not None and not self.recorded.paused:
            return self._hold(others, patch=self._unmark())
        last = following == len(canary.steps)
        stable = canary.update if last else canary.stable
        notes = [n for n in (verdict.said,) if n] + [_index_note(following)]
        return Decision(self._canary_status(following, {}, stable), others, notes=tuple(notes))

    def _begin(self, index: int | None, said: tuple[Note, ...] = ()) -> Decision:
        """Put a new rollout (or none) on record, once nothing of an earlier one is left."""
        recorded = self.recorded
        swept = tuple(
            DeleteHookRun(r.name, r.uid, "of an earlier rollout")
            if r.completed or r.terminate
            else TerminateHookRun(r.name, r.uid)
            for r in self.runs
        )
        patch = self._unmark() if recorded.mark and (not recorded.paused or not recorded.pauses) else None
        if swept or patch:
            return self._hold(swept, patch=patch)
        stable = self.canary.stable
        if not self.canary.steps:
            stable = self.canary.update if self.complete else stable
        elif index == len(self.canary.steps):
            stable = self.canary.update
        notes = (*said, _index_note(index)) if recorded.update and index is not None else said
        return Decision(self._canary_status(index, {}, stable), notes=notes)

    def _hold(
        self,
        actions: tuple[Action, ...] = (),
        *,
        pauses: Mapping[str, float] | None = None,
        patch: PatchSpec | None = None,
        blocked: tuple[Blocked, ...] = (),
        notes: tuple[Note, ...] = (),
        wait: float | None = None,
    ) -> Decision:
        """Stay where the object says we are."""
        canary, recorded = self.canary, self.recorded
        held = recorded.pauses if pauses is None else pauses
        if canary.begins or not canary.steps:
            update = recorded.update or canary.update
            canary_status = CanaryStatus(
                update, recorded.step_hash, recorded.index, held, canary.stable, recorded.hook_run
            )
        else:
            run = self._run() if canary.active else None
            canary_status = self._canary_status(canary.index, held, canary.stable, run.name if run else "")
        return Decision(canary_status, actions, patch, blocked, notes, wait)

    def _canary_status(
        self, index: int | None, pauses: Mapping[str, float], stable: str, run: str = ""
    ) -> CanaryStatus:
        hash_ = step_hash(self.canary.steps) if self.canary.desired.canary is not None else ""
        return CanaryStatus(self.canary.update, hash_, index, pauses, stable, run)

    # ---- the mark and paused

    def _new_mark(self, reason: str, since: float, message: str = "") -> PauseMark:
        canary = self.canary
        return PauseMark(canary.update, step_hash(canary.steps), canary.index or 0, reason, since, message)

    def _mark_from_status(self) -> PauseMark:
        """A pause noted in the status whose mark is missing: the Go operators, or somebody, left it so."""
        recorded = self.recorded
        reason, since = min(recorded.pauses.items())
        if self.canary.active and not self.canary.begins:
            return self._new_mark(reason, since)
        return PauseMark(
            recorded.update, recorded.step_hash, -1 if recorded.index is None else recorded.index, reason, since
        )

    @staticmethod
    def _pause_patch(mark: PauseMark) -> PatchSpec:
        annotations = {keys.CANARY_PAUSE_ANNOTATION: mark.dump()}
        body = {"metadata": {"annotations": annotations}, "spec": {"updateStrategy": {"paused": True}}}
        return PatchSpec(body, f"paused by canary step {mark.step}")

    def _unmark(self) -> PatchSpec:
        """Take the mark back, and the pause it stands for if nobody has done so already."""
        body: dict[str, object] = {"metadata": {"annotations": {keys.CANARY_PAUSE_ANNOTATION: None}}}
        if self.recorded.paused:
            body["spec"] = {"updateStrategy": {"paused": False}}
        return PatchSpec(body, "the pause of a canary step is over")

    # ---- the steps

    def _verdict(self) -> _Verdict:
        step = self.canary.steps[self.canary.index or 0]
        held = [v for v in (step.partition, step.pause, step.hook) if v is not None]
        if len(held) != 1:
            text = f"{self.canary.label} must hold exactly one of partition, pause and hook, it holds {len(held)}"
            return _Wait(Blocked(BlockedReason.INVALID_CANARY_STEP, text, waiting=False))
        if step.partition is not None:
            return self._partition()
        return self._pause(step) if step.pause is not None else self._hook(step)

    def _frozen(self, more: str = "") -> _Wait:
        text = f"{self.canary.label}: updateStrategy.paused was set by a user, steps do not go on{more}"
        return _Wait(Blocked(BlockedReason.PAUSED, text))

    def _partition(self) -> _Verdict:
        missing = self.pod_counts.missing(self.canary.kept)
        if self.recorded.user_paused:
            return self._frozen(f"; {missing}" if missing else "")
        return _Wait(Blocked(BlockedReason.CANARY_STEP, f"{self.canary.label}: {missing}")) if missing else _Done()

    def _pause(self, step: CanaryStep) -> _Verdict:
        recorded, label = self.recorded, self.canary.label
        since = recorded.pauses.get(PauseReason.PAUSE_STEP)
        if since is None:
            missing = self.pod_counts.missing(self.canary.kept)
            if recorded.user_paused:
                return self._frozen()
            if missing:
                return _Wait(Blocked(BlockedReason.CANARY_STEP, f"{label} begins when the pods are there: {missing}"))
            return _Pause(PauseReason.PAUSE_STEP)
        duration = step.pause.duration if step.pause is not None else None
        if duration is None:
            if recorded.paused:
                return _Wait(self._paused(PauseReason.PAUSE_STEP, since))
            return _Done(self._resumed(""))
        left = since + duration - self.now
        if left <= 0:
            return _Done(
                Note("Normal", EventReason.CANARY_PAUSE_OVER, f"{label}: {duration} s are over, going on{self._next()}")
            )
        if recorded.paused:
            return _Wait(self._paused(PauseReason.PAUSE_STEP, since), wait=left)
        text = f"{label} lasts until {rfc3339(since + duration)}: setting updateStrategy.paused does not shorten it"
        patch = self._pause_patch(self._new_mark(PauseReason.PAUSE_STEP, since))
        return _Wait(
            self._paused(PauseReason.PAUSE_STEP, since),
            patch=patch,
            notes=(Note("Normal", EventReason.CANARY_PAUSE_KEPT, text),),
            wait=left,
        )

    def _hook(self, step: CanaryStep) -> _Verdict:
        recorded, run = self.recorded, self._run()
        if PauseReason.HOOK_STEP in recorded.pauses:
            return self._after_failure(step, run)
        if recorded.user_paused:
            return self._frozen(f"; {describe_run(run)}" if run else "; its hook is not started")
        if run is None:
            return self._start(step)
        if run.phase == "Successful":
            return _Done()
        if run.completed:
            return _Pause(PauseReason.HOOK_STEP, describe_run(run))
        return _Wait(Blocked(BlockedReason.CANARY_HOOK_RUNNING, f"{self.canary.label}: {describe_run(run)}"))

    def _after_failure(self, step: CanaryStep, run: HookRunView | None) -> _Verdict:
        """The hook has failed, that is on record: a person goes on, rolls back, or has it asked once more."""
        recorded, canary = self.recorded, self.canary
        said = self._failure(run)
        automatic = canary.desired.canary is not None and canary.desired.canary.auto_rollback
        if not recorded.paused:
            if automatic:
                text = f"{canary.label} is resumed: updateStrategy.paused is false; the steps start over ({said})"
                return _Restart(Note("Normal", EventReason.CANARY_RESUMED, text))
            return _Done(self._resumed(f" although {said}"))
        if automatic:
            return _Wait(self._rolled_back(said))
        if run is not None and run.phase == "Successful":
            return _Done()
        if run is None:
            started = self._start(step)  # deleted by hand: asked once more, and still paused until it says yes
            shown = Blocked(
                BlockedReason.CANARY_HOOK_FAILED, f"{started.blocked.message} (paused: {said})", waiting=False
            )
            return _Wait(shown, started.actions)
        if not run.completed:
            return _Wait(
                Blocked(
                    BlockedReason.CANARY_HOOK_FAILED,
                    f"{canary.label}: {describe_run(run)} (paused: {said})",
                    waiting=False,
                )
            )
        return _Wait(self._paused(PauseReason.HOOK_STEP, recorded.pauses[PauseReason.HOOK_STEP], said))

    def _failure(self, run: HookRunView | None) -> str:
        mark = self.recorded.mark
        if mark is not None and self.canary.marked and mark.message:
            return mark.message
        return describe_run(run) if run is not None else "its HookRun failed and is gone"

    def _rolled_back(self, said: str) -> Blocked:
        canary, counts = self.canary, self.pod_counts
        if not canary.rolling_back:
            text = f"{canary.label}: {said}; autoRollback finds no revision {canary.stable!r} to go back to"
            return Blocked(BlockedReason.CANARY_ROLLBACK_NOT_POSSIBLE, text, waiting=False)
        text = (
            f"{canary.label}: {said}; autoRollback: {counts.stable} of {counts.replicas} pods are at the stable "
            f"revision {canary.stable}; change the template, or set updateStrategy.paused to false to start the steps "
            "over"
        )
        return Blocked(BlockedReason.CANARY_ROLLED_BACK, text, waiting=False)

    # ---- what is said

    def _paused(self, reason: str, since: float, said: str = "") -> Blocked:
        canary = self.canary
        if reason == PauseReason.HOOK_STEP:
            said = said or self._failure(self._run())
            text = f"{canary.label}: {said}; paused: set updateStrategy.paused to false to go on, or roll back"
            return Blocked(BlockedReason.CANARY_HOOK_FAILED, text, waiting=False)
        pause = canary.steps[canary.index or 0].pause
        if pause is not None and pause.duration is not None:
            text = f"{canary.label}: waits from {rfc3339(since)} until {rfc3339(since + pause.duration)}"
        else:
            text = f"{canary.label}: waits since {rfc3339(since)} for a person to set updateStrategy.paused to false"
        return Blocked(BlockedReason.CANARY_PAUSED, text)

    def _resumed(self, although: str) -> Note:
        text = f"{self.canary.label} is resumed: updateStrategy.paused is false{although}; going on{self._next()}"
        return Note("Normal", EventReason.CANARY_RESUMED, text)

    def _next(self) -> str:
        steps, following = self.canary.steps, (self.canary.index or 0) + 1
        if following == len(steps):
            return " with all pods"
        return f" with step {following + 1} of {len(steps)} ({describe(steps[following])})"

    # ---- HookRuns

    def _run(self) -> HookRunView | None:
        """The run of the step in force; the recorded one where several carry its labels."""
        own = [r for r in self.runs if belongs_to_step(r, self.canary)]
        recorded = next((r for r in own if r.name == self.recorded.hook_run), None)
        return recorded or next((r for r in own if not r.completed), own[-1] if own else None)

    def _other_runs(self) -> tuple[Action, ...]:
        """Cancel what no longer matters, remove what belongs to another revision; finished runs stay to be read."""
        actions: list[Action] = []
        for run in self.runs:
            if self.canary.active and belongs_to_step(run, self.canary) and self._is_hook_step():
                continue
            if not run.completed and not run.terminate:
                actions.append(TerminateHookRun(run.name, run.uid))
            elif not belongs_to_rollout(run, self.canary):
                actions.append(DeleteHookRun(run.name, run.uid, "of another revision"))
        return tuple(actions)

    def _is_hook_step(self) -> bool:
        return self.canary.steps[self.canary.index or 0].hook is not None

    def _start(self, step: CanaryStep) -> _Wait:
        """Ask the hook of a step."""
        canary, hooks = self.canary, self.hooks
        assert step.hook is not None
        if any(belongs_to_step(r, self.canary) for r in hooks.runs):
            text = f"{canary.label}: its earlier HookRun is being removed"
            return _Wait(Blocked(BlockedReason.CANARY_HOOK_RUNNING, text))
        made = step_run(step.hook, canary, hooks)
        if isinstance(made, Blocked):
            return _Wait(made)
        return _Wait(
            Blocked(BlockedReason.CANARY_HOOK_RUNNING, f"{canary.label}: HookRun {made.name} is started"), (made,)
        )


def _index_note(index: int) -> Note:
    return Note("Normal", EventReason.SET_STEP_INDEX, f"Set Step Index to {index}")
