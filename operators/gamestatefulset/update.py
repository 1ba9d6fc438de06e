"""Which pods of a GameStatefulSet are updated, and in which order (spec/gamestatefulset.md 2.7)."""

from __future__ import annotations

from collections.abc import Sequence

from operators.gamestatefulset.order import Order
from operators.gamestatefulset.ordinals import ordinal_of
from operators.gamestatefulset.rollout import Ensemble
from operators.planning.inprogress import Updating
from operators.planning.scaling import Scaling
from operators.planning.update import Allowance, Walk, may_update
from operators.planning.views import PodView


def update(found: Ensemble, order: Order, scaling: Scaling, result: Updating) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it.

    Parallel takes broken pods first: they are down anyway, and what is to come may be their repair; then the highest
    ordinals. OrderedReady takes the highest and no other: what is below waits for its turn, broken or not, because a
    pod that is replaced there comes back old. When its turn has come a broken one is taken even while others are not
    ready: they may be what needs it.
    """
    scene, roster = found.scene, found.roster
    living = [p for o in found.due if (p := roster.active(o)) is not None and p.name not in scaling.victims]
    outdated = [p for p in living if p.revision != scene.course.target]
    if not may_update(scene, outdated, result):
        return
    outdated.sort(key=lambda p: -_ordinal(found, p))
    counted = (*found.due, *roster.surge)
    if found.ordered:
        counted = tuple(o for o in found.due if o > _ordinal(found, outdated[0]))
    walk = Walk(scene, outdated, _allowance(found, counted), result)
    # A pod whose hook is being asked stays a target while others are waited for: it would be asked anew every time.
    result.targets.update({p.name: walk.guard(p) for p in outdated if walk.asked(p)})
    if found.ordered:
        walk.run(outdated[:1] if order.open or _repairs(found, order, outdated[0], result) else ())
    else:
        walk.run(sorted(outdated, key=lambda p: (p.ready, not walk.asked(p))))


def _repairs(found: Ensemble, order: Order, pod: PodView, result: Updating) -> bool:
    """Whether a pod may be updated although others are not ready (spec 2.7: one that is unhealthy is at once).

    Only one that cannot get ready by itself: a moment of unreadiness must not carry a version that fails to a second
    pod.
    """
    if pod.ready or not order.repairs:
        return False
    if pod.hopeless(found.scene.now):
        return True
    if pod.unready_since is not None:
        result.waits.append(pod.patience(found.scene.now))
    return False


def _ordinal(found: Ensemble, pod: PodView) -> int:
    return ordinal_of(found.roster.workload, pod.name) or 0


def _allowance(found: Ensemble, counted: Sequence[int]) -> Allowance:
    """How many of these ordinals may be down, and are (spec 2.7).

    They are the replicas that the partition does not keep, and surge pods; in order only those above the one whose turn
    it is. Surge pods do not raise the number: they stand in for those that are down. Only where no pod may be down at
    all they are what an update lives on.
    """
    surge = sum(found.settled(o) for o in found.roster.surge)
    return Allowance(
        room=found.scene.budget.unavailable or surge,
        down=sum(not found.settled(o) for o in counted),
        working=len(counted),
    )
