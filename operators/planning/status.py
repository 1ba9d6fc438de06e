"""The status of a workload (docs/spec/gamedeployment.md 1.3, 2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.api.reasons import BlockedReason, ConditionReason, ConditionType, PauseReason
from operators.kube.times import rfc3339
from operators.planning.actions import Blocked
from operators.planning.canary.state import CanaryStatus
from operators.planning.conditions import OURS, condition, with_transition_times
from operators.planning.creationwarnings import template_warning
from operators.planning.explain import ASIDE, HELD
from operators.planning.hooks.pods import run_subject
from operators.planning.rollout import Rollout, recorded_revisions
from operators.planning.workloads import Observed, Spec, WorkloadView
from operators.planning.workloadstatus import Condition, PodHookCondition, StatusCounters, WorkloadStatus

#: Conditions of the Go operators beside ours: there while it holds, with the error as message (spec 1.3).
_FAILURES = {
    ConditionType.FAILED_SCALE: (BlockedReason.FAILED_SCALE, BlockedReason.INVALID_INDEX_RANGE),
    ConditionType.FAILED_UPDATE: (BlockedReason.FAILED_UPDATE, BlockedReason.IN_PLACE_NOT_POSSIBLE),
}


def _hook_conditions(rollout: Rollout, kind: str) -> tuple[PodHookCondition, ...]:
    runs = rollout.runs.of_kind(kind)
    if not runs:
        return ()
    pods = {(p.revision, p.instance): p for p in rollout.pods}
    found = []
    for run in runs:
        pod = pods.get(run_subject(run))
        if pod is not None and run.phase != "Successful" and not run.deleting:
            found.append(PodHookCondition(pod.name, rfc3339(run.created), run.phase or "Pending"))
    return tuple(found)


def _available(rollout: Rollout, available: int, ready: int) -> Condition:
    needed = max(0, rollout.spec.replicas - rollout.budget.unavailable)
    text = f"{available} of {rollout.spec.replicas} pods are available, {needed} are needed; {ready} are ready"
    enough = available >= needed
    reason = ConditionReason.MINIMUM_REPLICAS_AVAILABLE if enough else ConditionReason.MINIMUM_REPLICAS_UNAVAILABLE
    return condition(ConditionType.AVAILABLE, reason, text, rollout.workload.generation, holds=enough)


def _progressing(rollout: Rollout, blocked: Sequence[Blocked], ready: int) -> tuple[Condition, Condition]:
    """``Progressing``: something is under way, or will be by itself. ``Complete``: nothing is left to do."""
    total, generation = rollout.spec.replicas, rollout.workload.generation
    back = rollout.canary.rolling_back
    updated = sum(p.revision == rollout.revisions.update for p in rollout.pods)
    text = f"{updated} of {total} pods are at revision {rollout.revisions.update}, {ready} are ready"
    if rollout.kept and rollout.outdated and not back:
        text += f"; {min(rollout.kept, len(rollout.outdated))} are kept at the old version by the partition"
    moving = [b for b in blocked if b.waiting and b.reason not in HELD]
    held = [b for b in blocked if b.reason in HELD]
    stuck = [b for b in blocked if not b.waiting and b.reason not in ASIDE]
    whole = rollout.whole and total == ready
    shown = [*moving, *held] or stuck
    if shown:
        text += ". " + shown[0].message + _and_more(shown)
    reason: str
    if back:
        progressing, reason = not whole or bool(rollout.outdated), BlockedReason.CANARY_ROLLED_BACK
        if PauseReason.ABORTED in rollout.canary.recorded.pauses:
            reason = BlockedReason.CANARY_ABORTED
    elif shown:
        progressing, reason = bool(moving) or not (held or stuck), shown[0].reason
    else:
        progressing = not (whole and not rollout.outdated)
        reason = ConditionReason.ROLLING_OUT if progressing else ConditionReason.SETTLED
    done = whole and len(rollout.healthy) == total and not rollout.outdated and not back and not shown and not stuck
    ended = ConditionReason.ALL_PODS_UPDATED if done else ConditionReason.IN_PROGRESS
    return (
        condition(ConditionType.PROGRESSING, reason, text, generation, holds=progressing),
        condition(ConditionType.COMPLETE, ended, text, generation, holds=done),
    )


def _for_tools(progressing: Condition, complete: Condition, blocked: Sequence[Blocked]) -> tuple[Condition, ...]:
    """What `Progressing`, `Complete` and `Blocked` say, in the three words that tools of the field understand.

    ``Stalled`` stands first: a tool that stops at the first one which holds learns of a failure while others move.
    What is only worth a warning (`ASIDE`) stalls nothing. Ready is the rest, so that it turns with the others and
    causes no write of its own.
    """
    generation = progressing.observed_generation
    stuck = [b for b in blocked if not b.waiting and b.reason not in ASIDE]
    held = any(b.reason in HELD for b in blocked)
    done = complete.status == "True"
    moving = progressing.status == "True" or not (done or held or stuck)
    if stuck:
        reason, text = str(stuck[0].reason), stuck[0].message + _and_more(stuck)
    else:
        reason, text = progressing.reason, progressing.message
    if not moving and not stuck:
        reason = ConditionReason.ALL_DONE if done else ConditionReason.HELD
    moves, why = (progressing.reason, progressing.message) if moving else (reason, text)
    return (
        stalled_condition(stuck, generation),
        condition(ConditionType.RECONCILING, moves, why, generation, holds=moving),
        condition(ConditionType.READY, reason, text, generation, holds=not moving and not stuck),
    )


def stalled_condition(stuck: Sequence[Blocked], generation: int) -> Condition:
    """``Stalled``: it will not end by itself, for the reasons in ``stuck``."""
    if not stuck:
        text = "no manual action is needed"
        return condition(ConditionType.STALLED, ConditionReason.NOT_BLOCKED, text, generation, holds=False)
    text = stuck[0].message + _and_more(stuck)
    return condition(ConditionType.STALLED, stuck[0].reason, text, generation, holds=True)


def _failed_for_tools(problem: Blocked, generation: int) -> tuple[Condition, ...]:
    """The three conditions of a workload that nothing can be done about before a person has acted."""
    return (
        stalled_condition([problem], generation),
        condition(ConditionType.RECONCILING, problem.reason, problem.message, generation, holds=False),
        condition(ConditionType.READY, problem.reason, problem.message, generation, holds=False),
    )


def blocked_condition(blocked: Sequence[Blocked], generation: int) -> Condition:
    """What needs a person."""
    stuck = [b for b in blocked if not b.waiting]
    if not stuck:
        text = "no manual action is needed"
        return condition(ConditionType.BLOCKED, ConditionReason.NOT_BLOCKED, text, generation, holds=False)
    text = stuck[0].message + _and_more(stuck)
    return condition(ConditionType.BLOCKED, stuck[0].reason, text, generation, holds=True)


def _failures(blocked: Sequence[Blocked], generation: int) -> list[Condition]:
    found = []
    for type_, reasons in _FAILURES.items():
        fitting = [b for b in blocked if b.reason in reasons]
        if fitting:
            text = f"{fitting[0].message}{_and_more(fitting)}"
            found.append(condition(type_, fitting[0].reason, text, generation, holds=True))
    return found


def _and_more(found: Sequence[Blocked]) -> str:
    """How many there are beside the first, "" when there are none."""
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def current_revision(rollout: Rollout) -> str:
    """The revision that kept pods stay at; "" until the pods of a new workload are all there.

    It moves on when every pod is updated. An empty workload proves nothing: what a partition keeps back must not slip
    in by a scale to zero and back.
    """
    known = recorded_revisions(rollout.workload).current
    if rollout.complete and (rollout.spec.replicas > 0 or not known):
        return rollout.revisions.update
    return rollout.revisions.current if known or rollout.outdated or rollout.joining else ""


def status(
    rollout: Rollout, blocked: Sequence[Blocked], canary_status: CanaryStatus, counters: StatusCounters
) -> WorkloadStatus:
    """The whole status of a readable workload; ``canary_status`` is what is remembered of the rollout."""
    pods, old, generation = rollout.pods, rollout.workload.status, rollout.workload.generation
    ready = sum(p.ready for p in pods)
    available = sum(p.available(rollout.now, rollout.spec.min_ready_seconds) for p in pods)
    progressing, complete = _progressing(rollout, blocked, ready)
    fresh = [
        progressing,
        complete,
        *_for_tools(progressing, complete, blocked),
        _available(rollout, available, ready),
        blocked_condition(blocked, generation),
        *_failures(blocked, generation),
        *template_warning(old, rollout.revisions.update, rollout.observed.warnings, generation),
    ]
    found = WorkloadStatus(
        observed_generation=generation,
        replicas=counters.replicas,
        ready_replicas=counters.ready,
        available_replicas=available,
        updated_replicas=counters.updated,
        updated_ready_replicas=counters.updated_ready,
        current_replicas=counters.current,
        current_revision=current_revision(rollout),
        collision_count=rollout.revisions.collisions,
        label_selector=rollout.spec.selector.to_string(),
        pre_delete_hook_condition=_hook_conditions(rollout, "predelete"),
        pre_inplace_hook_condition=_hook_conditions(rollout, "preinplace"),
        post_inplace_hook_condition=_hook_conditions(rollout, "postinplace"),
        conditions=with_transition_times(old.get("conditions") or (), fresh, rollout.now),
    )
    return canary_status.recorded_in(found, old)


def failed_pass_status(workload: WorkloadView[Any], problem: Blocked, now: float) -> WorkloadStatus:
    """The status as it was, but for what needs a person: nothing else is known of a pass that failed."""
    old = workload.status.get("conditions") or ()
    told = [*_failed_for_tools(problem, workload.generation), blocked_condition([problem], workload.generation)]
    anew = {c.type for c in told}
    fresh = [*(c for c in old if c.get("type") in OURS and c.get("type") not in anew), *told]
    return WorkloadStatus(kept=workload.status, conditions=with_transition_times(old, fresh, now))


def invalid_status(observed: Observed[Spec], refused: Blocked, now: float) -> WorkloadStatus:
    """Status of a workload whose spec cannot be acted on: pods are still counted, and the reason is told."""
    workload = observed.workload
    pods = [p for p in observed.pods if p.active and p.owner is not None and p.owner.uid == workload.uid]
    old, generation = workload.status.get("conditions") or (), workload.generation
    fresh = [
        condition(ConditionType.PROGRESSING, refused.reason, refused.message, generation, holds=False),
        condition(ConditionType.COMPLETE, refused.reason, refused.message, generation, holds=False),
        *_failed_for_tools(refused, generation),
        *(c for c in old if c.get("type") == ConditionType.AVAILABLE),
        blocked_condition([refused], generation),
    ]
    return WorkloadStatus(
        kept=workload.status,
        observed_generation=generation,
        replicas=len(pods),
        ready_replicas=sum(p.ready for p in pods),
        conditions=with_transition_times(old, fresh, now),
    )
