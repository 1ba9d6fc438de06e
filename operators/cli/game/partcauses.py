"""``why`` about a pod, a HookRun or a namespace: the causes that concern it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operators.api import keys
from operators.api.reasons import BlockedReason
from operators.cli.game.causes import explain
from operators.cli.game.circumstances import Circumstances
from operators.cli.game.documents import Explanation, Finding, HookState, PodState
from operators.cli.game.hookstates import answer, hook_states, open_hooks
from operators.cli.game.names import SHORT
from operators.cli.game.subject import Subject
from operators.cli.game.text import age, counted, sentence_of
from operators.cli.game.tree import pod_state
from operators.kube.times import rfc3339, timestamp
from operators.planning.explain import name_some
from operators.planning.views import PodView

Json = Mapping[str, Any]
#: Causes of the whole workload that keep an old pod from being updated.
_HOLD_UPDATES = frozenset(
    {
        BlockedReason.PAUSED,
        BlockedReason.CANARY_PAUSED,
        BlockedReason.CANARY_HOOK_FAILED,
        BlockedReason.CANARY_HOOK_RUNNING,
        BlockedReason.HOOK_ERRORS,
        BlockedReason.ON_DELETE,
        BlockedReason.PARTITION_REACHED,
        BlockedReason.BUDGET_EXHAUSTED,
        BlockedReason.NO_BUDGET,
        BlockedReason.IN_PLACE_NOT_POSSIBLE,
        BlockedReason.ORDERED_READY,
        BlockedReason.INVALID_SPEC,
        "OperatorsAbsent",
        "GenerationNotSeen",
    }
)


def explain_pod(subject: Subject, pod: PodView, around: Circumstances) -> Explanation:
    """Why a pod is as it is: not ready, not updated, still here."""
    whole = explain(subject, around)
    hooks = [h for h in hook_states(subject) if h.pod == pod.name]
    state, asked = pod_state(subject, pod, hooks), open_hooks(hooks)
    findings = [
        *_leaving(subject, pod),
        *_said_of(subject, pod),
        *(_asked(subject, h) for h in asked),
        *(_old(subject, pod, whole.findings) if not pod.deleting and not asked else ()),
    ]
    findings += [f for f in whole.findings if pod.name in f.text and f not in findings and f.cause != "HookRunning"]
    unique = list({f.text: f for f in findings}.values())
    return Explanation(
        at=rfc3339(subject.now),
        about=f"pod/{pod.name}",
        healthy=not unique,
        verdict=_verdict(subject, pod, state) if not unique else unique[0].text,
        findings=tuple(unique),
        next_actions=tuple(a for a in whole.next_actions if pod.name in a),
        status_differs=(),
        looked_at=whole.looked_at,
        unreadable=whole.unreadable,
    )


def _verdict(subject: Subject, pod: PodView, state: PodState) -> str:
    new = "the newest version" if state.new else f"revision {pod.revision or 'none'}"
    return f"Nothing is wrong with {pod.name}: {state.words}, at {new}, for {age(subject.now - pod.created)}."


def _leaving(subject: Subject, pod: PodView) -> Iterator[Finding]:
    """A pod that is being deleted, and what holds it."""
    if not pod.deleting:
        return
    end = pod.deletion_timestamp or subject.now
    late = subject.now - end
    when = f"its time was over {age(late)} ago" if late > 0 else f"it has {age(-late)} to end"
    held = f"; finalizers {', '.join(pod.finalizers)} hold it" if pod.finalizers else ""
    text = f"{pod.name} is being deleted on node {pod.node or '(none)'}: {when}{held}."
    yield Finding(cause="Leaving", text=text, look=f"kubectl describe pod {pod.name}")


def _said_of(subject: Subject, pod: PodView) -> Iterator[Finding]:
    """What the planner says of this pod."""
    for one in subject.plan.blocked:
        if one.pod == pod.name and one.reason != BlockedReason.HOOK_RUNNING:
            yield Finding(cause=one.reason, text=sentence_of(one.message), look="")
    if not pod.ready and not pod.deleting and pod.problem is None:
        since = age(subject.now - (pod.unready_since or subject.now))
        waiting = [f"{c.name} {c.waiting or 'not ready'}" for c in pod.containers if not c.ready]
        told = f": containers {', '.join(waiting)}" if waiting else ""
        yield Finding(cause="NotReady", text=f"{pod.name} is not ready for {since}{told}.", look="")


def _asked(subject: Subject, hook: HookState) -> Finding:
    waits = age(subject.now - (timestamp(hook.since) or subject.now))
    wants = f", wants {hook.wants}" if hook.wants else ""
    old = "; the template has changed since, this run asks in the old way" if hook.outdated else ""
    text = f"Its {hook.hook} hook {hook.template} {hook.state} for {waits}, asked {hook.asked} times: "
    return Finding(
        cause="HookRunning", text=f"{text}{answer(hook)}{wants}{old}.", look=f"kubectl get hookrun {hook.run}"
    )


def _old(subject: Subject, pod: PodView, whole: Sequence[Finding]) -> Iterator[Finding]:
    """Why a pod is not at the version that pods are brought to."""
    if subject.standing is None:
        return
    rollout = subject.standing.rollout
    if pod.revision == rollout.canary.target or pod.name not in rollout.progress:
        return
    held = [f for f in whole if f.cause in _HOLD_UPDATES]
    yield from held
    if not held and rollout.kept:
        text = (
            f"{pod.name} is at revision {pod.revision}: {counted(rollout.kept, 'pod')} of {rollout.spec.replicas} "
            "are kept there by the step or partition in force."
        )
        yield Finding(cause=BlockedReason.PARTITION_REACHED, text=text, look="")


def explain_run(subject: Subject, name: str, around: Circumstances) -> Explanation:
    """Why a HookRun says what it says."""
    whole = explain(subject, around)
    found = next((h for h in hook_states(subject) if h.run == name), None)
    findings: tuple[Finding, ...] = ()
    verdict = f"HookRun {name} passed."
    if found is not None and found.state != "passed":
        findings = (_asked(subject, found),)
        verdict = findings[0].text
    return Explanation(
        at=rfc3339(subject.now),
        about=f"hookrun/{name}",
        healthy=not findings,
        verdict=verdict,
        findings=findings,
        next_actions=(),
        status_differs=(),
        looked_at=whole.looked_at,
        unreadable=whole.unreadable,
    )


def explain_namespace(name: str, phase: str, subjects: Sequence[Subject], now: float) -> Explanation:
    """Why a namespace is not gone: workloads whose label allows no deletion. And whom else its workloads wait for."""
    findings: list[Finding] = []
    if phase == "Terminating":
        for subject in subjects:
            labels = (subject.body.get("metadata") or {}).get("labels") or {}
            if labels.get(keys.DELETION_ALLOW_LABEL) != "Always" and not subject.view.deleting:
                kind, own = SHORT[subject.kind], subject.view.name
                text = f"Namespace {name} is being deleted, and waits for {kind}/{own}, which is protected."
                look = f"kubectl -n {name} label {kind} {own} {keys.DELETION_ALLOW_LABEL}=Always"
                findings.append(Finding(cause="DeletionProtected", text=text, look=look))
    stuck = [s for s in subjects if any(not b.waiting for b in s.plan.blocked)]
    for subject in stuck:
        one = next(b for b in subject.plan.blocked if not b.waiting)
        text = sentence_of(f"{SHORT[subject.kind]}/{subject.view.name}: {one.message}")
        findings.append(Finding(cause=one.reason, text=text, look=f"kubectl game why {subject.view.name}"))
    names = name_some([s.view.name for s in subjects]) or "none"
    return Explanation(
        at=rfc3339(now),
        about=f"namespace/{name}",
        healthy=not findings,
        verdict=findings[0].text if findings else f"Nothing is wrong in namespace {name}: workloads {names}.",
        findings=tuple(findings),
        next_actions=(),
        status_differs=(),
        looked_at=(f"namespace {phase or 'Active'}", counted(len(subjects), "workload")),
        unreadable=(),
    )


def gone(kind: str, name: str, events: Sequence[Json], now: float) -> Explanation:
    """What is remembered of an object that is not there any more."""
    told = sorted(events, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    findings = []
    for event in told:
        when = timestamp(event.get("lastTimestamp") or event.get("eventTime"))
        ago = f", {age(now - when)} ago" if when is not None else ""
        about = (event.get("involvedObject") or {}).get("name")
        text = f"{event.get('reason')} of {about}{ago}: {event.get('message')}"
        findings.append(Finding(cause=str(event.get("reason")), text=sentence_of(text), look=""))
    verdict = f"{kind} {name} is not there"
    verdict += f"; Events that tell of it: {len(findings)}." if findings else ", and no Event tells of it any more."
    first = Finding(cause="Gone", text=verdict, look="")
    return Explanation(
        at=rfc3339(now),
        about=f"{kind.lower()}/{name}",
        healthy=False,
        verdict=verdict,
        findings=(first, *findings),
        next_actions=(),
        status_differs=(),
        looked_at=("Events",),
        unreadable=(),
    )
