"""Which pods of a GameDeployment are updated, and in which order (spec/gamedeployment.md 2.7)."""

from __future__ import annotations

from operators.planning.inprogress import UpdateOutcome
from operators.planning.rollout import Rollout
from operators.planning.scalein import expendable
from operators.planning.scaling import ScaleOutcome
from operators.planning.update import DisruptionAllowance, UpdatePass, may_update


def update(rollout: Rollout, scaling: ScaleOutcome, result: UpdateOutcome) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it."""
    outdated = [p for p in rollout.outdated if p.name not in scaling.victims]
    if not may_update(rollout, outdated, result):
        return
    working = [p for p in rollout.pods if p.name not in scaling.victims]
    allowance = DisruptionAllowance(
        room=rollout.budget.unavailable + len(working) - rollout.spec.replicas,
        down=sum(p.name not in rollout.settled for p in working),
        working=len(working),
        able=scaling.able,
    )
    walk = UpdatePass(rollout, outdated, allowance, result)
    # First whose hook is running: no pod that turns unready pushes it out (spec 5.8). Then who is down anyway: the
    # budget may be waiting for just that one. Then whose hook has answered, so that no other is asked in its place.
    outdated.sort(key=lambda p: (not walk.waits(p), p.ready, not walk.asked(p), expendable(p)))
    walk.run(outdated[: max(0, len(outdated) - rollout.kept)])
