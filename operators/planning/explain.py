"""What a workload waits for, or lacks, that no action of a pass speaks of (design: nothing stops silently)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from operators.kube.times import rfc3339
from operators.planning.actions import Blocked
from operators.planning.rollout import Scene
from operators.planning.views import PodView

#: What holds a rollout by the user's own wish: nothing is under way, and nothing is wrong.
HELD = frozenset({"Paused", "OnDelete", "PartitionReached", "CanaryPaused"})
#: Worth a warning, but no reason why the workload would not be complete.
ASIDE = frozenset({"SelectorOverlap", "PodsToDeleteForeign", "PodStuckTerminating"})


_NAMED = 3


def name_some(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


@dataclass(frozen=True, slots=True)
class Explained:
    """What to say, and after how many seconds time alone changes it."""

    blocked: list[Blocked] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


def explain(scene: Scene) -> Explained:
    """Pods in trouble, pods that are not ready or not available yet, a partition, budgets of nothing, rivals."""
    result = Explained()
    unready = [p for p in scene.pods if not p.ready]
    _troubled(unready, result)
    _starting(scene, unready, result)
    _young(scene, result)
    _partition(scene, result)
    _no_budget(scene, result)
    if scene.observed.rivals:
        names = name_some(sorted(r.name for r in scene.observed.rivals))
        text = (
            f"spec.selector overlaps with that of {scene.kind} {names}: each pod stays with its owner, "
            "a pod without owner goes to the older workload"
        )
        result.blocked.append(Blocked("SelectorOverlap", text, waiting=False))
    return result


def _troubled(unready: list[PodView], result: Explained) -> None:
    for pod in unready:
        if pod.trouble is not None:
            text = f"pod {pod.name}: {pod.trouble.text}"
            result.blocked.append(Blocked(pod.trouble.reason, text, pod.name, waiting=False))


def _starting(scene: Scene, unready: list[PodView], result: Explained) -> None:
    """Pods that nothing else is said of."""
    names = [p.name for p in unready if p.trouble is None and scene.progress[p.name].done]
    if names:
        text = f"{len(names)} of {len(scene.pods)} pods are not ready: {name_some(names)}"
        result.blocked.append(Blocked("PodsNotReady", text))


def _young(scene: Scene, result: Explained) -> None:
    wait = scene.spec.min_ready_seconds
    if not wait:
        return
    left = {p.name: p.ready_since + wait - scene.now for p in scene.pods if p.ready and p.ready_since is not None}
    young = {name: seconds for name, seconds in left.items() if seconds > 0}
    if young:
        name, first = min(young.items(), key=lambda item: (item[1], item[0]))
        text = (
            f"{len(young)} of {len(scene.pods)} pods are ready for less than minReadySeconds {wait}; "
            f"the next is {name} at {rfc3339(scene.now + first)}"
        )
        result.blocked.append(Blocked("MinReadySeconds", text))
        result.waits.append(max(0.1, first))


def _partition(scene: Scene, result: Explained) -> None:
    strategy = scene.spec.update_strategy
    if scene.course.steps or scene.course.held or strategy.type not in ("RollingUpdate", "InplaceUpdate"):
        return
    if scene.kept and 0 < len(scene.outdated) <= scene.kept:
        text = (
            f"{len(scene.outdated)} of {len(scene.pods)} pods stay at revision {scene.revisions.current}: "
            f"partition {scene.numbers.partition} keeps {scene.kept} of {scene.spec.replicas}"
        )
        result.blocked.append(Blocked("PartitionReached", text))


def _no_budget(scene: Scene, result: Explained) -> None:
    strategy = scene.spec.update_strategy
    if scene.course.held or strategy.type not in ("RollingUpdate", "InplaceUpdate"):
        return
    if len(scene.outdated) > scene.kept and not scene.budget.unavailable and not scene.budget.surge:
        text = "maxUnavailable and maxSurge are both 0: no pod can ever be updated"
        result.blocked.append(Blocked("NoBudget", text, waiting=False))
