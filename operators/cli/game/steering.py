"""What each verb does to a canary where it stands: a change to write, or why there is none. Pure.

The phase is the planner's own. A command of the annotation is exempt from tools that own the object; a change of
``paused`` is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from operators.api import keys
from operators.cli.game.exits import CommandError, NothingToDo
from operators.cli.game.names import short
from operators.cli.game.subject import Subject
from operators.cli.game.text import counted
from operators.cli.game.writing import Write
from operators.kube.resources import Resource
from operators.planning.canary.commands import ABORT, PROMOTE_FULL, RETRY, SKIP, CanaryCommand
from operators.planning.canary.phases import Phase, StepKind, kind_of, phase_of
from operators.planning.canary.state import CanaryState, describe
from operators.planning.canary.stephash import step_hash
from operators.planning.hooks.cleanup import STRATEGY_FIELDS, refuses

_COMMAND_PATH: Final = "/metadata/annotations/" + keys.CANARY_COMMAND_ANNOTATION.replace("/", "~1")
#: A step holds the rollout by the switch that a person would set.
_HELD_BY_STEP: Final = frozenset(
    {
        Phase.PAUSE_MARKED,
        Phase.PAUSE_UNMARKED,
        Phase.PAUSED,
        Phase.HOOK_FAILED,
        Phase.ROLLING_BACK,
        Phase.ABORTED,
    }
)
_BACK: Final = frozenset({Phase.ABORTED, Phase.ROLLING_BACK})


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants: a verb, a step counted from 1 (``step``), and who and when (Unix seconds) asks."""

    verb: str
    step: int | None = None
    full: bool = False
    by: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Steering:
    """One workload under a person's hand."""

    resource: Resource
    subject: Subject
    order: Order
    canary: CanaryState
    phase: Phase
    name: str = field(default="")

    # ---- where it stands

    @property
    def kind(self) -> StepKind | None:
        """What the step in force asks for, None where none is."""
        return kind_of(self.canary.steps[self.canary.index or 0]) if self.canary.active else None

    @property
    def missing(self) -> str:
        """What the partition in force waits for."""
        assert self.subject.standing is not None
        return self.subject.standing.counts.missing(self.canary.kept)

    def refused(self, why: str, instead: str = "") -> CommandError:
        """Nothing is written; ``instead`` is the verb that would do."""
        more = f". Instead: kubectl game {instead} {self.name}" if instead else ""
        return CommandError(f"{self.name}: nothing was written: {why}{more}")

    def need_step(self) -> None:
        """Raise unless a step is under way, and on record."""
        if not self.canary.steps:
            raise self.refused("it has no canary steps")
        if not self.subject.seen or self.phase is Phase.NOT_BEGUN:
            raise self.refused("the operators have not begun with the present spec; look again in a moment")
        if not self.canary.active:
            raise NothingToDo(f"{self.name}: all canary steps are done")

    # ---- changes

    def switch(self, told: str, back: str, *, on: bool) -> Write:
        """``paused``, guarded by the generation and the step that were seen."""
        body = self.subject.body
        strategy = body["spec"].get("updateStrategy")
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/generation", "value": body["metadata"]["generation"]}
        ]
        index = (body.get("status") or {}).get("currentStepIndex")
        if index is not None:
            operations.append({"op": "test", "path": "/status/currentStepIndex", "value": index})
        if strategy is None:
            operations.append({"op": "add", "path": "/spec/updateStrategy", "value": {"paused": on}})
        else:
            operations.append({"op": "add", "path": "/spec/updateStrategy/paused", "value": on})
        return Write(self.resource, body, "spec.updateStrategy.paused", told, back, operations=operations)

    def command(self, do: str, told: str, back: str, to: int | None = None) -> Write:
        """The annotation. Revision, list and step in it are its guard."""
        canary, body = self.canary, self.subject.body
        at = max(self.order.at, *canary.recorded.pauses.values(), 0.0)
        text = CanaryCommand(
            do, canary.update, step_hash(canary.steps), canary.index or 0, to, self.order.by, at
        ).dump()
        if canary.recorded.command is not None:
            raise self.refused("a command is being carried out; look again in a moment")
        annotations = body["metadata"].get("annotations")
        place: dict[str, Any] = {"op": "add", "path": _COMMAND_PATH, "value": text}
        if annotations is None:
            held = {keys.CANARY_COMMAND_ANNOTATION: text}
            place = {"op": "add", "path": "/metadata/annotations", "value": held}
        path = f"metadata.annotations[{keys.CANARY_COMMAND_ANNOTATION}]"
        return Write(self.resource, body, path, told, back, operations=[place], exempt=True)

    # ---- verbs

    def pause(self) -> Write:
        """Hold updates."""
        if self.phase in _HELD_BY_STEP:
            why = f"{self.canary.label} holds it already, by the same switch"
            raise self.refused(why)
        if self.canary.desired.paused:
            raise NothingToDo(f"{self.name}: it is paused already")
        return self.switch("updates are paused", f"kubectl game resume {self.name}", on=True)

    def resume(self) -> Write:
        """Take a person's pause back, or answer a pause or a failed check."""
        if not self.canary.desired.paused:
            raise NothingToDo(f"{self.name}: it is not paused")
        if self.phase in _BACK:
            raise self.refused("its pods go back to the stable revision", "retry")
        if self.phase in (Phase.PAUSED, Phase.PAUSE_MARKED) and self._timed():
            raise self.refused(f"{self.canary.label} ends by itself, and a resume does not shorten it", "promote")
        of = f"{self.canary.label} is answered: it goes on" if self.phase in _HELD_BY_STEP else "updates go on"
        return self.switch(of, f"kubectl game pause {self.name}", on=False)

    def promote(self) -> Write:
        """Past the step in force, or past all."""
        self.need_step()
        self._need_forward()
        if self.order.full:
            told = f"promoted past all steps from {self.canary.label}; budgets, grace and hooks of pods hold"
            return self.command(PROMOTE_FULL, told, self._way_back())
        if self.phase is Phase.USER_PAUSED:
            raise self.refused("a person has paused it", "resume")
        if self.kind is StepKind.INVALID:
            raise self.refused(f"{self.canary.label} can not be carried out", "skip-step")
        if self.phase is Phase.IN_STEP and self.kind is not StepKind.HOOK:
            why = self.missing or "enough pods are updated, it goes on by itself"
            raise self.refused(f"{self.canary.label}: {why}", "skip-step" if self.missing else "")
        if self.phase is Phase.HOOK_FAILED or (self.phase in _HELD_BY_STEP and not self._timed()):
            return self.resume()
        return self.skip()

    def skip(self) -> Write:
        """On to a step, the next one without a number."""
        self.need_step()
        self._need_forward()
        index, count = self.canary.index or 0, len(self.canary.steps)
        to = index + 1 if self.order.step is None else self.order.step - 1
        if not index < to <= count:
            raise self.refused(f"it is at step {index + 1} of {count}, and skips to {index + 2} to {count + 1}")
        onto = f"step {to + 1} of {count} ({describe(self.canary.steps[to])})" if to < count else "all pods"
        told = f"{self.canary.label} is skipped, on to {onto}"
        if to > index + 1:
            told = f"steps {index + 1} to {to} of {count} are skipped, on to {onto}"
        return self.command(SKIP, told, f"kubectl game retry {self.name} --from {index + 1}", to)

    def abort(self) -> Write:
        """Pods back to the stable revision."""
        self.need_step()
        if self.phase is Phase.ABORTED:
            raise NothingToDo(f"{self.name}: it is aborted already")
        if not self.canary.returnable:
            raise self.refused(f"no revision {self.canary.stable!r} is stored to go back to")
        told = f"{self.canary.label} is aborted: pods go back to {self.canary.stable}, the template stays"
        return self.command(ABORT, told, f"kubectl game retry {self.name}")

    def retry(self) -> Write:
        """The steps again, from the first one without a number; else the hooks of pods that have failed."""
        halted = self.canary.active and (self.phase in _BACK or self.phase is Phase.HOOK_FAILED)
        refused = [] if halted or self.order.step is not None else self.refused_hooks()
        if refused:
            return self.switches(refused)
        self.need_step()
        index, count = self.canary.index or 0, len(self.canary.steps)
        failed = self.phase in _BACK or self.phase is Phase.HOOK_FAILED
        if not failed and self.order.step is None:
            raise self.refused("neither aborted nor failed; name the step to go back to by --from")
        to = 0 if self.order.step is None else self.order.step - 1
        if not 0 <= to <= index:
            raise self.refused(f"it is at step {index + 1} of {count}, and goes back to 1 to {index + 1}")
        told = f"the steps start again from step {to + 1} of {count} ({describe(self.canary.steps[to])})"
        return self.command(RETRY, told, f"kubectl game abort {self.name}", to)

    def refused_hooks(self) -> list[tuple[str, int]]:
        """Fields of hooks of pods that ended without success, and of how many pods, by the planner's own rule."""
        assert self.subject.standing is not None
        runs = self.subject.standing.rollout.runs
        found = ((name, sum(refuses(r) for r in runs.of_kind(kind))) for kind, name in STRATEGY_FIELDS.items())
        return [(name, count) for name, count in found if count and self.subject.body["spec"].get(name)]

    def switches(self, refused: list[tuple[str, int]]) -> Write:
        """``retry`` of these hooks, guarded by the generation; the operators take it back when it has worked."""
        body = self.subject.body
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/generation", "value": body["metadata"]["generation"]},
            *({"op": "add", "path": f"/spec/{name}/retry", "value": True} for name, _ in refused),
        ]
        told = ", ".join(f"{name.removesuffix('UpdateStrategy')} of {counted(n, 'pod')}" for name, n in refused)
        paths = ", ".join(f"spec.{name}.retry" for name, _ in refused)
        back = "none is needed: the operators switch it off when the hooks are asked"
        return Write(self.resource, body, paths, f"hooks are asked again: {told}", back, operations=operations)

    # ---- what verbs ask

    def _way_back(self) -> str:
        """To the stable revision, when no step is left to go back to."""
        stable = next((r for r in self.subject.observed.revisions if r.name == self.canary.stable), None)
        return f"kubectl game undo {self.name}" + (f" --to {stable.revision}" if stable is not None else "")

    def _timed(self) -> bool:
        pause = self.canary.steps[self.canary.index or 0].pause if self.canary.active else None
        return pause is not None and pause.duration is not None

    def _need_forward(self) -> None:
        if self.phase in _BACK:
            raise self.refused("its pods go back to the stable revision", "retry")


VERBS: Final[Mapping[str, Callable[[Steering], Write]]] = {
    "pause": Steering.pause,
    "resume": Steering.resume,
    "promote": Steering.promote,
    "skip-step": Steering.skip,
    "abort": Steering.abort,
    "retry": Steering.retry,
}


def steer(resource: Resource, subject: Subject, order: Order) -> Write:
    """The change that an order asks for.

    Raises:
        NothingToDo: it is so already.
        CommandError: the order makes no sense where the rollout stands.
    """
    name = short(subject.kind, subject.view.name)
    if subject.standing is None:
        raise CommandError(f"{name} can not be steered: its spec can not be read, or it is being deleted")
    canary = subject.standing.rollout.canary
    return VERBS[order.verb](Steering(resource, subject, order, canary, phase_of(canary), name))
