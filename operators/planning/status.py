"""The status of a workload (spec/gamedeployment.md 1.3, 2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.kube.times import rfc3339
from operators.planning import conditions
from operators.planning.actions import Blocked
from operators.planning.canary.state import CanaryStatus
from operators.planning.explain import ASIDE, HELD
from operators.planning.hooks.pods import run_subject
from operators.planning.rollout import Rollout, recorded_revisions
from operators.planning.views import PodView
from operators.planning.workloads import Observed, Spec, WorkloadView

_HOOK_FIELDS = {
    "predelete": "preDeleteHookCondition",
    "preinplace": "preInplaceHookCondition",
    "postinplace": "postInplaceHookCondition",
}
#: Conditions of the Go operators beside ours: there while it holds, with the error as message (spec 1.3).
_FAILURES = {
    "FailedScale": ("FailedScale", "InvalidIndexRange"),
    "FailedUpdate": ("FailedUpdate", "InPlaceNotPossible"),
}


def _hook_conditions(rollout: Rollout, kind: str) -> list[dict[str, Any]]:
    runs = rollout.runs.of_kind(kind)
    if not runs:
        return []
    pods = {(p.revision, p.instance): p for p in rollout.pods}
    found = []
    for run in runs:
        pod = pods.get(run_subject(run))
        if pod is not None and run.phase != "Successful" and not run.deleting:
            entry = {"podName": pod.name, "startTime": rfc3339(run.created), "phase": run.phase or "Pending"}
            found.append(entry)
    return found


def _available(rollout: Rollout, available: int, ready: int) -> dict[str, Any]:
    needed = max(0, rollout.spec.replicas - rollout.budget.unavailable)
    text = f"{available} of {rollout.spec.replicas} pods are available, {needed} are needed; {ready} are ready"
    enough = available >= needed
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    return conditions.condition("Available", enough, reason, text, rollout.workload.generation)


def _progressing(rollout: Rollout, blocked: Sequence[Blocked], ready: int) -> list[dict[str, Any]]:
    """``Progressing``: something is under way, or will be by itself. ``Complete``: nothing is left to do."""
    total, generation = rollout.spec.replicas, rollout.workload.generation
    back = rollout.canary.rolling_back
    text = f"{len(_updated(rollout))} of {total} pods are at revision {rollout.revisions.update}, {ready} are ready"
    if rollout.kept and rollout.outdated and not back:
        text += f"; {min(rollout.kept, len(rollout.outdated))} are kept at the old version by the partition"
    moving = [b for b in blocked if b.waiting and b.reason not in HELD]
    held = [b for b in blocked if b.reason in HELD]
    stuck = [b for b in blocked if not b.waiting and b.reason not in ASIDE]
    whole = rollout.whole and total == ready
    shown = [*moving, *held] or stuck
    if shown:
        text += ". " + shown[0].message + (f" (and {len(shown) - 1} more)" if len(shown) > 1 else "")
    if back:
        progressing, reason = not whole or bool(rollout.outdated), "CanaryRolledBack"
    elif shown:
        progressing = bool(moving) or not (held or stuck)
        reason = shown[0].reason
    else:
        progressing = not (whole and not rollout.outdated)
        reason = "RollingOut" if progressing else "Settled"
    done = whole and len(rollout.settled) == total and not rollout.outdated and not back and not shown and not stuck
    return [
        conditions.condition("Progressing", progressing, reason, text, generation),
        conditions.condition("Complete", done, "AllPodsUpdated" if done else "InProgress", text, generation),
    ]


def blocked_condition(blocked: Sequence[Blocked], generation: int) -> dict[str, Any]:
    """What needs a person."""
    stuck = [b for b in blocked if not b.waiting]
    if not stuck:
        return conditions.condition("Blocked", False, "NotBlocked", "nothing needs a person", generation)  # noqa: FBT003
    text = stuck[0].message + (f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else "")
    return conditions.condition("Blocked", True, stuck[0].reason, text, generation)  # noqa: FBT003


def _failures(blocked: Sequence[Blocked], generation: int) -> list[dict[str, Any]]:
    found = []
    for type_, reasons in _FAILURES.items():
        fitting = [b for b in blocked if b.reason in reasons]
        if fitting:
            more = f" (and {len(fitting) - 1} more)" if len(fitting) > 1 else ""
            holds = True
            found.append(
                conditions.condition(type_, holds, fitting[0].reason, f"{fitting[0].message}{more}", generation)
            )
    return found


def _current(rollout: Rollout) -> str:
    """The revision that kept pods stay at; "" until the pods of a new workload are all there.

    It moves on when every pod is updated. An empty workload proves nothing: what a partition keeps back must not slip
    in by a scale to zero and back.
    """
    known = recorded_revisions(rollout.workload).current
    if rollout.complete and (rollout.spec.replicas > 0 or not known):
        return rollout.revisions.update
    return rollout.revisions.current if known or rollout.outdated else ""


def _updated(rollout: Rollout) -> list[PodView]:
    """Pods at the update revision, whichever way they are going."""
    return [p for p in rollout.pods if p.revision == rollout.revisions.update]


def status(rollout: Rollout, blocked: Sequence[Blocked], canary_status: CanaryStatus) -> dict[str, Any]:
    """The whole status of a readable workload; ``canary_status`` is what is remembered of the rollout."""
    pods, now, old = rollout.pods, rollout.now, rollout.workload.status
    ready = [p for p in pods if p.ready]
    available = sum(p.available(now, rollout.spec.min_ready_seconds) for p in pods)
    updated = _updated(rollout)
    result: dict[str, Any] = {
        "observedGeneration": rollout.workload.generation,
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": available,
        "updatedReplicas": len(updated),
        "updatedReadyReplicas": sum(p.ready for p in updated),
        "currentRevision": _current(rollout),
        "collisionCount": rollout.revisions.collisions,
        "labelSelector": rollout.spec.selector.to_string(),
        **canary_status.fields(old),
    }
    for kind, field in _HOOK_FIELDS.items():
        result[field] = _hook_conditions(rollout, kind)
    generation = rollout.workload.generation
    fresh = [
        *_progressing(rollout, blocked, len(ready)),
        _available(rollout, available, len(ready)),
        blocked_condition(blocked, generation),
        *_failures(blocked, generation),
    ]
    result["conditions"] = conditions.settle(old.get("conditions") or (), fresh, now)
    return result


def failed_pass_status(workload: WorkloadView[Any], problem: Blocked, now: float) -> dict[str, Any]:
    """The status as it was, but for what needs a person: nothing else is known of a pass that failed."""
    old = workload.status.get("conditions") or ()
    fresh = [*(c for c in old if c.get("type") != "Blocked"), blocked_condition([problem], workload.generation)]
    return {**workload.status, "conditions": conditions.settle(old, [dict(c) for c in fresh], now)}


def invalid_status(observed: Observed[Spec], refused: Blocked, now: float) -> dict[str, Any]:
    """Status of a workload whose spec cannot be acted on: pods are still counted, and the reason is told."""
    workload = observed.workload
    pods = [p for p in observed.pods if p.active and p.owner is not None and p.owner.uid == workload.uid]
    old = workload.status.get("conditions") or ()
    generation, no = workload.generation, False
    fresh = [
        conditions.condition("Progressing", no, refused.reason, refused.message, generation),
        conditions.condition("Complete", no, refused.reason, refused.message, generation),
        *(c for c in old if c.get("type") == "Available"),
        blocked_condition([refused], generation),
    ]
    return {
        **workload.status,
        "observedGeneration": generation,
        "replicas": len(pods),
        "readyReplicas": sum(p.ready for p in pods),
        "conditions": conditions.settle(old, fresh, now),
    }
