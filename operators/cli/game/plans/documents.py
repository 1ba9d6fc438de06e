"""What ``plan`` finds out, as it stands in JSON. Times within a plan are seconds from its start."""

from __future__ import annotations

from typing import Literal

from operators.cli.game.documents import Change, Document, ImageChange, Part, Time, WorkloadName

Does = Literal["ready", "asked", "grace", "restarting", "starting", "not ready", "leaving", "ended"]


class PlanAssumption(Part):
    """What is taken for granted: the flag that says otherwise, the value in words, and where that comes from."""

    about: str
    value: str
    source: str
    flag: str


class PlanStep(Part):
    """A step of the rollout; number 0 where there are none.

    ``leg`` counts the parts between which a person goes on; ``begin`` and ``end`` are from the start of the leg.
    ``down`` is the most pods that do not serve at once, of ``allowed`` that may for an update; 0 where none is updated.
    """

    leg: int
    number: int
    does: str
    pods: int
    begin: float
    end: float
    asked: int
    down: int
    allowed: int
    person: bool
    waits_for: tuple[str, ...]


class PlanAction(Part):
    """One write of the operators; ``down`` are pods that are wanted and do not serve, before and after."""

    at: float
    action: str
    object: str
    pod: str
    why: str
    down_before: int
    down_after: int


class PlanSpan(Part):
    """What a pod does for a while; ``new`` holds when it is at the new revision."""

    does: Does
    new: bool
    begin: float
    end: float


class PlanLane(Part):
    """A pod in time."""

    pod: str
    spans: tuple[PlanSpan, ...]


class PlanDown(Part):
    """From ``at`` on so many pods are wanted and do not serve."""

    at: float
    pods: int


class PlanEnding(Part):
    """How it ends, and the planner's reason and words where something holds it."""

    state: Literal["complete", "rests", "stuck", "limit"]
    at: float
    reason: str
    message: str


class RolloutPlan(Document):
    """``plan``: ``at`` is the time that counts as now, null where no cluster was asked.

    ``updated``, ``created``, ``deleted``, ``restarts`` and ``hooks`` count pods that are updated, new pods, pods that
    go, restarts of containers, and HookRuns; ``asked_at_once`` are by HookTemplate the most pods that are asked about
    at the same time. ``lanes`` are all pods, or some of ``lanes_of`` where there are too many.
    """

    kind: Literal["RolloutPlan"] = "RolloutPlan"
    at: Time | None
    workload: WorkloadName
    source: str
    strategy: str
    images: tuple[ImageChange, ...]
    changes: tuple[Change, ...]
    verdict: Literal["nothing", "changes", "stuck", "limit"]
    exit_code: int
    sentence: str
    wanted: int
    allowed: int
    updated: int
    created: int
    deleted: int
    restarts: int
    hooks: int
    seconds: float
    pauses: int
    ending: PlanEnding
    steps: tuple[PlanStep, ...]
    assumptions: tuple[PlanAssumption, ...]
    notes: tuple[str, ...]
    unknown: tuple[str, ...]
    actions: tuple[PlanAction, ...]
    legs: tuple[float, ...]
    down: tuple[PlanDown, ...]
    asked_at_once: dict[str, int]
    lanes: tuple[PlanLane, ...]
    lanes_of: int
    lanes_end: float


class SharedTemplate(Part):
    """A HookTemplate that several rollouts ask at once, if they begin together: the most pods of each."""

    template: str
    asked: dict[str, int]


class RolloutPlanList(Document):
    """``plan -f`` of a file or folder with several workloads."""

    kind: Literal["RolloutPlanList"] = "RolloutPlanList"
    items: tuple[RolloutPlan, ...]
    shared: tuple[SharedTemplate, ...]
