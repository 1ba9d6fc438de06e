"""Which pods of a GameDeployment are updated, and in which order (spec/gamedeployment.md 2.7)."""

from __future__ import annotations

from operators.planning.inprogress import Updating
from operators.planning.rollout import Scene
from operators.planning.scalein import expendable
from operators.planning.scaling import Scaling
from operators.planning.update import Allowance, Walk, may_update


def update(scene: Scene, scaling: Scaling, result: Updating) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it."""
    outdated = [p for p in scene.outdated if p.name not in scaling.victims]
    if not may_update(scene, outdated, result):
        return
    working = [p for p in scene.pods if p.name not in scaling.victims]
    allowance = Allowance(
        room=scene.budget.unavailable + len(working) - scene.spec.replicas,
        down=sum(p.name not in scene.settled for p in working),
        working=len(working),
        able=scaling.able,
    )
    walk = Walk(scene, outdated, allowance, result)
    # First whose hook is running: no pod that turns unready pushes it out (spec 5.8). Then who is down anyway: the
    # budget may be waiting for just that one. Then whose hook has answered, so that no other is asked in its place.
    outdated.sort(key=lambda p: (not walk.waits(p), p.ready, not walk.asked(p), expendable(p)))
    walk.run(outdated[: max(0, len(outdated) - scene.kept)])
