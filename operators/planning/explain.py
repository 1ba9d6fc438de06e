"""What a workload waits for, or lacks, that no action of a pass speaks of (design: nothing stops silently)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from operators.api.reasons import BlockedReason
from operators.kube.times import rfc3339
from operators.planning.actions import Blocked
from operators.planning.findings import Findings
from operators.planning.restarts import restart_findings
from operators.planning.rollout import Rollout
from operators.planning.views import PodView

#: What holds a rollout by the user's own wish: nothing is under way, and nothing is wrong.
HELD = frozenset(
    {
        BlockedReason.PAUSED,
        BlockedReason.ON_DELETE,
        BlockedReason.PARTITION_REACHED,
        BlockedReason.CANARY_PAUSED,
        BlockedReason.RESTART_HELD,
    }
)
#: Worth a warning, but no reason why the workload would not be complete.
ASIDE = frozenset(
    {BlockedReason.SELECTOR_OVERLAP, BlockedReason.PODS_TO_DELETE_FOREIGN, BlockedReason.POD_STUCK_TERMINATING}
)


_NAMED = 3


def name_some(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def explain(rollout: Rollout) -> Findings:
    """Pods in trouble, pods that are not ready or not available yet, a partition, budgets of nothing, rivals."""
    unready = [p for p in rollout.pods if not p.ready]
    young = _young(rollout)
    blocked = (
        *_with_problems(unready),
        *_starting(rollout, unready),
        *young.blocked,
        *_partition(rollout),
        *_no_budget(rollout),
        *_overlap(rollout),
    )
    asleep = rollout.canary.held or rollout.spec.update_strategy.type in ("OnDelete", "HotPatchUpdate")
    restarts = restart_findings(rollout.restart, len(rollout.pods), held=asleep)
    return Findings(blocked=blocked, waits=young.waits) + restarts


def _overlap(rollout: Rollout) -> Iterator[Blocked]:
    if rollout.observed.overlapping:
        names = name_some(sorted(r.name for r in rollout.observed.overlapping))
        text = (
            f"spec.selector overlaps with that of {rollout.kind} {names}: each pod stays with its owner, "
            "a pod without owner goes to the older workload"
        )
        yield Blocked(BlockedReason.SELECTOR_OVERLAP, text, waiting=False)


def _with_problems(unready: list[PodView]) -> Iterator[Blocked]:
    for pod in unready:
        if pod.problem is not None:
            text = f"pod {pod.name}: {pod.problem.text}"
            yield Blocked(pod.problem.reason, text, pod.name, waiting=False)


def _starting(rollout: Rollout, unready: list[PodView]) -> Iterator[Blocked]:
    """Pods that nothing else is said of."""
    names = [p.name for p in unready if p.problem is None and rollout.progress[p.name].done]
    if names:
        text = f"{len(names)} of {len(rollout.pods)} pods are not ready: {name_some(names)}"
        yield Blocked(BlockedReason.PODS_NOT_READY, text)


def _young(rollout: Rollout) -> Findings:
    wait = rollout.spec.min_ready_seconds
    if not wait:
        return Findings()
    left = {p.name: p.ready_since + wait - rollout.now for p in rollout.pods if p.ready and p.ready_since is not None}
    young = {name: seconds for name, seconds in left.items() if seconds > 0}
    if not young:
        return Findings()
    name, first = min(young.items(), key=lambda item: (item[1], item[0]))
    text = (
        f"{len(young)} of {len(rollout.pods)} pods are ready for less than minReadySeconds {wait}; "
        f"the next is {name} at {rfc3339(rollout.now + first)}"
    )
    return Findings(blocked=(Blocked(BlockedReason.MIN_READY_SECONDS, text),), waits=(max(0.1, first),))


def _partition(rollout: Rollout) -> Iterator[Blocked]:
    strategy = rollout.spec.update_strategy
    if rollout.canary.steps or rollout.canary.held or strategy.type not in ("RollingUpdate", "InplaceUpdate"):
        return
    if rollout.kept and 0 < len(rollout.outdated) <= rollout.kept:
        text = (
            f"{len(rollout.outdated)} of {len(rollout.pods)} pods stay at revision {rollout.revisions.current}: "
            f"partition {rollout.numbers.partition} keeps {rollout.kept} of {rollout.spec.replicas}"
        )
        yield Blocked(BlockedReason.PARTITION_REACHED, text)


def _no_budget(rollout: Rollout) -> Iterator[Blocked]:
    strategy = rollout.spec.update_strategy
    if rollout.canary.held or strategy.type not in ("RollingUpdate", "InplaceUpdate"):
        return
    due = len(rollout.outdated) > rollout.kept or rollout.restart.due
    if due and not rollout.budget.unavailable and not rollout.budget.surge:
        text = "maxUnavailable and maxSurge are both 0: no pod can ever be updated"
        yield Blocked(BlockedReason.NO_BUDGET, text, waiting=False)
