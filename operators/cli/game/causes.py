"""Why nothing happens: causes in the order in which they stop each other. Pure.

What the planner refuses or waits for is said in its own words; here is only what it cannot see: whether anybody plans
at all, who has set a switch, what others refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from operators.api import keys
from operators.api.reasons import BlockedReason, ConditionType
from operators.cli.game.circumstances import Circumstances
from operators.cli.game.documents import Explanation, Finding, HookState
from operators.cli.game.following import rests
from operators.cli.game.hookstates import answer, hook_states, open_hooks
from operators.cli.game.managers import setter_of
from operators.cli.game.names import SHORT, short
from operators.cli.game.outsiders import event_causes, node_causes, quota_causes
from operators.cli.game.subject import Subject
from operators.cli.game.summary import changed_at, planned_conditions, summary
from operators.cli.game.text import age, counted, sentence_of
from operators.kube.times import rfc3339, timestamp
from operators.planning import actions as act
from operators.planning.explain import ASIDE, name_some

Json = Mapping[str, Any]
#: Seconds that operators may take to see a change.
_SEEN_WITHIN = 10.0
#: Spelled out: how a reason is mended, beside its message. ``{}`` is the workload as commands take it.
_MENDS: Final[Mapping[str, str]] = {
    BlockedReason.CANARY_HOOK_FAILED: "kubectl game hooks {}",
    BlockedReason.HOOK_ERRORS: "kubectl game hooks {}",
    BlockedReason.HOOK_FAILED: "kubectl game retry {}",
    BlockedReason.POST_INPLACE_HOOK_FAILED: "kubectl game retry {}",
    BlockedReason.HOOK_TEMPLATE_MISSING: "kubectl get hooktemplates",
    BlockedReason.IN_PLACE_NOT_POSSIBLE: "kubectl game diff {}",
    BlockedReason.CANARY_ROLLED_BACK: "kubectl game history {}",
    BlockedReason.CANARY_ABORTED: "kubectl game history {}",
    BlockedReason.INVALID_SPEC: "kubectl explain gamedeployment.spec",
    BlockedReason.SELECTOR_OVERLAP: "kubectl game list",
}
#: How a person goes on, and where that is by this verb.
_RESUME: Final = "kubectl game resume {}"
_BY_SWITCH: Final = frozenset({BlockedReason.PAUSED, BlockedReason.CANARY_PAUSED})
#: Said by what stands above them in the list, or by hooks and budget in more detail.
_ELSEWHERE: Final = frozenset(
    {
        BlockedReason.PAUSED,
        BlockedReason.CANARY_PAUSED,
        BlockedReason.ON_DELETE,
        BlockedReason.PARTITION_REACHED,
        BlockedReason.RESTART_HELD,
        BlockedReason.BUDGET_EXHAUSTED,
        BlockedReason.CANARY_STEP,
        BlockedReason.IN_PLACE_UPDATING,
        BlockedReason.IN_PLACE_GRACE,
    }
)


def explain(subject: Subject, around: Circumstances) -> Explanation:
    """Everything that stops the workload, the first cause first."""
    findings = [
        *operators_at_work(subject, around),
        *_deletion(subject, around),
        *_needs_a_person(subject),
        *_recorded_refusals(subject),
        *_pauses(subject),
        *_hooks(subject),
        *_budget(subject),
        *_waiting(subject),
        *event_causes(subject, around),
        *quota_causes(around),
        *node_causes(subject, around),
    ]
    healthy = not findings
    return Explanation(
        at=rfc3339(subject.now),
        about=short(subject.kind, subject.view.name),
        healthy=healthy,
        verdict=_verdict(subject) if healthy else findings[0].text,
        findings=tuple(findings),
        next_actions=tuple(next_actions(subject)),
        status_differs=tuple(_second_opinion(subject)),
        looked_at=tuple(_looked_at(subject, around)),
        unreadable=around.unreadable,
    )


def _verdict(subject: Subject) -> str:
    found = summary(subject)
    began = timestamp(found.since)
    ago = f" for {age(subject.now - began)}" if began is not None else ""
    return f"Nothing is wrong: {found.words.lower()}{ago}."


# ---- whether anybody plans


def operators_at_work(subject: Subject, around: Circumstances) -> Iterator[Finding]:
    """The operators are gone, are several, or have not seen the object."""
    seen = subject.seen
    written = timestamp(changed_at(subject))
    behind = 0.0 if seen or written is None else subject.now - written
    late = behind > _SEEN_WITHIN
    if around.leases is not None:
        leases = [one for one in around.leases if "game-operators" in one["metadata"]["name"]]
        dead = [text for one in leases if (text := _idle(one, subject.now))]
        living = [one for one in leases if not _idle(one, subject.now)]
        if dead and not living:
            yield Finding(
                cause="OperatorsAbsent",
                text=f"The operators do not work: {dead[0]}.",
                look=f"kubectl -n {leases[0]['metadata']['namespace']} get pods",
            )
        elif late and not leases:
            text = "No Lease of the operators was found: they are not installed, or run without leader election."
            yield Finding(cause="OperatorsAbsent", text=text, look="kubectl get pods -A | grep game-operators")
        elif len(living) > 1:
            names = ", ".join(f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in living)
            text = f"Several sets of operators work here, by the Leases {names}: two of a kind undo each other's work."
            yield Finding(cause="OperatorsSeveral", text=text, look="kubectl get pods -A | grep game-operators")
    if late:
        known = subject.view.status.get("observedGeneration")
        text = (
            f"Generation {subject.view.generation} was not seen by the operators for {age(behind)}; "
            f"the status speaks of generation {known if known is not None else 'none'}."
        )
        yield Finding(cause="GenerationNotSeen", text=text, look="")


def _idle(lease: Json, now: float) -> str:
    """Why nobody leads by this Lease, "" when somebody does."""
    spec, metadata = lease.get("spec") or {}, lease["metadata"]
    name = f"Lease {metadata['namespace']}/{metadata['name']}"
    renewed = timestamp(spec.get("renewTime"))
    ago = f" for {age(now - renewed)}" if renewed is not None else ""
    if not spec.get("holderIdentity"):
        return f"{name} has no holder{ago}"
    lasting = float(spec.get("leaseDurationSeconds") or 15)
    if renewed is not None and now - renewed > lasting:
        return f"{name} was not renewed{ago}, its holder was {spec['holderIdentity']}"
    return ""


# ---- the object itself


def _deletion(subject: Subject, around: Circumstances) -> Iterator[Finding]:
    name, namespace = subject.view.name, subject.view.namespace
    metadata = subject.body.get("metadata") or {}
    allowed = (metadata.get("labels") or {}).get(keys.DELETION_ALLOW_LABEL)
    label = f"kubectl -n {namespace} label {_resource(subject)} {name} {keys.DELETION_ALLOW_LABEL}=Always"
    going = ((around.namespace or {}).get("status") or {}).get("phase") == "Terminating"
    if going and not metadata.get("deletionTimestamp") and allowed != "Always":
        text = f"Namespace {namespace} is being deleted, but {name} is protected: its label does not allow a deletion."
        yield Finding(cause="DeletionProtected", text=text, look=label)
    if metadata.get("deletionTimestamp"):
        since = age(subject.now - (timestamp(metadata["deletionTimestamp"]) or subject.now))
        held = metadata.get("finalizers") or ()
        why = f"finalizers {', '.join(held)} hold it" if held else "the garbage collector removes its pods first"
        yield Finding(cause="Deleting", text=f"{name} is being deleted for {since}; {why}.", look="")


def _needs_a_person(subject: Subject) -> Iterator[Finding]:
    """What the planner refuses to go on with."""
    name = subject.view.name
    for one in _unique(subject):
        if not one.waiting:
            yield Finding(cause=one.reason, text=sentence_of(one.message), look=_MENDS.get(one.reason, "").format(name))


def _recorded_refusals(subject: Subject) -> Iterator[Finding]:
    """What only the operators know: writes of theirs that were refused. The status says so, the planner does not."""
    if not subject.seen:
        return
    planned = {str(b.reason) for b in subject.plan.blocked}
    for held in subject.view.status.get("conditions") or ():
        if held.get("type") != ConditionType.BLOCKED or held.get("status") != "True":
            continue
        if held.get("reason") not in planned:
            text = f"The operators say: {sentence_of(str(held.get('message') or held.get('reason')))}"
            yield Finding(cause=str(held.get("reason")), text=text, look="")


def _unique(subject: Subject) -> list[act.Blocked]:
    """One entry for each reason and pod: what takes the most pods first among equals."""
    seen: dict[tuple[str, str], act.Blocked] = {}
    for one in subject.plan.blocked:
        seen.setdefault((one.reason, one.pod if one.waiting else one.message), one)
    return sorted(seen.values(), key=lambda b: b.reason in ASIDE)


def _pauses(subject: Subject) -> Iterator[Finding]:
    """What holds the rollout by wish: who has set it, and when."""
    found = summary(subject)
    if not rests(subject, found):
        return
    paths = {
        BlockedReason.PAUSED: ("paused",),
        BlockedReason.PARTITION_REACHED: _partition_path(subject),
        BlockedReason.ON_DELETE: ("type",),
    }
    path = paths.get(BlockedReason(found.reason), ())
    look = _RESUME.format(short(subject.kind, subject.view.name)) if found.reason in _BY_SWITCH else ""
    who = setter_of(subject.body, "spec", "updateStrategy", *path) if path else None
    if who is None:
        yield Finding(cause=found.reason, text=sentence_of(_held_message(subject, found.reason)), look=look)
        return
    when = f" at {rfc3339(who.when)}, {age(subject.now - who.when)} ago" if who.when is not None else ""
    field = f"spec.updateStrategy.{'.'.join(path)}"
    text = f"{_held_message(subject, found.reason)}; {field} was set by {who.words}{when}."
    yield Finding(cause=found.reason, text=text, look=look)


def _partition_path(subject: Subject) -> tuple[str, ...]:
    strategy = (subject.body.get("spec") or {}).get("updateStrategy") or {}
    return ("rollingUpdate", "partition") if "rollingUpdate" in strategy else ("partition",)


def _held_message(subject: Subject, reason: str) -> str:
    return next((b.message for b in subject.plan.blocked if b.reason == reason), reason)


# ---- what a rollout waits for


def _hooks(subject: Subject) -> Iterator[Finding]:
    """Hooks that are being asked, by template. Those that need a person stand above them, in the planner's words."""
    groups: dict[tuple[str, str], list[HookState]] = {}
    told = [b.message for b in subject.plan.blocked if b.reason == BlockedReason.HOOK_ERRORS]
    for hook in open_hooks(hook_states(subject)):
        if hook.state != "failed" and not any(hook.run in text for text in told):
            groups.setdefault((hook.template or hook.hook, hook.hook), []).append(hook)
    for (template, _), hooks in groups.items():
        first = hooks[0]
        waits = age(subject.now - (timestamp(first.since) or subject.now))
        said = f"{first.pod or first.run} {answer(first)}"
        bad = [h for h in hooks if h.state == "only errors"]
        about = counted(len(hooks), "pod") if first.pod else "the step"
        text = f"Hook {template} is asked about {about}, the longest for {waits}: {said}"
        text += f", wants {first.wants}" if first.wants else ""
        if bad:
            text += f"; {len(bad)} of them with nothing but errors"
        look = f"kubectl game hooks {subject.view.name}"
        yield Finding(cause=BlockedReason.HOOK_RUNNING, text=f"{text}.", look=look)


