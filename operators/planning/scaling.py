"""What scaling has in common, whatever is counted: batches, pods that do not leave, hooks before a deletion."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from operators.api.reasons import BlockedReason
from operators.kube.times import rfc3339
from operators.planning.actions import Action, Blocked, DeletePod
from operators.planning.budgets import at_least_one
from operators.planning.explain import name_some
from operators.planning.findings import NOTHING, Findings
from operators.planning.hooks.pods import HookAnswer, ask
from operators.planning.podproblems import ENDED
from operators.planning.rollout import Rollout
from operators.planning.views import PodView
from operators.planning.workloads import Observed, Spec

_TERMINATION_SLACK = 30.0
#: Pods that one pass creates; the next goes on. What a slip of the keyboard asks for must not fill our own memory.
AT_ONCE = 1000
#: Seconds that a pod which failed right after its creation stays: half a second for each of them, within these.
_SHORTEST_REST, _LONGEST_REST = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class ScaleOutcome:
    """What scaling does. ``victims`` are all pods chosen to go, those that still wait for their hook included.

    ``able`` tells whether pods can be created at all: one that could not be replaced must not be deleted to be
    updated.
    """

    found: Findings = NOTHING
    victims: Mapping[str, PodView] = field(default_factory=dict)
    able: bool = True


def report_foreign_names(rollout: Rollout, names: Collection[str]) -> Findings:
    """Names in podsToDelete whose pods exist, but are not ours: nothing happens to them, and that is said."""
    if not names:
        return Findings()
    uid, matches = rollout.workload.uid, rollout.spec.selector.matches
    foreign = sorted(
        p.name
        for p in rollout.observed.pods
        if p.name in names and (p.owner.uid != uid if p.owner else not matches(p.labels))
    )
    if not foreign:
        return Findings()
    text = f"scaleStrategy.podsToDelete names pods that belong to others; they are left alone: {name_some(foreign)}"
    return Findings(blocked=(Blocked(BlockedReason.PODS_TO_DELETE_FOREIGN, text, waiting=False),))


def leaving(rollout: Rollout) -> Findings:
    """Pods whose deletion takes longer than it should: a finalizer holds them, or their node is lost."""
    late: list[PodView] = []
    waits: list[float] = []
    for pod in rollout.observed.pods:
        if pod.deletion_timestamp is None or pod.owner is None or pod.owner.uid != rollout.workload.uid:
            continue
        left = pod.deletion_timestamp + _TERMINATION_SLACK - rollout.now
        if left > 0:
            waits.append(left)
        else:
            late.append(pod)
    if not late:
        return Findings(waits=tuple(waits))
    first = min(late, key=lambda p: (p.deletion_timestamp or 0.0, p.name))
    why = _held_by(first)
    more = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
    end = rfc3339(first.deletion_timestamp or 0.0)
    text = f"pod {first.name} has not ended, its grace period was over at {end}: {why}{more}"
    stuck = Blocked(BlockedReason.POD_STUCK_TERMINATING, text, first.name, waiting=False)
    return Findings(blocked=(stuck,), waits=tuple(waits))


def _held_by(pod: PodView) -> str:
    if pod.finalizers:
        return f"its finalizers {', '.join(pod.finalizers)} hold it"
    if pod.node:
        return f"node {pod.node} has not confirmed that it ended"
    return "it is on no node, and the API server has not removed it"


def crash_backoff(observed: Observed[Spec], now: float) -> dict[str, tuple[float, PodView]]:
    """Our pods that failed right after their creation, by name; with each the time (Unix seconds) it is replaced at.

    What a node refuses (a sysctl that it forbids, a device that it lacks) it refuses again: replaced at once such pods
    would come and go several times a second. One that has lived longer is replaced at once (decision 11).
    """
    uid = observed.workload.uid
    ended = [
        p
        for p in observed.pods
        if p.phase in ENDED and not p.deleting and p.owner and p.owner.uid == uid and now - p.created < _LONGEST_REST
    ]
    rest = min(_LONGEST_REST, max(_SHORTEST_REST, len(ended) / 2))
    return {p.name: (p.created + rest, p) for p in ended if p.created + rest > now}


def failed_pod_deletion(pod: PodView) -> DeletePod:
    """The removal of a pod that has ended for good; its Event says of what."""
    return DeletePod(pod.name, pod.uid, "failedPod", pod.problem.text if pod.problem else "")


def report_crash_backoff(until: Mapping[str, tuple[float, PodView]], now: float) -> Findings:
    """Say of pods that rest why they failed, and when they are replaced."""
    if not until:
        return Findings()
    end, pod = min(until.values(), key=lambda held: (held[0], held[1].name))
    more = f" (and {len(until) - 1} more)" if len(until) > 1 else ""
    why = pod.problem.text if pod.problem is not None else ""
    text = f"pod {pod.name}{more} failed right after it was created: {why}; it is replaced at {rfc3339(end)}"
    return Findings(blocked=(Blocked(BlockedReason.POD_FAILING, text, waiting=False),), waits=(max(0.1, end - now),))


def batch(rollout: Rollout, count: int) -> tuple[int, Findings]:
    """How many pods a new workload creates now: createBatch, and the next ones when those are ready (spec 1.2)."""
    size = at_least_one(rollout.spec.scale_strategy.create_batch, rollout.spec.replicas)
    if size >= rollout.spec.replicas:
        return count, Findings()
    starting = [p.name for p in rollout.pods if not p.ready]
    if starting:
        text = (
            f"{len(rollout.pods)} of {rollout.spec.replicas} pods are created, the next {min(size, count)} "
            f"(createBatch {rollout.spec.scale_strategy.create_batch}) when these are ready: {name_some(starting)}"
        )
        return 0, Findings(blocked=(Blocked(BlockedReason.CREATE_BATCH, text),))
    return min(size, count), Findings()


def remove(rollout: Rollout, pod: PodView) -> Findings:
    """Delete a pod that was chosen to go, as soon as its hook allows it."""
    verdict = ask("predelete", rollout.hooks["predelete"], pod, rollout.runs, rollout.observed.templates)
    actions: list[Action] = []
    if verdict.answer is HookAnswer.PROCEED:
        actions.append(DeletePod(pod.name, pod.uid, "deletePod"))
    if verdict.start:
        actions.append(verdict.start)
    return Findings(tuple(actions), (verdict.blocked,) if verdict.blocked else ())
