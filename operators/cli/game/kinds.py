"""The two kinds of workloads, as commands ask for them: each by its own decoder, observation and planner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from operators.gamedeployment import observe as gamedeployment_observe
from operators.gamedeployment import ownership as gamedeployment_ownership
from operators.gamedeployment import plan as gamedeployment_plan
from operators.gamedeployment import scale as gamedeployment_scale
from operators.gamedeployment import update as gamedeployment_update
from operators.gamedeployment.observed import gamedeployment_view
from operators.gamestatefulset import observe as gamestatefulset_observe
from operators.gamestatefulset import plan as gamestatefulset_plan
from operators.gamestatefulset import rollout as gamestatefulset_rollout
from operators.gamestatefulset import update as gamestatefulset_update
from operators.gamestatefulset.lostnodes import Delays
from operators.gamestatefulset.observed import gamestatefulset_view
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, Json, Resource
from operators.planning.actions import Plan
from operators.planning.canary.state import PodCounts
from operators.planning.rollout import Rollout
from operators.planning.update import DisruptionAllowance
from operators.planning.workloads import Observed, WorkloadView
from operators.runtime.store import Store
from operators.workload.stores import Stores


@dataclass(frozen=True, slots=True)
class Standing:
    """The observation sorted out by the controller's own code: rollout, counted pods, and what an update may take."""

    rollout: Rollout
    counts: PodCounts
    allowance: DisruptionAllowance


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of workload."""

    resource: Resource
    decode: Callable[[Json], WorkloadView[Any]]
    observe: Callable[[Stores, Store[Any], WorkloadView[Any]], Observed[Any]]
    plan: Callable[[Any, float], Plan]
    stand: Callable[[Any, float], Standing]


def _stand_gamedeployment(observed: Any, now: float) -> Standing:
    rollout, _ = gamedeployment_ownership.rollout_of(observed, observed.workload.spec, now)
    arriving = gamedeployment_ownership.arriving_revisions(rollout)
    scaling = gamedeployment_scale.scale(rollout, arriving)
    return Standing(rollout, rollout.pod_counts(scaling.victims), gamedeployment_update.allowance(rollout, scaling))


def _stand_gamestatefulset(observed: Any, now: float) -> Standing:
    state = gamestatefulset_rollout.set_rollout_of(observed, observed.workload.spec, now)
    first = gamestatefulset_update.first_outdated(state)
    return Standing(state.rollout, state.pod_counts(), gamestatefulset_update.allowance(state, first))


KINDS: Final = {
    "GameDeployment": Kind(
        GAME_DEPLOYMENTS,
        gamedeployment_view,
        lambda stores, _, workload: gamedeployment_observe.observe(stores, workload),
        gamedeployment_plan.plan,
        _stand_gamedeployment,
    ),
    "GameStatefulSet": Kind(
        GAME_STATEFUL_SETS,
        gamestatefulset_view,
        lambda stores, claims, workload: gamestatefulset_observe.observe(stores, claims, workload, Delays()),
        gamestatefulset_plan.plan,
        _stand_gamestatefulset,
    ),
}
