"""Hooks that guard one pod: before delete, before and after an in-place update (docs/spec/gamedeployment.md 5).

A pod is free to go when its HookRun succeeded. Which HookRun speaks for which pod follows from labels alone: type,
revision and instance. An answer that nobody waits for any more is removed, and one that could not be acted on in time
is asked for anew, so that it can never let a later delete through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from operators.api import keys
from operators.api.reasons import BlockedReason, EventReason
from operators.kube.times import rfc3339
from operators.planning.actions import Blocked, CreateHookRun, Note
from operators.planning.hooks.arguments import UnresolvedArgument, merge_arguments
from operators.planning.inplace.update import UNKNOWN_SOURCE, ContainerSource, modified_containers
from operators.planning.views import HookRunView, HookTemplateView, PodView

HookKind = Literal["predelete", "preinplace", "postinplace"]

TYPE_LABELS: Mapping[str, str] = {
    "predelete": "pre-delete-step",
    "preinplace": "pre-inplace-step",
    "postinplace": "post-inplace-step",
    "canary": "canary-step",
}
KINDS: Mapping[str, str] = {label: kind for kind, label in TYPE_LABELS.items()}
_NAME_LIMIT = 253
#: Seconds that a yes is worth anything. Players come and go: after that it says nothing of who is inside.
ANSWER_LIFE = 60.0
#: Why a run is removed that is made anew.
OLDER_TEMPLATE = "of an older HookTemplate, and has measured nothing but errors"


@dataclass(frozen=True, slots=True)
class Hook:
    """A configured hook: the template's name and the arguments the workload supplies."""

    template: str
    args: tuple[tuple[str, str], ...] = ()


class HookAnswer(Enum):
    """What the hook of a pod says."""

    PROCEED = "proceed"
    WAIT = "wait"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class HookVerdict:
    """The answer, what to start if nobody was asked yet, and the reason to show."""

    answer: HookAnswer
    start: CreateHookRun | None = None
    blocked: Blocked | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """The spec of a HookRun, and the names of arguments that its HookTemplate does not declare and so does not get.

    ``template`` is the version of the HookTemplate.
    """

    spec: dict[str, Any]
    dropped: tuple[str, ...] = ()
    template: str = ""


class HookRuns:
    """The HookRuns of one workload, found by what they speak for; ``now`` (Unix seconds) tells how old they are.

    ``carry_uid`` holds where an instance may come back with another pod, as an ordinal does: then new runs carry the
    UID of the pod they ask about.
    """

    def __init__(self, runs: Iterable[HookRunView], now: float, *, carry_uid: bool = False) -> None:
        self._now, self.carry_uid = now, carry_uid
        self.all: list[HookRunView] = sorted(runs, key=lambda r: r.name)
        self._by_subject: dict[tuple[str, str, str], HookRunView] = {}
        self._by_kind: dict[str, list[HookRunView]] = {}
        for run in self.all:
            kind = KINDS.get(run.labels.get(keys.HOOK_TYPE_LABEL, ""), "")
            self._by_kind.setdefault(kind, []).append(run)
            held = self._by_subject.setdefault((kind, *run_subject(run)), run)
            if held.deleting and not run.deleting:
                self._by_subject[kind, *run_subject(run)] = run

    def of(self, kind: HookKind, pod: PodView) -> HookRunView | None:
        """The run that speaks for the pod in its present revision; of several, the first by name that stays."""
        return self._by_subject.get((kind, pod.revision, pod.instance)) if self._by_subject else None

    def expired(self, kind: str, run: HookRunView) -> bool:
        """It let its pod be stopped, which was not done in time: the budget closed, a write was refused, nobody led.

        What was said after an update stays true. A run that does not say when it ended is taken at its word.
        """
        late = run.ended is not None and self._now - run.ended > ANSWER_LIFE
        return late and run.phase == "Successful" and kind in ("predelete", "preinplace")

    def of_kind(self, kind: str) -> list[HookRunView]:
        """All runs of a kind, by name."""
        return self._by_kind.get(kind, [])


