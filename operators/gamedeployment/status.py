"""The status of a GameDeployment (spec/gamedeployment.md 1.3, 2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.api import keys
from operators.gamedeployment.observed import GameDeploymentView
from operators.gamedeployment.scene import Scene
from operators.planning import conditions
from operators.planning.actions import Blocked
from operators.planning.canary import Record
from operators.planning.times import rfc3339
from operators.planning.views import PodView

_HOOK_FIELDS = {
    "predelete": "preDeleteHookCondition",
    "preinplace": "preInplaceHookCondition",
    "postinplace": "postInplaceHookCondition",
}


def _hook_conditions(scene: Scene, kind: str) -> list[dict[str, Any]]:
    pods = {(p.revision, p.instance): p for p in scene.pods}
    found = []
    for run in scene.runs.of_kind(kind):
        subject = (run.labels.get(keys.HOOK_REVISION_LABEL, ""), run.labels.get(keys.HOOK_INSTANCE_LABEL, ""))
        pod = pods.get(subject)
        if pod is not None and run.phase != "Successful" and not run.deleting:
            entry = {"podName": pod.name, "startTime": rfc3339(run.created), "phase": run.phase or "Pending"}
            found.append(entry)
    return found


def _available(scene: Scene, available: int, ready: int) -> dict[str, Any]:
    needed = max(0, scene.spec.replicas - scene.budget.unavailable)
    text = f"{available} of {scene.spec.replicas} pods are available, {needed} are needed; {ready} are ready"
    enough = available >= needed
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    return conditions.condition("Available", enough, reason, text, scene.workload.generation)


def _progressing(scene: Scene, blocked: Sequence[Blocked], ready: int) -> list[dict[str, Any]]:
    total, updated = scene.spec.replicas, len(_updated(scene))
    due, back = max(0, total - scene.kept), scene.course.rolling_back
    whole = len(scene.pods) == total and ready == total
    settled = whole and (not scene.outdated if back else updated >= due and not blocked)
    text = f"{updated} of {total} pods are at revision {scene.revisions.update}, {ready} are ready"
    if scene.kept and scene.outdated and not back:
        text += f"; {min(scene.kept, len(scene.outdated))} are kept at the old version by the partition"
    waiting = [b for b in blocked if b.waiting]
    if waiting:
        text += ". " + waiting[0].message + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")
    generation = scene.workload.generation
    done = settled and not scene.outdated and not back
    reason = waiting[0].reason if waiting else ("PartitionReached" if settled and not done else "RollingOut")
    reason = "CanaryRolledBack" if back else reason
    return [
        conditions.condition("Progressing", not settled, "Settled" if done else reason, text, generation),
        conditions.condition("Complete", done, "AllPodsUpdated" if done else "InProgress", text, generation),
    ]


def blocked_condition(blocked: Sequence[Blocked], generation: int) -> dict[str, Any]:
    """What needs a person."""
    stuck = [b for b in blocked if not b.waiting]
    if not stuck:
        return conditions.condition("Blocked", False, "NotBlocked", "nothing needs a person", generation)  # noqa: FBT003
    text = stuck[0].message + (f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else "")
    return conditions.condition("Blocked", True, stuck[0].reason, text, generation)  # noqa: FBT003


def _troubled(pods: Sequence[PodView]) -> list[Blocked]:
    """Pods whose own status says why they do not get ready: an image that cannot be pulled, no node that fits."""
    return [
        Blocked("PodNotReady", f"pod {p.name}: {p.trouble}", p.name, waiting=False)
        for p in pods
        if not p.ready and p.trouble
    ]


def _updated(scene: Scene) -> list[PodView]:
    """Pods at the update revision, whichever way they are going."""
    return [p for p in scene.pods if p.revision == scene.revisions.update]


def status(scene: Scene, blocked: Sequence[Blocked], record: Record) -> dict[str, Any]:
    """The whole status of a readable workload; ``record`` is what is remembered of the rollout."""
    pods, now, old = scene.pods, scene.now, scene.workload.status
    ready = [p for p in pods if p.ready]
    available = sum(p.available(now, scene.spec.min_ready_seconds) for p in pods)
    all_blocked = [*blocked, *_troubled(pods)]
    updated = _updated(scene)
    result: dict[str, Any] = {
        "observedGeneration": scene.workload.generation,
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": available,
        "updatedReplicas": len(updated),
        "updatedReadyReplicas": sum(p.ready for p in updated),
        "currentRevision": scene.revisions.update if scene.complete else scene.revisions.current,
        "collisionCount": scene.revisions.collisions,
        "labelSelector": scene.spec.selector.to_string(),
        **record.fields(old),
    }
    for kind, field in _HOOK_FIELDS.items():
        result[field] = _hook_conditions(scene, kind)
    fresh = [
        *_progressing(scene, all_blocked, len(ready)),
        _available(scene, available, len(ready)),
        blocked_condition(all_blocked, scene.workload.generation),
    ]
    result["conditions"] = conditions.settle(old.get("conditions") or (), fresh, now)
    return result


def invalid_status(workload: GameDeploymentView, blocked: Blocked, now: float) -> dict[str, Any]:
    """Status of a workload whose spec cannot be acted on: what was known stays, the reason is added."""
    kept = [c for c in workload.status.get("conditions") or () if c.get("type") != "Blocked"]
    fresh = [*kept, blocked_condition([blocked], workload.generation)]
    settled = conditions.settle(workload.status.get("conditions") or (), fresh, now)
    return {**workload.status, "observedGeneration": workload.generation, "conditions": settled}
