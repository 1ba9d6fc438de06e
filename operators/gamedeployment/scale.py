"""Creating and removing pods (docs/spec/gamedeployment.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from operators.api import keys
from operators.api.reasons import BlockedReason
from operators.planning.actions import Blocked, CreatePod
from operators.planning.budgets import Difference, difference
from operators.planning.explain import name_some
from operators.planning.findings import Findings, join
from operators.planning.identity import InvalidIndexRange, free_indexes, index_range, instance_ids, pod_body
from operators.planning.rollout import Rollout
from operators.planning.scalein import SortKey, choose_victims, cost_order
from operators.planning.scaling import (
    AT_ONCE,
    ScaleOutcome,
    batch,
    crash_backoff,
    leaving,
    remove,
    report_crash_backoff,
    report_foreign_names,
)
from operators.planning.views import PodView


def scale(rollout: Rollout, arriving_revisions: Sequence[str] = ()) -> ScaleOutcome:
    """Bring the number of pods to what replicas, partition and surge ask for.

    ``arriving_revisions`` are the revisions of pods in whose place none is created: orphans that are being adopted, and
    pods in their crash back-off.
    """
    spec = rollout.spec
    found = leaving(rollout) + report_crash_backoff(crash_backoff(rollout.observed, rollout.now), rollout.now)
    try:
        indexes = index_range(rollout.workload.name, rollout.workload.annotations, spec.replicas)
    except InvalidIndexRange as error:
        refused = Blocked(BlockedReason.INVALID_INDEX_RANGE, str(error), waiting=False)
        return ScaleOutcome(found + Findings(blocked=(refused,)), able=False)
    names = frozenset(spec.scale_strategy.pods_to_delete)
    named = [p for p in rollout.pods if p.name in names] if names else []
    found += report_foreign_names(rollout, names)
    due = len(rollout.restart.due)
    wanted = _difference(rollout, due)
    if wanted.total > 0 and rollout.restart.busy:
        wanted = _difference(rollout, due + len(rollout.restart.busy))  # what a restart has brought stays for its end
    if wanted.total < 0:
        found += _create(rollout, _without(rollout, arriving_revisions, wanted), indexes)
    surplus, surge_kept = _victims(rollout, wanted, named)
    victims = {pod.name: pod for pod in (*named, *surplus)}
    return ScaleOutcome(join((found, surge_kept, *(remove(rollout, pod) for pod in victims.values()))), victims)


def _difference(rollout: Rollout, restarting: int) -> Difference:
    outdated, surge = len(rollout.outdated), rollout.budget.surge
    return difference(rollout.spec.replicas, rollout.kept, len(rollout.pods), outdated, surge, restarting)


def _without(rollout: Rollout, arriving_revisions: Sequence[str], wanted: Difference) -> Difference:
    """What is still missing when the pods that join are there."""
    if not arriving_revisions:
        return wanted
    outdated = len(rollout.outdated) + sum(revision != rollout.canary.target for revision in arriving_revisions)
    active = len(rollout.pods) + len(arriving_revisions)
    due = len(rollout.restart.due)
    left = difference(rollout.spec.replicas, rollout.kept, active, outdated, rollout.budget.surge, due)
    return left if left.total < 0 else Difference(0, 0)


def _create(rollout: Rollout, wanted: Difference, indexes: range | None) -> Findings:
    count, found = -wanted.total, Findings()
    from_current = min(count, max(0, -wanted.old))
    if rollout.canary.recorded.user_paused and not rollout.updated:
        from_current = count  # an unreleased version must not slip in through a scale-out (spec 7.2)
    if rollout.first:
        count, found = batch(rollout, count)
    count = min(count, AT_ONCE)
    pods = rollout.observed.pods
    free = free_indexes(indexes, pods, count) if indexes is not None else None
    if indexes is not None and free is not None and len(free) < count:
        found += Findings(blocked=(_exhausted(rollout, count, len(free), indexes),))
        count = len(free)
    if not count:
        return found
    newest = max((p.resource_version for p in pods), default="")
    refusal = rollout.observed.refusals.get("CreatePod")
    attempt = refusal.count if refusal else 0  # a name that somebody else holds is not asked for again
    seed = f"{rollout.workload.uid}/{rollout.workload.resource_version}/{newest}/{len(pods)}/{attempt}"
    ids = instance_ids(seed, {p.instance for p in pods} | {p.name.rsplit("-", 1)[-1] for p in pods})
    created = []
    for number, instance in enumerate(sorted(next(ids) for _ in range(count))):
        revision = rollout.revisions.current if number < from_current else rollout.canary.target
        template = rollout.revisions.templates[revision]
        index = free[number] if free is not None else None
        gate = not rollout.spec.disable_readiness_gate
        body = pod_body(rollout.workload.name, template, revision, instance, index, gate=gate)
        created.append(CreatePod(body["metadata"]["name"], revision, body))
    return found + Findings(tuple(created))


def _exhausted(rollout: Rollout, count: int, free: int, indexes: range) -> Blocked:
    """Pods that cannot be created for want of an index; whether waiting helps, and what would."""
    leaving = [p.name for p in rollout.observed.pods if p.deleting and not p.finished]
    missing = max(0, rollout.spec.replicas - len(rollout.pods))
    text = f"{count} pods to create, {free} free indexes in {indexes.start}..{indexes.stop - 1}"
    if leaving:
        return Blocked(BlockedReason.INDEXES_EXHAUSTED, f"{text}: waiting for pods to leave: {name_some(leaving)}")
    if not missing and rollout.budget.unavailable:
        return Blocked(
            BlockedReason.INDEXES_EXHAUSTED, f"{text}: the update goes on with {len(rollout.pods)} pods, without surge"
        )
    return Blocked(BlockedReason.INDEXES_EXHAUSTED, f"{text}: the index range is too small", waiting=False)


def _sort_descending(rollout: Rollout) -> bool:
    template = (rollout.spec.template.get("metadata") or {}).get("annotations") or {}
    method = rollout.workload.annotations.get(keys.COST_SORT_ANNOTATION) or template.get(keys.COST_SORT_ANNOTATION)
    return method == "descend"


def _victims(rollout: Rollout, wanted: Difference, named: Sequence[PodView]) -> tuple[list[PodView], Findings]:
    """Pods too many. Those the user named count; surge pods stay while the update needs them, and that is said."""
    surge, needed = _surge_pods(rollout)
    surplus = len(rollout.pods) - rollout.spec.replicas
    total, found = wanted.total, Findings()
    if needed and surplus > 0:
        total = min(total, surplus - surge)
        if total < wanted.total:
            text = f"{wanted.total - max(0, total)} surge pods stay until the pods being updated are ready"
            found = Findings(blocked=(Blocked(BlockedReason.SURGE_KEPT, text),))
    total -= len(named)
    if total <= 0:
        return [], found
    from_old = wanted.old - (surge if rollout.in_place and not needed else 0)
    going = {p.name for p in named}
    target = rollout.canary.target
    order = _order(rollout, surge)
    chosen = choose_victims(
        [p for p in rollout.outdated if p.name not in going],
        [p for p in rollout.updated if p.name not in going],
        total,
        from_old - sum(p.revision != target for p in named),
        {p.name for p in rollout.pods if rollout.runs.of("predelete", p)},
        order,
    )
    return chosen, found


def _surge_pods(rollout: Rollout) -> tuple[int, bool]:
    """How many pods beyond replicas an update has brought, and whether it still needs them.

    They are pods created at the new version, never updated in place; they go when the last updated pod is ready, so
    that neither a veteran nor availability pays for the end of an update (spec 9.2). While the user pauses, none goes
    before the pods under way are ready. Without an update there are none: then who is too many is for the costs to say.
    """
    due = len(rollout.outdated) > rollout.kept
    under_way = any(
        p.name not in rollout.healthy and p.problem is None and (due or _being_updated(rollout, p))
        for p in rollout.updated
    )
    if not (under_way or rollout.outdated or rollout.revisions.current != rollout.revisions.update):
        return 0, False
    created = sum(p.state is None for p in rollout.updated)
    surge = max(0, min(len(rollout.pods) - rollout.spec.replicas, rollout.surge, created))
    return surge, under_way or (rollout.in_place and due and rollout.budget.surge > 0)


def _being_updated(rollout: Rollout, pod: PodView) -> bool:
    """In an update in place, or in what follows it (the kubelet's word, minReadySeconds, a hook).

    A pod that broke later is in neither: it has a container that is not ready.
    """
    return pod.state is not None and (not rollout.progress[pod.name].done or all(c.ready for c in pod.containers))


def _order(rollout: Rollout, surge: int) -> Callable[[PodView], SortKey]:
    """Surge pods of an in-place update go before veterans; a veteran that is broken has no such right."""
    costs = cost_order(rollout.observed.node_costs, descending=_sort_descending(rollout))
    if not (rollout.in_place and surge):
        return costs
    brought = {p.name for p in rollout.updated if p.state is None}
    return lambda pod: (pod.name not in brought and (pod.ready or pod.problem is None), *costs(pod))