def run_subject(run: HookRunView) -> tuple[str, str]:
    """Revision and instance of the pod a run speaks for."""
    return run.labels.get(keys.HOOK_REVISION_LABEL, ""), run.labels.get(keys.HOOK_INSTANCE_LABEL, "")


def cut_name(name: str) -> str:
    """A name, as long as a name may be; a longer one ends in a hash instead, so that no two become one."""
    if len(name) <= _NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: _NAME_LIMIT - 11].rstrip('-.')}-{digest}"


def run_name(kind: HookKind, pod: PodView, template: str) -> str:
    """``<kind>-<revision>-<instance>-<template>``."""
    return cut_name(f"{kind}-{pod.revision}-{pod.instance}-{template}")


def supplied_by_pod(hook: Hook, pod: PodView, modified: Sequence[str]) -> list[tuple[str, str]]:
    """Arguments of the step first, so that what the controller knows wins over what a user wrote."""
    args = list(hook.args)
    args += [
        ("PodName", pod.name),
        ("PodNamespace", pod.namespace),
        ("PodIP", pod.pod_ip),
        ("HostIP", pod.host_ip),
    ]
    args += [(f"PodContainer[{i}]", c.name) for i, c in enumerate(pod.containers)]
    args += [(f"ModifiedContainer[{i}]", name) for i, name in enumerate(modified)]
    return args


def compose(
    hook: Hook, template: HookTemplateView | None, supplied: Sequence[tuple[str, str]], about: str, pod: str = ""
) -> Composed | Blocked:
    """What a HookRun consists of: the template's metrics and policy, its arguments filled; or why there can be none.

    ``about`` names in words who asks.
    """
    if template is None or template.deleting:
        text = f"HookTemplate {hook.template!r} of the {about} does not exist"
        return Blocked(BlockedReason.HOOK_TEMPLATE_MISSING, text, pod, waiting=False)
    try:
        merged = merge_arguments(template.args, supplied)
    except UnresolvedArgument as error:
        text = f"{about} with HookTemplate {hook.template!r}: {error}"
        return Blocked(BlockedReason.HOOK_ARGUMENT_MISSING, text, pod, waiting=False)
    spec: dict[str, Any] = {"metrics": list(template.metrics)}
    if merged.args:
        spec["args"] = [{"name": name, "value": value} for name, value in merged.args]
    if template.policy:
        spec["policy"] = template.policy
    return Composed(spec, merged.dropped, template.version)


def new_run(
    kind: HookKind,
    hook: Hook,
    template: HookTemplateView | None,
    pod: PodView,
    wanted: Mapping[str, str] | None = None,
    source: ContainerSource = UNKNOWN_SOURCE,
    *,
    carry_uid: bool = False,
) -> CreateHookRun | Blocked:
    """The HookRun to start for a pod, or why none can be started.

    ``wanted`` are the images the pod is to run, ``source`` is what it was made from; with ``carry_uid`` the run is
    labelled with the UID of the pod.
    """
    modified = modified_containers(pod, wanted, source) if kind == "preinplace" and wanted is not None else []
    supplied = supplied_by_pod(hook, pod, modified)
    composed = compose(hook, template, supplied, f"{kind} hook of pod {pod.name}", pod.name)
    if isinstance(composed, Blocked):
        return composed
    labels = {
        keys.HOOK_TYPE_LABEL: TYPE_LABELS[kind],
        keys.HOOK_REVISION_LABEL: pod.revision,
        keys.HOOK_INSTANCE_LABEL: pod.instance,
    }
    if carry_uid:
        labels[keys.HOOK_POD_UID_LABEL] = pod.uid
    name = run_name(kind, pod, hook.template)
    return CreateHookRun(
        name, labels, composed.spec, kind, pod.name, dropped=composed.dropped, template=composed.template
    )


def erring(run: HookRunView) -> str:
    """What is said of a run that needs a person, because it gets no answer."""
    found = run.measured
    return f"has measured nothing but errors since {rfc3339(found.since)}: {found.failing}"


def of_older_template(run: HookRunView, template: HookTemplateView | None) -> bool:
    """The HookTemplate asks something else by now, and the run has got no answer to what it asked.

    Such a run is made anew. One that was answered goes on: its answer is valid.
    """
    if template is None or template.deleting or run.deleting or run.terminate or not run.measured.unanswered:
        return False
    return not asks_the_same(run, template)


