"""One pass over a GameDeployment, decided (spec/gamedeployment.md 2).

Pure and level-triggered: the same observation gives the same plan, and nothing is remembered between passes.
"""

from __future__ import annotations

from operators.gamedeployment.observed import Observed
from operators.gamedeployment.ownership import arrange, joining
from operators.gamedeployment.scale import scale
from operators.gamedeployment.update import update
from operators.planning.actions import Blocked, CreateRevision, Plan, RenumberRevision
from operators.planning.compose import canary_steps, conclude, put_on_record
from operators.planning.inprogress import refresh
from operators.planning.status import invalid_status


def plan(observed: Observed, now: float) -> Plan:
    """Decide what to do about one GameDeployment at ``now`` (Unix seconds)."""
    workload = observed.workload
    if workload.deleting:
        return Plan(status=workload.status)
    if workload.spec is None or workload.invalid:
        refused = Blocked("InvalidSpec", workload.invalid, waiting=False)
        return Plan(status=invalid_status(observed, refused, now), blocked=(refused,))
    scene, ownership = arrange(observed, workload.spec, now)
    before = [*scene.revisions.actions, *ownership]
    if any(isinstance(a, CreateRevision | RenumberRevision) for a in before):
        return put_on_record(scene, before, canary_steps(scene, scene.tally(())))
    work = refresh(scene)
    scaling = scale(scene, joining(scene, ownership))
    steps = canary_steps(scene, scene.tally(scaling.victims))
    update(scene, scaling, work)
    return conclude(scene, before, scaling, work, steps)
