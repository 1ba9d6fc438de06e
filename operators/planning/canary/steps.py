"""What a pass does about a canary: one move a phase (docs/spec/gamedeployment.md 2.9, 4).

`operators.planning.canary.phases` says which phase holds; the table `MOVES` says what is done in it. Every pass makes
at most one move: a patch of the spec, or another record in the status, never one that counts on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from operators.api.reasons import BlockedReason, PauseReason
from operators.planning.actions import (
    Action,
    Blocked,
    DeleteHookRun,
    Note,
    PatchSpec,
    TerminateHookRun,
)
from operators.planning.canary.commands import ABORT, RETRY, CanaryCommand
from operators.planning.canary.decision import Decision, Done, Pause, Restart, Verdict, Wait
from operators.planning.canary.hooks import StepHooks, belongs_to_rollout, belongs_to_step, describe_run, step_run
from operators.planning.canary.marks import (
    abort_patch,
    mark_from_status,
    new_mark,
    pause_patch,
    unmark,
    without_command,
)
from operators.planning.canary.messages import (
    aborted,
    command_obeyed,
    command_stale,
    hook_failure,
    pause_kept,
    pause_over,
    paused,
    paused_by_user,
    resumed,
    rolled_back,
    starts_over,
    step_reached,
)
from operators.planning.canary.obedience import Standing, hear
from operators.planning.canary.phases import Phase, StepKind, kind_of, phase_of
from operators.planning.canary.state import (
    CanaryState,
    CanaryStatus,
    PodCounts,
    whole_second,
)
from operators.planning.canary.stephash import step_hash
from operators.planning.hooks.pods import OLDER_TEMPLATE, of_older_template, renewed
from operators.planning.views import HookRunView


def decide(canary: CanaryState, counts: PodCounts, hooks: StepHooks, now: float, *, complete: bool) -> Decision:
    """The move of this pass. ``complete``: every pod is at the update revision, none missing or too many."""
    moves = Moves(canary, counts, hooks, now, complete=complete)
    command = canary.recorded.command
    return moves.go_on() if command is None else moves.hear(command)


class Moves:
    """The moves that a pass may make, over what it observed."""

    def __init__(self, canary: CanaryState, counts: PodCounts, hooks: StepHooks, now: float, *, complete: bool) -> None:
        self.canary, self.recorded, self.pod_counts = canary, canary.recorded, counts
        self.hooks, self.now, self.complete = hooks, now, complete
        self.runs = [r for r in hooks.runs if not r.deleting]
        self.kind = kind_of(canary.steps[canary.index or 0]) if canary.active and not canary.begins else None

    def go_on(self) -> Decision:
        """The move of the phase."""
        found = MOVES[phase_of(self.canary), self.kind](self)
        return found if isinstance(found, Decision) else self.follow(found)

    # ---- a person's command

    def hear(self, command: CanaryCommand) -> Decision:
        """Obey a command once, or take it off and say why not."""
        heard = hear(self.canary, command)
        if heard.standing is Standing.WAITS:
            return self.go_on()
        if heard.standing is Standing.IN_FORCE:
            return self._obey(command, heard.to)
        usual = self.go_on()
        if heard.standing is Standing.STALE:
            said = command_stale(command, heard.why)
        else:
            said = command_obeyed(self.canary, command, heard.to)
            if usual.canary_status.index != self.canary.index:
                usual = self._hold()  # the index stays until the command is off, so that it never is in force again
        return replace(usual, patch=without_command(usual.patch), notes=(*usual.notes, said))

    def _obey(self, command: CanaryCommand, to: int) -> Decision:
        if command.do == ABORT:
            patch = abort_patch(self.canary, command.author, whole_second(self.now))
            return self._hold(patch=patch, notes=(command_obeyed(self.canary, command, to),))
        if command.do != RETRY:
            return self._go_to(to, (), self._other_runs())
        if self.recorded.mark is not None:
            return self._hold(patch=unmark(self.canary))
        return self._begin(to)

    # ---- outside of the steps

    def mark_pause(self) -> Decision:
        """Write the mark of a pause that is on record: the Go operators, or somebody, left it without."""
        return self._hold(patch=pause_patch(mark_from_status(self.canary)))

    def begin(self) -> Decision:
        """Put a new rollout (or none) on record, once nothing of an earlier one is left."""
        return self._begin(self.canary.index)

    def finish(self) -> Decision:
        """Every step is done: the update revision is the stable one, and no mark of a pause is left."""
        canary_status = self._canary_status(len(self.canary.steps), {}, self.canary.update)
        return Decision(canary_status, self._other_runs(), self._leftover_mark())

    def note_pause(self) -> Decision:
        """Copy the pause that the mark stands for into the status."""
        mark = self.recorded.mark
        assert mark is not None
        earlier = {} if mark.reason == PauseReason.ABORTED else self.recorded.pauses
        pauses = {**earlier, mark.reason: mark.since}
        shown = paused(self.canary, mark.reason, mark.since, self._failure())
        return self._hold(self._other_runs(), pauses=pauses, blocked=(shown,))

    # ---- what follows from a step

    def follow(self, verdict: Verdict) -> Decision:
        """Stay in the step, ask for its pause, go on to the next, or start over."""
        others, mark = self._other_runs(), self.recorded.mark
        if isinstance(verdict, Done):
            return self._advance(verdict, others)
        if isinstance(verdict, Restart):
            return self._begin(0, (verdict.said,))
        if isinstance(verdict, Pause):
            mark = new_mark(self.canary, verdict.reason, whole_second(self.now), verdict.message)
            shown = paused(self.canary, mark.reason, mark.since, verdict.message)
            return self._hold(others, patch=pause_patch(mark), blocked=(shown,))
        patch = verdict.patch
        if patch is None and mark is not None and not self.canary.marked and not self.recorded.pauses:
            patch = unmark(self.canary)  # left over from a step that is done
        actions = (*others, *verdict.actions)
        return self._hold(actions, patch=patch, blocked=(verdict.blocked,), notes=verdict.notes, wait=verdict.wait)

    def _advance(self, verdict: Done, others: tuple[Action, ...]) -> Decision:
        said = () if verdict.said is None else (verdict.said,)
        return self._go_to((self.canary.index or 0) + 1, said, others)

    def _go_to(self, following: int, said: tuple[Note, ...], others: tuple[Action, ...]) -> Decision:
        canary = self.canary
        if self.recorded.mark is not None and not self.recorded.paused:
            return self._hold(others, patch=unmark(self.canary))
        last = following == len(canary.steps)
        stable = canary.update if last else canary.stable
        return Decision(self._canary_status(following, {}, stable), others, notes=(*said, step_reached(following)))

    def _begin(self, index: int | None, said: tuple[Note, ...] = ()) -> Decision:
        recorded = self.recorded
        swept = tuple(
            DeleteHookRun(r.name, r.uid, "of an earlier rollout")
            if r.completed or r.terminate
            else TerminateHookRun(r.name, r.uid)
            for r in self.runs
        )
        patch = self._leftover_mark()
        if swept or patch:
            return self._hold(swept, patch=patch)
        stable = self.canary.stable
        if not self.canary.steps:
            stable = self.canary.update if self.complete else stable
        elif index == len(self.canary.steps):
            stable = self.canary.update
        notes = (*said, step_reached(index)) if recorded.update and index is not None else said
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

    def _leftover_mark(self) -> PatchSpec | None:
        """Take back a mark that stands for no pause any more."""
        recorded = self.recorded
        return unmark(self.canary) if recorded.mark and (not recorded.paused or not recorded.pauses) else None

    # ---- the steps

    def refuse_step(self) -> Verdict:
        """A step that holds none or several of partition, pause and hook is not taken."""
        step = self.canary.steps[self.canary.index or 0]
        held = [v for v in (step.partition, step.pause, step.hook) if v is not None]
        text = f"{self.canary.label} must hold exactly one of partition, pause and hook, it holds {len(held)}"
        return Wait(Blocked(BlockedReason.INVALID_CANARY_STEP, text, waiting=False))

    def wait_for_pods(self) -> Verdict:
        """A partition is over when enough pods are updated and ready."""
        missing = self._missing()
        if not missing:
            return Done()
        return Wait(Blocked(BlockedReason.CANARY_STEP, f"{self.canary.label}: {missing}"))

    def start_pause(self) -> Verdict:
        """A pause begins when the pods of the partition before it are there."""
        missing = self._missing()
        if not missing:
            return Pause(PauseReason.PAUSE_STEP)
        text = f"{self.canary.label} begins when enough pods are updated: {missing}"
        return Wait(Blocked(BlockedReason.CANARY_STEP, text))

    def ask_hook(self) -> Verdict:
        """A hook is asked once; its yes ends the step, any other end pauses."""
        run = self._run()
        if run is None:
            return self._start()
        if run.phase == "Successful":
            return Done()
        if run.completed:
            return Pause(PauseReason.HOOK_STEP, describe_run(run))
        text = f"{self.canary.label}: {describe_run(run)}"
        if run.measured.failing:
            return self._renewed(run, Wait(Blocked(BlockedReason.HOOK_ERRORS, text, waiting=False)))
        return self._renewed(run, Wait(Blocked(BlockedReason.CANARY_HOOK_RUNNING, text)))

    def hold_partition(self) -> Verdict:
        """A person has paused: said with what the partition still lacks."""
        missing = self._missing()
        return Wait(paused_by_user(self.canary, f"; {missing}" if missing else ""))

    def hold_pause(self) -> Verdict:
        """A person has paused before the pause of the step has begun."""
        return Wait(paused_by_user(self.canary))

    def hold_hook(self) -> Verdict:
        """A person has paused: a hook that runs goes on, one that does not is not asked."""
        run = self._run()
        return Wait(paused_by_user(self.canary, f"; {describe_run(run)}" if run else "; its hook is not started"))

    def wait_out_pause(self) -> Verdict:
        """A pause without time waits for a person, a timed one for its end."""
        since, end = self._since(PauseReason.PAUSE_STEP), self._end()
        if end is not None and end <= self.now:
            return self._time_over()
        return Wait(paused(self.canary, PauseReason.PAUSE_STEP, since), wait=None if end is None else end - self.now)

    def end_pause(self) -> Verdict:
        """A person goes on: a pause without time is over, a timed one is kept until its end."""
        since, end = self._since(PauseReason.PAUSE_STEP), self._end()
        if end is None:
            return Done(resumed(self.canary))
        if end <= self.now:
            return self._time_over()
        return Wait(
            paused(self.canary, PauseReason.PAUSE_STEP, since),
            patch=pause_patch(new_mark(self.canary, PauseReason.PAUSE_STEP, since)),
            notes=(pause_kept(self.canary, end),),
            wait=end - self.now,
        )

    def end_failed_hook(self) -> Verdict:
        """A person goes on although the hook failed; with ``autoRollback`` the steps start over."""
        canary, said = self.canary, self._failure()
        if not canary.automatic:
            return Done(resumed(self.canary, f" although {said}"))
        return Restart(starts_over(canary, said))

    def wait_after_failure(self) -> Verdict:
        """The hook has failed: a person goes on, rolls back, or deletes the run to have it asked once more."""
        canary, run = self.canary, self._run()
        said = self._failure()
        if run is None:
            started = self._start()  # deleted by hand: asked once more, and still paused until it says yes
            text = f"{started.blocked.message} (paused: {said})"
            return Wait(Blocked(BlockedReason.CANARY_HOOK_FAILED, text, waiting=False), started.actions)
        if run.phase == "Successful":
            return Done()
        if not run.completed:
            text = f"{canary.label}: {describe_run(run)} (paused: {said})"
            return self._renewed(run, Wait(Blocked(BlockedReason.CANARY_HOOK_FAILED, text, waiting=False)))
        return Wait(paused(self.canary, PauseReason.HOOK_STEP, self._since(PauseReason.HOOK_STEP), said))

    def roll_back(self) -> Verdict:
        """Pods go back to the stable revision; only a person ends that."""
        return Wait(rolled_back(self.canary, self.pod_counts, self._failure()))

    def go_back(self) -> Verdict:
        """Aborted: pods go back to the stable revision; only a person ends that."""
        return Wait(aborted(self.canary, self.pod_counts, self._abort()))

    def start_over(self) -> Verdict:
        """A person goes on after an abort: from the first step."""
        return Restart(starts_over(self.canary, self._abort()))

    # ---- what moves ask

    def _missing(self) -> str:
        """What the partition in force still waits for, "" when it is reached."""
        return self.pod_counts.missing(self.canary.kept)

    def _since(self, reason: PauseReason) -> float:
        return self.recorded.pauses[reason]

    def _end(self) -> float | None:
        """When the pause of the step is over (Unix seconds), None where it has no end by itself."""
        pause = self.canary.steps[self.canary.index or 0].pause
        if pause is None or pause.duration is None:
            return None
        return self._since(PauseReason.PAUSE_STEP) + pause.duration

    def _time_over(self) -> Done:
        pause = self.canary.steps[self.canary.index or 0].pause
        return Done(pause_over(self.canary, pause.duration if pause is not None else None))

    def _abort(self) -> str:
        mark = self.recorded.mark
        return (mark.message if mark is not None and self.canary.marked else "") or "aborted"

    def _failure(self) -> str:
        return hook_failure(self.canary, self._run())

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

    def _renewed(self, run: HookRunView, wait: Wait) -> Wait:
        """The same, and the run is removed where its HookTemplate has changed and it has had nothing but errors.

        Only one that has not ended: an end has paused the rollout, and that is for a person to answer.
        """
        hook = self.canary.steps[self.canary.index or 0].hook
        template = self.hooks.templates.get(hook.template_name) if hook is not None else None
        if hook is None or not of_older_template(run, template):
            return wait
        gone = DeleteHookRun(run.name, run.uid, OLDER_TEMPLATE)
        return replace(wait, actions=(*wait.actions, gone), notes=(*wait.notes, renewed(run, hook.template_name)))

    def _start(self) -> Wait:
        """Ask the hook of the step."""
        canary, hooks = self.canary, self.hooks
        hook = canary.steps[canary.index or 0].hook
        assert hook is not None
        if any(belongs_to_step(r, self.canary) for r in hooks.runs):
            text = f"{canary.label}: its earlier HookRun is being removed"
            return Wait(Blocked(BlockedReason.CANARY_HOOK_RUNNING, text))
        made = step_run(hook, canary, hooks)
        if isinstance(made, Blocked):
            return Wait(made)
        return Wait(
            Blocked(BlockedReason.CANARY_HOOK_RUNNING, f"{canary.label}: HookRun {made.name} is started"), (made,)
        )


_PARTITION, _PAUSE, _HOOK = StepKind.PARTITION, StepKind.PAUSE, StepKind.HOOK
#: What is done in each phase; a phase of a step also by what the step asks for.
MOVES: Mapping[tuple[Phase, StepKind | None], Callable[[Moves], Decision | Verdict]] = {
    **{(Phase.PAUSE_UNMARKED, kind): Moves.mark_pause for kind in (None, *StepKind)},
    (Phase.NOT_BEGUN, None): Moves.begin,
    (Phase.WITHOUT_STEPS, None): Moves.begin,
    (Phase.DONE, None): Moves.finish,
    **{(Phase.PAUSE_MARKED, kind): Moves.note_pause for kind in StepKind},
    **{(Phase.ABORTED, kind): Moves.go_back for kind in StepKind},
    **{(Phase.RETRIED, kind): Moves.start_over for kind in StepKind},
    (Phase.IN_STEP, StepKind.INVALID): Moves.refuse_step,
    (Phase.IN_STEP, _PARTITION): Moves.wait_for_pods,
    (Phase.IN_STEP, _PAUSE): Moves.start_pause,
    (Phase.IN_STEP, _HOOK): Moves.ask_hook,
    (Phase.USER_PAUSED, _PARTITION): Moves.hold_partition,
    (Phase.USER_PAUSED, _PAUSE): Moves.hold_pause,
    (Phase.USER_PAUSED, _HOOK): Moves.hold_hook,
    (Phase.PAUSED, _PAUSE): Moves.wait_out_pause,
    (Phase.RESUMED, _PAUSE): Moves.end_pause,
    (Phase.RESUMED, _HOOK): Moves.end_failed_hook,
    (Phase.HOOK_FAILED, _HOOK): Moves.wait_after_failure,
    (Phase.ROLLING_BACK, _HOOK): Moves.roll_back,
}
