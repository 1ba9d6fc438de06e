"""One pass over a GameStatefulSet, decided (docs/spec/gamestatefulset.md 2).

Pure and level-triggered: the same observation gives the same plan, and nothing is remembered between passes. Scaling
comes first and is never stopped by what holds an update: a pause, a canary step, a change not possible in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from operators.api.reasons import BlockedReason
from operators.gamestatefulset.observed import Observed
from operators.gamestatefulset.rollout import SetRollout, set_rollout_of
from operators.gamestatefulset.scale import ordinal_changes, scale
from operators.gamestatefulset.update import update
from operators.planning.actions import AdoptPod, Blocked, CreateRevision, Plan, RenumberRevision
from operators.planning.compose import canary_steps, full_plan, revision_first_plan
from operators.planning.inprogress import continue_updates
from operators.planning.refusals import pod_refused
from operators.planning.rollout import recorded_revisions
from operators.planning.status import current_revision, invalid_status
from operators.planning.views import PodView
from operators.planning.workloadstatus import StatusCounters, WorkloadStatus

#: Before the index in the names of canary HookRuns.
_STEP = "step"


def plan(observed: Observed, now: float) -> Plan:
    """Decide what to do about one GameStatefulSet at ``now`` (Unix seconds)."""
    workload = observed.workload
    if workload.deleting:
        return Plan(status=_going(observed))
    if workload.spec is None or workload.invalid:
        refused = Blocked(BlockedReason.INVALID_SPEC, workload.invalid, waiting=False)
        return Plan(status=invalid_status(observed, refused, now), blocked=(refused,))
    state = set_rollout_of(observed, workload.spec, now)
    rollout = state.rollout
    steps = canary_steps(rollout, state.pod_counts(), index_prefix=_STEP)
    current = current_revision(rollout) or rollout.revisions.current
    counters = _counters(state.membership.claimed, current, rollout.revisions.update, rollout.serves_update)
    if any(isinstance(a, CreateRevision | RenumberRevision) for a in state.before) or _adopts(state):
        return revision_first_plan(rollout, state.before, steps, counters)
    begun = continue_updates(rollout)
    changes = ordinal_changes(state)
    scaling = scale(state, changes)
    work = update(state, changes, scaling, begun)
    return full_plan(rollout, state.before, scaling, work, steps, counters)


def _adopts(state: SetRollout) -> bool:
    """Pods join in this pass, which hold ordinals and claims: nothing is done to either before they have.

    One that cannot be adopted holds up nothing.
    """
    refusals, now = state.observed.refusals, state.rollout.now
    orphans = {p.uid for p in state.observed.pods if p.owner is None}
    adopted = (a.uid for a in state.membership.actions if isinstance(a, AdoptPod) and a.uid in orphans)
    return any(not pod_refused(refusals, AdoptPod, uid, now) for uid in adopted)


def _going(observed: Observed) -> WorkloadStatus:
    """Of a set that is being deleted the pods are counted, and nothing else is done (spec 2.5, case 143)."""
    workload = observed.workload
    if not workload.status:
        return WorkloadStatus()
    claimed = [p for p in observed.pods if p.owner is not None and p.owner.uid == workload.uid]
    update = str(workload.status.get("updateRevision") or "")
    current = recorded_revisions(workload).current
    counters = _counters(claimed, current, update, lambda pod: pod.ready and pod.revision == update)
    return WorkloadStatus(
        kept=workload.status,
        replicas=counters.replicas,
        ready_replicas=counters.ready,
        current_replicas=counters.current,
        updated_replicas=counters.updated,
        updated_ready_replicas=counters.updated_ready,
    )


def _counters(
    claimed: Sequence[PodView], current: str, update: str, updated_ready: Callable[[PodView], bool]
) -> StatusCounters:
    """Counted are all pods of the set; of those that are being deleted none by its revision alone (spec 1.3)."""
    staying = [p for p in claimed if not p.deleting]
    return StatusCounters(
        replicas=len(claimed),
        ready=sum(p.ready for p in claimed),
        updated=sum(p.revision == update for p in staying),
        updated_ready=sum(updated_ready(p) for p in claimed),
        current=sum(p.revision == current for p in staying),
    )
