"""The document of a plan: the simulation's forecast in the words of the other commands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from operators.cli.game.documents import Change
from operators.cli.game.exits import CommandError, Exit
from operators.cli.game.kinds import KINDS
from operators.cli.game.plans.documents import (
    PlanAction,
    PlanAssumption,
    PlanDown,
    PlanEnding,
    PlanLane,
    PlanSpan,
    PlanStep,
    RolloutPlan,
    RolloutPlanList,
    SharedTemplate,
)
from operators.cli.game.revisions import beside, changes, together
from operators.cli.game.screens import short_image
from operators.cli.game.subject import Subject, build
from operators.cli.game.summary import images_of_rollout, name_of, strategy_of
from operators.cli.game.text import age, counted, sentence_of
from operators.kube.times import rfc3339
from operators.simulation.cluster import SimulatedCluster, SimulationError
from operators.simulation.driver import Assumptions
from operators.simulation.forecast import Forecast, Stretch, forecast

Json = Mapping[str, Any]
#: Lanes of a plan: beyond them every so many-th pod that is touched is shown, and all numbers stay exact.
MOST_LANES: Final = 5_000
#: What no plan can know.
UNKNOWN: Final = (
    "scheduling and room on nodes",
    "image pulls",
    "quota and admission of new pods",
    "crashes",
    "what hooks will answer",
    "what other people and tools do meanwhile",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned: a world, whence it came, what was there before, and what is assumed.

    ``held`` is the spec that the cluster has now ({}: nothing is there yet). ``offline`` holds where no cluster was
    asked.
    """

    world: SimulatedCluster
    source: str
    held: Json
    assumptions: Assumptions
    words: tuple[PlanAssumption, ...]
    notes: tuple[str, ...] = ()
    offline: bool = False


def answer(question: Question, *, exit_code: bool = False) -> RolloutPlan:
    """Play the world to its end, and tell it.

    Args:
        question: What is to be planned; its world is used up.
        exit_code: Whether changes end the command with 10.

    Raises:
        CommandError: the planner asks for what no API server would do.
    """
    made = question.world
    subject = _subject(made)
    told = _changes(subject, question.held)
    try:
        found = forecast(made, question.assumptions)
    except SimulationError as error:
        raise CommandError(f"no plan can be made of {made.name}: {error}") from error
    verdict = _verdict(found)
    ending = found.ending
    lanes = _lanes(found)
    standing = subject.standing
    plan = RolloutPlan(
        at=None if question.offline else rfc3339(subject.now),
        workload=name_of(subject),
        source=question.source,
        strategy=strategy_of(subject),
        images=images_of_rollout(subject),
        changes=told,
        verdict=verdict,
        exit_code=_code(verdict, exit_code=exit_code),
        sentence="",
        wanted=subject.view.spec.replicas if subject.view.spec is not None else 0,
        allowed=standing.rollout.budget.unavailable if standing is not None else 0,
        updated=found.updated,
        created=found.created,
        deleted=found.deleted,
        restarts=found.restarts,
        hooks=found.hooks,
        seconds=_round(ending.at),
        pauses=found.pauses,
        ending=PlanEnding(state=ending.state, at=_round(ending.at), reason=ending.reason, message=ending.message),
        steps=tuple(_steps(subject, found)),
        assumptions=question.words,
        notes=question.notes,
        unknown=UNKNOWN,
        actions=tuple(PlanAction(**asdict(deed) | {"at": _round(deed.at)}) for deed in found.deeds),
        legs=tuple(_round(leg) for leg in found.legs),
        down=tuple(PlanDown(at=_round(at), pods=pods) for at, pods in found.down),
        asked_at_once=dict(sorted(found.peaks.items())),
        lanes=lanes,
        lanes_of=len(found.lanes),
        lanes_end=_round(found.end),
    )
    return plan.model_copy(update={"sentence": sentence(plan)})


def several(plans: Sequence[RolloutPlan]) -> RolloutPlanList:
    """Plans of several workloads, and the HookTemplates of one namespace that they ask together."""
    asked: dict[tuple[str, str], dict[str, int]] = {}
    for plan in plans:
        for template, pods in plan.asked_at_once.items():
            asked.setdefault((plan.workload.namespace, template), {})[plan.workload.name] = pods
    shared = [(t, found) for (_, t), found in sorted(asked.items()) if len(found) > 1]
    return RolloutPlanList(
        items=tuple(plans), shared=tuple(SharedTemplate(template=t, asked=found) for t, found in shared)
    )


def _subject(made: SimulatedCluster) -> Subject:
    """What commands see of the world before anything happens in it."""
    return build(
        KINDS[made.kind],
        made.observe(),
        made.workload,
        now=made.now,
        runs=made.hook_runs,
        templates=made.templates,
        stored=made.revisions,
    )


