"""Which pods to create, remove and retire now, in the order of their ordinals (docs/spec/gamestatefulset.md 2.5).

OrderedReady changes one pod at a time: the lowest missing ordinal is created, and nothing goes on before it is ready;
scaling in begins at the highest, and goes on when that one is gone. A pod that is not ready at an older revision does
not block: it waits for its update, and blocking would keep it from ever getting one. Nor does anything wait for ever
for a pod that cannot get ready by itself (`PodView.stuck`). Parallel does everything at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from operators.api.reasons import BlockedReason
from operators.gamestatefulset.ordinals import pod_name
from operators.planning.actions import Blocked
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class Ordinals:
    """The ordinals there are to be, and who holds them.

    ``members`` are the ordinals of the replicas, ``surge`` those of surge pods, both ascending. ``pods`` are ours by
    ordinal, with those that are being deleted or have ended. ``kept`` are the members that the partition keeps at the
    old version. ``not_creatable`` says of ordinals why no pod can be created there now.
    """

    workload: str
    members: tuple[int, ...]
    surge: tuple[int, ...] = ()
    pods: Mapping[int, PodView] = field(default_factory=dict)
    kept: frozenset[int] = frozenset()
    not_creatable: Mapping[int, Blocked] = field(default_factory=dict)

    @property
    def wanted(self) -> tuple[int, ...]:
        """Ordinals that are to have a pod, ascending."""
        return (*self.members, *self.surge)

    @property
    def surplus(self) -> tuple[int, ...]:
        """Ordinals that have a pod and are to have none, descending."""
        wanted = set(self.wanted)
        return tuple(sorted((o for o in self.pods if o not in wanted), reverse=True))

    @property
    def none_terminating(self) -> bool:
        """No pod is on its way out."""
        return not any(pod.deleting for pod in self.pods.values())

    def name(self, ordinal: int) -> str:
        """Name of the pod that holds an ordinal."""
        return pod_name(self.workload, ordinal)

    def active(self, ordinal: int) -> PodView | None:
        """The pod of an ordinal, unless it is on its way out or has ended."""
        pod = self.pods.get(ordinal)
        return pod if pod is not None and pod.active else None


@dataclass(frozen=True, slots=True)
class OrdinalChanges:
    """What may be done in this pass: ordinals to ``create``, pods that ended to ``remove``, pods to ``retire``.

    A pod to retire goes when its hook allows it. ``open`` holds when updates may follow; ``repairs`` when only those of
    broken pods may, because all that others wait for is a pod that is not ready or cannot be made. ``blocked`` says
    what an ordered pass waits for, ``wait`` after how many seconds time alone ends that.
    """

    create: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()
    retire: tuple[int, ...] = ()
    open: bool = True
    repairs: bool = False
    blocked: tuple[Blocked, ...] = ()
    wait: float | None = None


def parallel_changes(ordinals: Ordinals) -> OrdinalChanges:
    """Everything at once."""
    ended = tuple(o for o, pod in sorted(ordinals.pods.items()) if pod.finished and not pod.deleting)
    missing = [o for o in ordinals.wanted if o not in ordinals.pods]
    free = tuple(o for o in missing if o not in ordinals.not_creatable)
    not_creatable = tuple(ordinals.not_creatable[o] for o in missing if o in ordinals.not_creatable)
    return OrdinalChanges(free, ended, tuple(o for o in ordinals.surplus if ordinals.active(o)), blocked=not_creatable)


def ordered_changes(ordinals: Ordinals, target: str, ready: Callable[[PodView], bool], now: float) -> OrdinalChanges:
    """One after the other. ``target`` is the revision pods are brought to; ``ready`` is what "ready" means here."""
    for ordinal in ordinals.members:
        name, pod = ordinals.name(ordinal), ordinals.pods.get(ordinal)
        if pod is None:
            hindrance = ordinals.not_creatable.get(ordinal)
            if hindrance is not None:
                return OrdinalChanges(open=False, repairs=ordinals.none_terminating, blocked=(hindrance,))
            return OrdinalChanges(create=(ordinal,), open=False)
        if pod.deleting:
            return _waiting(f"pod {name} is being deleted; the others wait until it is gone and created again")
        if pod.finished:
            return OrdinalChanges(remove=(ordinal,), open=False)
        if pod.revision == target and not ready(pod):
            return replace(_waiting(_unready(ordinals, ordinal)), repairs=ordinals.none_terminating)
    return _scale_in(ordinals, ready, now)


def _unready(ordinals: Ordinals, ordinal: int) -> str:
    pod = ordinals.pods[ordinal]
    why = f": {pod.problem.text}" if pod.problem else ""
    return f"pod {pod.name} of the newest version is not ready{why}; the others wait for it (OrderedReady)"


def _waiting(text: str) -> OrdinalChanges:
    return OrdinalChanges(open=False, blocked=(Blocked(BlockedReason.ORDERED_READY, text),))


def _scale_in(ordinals: Ordinals, ready: Callable[[PodView], bool], now: float) -> OrdinalChanges:
    """The highest pod that is to go. One that is merely not ready yet is left to get ready first (spec 2.5, case 38).

    The lowest that is not ready goes all the same, and so does one that will not get ready by itself: two of these
    would wait for each other for ever, and no new version would ever reach pods that are to go.
    """
    for ordinal in ordinals.surplus:
        pod = ordinals.pods[ordinal]
        if pod.deleting:
            return _waiting(f"pod {pod.name} is being deleted; scaling in goes on when it is gone")
        if pod.finished:
            return OrdinalChanges(remove=(ordinal,), open=False)
        if not ready(pod) and not pod.stuck(now):
            lowest = _lowest_unready(ordinals, ready)
            if ordinal != lowest:
                other = ordinals.name(lowest)
                text = f"scaling in waits for pod {pod.name} to be ready, because {other} is not ready either"
                left = pod.ready_deadline_left(now)
                return replace(_waiting(text), wait=None if left == math.inf else left)
        return OrdinalChanges(retire=(ordinal,), open=False)
    return OrdinalChanges()


def _lowest_unready(ordinals: Ordinals, ready: Callable[[PodView], bool]) -> int:
    known = sorted({*ordinals.members, *ordinals.pods})
    return next(o for o in known if (pod := ordinals.active(o)) is None or not ready(pod))


def created_at_current(
    ordinal: int, ordinals: Ordinals, target: str, *, ordered_changes: bool, held: bool, on_delete: bool
) -> bool:
    """Whether a missing pod comes back at the old version (docs/spec/gamestatefulset.md 2.9, decision 6).

    It does below the partition; and, where an update is under way, in the part that it has not reached yet: under
    OrderedReady below a pod that is still old, under a pause below every pod that is updated. OnDelete has no old
    version to keep: what somebody deletes comes back new.
    """
    if on_delete:
        return False
    if ordinal in ordinals.kept:
        return True
    living = {o: p for o in ordinals.members if (p := ordinals.active(o)) is not None}
    updated = [o for o, pod in living.items() if pod.revision == target]
    if held and ordinal < min(updated, default=ordinal + 1):
        return True
    return ordered_changes and any(o > ordinal and pod.revision != target for o, pod in living.items())
