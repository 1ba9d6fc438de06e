"""One pass over a GameDeployment, decided (docs/spec/gamedeployment.md 2).

Pure and level-triggered: the same observation gives the same plan, and nothing is remembered between passes.
"""

from __future__ import annotations

from operators.api.reasons import BlockedReason
from operators.gamedeployment.observed import Observed
from operators.gamedeployment.ownership import arriving_revisions, rollout_of
from operators.gamedeployment.scale import scale
from operators.gamedeployment.update import update
from operators.planning.actions import Blocked, CreateRevision, Plan, RenumberRevision
from operators.planning.compose import canary_steps, full_plan, revision_first_plan
from operators.planning.inprogress import continue_updates
from operators.planning.rollout import Rollout
from operators.planning.status import invalid_status
from operators.planning.workloadstatus import StatusCounters, WorkloadStatus


def plan(observed: Observed, now: float) -> Plan:
    """Decide what to do about one GameDeployment at ``now`` (Unix seconds)."""
    workload = observed.workload
    if workload.deleting:
        return Plan(status=WorkloadStatus(kept=workload.status))
    if workload.spec is None or workload.invalid:
        refused = Blocked(BlockedReason.INVALID_SPEC, workload.invalid, waiting=False)
        return Plan(status=invalid_status(observed, refused, now), blocked=(refused,))
    rollout, ownership = rollout_of(observed, workload.spec, now)
    before = [*rollout.revisions.actions, *ownership, *rollout.taken_back]
    if any(isinstance(a, CreateRevision | RenumberRevision) for a in before):
        steps = canary_steps(rollout, rollout.pod_counts(()))
        return revision_first_plan(rollout, before, steps, _counters(rollout))
    begun = continue_updates(rollout)
    scaling = scale(rollout, arriving_revisions(rollout))
    steps = canary_steps(rollout, rollout.pod_counts(scaling.victims))
    work = update(rollout, scaling, begun)
    return full_plan(rollout, before, scaling, work, steps, _counters(rollout))


def _counters(rollout: Rollout) -> StatusCounters:
    """Counted are the active pods; a ready one is not updated before its containers are (spec 1.3)."""
    updated = [p for p in rollout.pods if p.revision == rollout.revisions.update]
    return StatusCounters(
        replicas=len(rollout.pods),
        ready=sum(p.ready for p in rollout.pods),
        updated=len(updated),
        updated_ready=sum(rollout.serves_update(p) for p in updated),
    )
