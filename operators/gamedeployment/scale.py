"""Creating and removing pods (spec/gamedeployment.md 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.api import keys
from operators.gamedeployment.scene import Scene
from operators.planning.actions import Action, Blocked, CreatePod, DeletePod
from operators.planning.budgets import Difference, difference
from operators.planning.identity import InvalidIndexRange, free_indexes, index_range, instance_ids, pod_body
from operators.planning.podhooks import Answer, ask
from operators.planning.scalein import choose_victims, cost_order
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class Scaling:
    """What scaling does. ``victims`` are all pods chosen to go, those that still wait for their hook included."""

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    victims: dict[str, PodView] = field(default_factory=dict)


def scale(scene: Scene) -> Scaling:
    """Bring the number of pods to what replicas, partition and surge ask for."""
    spec, result = scene.spec, Scaling()
    try:
        indexes = index_range(scene.workload.name, scene.workload.annotations, spec.replicas)
    except InvalidIndexRange as error:
        result.blocked.append(Blocked("InvalidIndexRange", str(error), waiting=False))
        return result
    named = [p for p in scene.pods if p.name in set(spec.scale_strategy.pods_to_delete)]
    wanted = difference(spec.replicas, scene.kept, len(scene.pods), len(scene.outdated), scene.budget.surge)
    if wanted.total < 0:
        _create(scene, wanted, indexes, result)
    victims = named + _victims(scene, wanted, {p.name for p in named})
    for pod in victims:
        result.victims[pod.name] = pod
        _remove(scene, pod, result)
    return result


def _create(scene: Scene, wanted: Difference, indexes: range | None, result: Scaling) -> None:
    count = -wanted.total
    from_current = min(count, max(0, -wanted.old))
    if scene.course.memory.user_paused and scene.outdated and not scene.updated:
        from_current = count  # an unreleased version must not slip in through a scale-out (spec 7.2)
    pods = scene.observed.pods
    free = free_indexes(indexes, pods) if indexes is not None else None
    if free is not None and len(free) < count:
        text = f"{count} pods to create, {len(free)} free indexes in {indexes}: waiting for pods to leave"
        result.blocked.append(Blocked("IndexesExhausted", text))
        count = len(free)
    newest = max((p.resource_version for p in pods), default="")
    seed = f"{scene.workload.uid}/{scene.workload.resource_version}/{newest}/{len(pods)}"
    ids = instance_ids(seed, {p.instance for p in pods} | {p.name.rsplit("-", 1)[-1] for p in pods})
    for number, instance in enumerate(sorted(next(ids) for _ in range(count))):
        revision = scene.revisions.current if number < from_current else scene.course.target
        template = scene.revisions.templates[revision]
        index = free[number] if free is not None else None
        gate = not scene.spec.disable_readiness_gate
        body = pod_body(scene.workload.name, template, revision, instance, index, gate=gate)
        result.actions.append(CreatePod(body["metadata"]["name"], revision, body))


def _sort_descending(scene: Scene) -> bool:
    template = (scene.spec.template.get("metadata") or {}).get("annotations") or {}
    method = scene.workload.annotations.get(keys.COST_SORT_ANNOTATION) or template.get(keys.COST_SORT_ANNOTATION)
    return method == "descend"


def _victims(scene: Scene, wanted: Difference, named: set[str]) -> list[PodView]:
    """Pods too many; those the user named count. Surge pods of an in-place update go before veterans."""
    total = wanted.total - len(named)
    if total <= 0:
        return []
    order = cost_order(scene.observed.node_costs, descending=_sort_descending(scene))
    chosen = {p.name for p in scene.pods if scene.runs.of("predelete", p)}
    old = [p for p in scene.outdated if p.name not in named]
    new = [p for p in scene.updated if p.name not in named]
    if scene.spec.update_strategy.type == "InplaceUpdate":
        veterans = {p.name for p in new if keys.INPLACE_STATE_ANNOTATION in p.annotations}
        return choose_victims(
            old, new, total, wanted.old, chosen, lambda p: (p.name in veterans and p.ready, *order(p))
        )
    return choose_victims(old, new, total, wanted.old, chosen, order)


def _remove(scene: Scene, pod: PodView, result: Scaling) -> None:
    verdict = ask("predelete", scene.hook("predelete"), pod, scene.runs, scene.observed.templates)
    if verdict.answer is Answer.PROCEED:
        result.actions.append(DeletePod(pod.name, pod.uid, "deletePod"))
    if verdict.start:
        result.actions.append(verdict.start)
    if verdict.blocked:
        result.blocked.append(verdict.blocked)