def _changes(subject: Subject, held: Json) -> tuple[Change, ...]:
    """What pods have against what they get, and what else of the spec is new."""
    found: tuple[Change, ...] = ()
    if subject.standing is not None:
        revisions = subject.standing.rollout.revisions
        old = revisions.templates.get(revisions.current)
        if old is not None and revisions.current != revisions.update:
            found = changes(subject, old, revisions.templates[revisions.update])
    return (*found, *beside(subject.kind, held, subject.body.get("spec") or {})) if held else found


def _verdict(found: Forecast) -> Any:
    if found.ending.state in ("stuck", "limit"):
        return found.ending.state
    return "nothing" if found.idle else "changes"


def _code(verdict: str, *, exit_code: bool) -> int:
    if verdict in ("stuck", "limit"):
        return Exit.BLOCKED if verdict == "stuck" else Exit.TIMEOUT
    return Exit.CHANGES if exit_code and verdict == "changes" else Exit.REACHED


def _steps(subject: Subject, found: Forecast) -> Iterable[PlanStep]:
    allowed = subject.standing.rollout.budget.unavailable if subject.standing is not None else 0
    for one in found.stretches:
        start = found.legs[one.leg - 1]
        yield PlanStep(
            leg=one.leg,
            number=one.number if one.is_step else 0,
            does=one.does if one.is_step or (one.does and one.updated) else _whole(subject, one),
            pods=one.pods,
            begin=_round(max(0.0, one.begin - start)),
            end=_round(max(0.0, one.end - start)),
            asked=one.asked,
            down=one.down if one.updated else 0,
            allowed=allowed,
            person=one.person,
            waits_for=tuple(sorted(one.templates)),
        )


def _whole(subject: Subject, one: Stretch) -> str:
    """What a rollout without steps does."""
    if not one.updated and (one.created or one.deleted):
        return "create" if one.created >= one.deleted else "delete"
    kept = subject.standing.rollout.numbers.partition if subject.standing is not None else None
    return f"partition {kept}" if kept else "update"


def _lanes(found: Forecast) -> tuple[PlanLane, ...]:
    """Pods in time, those first that are touched first; every so many-th where there are too many."""

    def first(spans: Any) -> float:
        return next((float(s.begin) for s in spans if s.does != "ready"), found.end)

    lanes = sorted(found.lanes, key=lambda lane: (first(lane.spans), lane.pod))
    if len(lanes) > MOST_LANES:
        lanes = lanes[:: -(-len(lanes) // MOST_LANES)]
    return tuple(
        PlanLane(
            pod=lane.pod,
            spans=tuple(PlanSpan(does=s.does, new=s.new, begin=_round(s.begin), end=_round(s.end)) for s in lane.spans),
        )
        for lane in lanes
    )


def _round(seconds: float) -> float:
    return round(seconds, 3)


# ---- words


def sentence(plan: RolloutPlan) -> str:
    """The plan in a sentence or two."""
    return f"{plan.workload.name}: {headline(plan)}. {outcome(plan)}"


def headline(plan: RolloutPlan) -> str:
    """What changes, and what that costs a pod."""
    moved = [i for i in plan.images if i.old != i.new and i.old]
    parts = [f"{i.container} {short_image(i.old)} → {short_image(i.new)}" for i in moved]
    templates = [c for c in plan.changes if c.cost != "no pod" and not c.path.startswith("spec.replicas")]
    others = len(templates) - len(moved)
    if others > 0:
        parts.append(counted(others, "other change") if moved else counted(others, "change"))
    if templates:
        cost = together(templates)
        return f"{', '.join(parts)}; {'pods are replaced' if cost == 'new pod' else cost}"
    if plan.verdict == "nothing":
        return "nothing to do"
    if plan.created and not plan.updated:
        return f"{counted(plan.created, 'new pod')}"
    if plan.deleted and not plan.updated:
        return f"{counted(plan.deleted, 'pod')} less"
    return "what is left of a rollout" if plan.updated or plan.restarts else "no pod is updated"


def outcome(plan: RolloutPlan) -> str:
    """Whether it gets there."""
    ending = plan.ending
    if ending.state == "stuck":
        return f"Gets stuck at +{age(ending.at)}: {ending.reason}: {sentence_of(ending.message)}"
    if ending.state == "limit":
        return f"Cut short: {ending.message}; nothing is said of what comes later."
    if ending.state == "rests":
        return f"Nothing blocks. Rests in the end: {sentence_of(ending.message)}"
    return "Nothing blocks."


def totals(plan: RolloutPlan) -> str:
    """Everything together, in numbers."""
    parts = [
        counted(plan.restarts, "restart"),
        counted(plan.created, "new pod"),
        *([f"{counted(plan.deleted, 'pod')} deleted"] if plan.deleted else []),
        counted(plan.hooks, "hook"),
    ]
    pauses = "" if not plan.pauses else " plus your pause" if plan.pauses == 1 else f" plus your {plan.pauses} pauses"
    about = "at least" if plan.ending.state in ("stuck", "limit") else "about"
    return f"{', '.join(parts)}, {about} {age(plan.seconds)}{pauses}."
