"""A workload and everything that commands say of it, from the controllers' own views and planner. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operators.api.reasons import BlockedReason
from operators.cli.game.kinds import Kind, Standing
from operators.planning.actions import Blocked, Plan
from operators.planning.status import failed_pass_status
from operators.planning.views import PodView
from operators.planning.workloads import Observed, WorkloadView

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """One workload at one instant (``now``, Unix seconds).

    ``plan`` is what the next pass of a controller would do. ``standing`` is None where there is nothing to sort: the
    spec cannot be read, or the workload is being deleted. ``runs``, ``templates`` and ``stored`` are the bodies of the
    HookRuns, HookTemplates and ControllerRevisions by name; ``foreign`` are pods of others with its labels.
    """

    kind: str
    view: WorkloadView[Any]
    body: Json
    observed: Observed[Any]
    plan: Plan
    standing: Standing | None
    now: float
    foreign: tuple[PodView, ...] = ()
    runs: Mapping[str, Json] = field(default_factory=dict)
    templates: Mapping[str, Json] = field(default_factory=dict)
    stored: Mapping[str, Json] = field(default_factory=dict)

    @property
    def seen(self) -> bool:
        """The operators have written a status about the present spec."""
        return self.view.status.get("observedGeneration") == self.view.generation


def build(
    kind: Kind,
    observed: Observed[Any],
    body: Json,
    *,
    now: float,
    foreign: tuple[PodView, ...] = (),
    runs: Mapping[str, Json],
    templates: Mapping[str, Json],
    stored: Mapping[str, Json],
) -> Subject:
    """Plan on the observation, and keep what belongs to it."""
    view = observed.workload
    readable = view.spec is not None and not view.invalid and not view.deleting
    try:
        plan = kind.plan(observed, now)
    except Exception as error:  # noqa: BLE001 - it is what the controller runs into, and tells in the same words
        text = f"no plan can be made: {type(error).__name__}: {error}"
        problem = Blocked(BlockedReason.INTERNAL_ERROR, text, waiting=False)
        plan, readable = Plan(status=failed_pass_status(view, problem, now), blocked=(problem,)), False
    return Subject(
        kind=kind.resource.kind,
        view=view,
        body=body,
        observed=observed,
        plan=plan,
        standing=kind.stand(observed, now) if readable else None,
        now=now,
        foreign=foreign,
        runs=runs,
        templates=templates,
        stored=stored,
    )
