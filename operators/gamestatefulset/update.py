"""Which pods of a GameStatefulSet are updated, and in which order (docs/spec/gamestatefulset.md 2.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from operators.gamestatefulset.order import OrdinalChanges
from operators.gamestatefulset.ordinals import ordinal_of
from operators.gamestatefulset.rollout import SetRollout
from operators.gamestatefulset.scale import successor
from operators.planning.findings import Findings
from operators.planning.inprogress import UpdateOutcome
from operators.planning.scaling import ScaleOutcome
from operators.planning.update import DisruptionAllowance, UpdatePass, held_update
from operators.planning.views import PodView


def update(state: SetRollout, changes: OrdinalChanges, scaling: ScaleOutcome, begun: Findings) -> UpdateOutcome:
    """Choose the pods that may be touched now, and touch those whose hook allows it.

    Parallel takes broken pods first: they are down anyway, and what is to come may be their repair; then the highest
    ordinals. OrderedReady takes the highest and no other: what is below waits for its turn, broken or not, because a
    pod that is replaced there comes back old. When its turn has come a broken one is taken even while others are not
    ready: they may be what needs it. ``begun`` is what updates that have begun go on with; the outcome includes it.
    """
    rollout = state.rollout
    outdated = [p for p in _outdated(state) if p.name not in scaling.victims]
    restarts = _restarts(state, outdated, scaling)
    candidates = [*outdated, *restarts]
    held = held_update(rollout, candidates)
    if held is not None:
        return UpdateOutcome(begun + held)

    def replaced(pod: PodView) -> Mapping[str, Any]:
        return successor(state, _ordinal(state, pod))

    update_pass = UpdatePass(rollout, outdated, allowance(state, candidates[0]), begun, replaced, restarts)
    # A pod whose hook is being asked stays a target while others are waited for: it would be asked anew every time.
    asked = {p.name: update_pass.guard(p) for p in candidates if update_pass.hook_asked(p)}
    if not state.ordered:

        def order(pod: PodView) -> tuple[bool, bool]:
            return pod.ready, not update_pass.hook_asked(pod)

        outcome = update_pass.run(sorted(outdated, key=order), sorted(restarts, key=order))
        return replace(outcome, targets={**asked, **outcome.targets})
    allowed, waits = (True, ()) if changes.open else _repairs(state, changes, candidates[0])
    turn = candidates[:1] if allowed else []
    outcome = update_pass.run([p for p in turn if p in outdated], [p for p in turn if p in restarts])
    return UpdateOutcome(outcome.found + Findings(waits=waits), {**asked, **outcome.targets})


def _repairs(state: SetRollout, changes: OrdinalChanges, pod: PodView) -> tuple[bool, tuple[float, ...]]:
    """Whether a pod may be updated although others are not ready (spec 2.7: one that is unhealthy is at once).

    Also the seconds after which time alone says that it may.

    Only one that cannot get ready by itself: a moment of unreadiness must not carry a version that fails to a second
    pod.
    """
    if pod.ready or not changes.repairs:
        return False, ()
    if pod.stuck(state.rollout.now):
        return True, ()
    return False, () if pod.unready_since is None else (pod.ready_deadline_left(state.rollout.now),)


def _ordinal(state: SetRollout, pod: PodView) -> int:
    return ordinal_of(state.ordinals.workload, pod.name) or 0


def _outdated(state: SetRollout) -> list[PodView]:
    """Living pods that are due and not at the version they are brought to, the highest ordinal first."""
    living = [p for o in state.due if (p := state.ordinals.active(o)) is not None]
    found = [p for p in living if p.revision != state.rollout.canary.target]
    return sorted(found, key=lambda p: -_ordinal(state, p))


def _restarts(state: SetRollout, outdated: list[PodView], scaling: ScaleOutcome) -> list[PodView]:
    """Replicas to restart as they are: the longest running first, under OrderedReady the highest ordinal."""
    living = {p.name for o in state.ordinals.members if (p := state.ordinals.active(o)) is not None}
    others = {p.name for p in outdated} | set(scaling.victims)
    found = [p for p in state.rollout.restart.among(others) if p.name in living]
    return sorted(found, key=lambda p: -_ordinal(state, p)) if state.ordered else found


def first_outdated(state: SetRollout) -> PodView | None:
    """The pod whose turn it is, where one pod is updated after the other."""
    return next(iter(_outdated(state)), None)


def allowance(state: SetRollout, first: PodView | None) -> DisruptionAllowance:
    """How many of the ordinals may be down, and are (spec 2.7); ``first`` is the outdated pod of the highest ordinal.

    They are the replicas that the partition does not keep, and surge pods; in order only those above the one whose turn
    it is. Surge pods do not raise the number: they stand in for those that are down. Only where no pod may be down at
    all they are what an update lives on.
    """
    touched = state.ordinals.members if state.rollout.restart.due else state.due  # what is kept is restarted, too
    counted = (*touched, *state.ordinals.surge)
    if state.ordered and first is not None:
        counted = tuple(o for o in touched if o > _ordinal(state, first))
    surge = sum(state.healthy(o) for o in state.ordinals.surge)
    return DisruptionAllowance(
        room=state.rollout.budget.unavailable or surge,
        down=sum(not state.healthy(o) for o in counted),
        working=len(counted),
    )
