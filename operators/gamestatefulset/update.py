"""Which pods of a GameStatefulSet are updated, and in which order (spec/gamestatefulset.md 2.7)."""

from __future__ import annotations

from operators.gamestatefulset.ensemble import Ensemble
from operators.gamestatefulset.order import Order
from operators.gamestatefulset.ordinals import ordinal_of
from operators.planning.refreshing import Updating
from operators.planning.scaling import Scaling
from operators.planning.views import PodView
from operators.planning.walk import Allowance, Walk, may_update


def update(found: Ensemble, order: Order, scaling: Scaling, result: Updating) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it.

    Broken pods go first: they are down anyway, and what is to come may be their repair. Then the highest ordinals.
    """
    scene, roster = found.scene, found.roster
    living = [p for o in found.due if (p := roster.active(o)) is not None and p.name not in scaling.victims]
    outdated = [p for p in living if p.revision != scene.course.target]
    if not may_update(scene, outdated, result):
        return
    walk = Walk(scene, outdated, _allowance(found), result)
    outdated.sort(key=lambda p: (p.ready, not walk.asked(p), -_ordinal(found, p)))
    # A pod whose hook is being asked stays a target while others are waited for: it would be asked anew every time.
    result.targets.update({p.name: walk.guard(p) for p in outdated if walk.asked(p)})
    if found.ordered:
        outdated = outdated[:1] if order.open else []
    walk.run(outdated)


def _ordinal(found: Ensemble, pod: PodView) -> int:
    return ordinal_of(found.roster.workload, pod.name) or 0


def _allowance(found: Ensemble) -> Allowance:
    """Of the replicas that the partition does not keep, and of surge pods, so many may be down (spec 2.7).

    Surge pods do not raise the number: they stand in for those that are down. Only where no pod may be down at all
    they are what an update lives on.
    """
    counted = (*found.due, *found.roster.surge)
    surge = sum(found.settled(o) for o in found.roster.surge)
    living = [found.roster.active(o) for o in counted]
    return Allowance(
        room=found.scene.budget.unavailable or surge,
        down=sum(not found.settled(o) for o in counted),
        dark=sum(p is None or not p.ready for p in living),
        working=len(counted),
    )
