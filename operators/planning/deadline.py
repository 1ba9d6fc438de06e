"""``progressDeadlineSeconds``: a rollout in which nothing has happened for too long is stalled.

Nothing is remembered for it. When something last happened stands on the objects: the condition ``Reconciling``, the
creation and readiness of pods, their updates in place, the answers of hooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from operators.api.reasons import BlockedReason, ConditionType
from operators.kube.times import rfc3339, timestamp
from operators.planning.actions import Blocked
from operators.planning.explain import HELD
from operators.planning.findings import Findings
from operators.planning.rollout import Rollout

#: While one of these is waited for the time does not count: somebody was asked, or the wait has a length of its own.
NOT_COUNTED = HELD | {
    BlockedReason.HOOK_RUNNING,
    BlockedReason.HOOK_ERRORS,
    BlockedReason.CANARY_HOOK_RUNNING,
    BlockedReason.IN_PLACE_GRACE,
    BlockedReason.MIN_READY_SECONDS,
}


def overdue(rollout: Rollout, blocked: Sequence[Blocked]) -> Findings:
    """What to say of a rollout that has not come on within its deadline, or when to look again."""
    seconds = rollout.spec.progress_deadline_seconds
    if seconds is None or any(b.reason in NOT_COUNTED for b in blocked):
        return Findings()
    since = _reconciling_since(rollout)
    if since is None:
        return Findings()
    last = max([since, *_events(rollout)])
    left = last + seconds - rollout.now
    if left > 0:
        return Findings(waits=(max(0.1, left),))
    waiting = next((b.message for b in blocked if b.waiting), "")
    text = (
        f"nothing has come on since {rfc3339(last)}, longer than progressDeadlineSeconds {seconds}"
        f"{'. ' + waiting if waiting else ''}"
    )
    return Findings(blocked=(Blocked(BlockedReason.PROGRESS_DEADLINE_EXCEEDED, text, waiting=False),))


def _reconciling_since(rollout: Rollout) -> float | None:
    """Since when the status says, of the present spec, that something moves; None where it does not."""
    status = rollout.workload.status
    if status.get("observedGeneration") != rollout.workload.generation:
        return None
    holding = (c for c in status.get("conditions") or () if c.get("status") == "True")
    known = next((c for c in holding if c.get("type") == ConditionType.RECONCILING), None)
    return None if known is None else timestamp(known.get("lastTransitionTime"))


def _events(rollout: Rollout) -> Iterator[float]:
    """When something came on: pods made, updated or ready, the version stored, hooks asked or answered."""
    for pod in rollout.pods:
        yield pod.created
        if pod.ready_since is not None:
            yield pod.ready_since
        if pod.state is not None:
            yield pod.state.since
    yield from (r.created for r in rollout.stored.known if r.name == rollout.revisions.update)
    for run in rollout.observed.hook_runs:
        yield run.created if run.ended is None else run.ended