def asks_the_same(run: HookRunView, template: HookTemplateView) -> bool:
    """The run was made of the HookTemplate as it is now; of one that does not tell, what it asks is compared."""
    return run.template == template.version if run.template else run.question == template.question


def renewed(run: HookRunView, template: str) -> Note:
    """A run is made anew."""
    text = f"HookRun {run.name} is made anew: HookTemplate {template!r} has changed, and it had nothing but errors"
    return Note("Normal", EventReason.HOOK_RUN_RENEWED, text)


def answer_of_run(run: HookRunView, pod: PodView) -> HookVerdict:
    """What a run that exists answers for its pod."""
    if run.deleting:
        return HookVerdict(
            HookAnswer.WAIT,
            blocked=Blocked(BlockedReason.HOOK_RUNNING, f"HookRun {run.name} is being removed", pod.name),
        )
    if run.phase == "Successful":
        return HookVerdict(HookAnswer.PROCEED)
    said = f": {run.message}" if run.message else ""
    if run.completed:
        text = f"HookRun {run.name} of pod {pod.name} ended {run.phase}{said}"
        return HookVerdict(
            HookAnswer.REFUSED, blocked=Blocked(BlockedReason.HOOK_FAILED, text, pod.name, waiting=False)
        )
    if run.measured.failing:
        text = f"HookRun {run.name} of pod {pod.name} {erring(run)}"
        return HookVerdict(HookAnswer.WAIT, blocked=Blocked(BlockedReason.HOOK_ERRORS, text, pod.name, waiting=False))
    text = f"HookRun {run.name} of pod {pod.name} is {run.phase or 'Pending'}{said}"
    return HookVerdict(HookAnswer.WAIT, blocked=Blocked(BlockedReason.HOOK_RUNNING, text, pod.name))


def ask(
    kind: HookKind,
    hook: Hook | None,
    pod: PodView,
    runs: HookRuns,
    templates: Mapping[str, HookTemplateView],
    wanted: Mapping[str, str] | None = None,
    source: ContainerSource = UNKNOWN_SOURCE,
) -> HookVerdict:
    """Whether the pod may be deleted or updated (docs/spec/gamedeployment.md 5.3).

    Pods that do not run serve nobody and go unasked.
    """
    if hook is None or pod.phase != "Running":
        return HookVerdict(HookAnswer.PROCEED)
    return ask_hook(kind, hook, pod, runs, templates, wanted, source)


def ask_hook(
    kind: HookKind,
    hook: Hook,
    pod: PodView,
    runs: HookRuns,
    templates: Mapping[str, HookTemplateView],
    wanted: Mapping[str, str] | None = None,
    source: ContainerSource = UNKNOWN_SOURCE,
) -> HookVerdict:
    """What the hook says of the pod, which is to be started if nobody has asked yet.

    A pod without an instance id is not asked for before it has got one: another pod's answer could be taken for its
    own.
    """
    if not pod.instance:
        text = f"pod {pod.name} has no instance id yet; its {kind} hook is asked when it has one"
        return HookVerdict(HookAnswer.WAIT, blocked=Blocked(BlockedReason.HOOK_RUNNING, text, pod.name))
    run = runs.of(kind, pod)
    if run is not None and runs.expired(kind, run):
        text = (
            f"HookRun {run.name} of pod {pod.name} succeeded more than {ANSWER_LIFE:.0f} s ago; the hook is asked again"
        )
        return HookVerdict(HookAnswer.WAIT, blocked=Blocked(BlockedReason.HOOK_RUNNING, text, pod.name))
    if run is not None:
        return answer_of_run(run, pod)
    made = new_run(kind, hook, templates.get(hook.template), pod, wanted, source, carry_uid=runs.carry_uid)
    if isinstance(made, Blocked):
        return HookVerdict(HookAnswer.REFUSED, blocked=made)
    text = f"{kind} hook of pod {pod.name} is being asked"
    return HookVerdict(HookAnswer.WAIT, start=made, blocked=Blocked(BlockedReason.HOOK_RUNNING, text, pod.name))