def _budget(subject: Subject) -> Iterator[Finding]:
    said = next((b for b in subject.plan.blocked if b.reason == BlockedReason.BUDGET_EXHAUSTED), None)
    if said is None or subject.standing is None:
        return
    rollout = subject.standing.rollout
    down = sorted(p.name for p in rollout.pods if p.name not in rollout.healthy)
    asked = sorted({h.pod for h in open_hooks(hook_states(subject)) if h.pod and h.pod in rollout.healthy})
    parts = [f"down are {name_some(down)}"] if down else []
    parts += [f"asked by hooks {name_some(asked)}"] if asked else []
    text = f"{said.message}; {', '.join(parts)}" if parts else said.message
    yield Finding(cause=said.reason, text=sentence_of(text), look="")


def _waiting(subject: Subject) -> Iterator[Finding]:
    """What else the planner waits for; of a hook that is about to be asked there is no HookRun yet."""
    asked = bool(open_hooks(hook_states(subject)))
    for one in _unique(subject):
        told = one.reason in _ELSEWHERE or (asked and one.reason == BlockedReason.HOOK_RUNNING)
        if one.waiting and not told:
            yield Finding(cause=one.reason, text=sentence_of(one.message), look="")


# ---- the planner's next pass


#: Conditions that are compared with the status; the others say the same in the words of other tools.
_TOLD: Final = (ConditionType.COMPLETE, ConditionType.PROGRESSING, ConditionType.AVAILABLE, ConditionType.BLOCKED)
#: What each action does, before the names of what it does it to.
WORDS: Final[Mapping[type[act.Action], str]] = {
    act.CreateRevision: "store a revision",
    act.RenumberRevision: "give a revision the newest number",
    act.DeleteRevision: "forget an old revision",
    act.AdoptPod: "adopt",
    act.ReleasePod: "release",
    act.CreateHookRun: "ask hooks about",
    act.DeleteHookRun: "remove HookRuns",
    act.TerminateHookRun: "end HookRuns",
    act.SetGate: "set the readiness gate of",
    act.UpdatePodInPlace: "update in place",
    act.CreatePod: "create pods",
    act.TryPod: "try whether a pod can be created",
    act.DeletePod: "delete",
    act.ForceDeletePod: "delete without grace",
    act.PatchSpec: "patch the workload",
    act.AnnotatePod: "annotate",
    act.AdoptRevision: "take back revisions",
    act.AdoptHookRun: "take back HookRuns",
    act.CreateClaim: "create claims",
    act.OwnClaim: "change the owners of claims",
    act.KeepClaim: "keep claims",
    act.DeleteClaim: "delete claims",
}


