"""What a change of a workload would do to its pods: the planner's word on the changed object. Pure.

The object is changed in memory, decoded and planned on as the controllers would with the very pods that were read.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from operators.cli.game.kinds import KINDS
from operators.cli.game.subject import Subject, build
from operators.cli.game.text import counted
from operators.planning import actions as act
from operators.planning.inplace.changes import ineligible_path
from operators.planning.rollout import Rollout
from operators.planning.views import PodView


def as_if(subject: Subject, change: Callable[[dict[str, Any]], None]) -> Subject:
    """The workload as it would be seen right after a change of its spec."""
    body = copy.deepcopy(dict(subject.body))
    change(body["spec"])
    body["metadata"]["generation"] = int(body["metadata"].get("generation") or 0) + 1
    kind = KINDS[subject.kind]
    return build(
        kind,
        replace(subject.observed, workload=kind.decode(body)),
        body,
        now=subject.now,
        foreign=subject.foreign,
        runs=subject.runs,
        templates=subject.templates,
        stored=subject.stored,
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a change of the template does. ``sentence`` says it; ``warnings`` say what will not go as one would wish."""

    sentence: str
    warnings: tuple[str, ...] = ()


def outlook(subject: Subject) -> Outlook:
    """Of a workload as if it were changed: how many pods, how, how many at a time, and whether by steps."""
    if subject.standing is None:
        return Outlook("nothing will be done", (f"the spec would be refused: {subject.view.invalid}",))
    rollout = subject.standing.rollout
    outdated = rollout.outdated
    if not outdated:
        return Outlook("no pod changes")
    strategy = rollout.spec.update_strategy
    if strategy.type == "OnDelete":
        return Outlook(f"{counted(len(outdated), 'pod')} follow when somebody deletes them")
    stuck = _ineligible(rollout)
    blocks = bool(stuck) and strategy.in_place_update_strategy.on_ineligible != "Recreate"
    in_place = len(outdated) - len(stuck) if rollout.in_place else 0
    parts = []
    if in_place:
        parts.append(f"{counted(in_place, 'pod')} {'go' if in_place > 1 else 'goes'} in place")
    if (anew := len(outdated) - in_place) and not blocks:
        parts.append(f"{counted(anew, 'pod')} {'are' if anew > 1 else 'is'} replaced")
    told = ", ".join(parts) or "no pod can follow"
    warnings = [_cannot(stuck, blocks=blocks)] if stuck else []
    if rollout.canary.recorded.user_paused:
        warnings.append("updates are paused by a person: nothing goes before kubectl game resume")
    pace = f", {at_a_time(subject)}, {_steps(rollout)}" if parts else ""
    return Outlook(f"{told}{pace}", tuple(warnings))


def _ineligible(rollout: Rollout) -> list[tuple[PodView, str]]:
    """Pods that cannot be updated in place, each with what stands against it."""
    if not rollout.in_place:
        return []
    templates, new = rollout.revisions.templates, rollout.revisions.templates[rollout.canary.target]
    paths = {p.revision: ineligible_path(templates.get(p.revision), new) for p in rollout.outdated}
    return [(p, path) for p in rollout.outdated if (path := paths[p.revision]) is not None]


def _cannot(stuck: list[tuple[PodView, str]], *, blocks: bool) -> str:
    pod, path = min(stuck, key=lambda one: one[0].name)
    more = f" and {len(stuck) - 1} more" if len(stuck) > 1 else ""
    end = "they are replaced (onIneligible: Recreate)" if not blocks else "the rollout will block (onIneligible: Block)"
    return f"cannot go in place: pod {pod.name}{more}, because {path} differs; {end}"


def at_a_time(subject: Subject) -> str:
    """How many pods an update may take at once."""
    assert subject.standing is not None
    rollout = subject.standing.rollout
    down, more = rollout.budget.unavailable, rollout.surge
    parts = [f"at most {down} down" if down or not more else "", f"{more} more at most" if more else ""]
    return " and ".join(p for p in parts if p)


def _steps(rollout: Rollout) -> str:
    canary = rollout.canary
    if not canary.steps:
        return f"partition keeps {rollout.kept}" if rollout.kept else "no steps"
    first = canary.index or 0
    count = len(canary.steps)
    return "no steps" if first >= count else f"by steps {first + 1} to {count}" if count > 1 else "by 1 step"


def asked_and_gone(subject: Subject) -> tuple[list[str], list[str]]:
    """Pods that the next pass would ask by their hook before they are deleted, and those that it would delete."""
    actions = subject.plan.actions
    asked = sorted(a.pod for a in actions if isinstance(a, act.CreateHookRun) and a.kind == "predelete")
    gone = sorted(a.name for a in actions if isinstance(a, act.DeletePod))
    return asked, gone


def new_refusals(before: Subject, after: Subject) -> list[str]:
    """What would need a person that does not now."""
    known = {(b.reason, b.pod) for b in before.plan.blocked}
    return [b.message for b in after.plan.blocked if not b.waiting and (b.reason, b.pod) not in known]
