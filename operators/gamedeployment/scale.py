"""Creating and removing pods (spec/gamedeployment.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from operators.api import keys
from operators.planning.actions import Blocked, CreatePod
from operators.planning.budgets import Difference, difference
from operators.planning.explain import name_some
from operators.planning.identity import InvalidIndexRange, free_indexes, index_range, instance_ids, pod_body
from operators.planning.rollout import Scene
from operators.planning.scalein import SortKey, choose_victims, cost_order
from operators.planning.scaling import AT_ONCE, Scaling, batch, failing, leaving, remove, resting, strangers
from operators.planning.views import PodView


def scale(scene: Scene, joining: Sequence[str] = ()) -> Scaling:
    """Bring the number of pods to what replicas, partition and surge ask for.

    ``joining`` are the revisions of pods in whose place none is created: those being adopted, those that rest.
    """
    spec, result = scene.spec, Scaling()
    leaving(scene, result)
    failing(resting(scene.observed, scene.now), scene.now, result)
    try:
        indexes = index_range(scene.workload.name, scene.workload.annotations, spec.replicas)
    except InvalidIndexRange as error:
        result.blocked.append(Blocked("InvalidIndexRange", str(error), waiting=False))
        result.able = False
        return result
    names = frozenset(spec.scale_strategy.pods_to_delete)
    named = [p for p in scene.pods if p.name in names] if names else []
    strangers(scene, names, result)
    wanted = difference(spec.replicas, scene.kept, len(scene.pods), len(scene.outdated), scene.budget.surge)
    if wanted.total < 0:
        _create(scene, _without(scene, joining, wanted), indexes, result)
    for pod in [*named, *_victims(scene, wanted, named, result)]:
        result.victims[pod.name] = pod
        remove(scene, pod, result)
    return result


def _without(scene: Scene, joining: Sequence[str], wanted: Difference) -> Difference:
    """What is still missing when the pods that join are there."""
    if not joining:
        return wanted
    outdated = len(scene.outdated) + sum(revision != scene.course.target for revision in joining)
    active = len(scene.pods) + len(joining)
    left = difference(scene.spec.replicas, scene.kept, active, outdated, scene.budget.surge)
    return left if left.total < 0 else Difference(0, 0)


def _create(scene: Scene, wanted: Difference, indexes: range | None, result: Scaling) -> None:
    count = -wanted.total
    from_current = min(count, max(0, -wanted.old))
    if scene.course.memory.user_paused and not scene.updated:
        from_current = count  # an unreleased version must not slip in through a scale-out (spec 7.2)
    if scene.first:
        count = batch(scene, count, result)
    count = min(count, AT_ONCE)
    pods = scene.observed.pods
    free = free_indexes(indexes, pods, count) if indexes is not None else None
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
    order = _order(scene, surge)
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
    before the pods under way are ready. Without an update there are none: then who is too many is for the costs to say.
    """
    due = len(scene.outdated) > scene.kept
    under_way = any(
        p.name not in scene.settled and p.trouble is None and (due or _being_updated(scene, p)) for p in scene.updated
    )
    if not (under_way or scene.outdated or scene.revisions.current != scene.revisions.update):
        return 0, False
    created = sum(p.state is None for p in scene.updated)
    surge = max(0, min(len(scene.pods) - scene.spec.replicas, scene.surge, created))
    return surge, under_way or (scene.in_place and due and scene.budget.surge > 0)


def _being_updated(scene: Scene, pod: PodView) -> bool:
    """In an update in place, or in what follows it (the kubelet's word, minReadySeconds, a hook).

    A pod that broke later is in neither: it has a container that is not ready.
    """
    return pod.state is not None and (not scene.progress[pod.name].done or all(c.ready for c in pod.containers))


def _order(scene: Scene, surge: int) -> Callable[[PodView], SortKey]:
    """Surge pods of an in-place update go before veterans; a veteran that is broken has no such right."""
    costs = cost_order(scene.observed.node_costs, descending=_sort_descending(scene))
    if not (scene.in_place and surge):
        return costs
    brought = {p.name for p in scene.updated if p.state is None}
    return lambda pod: (pod.name not in brought and (pod.ready or pod.trouble is None), *costs(pod))