def next_actions(subject: Subject) -> list[str]:
    """What the next pass would do, as the planner has it."""
    groups: dict[str, list[str]] = {}
    for action in subject.plan.actions:
        words = WORDS[type(action)]
        pod = action.pod if isinstance(action, act.CreateHookRun) else ""
        groups.setdefault(words, []).append(pod or str(getattr(action, "name", "") or getattr(action, "reason", "")))
    return [f"{words} {name_some(sorted(names))}" for words, names in groups.items()]


def _second_opinion(subject: Subject) -> Iterator[str]:
    """A line for each condition that the status tells otherwise."""
    recorded = {c.get("type"): c for c in subject.view.status.get("conditions") or ()}
    for type_, planned in planned_conditions(subject).items():
        held = recorded.get(type_)
        if held is not None and type_ in _TOLD and held.get("status") != planned.get("status"):
            yield (
                f"The status says {type_} {held.get('status')} ({held.get('reason')}), "
                f"by the objects it is {planned.get('status')} ({planned.get('reason')})."
            )


def _looked_at(subject: Subject, around: Circumstances) -> Iterator[str]:
    view, observed = subject.view, subject.observed
    if around.leases is not None:
        yield "Leases"
    yield f"generation {view.generation} seen {view.status.get('observedGeneration', 'none')}"
    if around.quotas is not None:
        yield counted(len(around.quotas), "quota")
    yield counted(len(observed.templates), "HookTemplate")
    yield counted(len(observed.pods), "pod")
    yield counted(len(hook_states(subject)), "HookRun")
    if around.events is not None:
        yield counted(len(around.events), "Event")
    if around.nodes is not None:
        yield counted(len(around.nodes), "node")


def _resource(subject: Subject) -> str:
    """The kind as kubectl takes it."""
    return SHORT[subject.kind]
