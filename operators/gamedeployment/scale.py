"""Creating and removing pods (spec/gamedeployment.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from operators.api import keys
from operators.gamedeployment.scene import Scene
from operators.planning.actions import Action, Blocked, CreatePod, DeletePod
from operators.planning.budgets import Difference, at_least_one, difference
from operators.planning.identity import InvalidIndexRange, free_indexes, index_range, instance_ids, pod_body
from operators.planning.podhooks import Answer, ask
from operators.planning.scalein import SortKey, choose_victims, cost_order
from operators.planning.times import rfc3339
from operators.planning.views import PodView

_PATIENCE = 30.0
_NAMED = 3


@dataclass(slots=True)
class Scaling:
    """What scaling does. ``victims`` are all pods chosen to go, those that still wait for their hook included.

    ``able`` tells whether pods can be created at all: one that could not be replaced must not be deleted to be
    updated.
    """

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    victims: dict[str, PodView] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    able: bool = True


def scale(scene: Scene) -> Scaling:
    """Bring the number of pods to what replicas, partition and surge ask for."""
    spec, result = scene.spec, Scaling()
    _leaving(scene, result)
    try:
        indexes = index_range(scene.workload.name, scene.workload.annotations, spec.replicas)
    except InvalidIndexRange as error:
        result.blocked.append(Blocked("InvalidIndexRange", str(error), waiting=False))
        result.able = False
        return result
    names = frozenset(spec.scale_strategy.pods_to_delete)
    named = [p for p in scene.pods if p.name in names] if names else []
    _strangers(scene, names, result)
    wanted = difference(spec.replicas, scene.kept, len(scene.pods), len(scene.outdated), scene.budget.surge)
    if wanted.total < 0:
        _create(scene, wanted, indexes, result)
    for pod in [*named, *_victims(scene, wanted, named, result)]:
        result.victims[pod.name] = pod
        _remove(scene, pod, result)
    return result


def name_some(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _strangers(scene: Scene, names: Collection[str], result: Scaling) -> None:
    """Names in podsToDelete whose pods exist, but are not ours: nothing happens to them, and that is said."""
    if not names:
        return
    uid, matches = scene.workload.uid, scene.spec.selector.matches
    foreign = sorted(
        p.name
        for p in scene.observed.pods
        if p.name in names and (p.owner.uid != uid if p.owner else not matches(p.labels))
    )
    if foreign:
        text = f"scaleStrategy.podsToDelete names pods of others, which are left alone: {name_some(foreign)}"
        result.blocked.append(Blocked("PodsToDeleteForeign", text, waiting=False))


def _leaving(scene: Scene, result: Scaling) -> None:
    """Pods whose deletion takes longer than it should: a finalizer holds them, or their node is lost."""
    late: list[PodView] = []
    for pod in scene.observed.pods:
        if pod.gone_by is None or pod.owner is None or pod.owner.uid != scene.workload.uid:
            continue
        left = pod.gone_by + _PATIENCE - scene.now
        if left > 0:
            result.waits.append(left)
        else:
            late.append(pod)
    if late:
        first = min(late, key=lambda p: (p.gone_by or 0.0, p.name))
        why = f"its finalizers {', '.join(first.holders)} hold it" if first.holders else f"node {first.node} is silent"
        more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
        text = f"pod {first.name} should have been gone by {rfc3339(first.gone_by or 0.0)}: {why}{more}"
        result.blocked.append(Blocked("PodStuckTerminating", text, first.name, waiting=False))


def _create(scene: Scene, wanted: Difference, indexes: range | None, result: Scaling) -> None:
    count = -wanted.total
    from_current = min(count, max(0, -wanted.old))
    if scene.course.memory.user_paused and not scene.updated:
        from_current = count  # an unreleased version must not slip in through a scale-out (spec 7.2)
    if scene.first:
        count = _batch(scene, count, result)
    pods = scene.observed.pods
    free = free_indexes(indexes, pods) if indexes is not None else None
    if indexes is not None and free is not None and len(free) < count:
        result.blocked.append(_exhausted(scene, count, len(free), indexes))
        count = len(free)
    if not count:
        return
    newest = max((p.resource_version for p in pods), default="")
    refusal = scene.observed.refusals.get("CreatePod")
    attempt = refusal.count if refusal else 0  # a name that somebody else holds is not asked for again
    seed = f"{scene.workload.uid}/{scene.workload.resource_version}/{newest}/{len(pods)}/{attempt}"
    ids = instance_ids(seed, {p.instance for p in pods} | {p.name.rsplit("-", 1)[-1] for p in pods})
    for number, instance in enumerate(sorted(next(ids) for _ in range(count))):
        revision = scene.revisions.current if number < from_current else scene.course.target
        template = scene.revisions.templates[revision]
        index = free[number] if free is not None else None
        gate = not scene.spec.disable_readiness_gate
        body = pod_body(scene.workload.name, template, revision, instance, index, gate=gate)
        result.actions.append(CreatePod(body["metadata"]["name"], revision, body))


def _batch(scene: Scene, count: int, result: Scaling) -> int:
    """How many pods a new workload creates now: createBatch, and the next ones when those are ready (spec 1.2)."""
    size = at_least_one(scene.spec.scale_strategy.create_batch, scene.spec.replicas)
    if size >= scene.spec.replicas:
        return count
    starting = [p.name for p in scene.pods if not p.ready]
    if starting:
        text = (
            f"{len(scene.pods)} of {scene.spec.replicas} pods are created, the next {min(size, count)} (createBatch "
            f"{scene.spec.scale_strategy.create_batch}) when these are ready: {name_some(starting)}"
        )
        result.blocked.append(Blocked("CreateBatch", text))
        return 0
    return min(size, count)


def _exhausted(scene: Scene, count: int, free: int, indexes: range) -> Blocked:
    """Pods that cannot be created for want of an index; whether waiting helps, and what would."""
    leaving = [p.name for p in scene.observed.pods if p.deleting and not p.finished]
    missing = max(0, scene.spec.replicas - len(scene.pods))
    text = f"{count} pods to create, {free} free indexes in {indexes.start}..{indexes.stop - 1}"
    if leaving:
        return Blocked("IndexesExhausted", f"{text}: waiting for pods to leave: {name_some(leaving)}")
    if not missing and scene.budget.unavailable:
        return Blocked("IndexesExhausted", f"{text}: the update goes on with {len(scene.pods)} pods, without surge")
    return Blocked("IndexesExhausted", f"{text}: the index range is too small", waiting=False)


def _sort_descending(scene: Scene) -> bool:
    template = (scene.spec.template.get("metadata") or {}).get("annotations") or {}
    method = scene.workload.annotations.get(keys.COST_SORT_ANNOTATION) or template.get(keys.COST_SORT_ANNOTATION)
    return method == "descend"


def _victims(scene: Scene, wanted: Difference, named: Sequence[PodView], result: Scaling) -> list[PodView]:
    """Pods too many. Those the user named count; surge pods stay while the update needs them."""
    surge, needed = _surge_pods(scene)
    surplus = len(scene.pods) - scene.spec.replicas
    total = wanted.total
    if needed and surplus > 0:
        total = min(total, surplus - surge)
        if total < wanted.total:
            text = f"{wanted.total - max(0, total)} surge pods stay until the pods being updated are ready"
            result.blocked.append(Blocked("SurgeKept", text))
    total -= len(named)
    if total <= 0:
        return []
    from_old = wanted.old - (surge if scene.in_place and not needed else 0)
    going = {p.name for p in named}
    target = scene.course.target
    order = _order(scene)
    return choose_victims(
        [p for p in scene.outdated if p.name not in going],
        [p for p in scene.updated if p.name not in going],
        total,
        from_old - sum(p.revision != target for p in named),
        {p.name for p in scene.pods if scene.runs.of("predelete", p)},
        order,
    )


def _surge_pods(scene: Scene) -> tuple[int, bool]:
    """How many pods beyond replicas an update has brought, and whether it still needs them.

    They are pods created at the new version, never updated in place; they go when the last updated pod is ready, so
    that neither a veteran nor availability pays for the end of an update (spec 9.2). While the user pauses, none goes
    before the pods under way are ready.
    """
    created = sum(p.state is None for p in scene.updated)
    surge = max(0, min(len(scene.pods) - scene.spec.replicas, scene.surge, created))
    due = len(scene.outdated) > scene.kept
    under_way = any(
        p.name not in scene.settled and p.trouble is None and (due or p.state is not None) for p in scene.updated
    )
    return surge, under_way or (scene.in_place and due and scene.budget.surge > 0)


def _order(scene: Scene) -> Callable[[PodView], SortKey]:
    """Surge pods of an in-place update go before veterans; a veteran that is broken has no such right."""
    costs = cost_order(scene.observed.node_costs, descending=_sort_descending(scene))
    if not scene.in_place:
        return costs
    return lambda pod: (pod.state is not None and (pod.ready or pod.trouble is None), *costs(pod))


def _remove(scene: Scene, pod: PodView, result: Scaling) -> None:
    verdict = ask("predelete", scene.hooks["predelete"], pod, scene.runs, scene.observed.templates)
    if verdict.answer is Answer.PROCEED:
        result.actions.append(DeletePod(pod.name, pod.uid, "deletePod"))
    if verdict.start:
        result.actions.append(verdict.start)
    if verdict.blocked:
        result.blocked.append(verdict.blocked)
