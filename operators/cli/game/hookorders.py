"""``hook renew``, ``hook pass`` and ``hook cancel``: what may be done to a HookRun, and what it risks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.hookstates import answer, hook_states
from operators.cli.game.subject import Subject
from operators.cli.game.writing import Write
from operators.kube.resources import HOOK_RUNS
from operators.planning.views import HookRunView, hookrun_view

Json = Mapping[str, Any]
_OURS = ("GameDeployment", "GameStatefulSet")


@dataclass(frozen=True, slots=True)
class Removal:
    """A HookRun to delete, if it still is the one that was read."""

    name: str
    uid: str
    told: str


def owner_name(body: Json) -> str:
    """``gd/arena``, as commands take it; "" of a run that no workload asks for."""
    owner = hookrun_view(body).owner
    if owner is None or owner.kind not in _OURS:
        return ""
    return f"{'gd' if owner.kind == 'GameDeployment' else 'gsts'}/{owner.name}"


def renew(body: Json) -> Removal:
    """Remove a run of a workload: it asks anew, by the template as it is now.

    Raises:
        CommandError: nobody would.
    """
    view, owner = hookrun_view(body), owner_name(body)
    _must_stay(view)
    if not owner:
        raise CommandError(
            f"HookRun {view.name}: nothing was removed: no workload asks for it. Instead: kubectl game hook cancel "
            f"{view.name}"
        )
    if view.phase == "Successful":
        raise CommandError(f"HookRun {view.name}: nothing was removed: it has said yes, and {owner} acts on that")
    return Removal(view.name, view.uid, f"is removed; {owner} asks anew, by the template as it is now")


def cancel(body: Json) -> Removal:
    """Remove a run that no workload asks for.

    Raises:
        CommandError: one does.
    """
    view, owner = hookrun_view(body), owner_name(body)
    _must_stay(view)
    if owner:
        raise CommandError(
            f"HookRun {view.name}: nothing was removed: {owner} asks for it, and would do so again. Instead: kubectl "
            f"game hook renew {view.name}, or hook pass {view.name}"
        )
    return Removal(view.name, view.uid, "is cancelled and removed")


def _must_stay(view: HookRunView) -> None:
    if view.deleting:
        raise CommandError(f"HookRun {view.name} is being removed already")


@dataclass(frozen=True, slots=True)
class Passage:
    """A run to interrupt; ``subject`` is the name a person has to repeat, ``risk`` what it means."""

    write: Write
    subject: str
    risk: str


def passage(body: Json, subject: Subject | None) -> Passage:
    """Interrupt a run that is under way, so that it counts as a yes.

    ``subject`` is the workload that asks, where there is one.

    Raises:
        CommandError: it has ended.
    """
    view, owner = hookrun_view(body), owner_name(body)
    _must_stay(view)
    if view.completed:
        instead = f". Instead: kubectl game retry {owner}" if owner and view.phase != "Successful" else ""
        raise CommandError(f"HookRun {view.name}: nothing was written: it ended {view.phase} already{instead}")
    if view.terminate:
        raise CommandError(f"HookRun {view.name}: it is being interrupted already")
    state = None
    if subject is not None:
        state = next((h for h in hook_states(subject) if h.run == view.name), None)
    pod = state.pod if state is not None else ""
    said = f"its last answer: {answer(state)}" if state is not None else "nothing is known of its answers"
    canary = view.labels.get(keys.HOOK_TYPE_LABEL) == "canary-step"
    if pod:
        risk = f"{pod} goes on although its hook has not said yes; players inside are cut off ({said})"
    elif canary:
        risk = f"the canary of {owner} goes on although its check has not passed ({said})"
    else:
        risk = f"it ends although it has not passed ({said})"
    write = Write(
        HOOK_RUNS,
        body,
        "spec.terminate",
        "is interrupted: it counts as a yes, unless one of its metrics has failed already",
        f"kubectl game hook renew {view.name}, as long as nobody has acted on it",
        merge={"spec": {"terminate": True}},
        exempt=True,
    )
    return Passage(write, pod or owner.partition("/")[2] or view.name, risk)


def confirmed(wanted: str, given: str | None, asked: str | None) -> None:
    """Raise unless the name was given, on the command line or by hand."""
    said = given if given is not None else asked
    if said is None:
        raise UsageError(f"this needs a word of yours: add --confirm {wanted}")
    if said.strip() != wanted:
        raise CommandError(f"{said.strip()!r} is not {wanted}; nothing was written")
