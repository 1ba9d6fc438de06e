"""Which pods of a GameDeployment are updated, and in which order (docs/spec/gamedeployment.md 2.7)."""

from __future__ import annotations

from operators.kube.resources import Json
from operators.planning.findings import Findings
from operators.planning.identity import pod_body
from operators.planning.inprogress import UpdateOutcome
from operators.planning.rollout import Rollout
from operators.planning.scalein import expendable
from operators.planning.scaling import ScaleOutcome
from operators.planning.update import DisruptionAllowance, UpdatePass, held_update
from operators.planning.views import PodView


def update(rollout: Rollout, scaling: ScaleOutcome, begun: Findings) -> UpdateOutcome:
    """Choose the pods that may be touched now, and touch those whose hook allows it.

    ``begun`` is what updates that have begun go on with; the outcome includes it.
    """
    outdated = [p for p in rollout.outdated if p.name not in scaling.victims]
    restarts = rollout.restart.among(scaling.victims)
    held = held_update(rollout, outdated or restarts)
    if held is not None:
        return UpdateOutcome(begun + held)
    update_pass = UpdatePass(
        rollout, outdated, allowance(rollout, scaling), begun, lambda pod: _successor(rollout, pod), restarts
    )
    # First whose hook is running: no pod that turns unready pushes it out (spec 5.8). Then who is down anyway: the
    # budget may be waiting for just that one. Then whose hook has answered, so that no other is asked in its place.
    outdated.sort(key=lambda p: (not update_pass.waits(p), p.ready, not update_pass.hook_asked(p), expendable(p)))
    due = max(0, len(outdated) - rollout.kept)
    taken = {p.name for p in outdated[:due]}
    # What the partition keeps is restarted as it is. The sort is stable: the longest running first.
    stay = [p for p in restarts if p.name not in taken]
    stay.sort(key=lambda p: (not update_pass.waits(p), p.ready, not update_pass.hook_asked(p)))
    return update_pass.run(outdated[:due], stay)


def _successor(rollout: Rollout, pod: PodView) -> Json:
    """The pod that would come in a pod's place, under its name."""
    target, gate = rollout.canary.target, not rollout.spec.disable_readiness_gate
    return pod_body(rollout.workload.name, rollout.revisions.templates[target], target, pod.instance, None, gate=gate)


def allowance(rollout: Rollout, scaling: ScaleOutcome) -> DisruptionAllowance:
    """How many of the pods that stay may be down, and are (spec 2.7)."""
    working = [p for p in rollout.pods if p.name not in scaling.victims]
    return DisruptionAllowance(
        room=rollout.budget.unavailable + len(working) - rollout.spec.replicas,
        down=sum(p.name not in rollout.healthy for p in working),
        working=len(working),
        able=scaling.able,
    )
