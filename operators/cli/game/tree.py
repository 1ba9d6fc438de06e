"""The tree of a workload: revisions, their pods, and the HookRuns of these. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from operators.cli.game.documents import HookState, PodState, RevisionState, WorkloadTree
from operators.cli.game.hookstates import hook_states, open_hooks
from operators.cli.game.subject import Subject
from operators.cli.game.summary import summary
from operators.cli.game.text import age, sentence
from operators.kube.times import rfc3339, timestamp
from operators.planning.inplace.update import images_of
from operators.planning.rollout import awaits_post_hook
from operators.planning.views import PodView, RevisionView

_CAUSE = "kubernetes.io/change-cause"
_Words = tuple[
    Literal["ready", "grace", "restarting", "asked", "hook failed", "starting", "failing", "young", "leaving", "ended"],
    str,
    str,
]


def tree(subject: Subject) -> WorkloadTree:
    """Everything of a workload, each pod, HookRun and revision once."""
    hooks = hook_states(subject)
    by_pod: dict[str, list[HookState]] = defaultdict(list)
    for state in hooks:
        by_pod[state.pod].append(state)
    own = [p for p in subject.observed.pods if p.owner is None or p.owner.uid == subject.view.uid]
    pods: dict[str, list[PodState]] = defaultdict(list)
    for pod in sorted(own, key=lambda p: p.name):
        pods[pod.revision].append(pod_state(subject, pod, by_pod.get(pod.name, [])))
    revisions = [_revision(subject, r, pods.pop(r.name, [])) for r in known_revisions(subject)]
    revisions += [_unknown(name, found) for name, found in sorted(pods.items())]
    return WorkloadTree(
        at=rfc3339(subject.now),
        created=rfc3339(subject.view.created),
        summary=summary(subject, hooks),
        revisions=tuple(revisions),
        hooks=tuple(by_pod.get("", [])),
        foreign=tuple(pod_state(subject, p, []) for p in sorted(subject.foreign, key=lambda p: p.name)),
    )


def known_revisions(subject: Subject) -> list[RevisionView]:
    """The stored revisions of the workload, the newest first."""
    if subject.standing is not None:
        return list(subject.standing.rollout.stored.known)
    own = [r for r in subject.observed.revisions if r.owner is not None and r.owner.uid == subject.view.uid]
    return sorted(own, key=lambda r: (r.revision, r.created, r.name), reverse=True)


def role(subject: Subject, name: str) -> Literal["new", "old", "current", "other"]:
    """What a revision is in the rollout."""
    if subject.standing is None:
        return "other"
    revisions = subject.standing.rollout.revisions
    if name == revisions.update:
        return "current" if revisions.update == revisions.current and subject.standing.rollout.complete else "new"
    return "old" if name == revisions.current else "other"


def _revision(subject: Subject, revision: RevisionView, pods: list[PodState]) -> RevisionState:
    annotations = ((subject.stored.get(revision.name) or {}).get("metadata") or {}).get("annotations") or {}
    stable = subject.standing.rollout.canary.stable if subject.standing is not None else ""
    return RevisionState(
        name=revision.name,
        number=revision.revision,
        role=role(subject, revision.name),
        stable=revision.name == stable,
        images=images_of(revision.template),
        created=rfc3339(revision.created),
        note=str(annotations.get(_CAUSE) or ""),
        pods=tuple(pods),
    )


def _unknown(name: str, pods: list[PodState]) -> RevisionState:
    """Pods whose revision is not stored, or that carry none."""
    return RevisionState(
        name=name, number=0, role="unknown", stable=False, images={}, created=None, note="", pods=tuple(pods)
    )


def pod_state(subject: Subject, pod: PodView, hooks: list[HookState]) -> PodState:
    """A pod and what it does."""
    state, words, detail = _words(subject, pod, hooks)
    update = subject.standing.rollout.revisions.update if subject.standing is not None else ""
    return PodState(
        name=pod.name,
        revision=pod.revision,
        state=state,
        words=words,
        detail=detail,
        ready=pod.ready,
        new=bool(update) and pod.revision == update,
        phase=pod.phase,
        instance=pod.instance,
        node=pod.node,
        address=pod.pod_ip,
        restarts=pod.restarts,
        created=rfc3339(pod.created),
        owner=f"{pod.owner.kind}/{pod.owner.name}" if pod.owner is not None else "",
        hooks=tuple(hooks),
    )


def _words(subject: Subject, pod: PodView, hooks: list[HookState]) -> _Words:
    """What the planner sees in the pod: state, short words, and more of it; the first that holds."""
    rollout = subject.standing.rollout if subject.standing is not None else None
    progress = rollout.progress.get(pod.name) if rollout is not None else None
    if pod.deleting:
        return "leaving", "is leaving", ""
    if pod.finished:
        return "ended", f"ended {pod.phase}", pod.problem.text if pod.problem else ""
    if progress is not None and progress.wait is not None:
        return "grace", f"grace, {round(progress.wait)} s left", ""
    if pod.problem is not None:
        return "failing", sentence(pod.problem.reason), pod.problem.text
    if progress is not None and not progress.done:
        return "restarting", "restarting", progress.waiting
    failed = next((h for h in hooks if h.state == "failed"), None)
    if failed is not None:
        return "hook failed", f"{failed.hook} hook {failed.phase.lower()}", ""
    return _condition(subject, pod, open_hooks(hooks))


def _condition(subject: Subject, pod: PodView, waiting: list[HookState]) -> _Words:
    """The same for a pod that no update has in hand."""
    rollout, now = subject.standing.rollout if subject.standing is not None else None, subject.now
    if waiting:
        return "asked", f"asked for {age(now - (timestamp(waiting[0].since) or now))}", ""
    if not pod.ready:
        return "starting", "not ready", ""
    if rollout is not None and awaits_post_hook(pod, rollout.runs):
        return "asked", "post hook to come", ""
    if rollout is not None and not pod.available(now, rollout.spec.min_ready_seconds):
        return "young", "ready, not available yet", ""
    return "ready", "ready", ""
