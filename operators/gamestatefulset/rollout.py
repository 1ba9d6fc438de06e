"""The observation of a GameStatefulSet sorted out: ordinals, versions, surge, claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.api.reasons import BlockedReason
from operators.gamestatefulset.claims import claim_names, hindrance
from operators.gamestatefulset.membership import Membership, claim_pods, without_stale_answers
from operators.gamestatefulset.observed import Observed
from operators.gamestatefulset.order import Ordinals
from operators.gamestatefulset.ordinals import members, pod_name
from operators.planning.actions import Action, Blocked
from operators.planning.budgets import Budget, budget
from operators.planning.canary.state import PodCounts
from operators.planning.revisions import history
from operators.planning.rollout import Rollout, StrategyNumbers, build_rollout, origins_of
from operators.planning.views import PodView

KIND = "GameStatefulSet"


@dataclass(frozen=True, slots=True)
class SetRollout:
    """A rollout whose pods have ordinals. ``before`` are the actions that revisions and ownership need."""

    rollout: Rollout
    spec: GameStatefulSetSpec
    observed: Observed
    ordinals: Ordinals
    membership: Membership
    before: tuple[Action, ...]

    @property
    def ordered(self) -> bool:
        """One pod after the other."""
        return self.spec.pod_management_policy == "OrderedReady"

    @property
    def due(self) -> tuple[int, ...]:
        """Ordinals of the replicas that the partition does not keep."""
        return tuple(o for o in self.ordinals.members if o not in self.ordinals.kept)

    def available(self, pod: PodView) -> bool:
        """What "ready" means: ready, and for minReadySeconds."""
        return pod.available(self.rollout.now, self.spec.min_ready_seconds)

    def healthy(self, ordinal: int) -> bool:
        """The ordinal has a pod, and that is available, complete, and past its hook."""
        pod = self.ordinals.active(ordinal)
        return pod is not None and pod.name in self.rollout.healthy

    def pod_counts(self) -> PodCounts:
        """The replicas counted for the canary: updated are only those that the partition does not keep (spec 4.6)."""
        update = self.rollout.revisions.update
        living = [p for o in self.ordinals.members if (p := self.ordinals.active(o)) is not None]
        updated = [p for o in self.due if (p := self.ordinals.active(o)) is not None and p.revision == update]
        return PodCounts(
            replicas=self.spec.replicas,
            outdated=sum(p.revision != update for p in living),
            updated=len(updated),
            updated_ready=sum(self.rollout.update_ready(p) for p in updated),
            ready=sum(p.ready for p in living),
            available=sum(self.available(p) for p in living),
            stable=sum(p.revision == self.rollout.canary.stable for p in living),
        )


def _limits(spec: GameStatefulSetSpec) -> Budget:
    """OrderedReady takes one pod at a time, whatever the numbers say; Parallel never waits for a budget of nothing."""
    if spec.pod_management_policy == "OrderedReady":
        return Budget(1, 0)
    numbers = spec.update_strategy.numbers
    limits = budget(numbers.max_unavailable, numbers.max_surge, spec.replicas)
    return limits if limits.unavailable or limits.surge else Budget(1, 0)


def set_rollout_of(observed: Observed, spec: GameStatefulSetSpec, now: float) -> SetRollout:
    """Sort the observation out."""
    stored = history(observed.revisions, observed.workload.uid, spec.selector)
    membership = claim_pods(observed, spec, origins_of(observed, spec, stored))
    observed, stale = without_stale_answers(observed, membership.pods)
    numbers = spec.update_strategy.numbers
    rollout = build_rollout(
        KIND,
        observed,
        spec,
        StrategyNumbers(numbers.partition, numbers.max_unavailable, numbers.max_surge),
        _limits(spec),
        membership.active,
        stored,
        now,
        joining=membership.joining,
        runs_carry_uid=True,
    )
    inside, _ = members(spec.replicas, spec.reserve_orders)
    ordinals = Ordinals(observed.workload.name, inside, pods=membership.pods, kept=frozenset(inside[: rollout.kept]))
    living = [p for o in inside if (p := ordinals.active(o)) is not None]
    complete = len(living) == spec.replicas and all(p.revision == rollout.revisions.update and p.ready for p in living)
    before = (*rollout.revisions.actions, *membership.actions, *rollout.taken_back, *stale)
    whole = len(living) == spec.replicas == len(rollout.pods)
    state = SetRollout(replace(rollout, whole=whole, complete=complete), spec, observed, ordinals, membership, before)
    ordinals = replace(ordinals, surge=_surge(state))
    ordinals = replace(ordinals, not_creatable=dict(_not_creatable(observed, spec, membership, ordinals, now)))
    return replace(state, ordinals=ordinals)


def _surge(state: SetRollout) -> tuple[int, ...]:
    """Ordinals of surge pods, right above those of the replicas (spec 2.6).

    They are as many as replicas are not updated and ready, so that the last ones stay until the last batch is back.
    Only an update brings them: while it is held none comes, and those that are there stay.
    """
    rollout, ordinals = state.rollout, state.ordinals
    if state.ordered or not rollout.surge:
        return ()
    target = rollout.canary.target
    restarting = {p.name for p in rollout.restart.due}
    behind = [
        o
        for o in state.due
        if not state.healthy(o) or ordinals.pods[o].revision != target or ordinals.pods[o].name in restarting
    ]
    living = [p for o in behind if (p := ordinals.active(o)) is not None]
    outdated = any(p.revision != target or p.name in restarting for p in living)
    under_way = outdated or rollout.revisions.current != target or bool(rollout.restart.busy)
    _, above = members(state.spec.replicas, state.spec.reserve_orders, min(rollout.surge, len(behind)))
    chosen = []
    for ordinal in above:
        pod = ordinals.pods.get(ordinal)
        serving = pod is not None and pod.active and pod.revision == target
        comes = outdated and not rollout.canary.held and (pod is None or not pod.active)
        if (serving and under_way) or comes:
            chosen.append(ordinal)
    return tuple(chosen)


def _not_creatable(
    observed: Observed, spec: GameStatefulSetSpec, membership: Membership, ordinals: Ordinals, now: float
) -> Iterator[tuple[int, Blocked]]:
    """Ordinals that cannot get a pod now: a stranger holds the name, or a claim of it is on its way out.

    A claim that went along with a pod of the ordinal is gone as soon as the garbage collector has seen that the pod is.
    """
    for ordinal in ordinals.wanted:
        if ordinal in ordinals.pods:
            continue
        if ordinal in membership.taken:
            yield ordinal, membership.taken[ordinal]
            continue
        name = pod_name(ordinals.workload, ordinal)
        for claim_ in claim_names(spec.volume_claim_templates, name):
            held = observed.claims.get(claim_)
            found = hindrance(held, name, observed.workload.uid, now) if held is not None else None
            if found is not None:
                yield ordinal, Blocked(BlockedReason.CLAIM_TERMINATING, found.text, name, waiting=found.waiting)
                break
