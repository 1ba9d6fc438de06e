"""HookRuns of canary steps (docs/spec/gamedeployment.md 4.5, docs/spec/hooks.md 6.4).

A step speaks for the whole application, so its run gets no arguments of a pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from operators.api import keys
from operators.api.strategies import HookStep
from operators.planning.actions import Blocked, CreateHookRun
from operators.planning.canary.state import CanaryState
from operators.planning.hooks.pods import TYPE_LABELS, Hook, compose, cut_name, erring
from operators.planning.views import HookRunView, HookTemplateView


@dataclass(frozen=True, slots=True)
class StepHooks:
    """What hook steps work with.

    ``runs`` are the canary HookRuns of this workload. ``host_ip`` is handed to every run, empty or not: templates may
    use it. ``index_prefix`` stands before the index in the name of a run; it differs between the kinds of workload.
    """

    runs: Sequence[HookRunView] = ()
    templates: Mapping[str, HookTemplateView] = field(default_factory=dict)
    host_ip: str = ""
    index_prefix: str = ""


def belongs_to_rollout(run: HookRunView, canary: CanaryState) -> bool:
    """The run was started for the revision that is rolled out."""
    return run.labels.get(keys.HOOK_REVISION_LABEL) == canary.update


def belongs_to_step(run: HookRunView, canary: CanaryState) -> bool:
    """The run answers for the step in force."""
    return belongs_to_rollout(run, canary) and run.labels.get(keys.HOOK_STEP_LABEL) == str(canary.index)


def step_run(step: HookStep, canary: CanaryState, hooks: StepHooks) -> CreateHookRun | Blocked:
    """The run to start for the step in force, or why none can be started."""
    hook = Hook(step.template_name, tuple((a.name, a.value) for a in step.args))
    supplied = [*hook.args, ("HostIP", hooks.host_ip)]
    composed = compose(hook, hooks.templates.get(hook.template), supplied, canary.label)
    if isinstance(composed, Blocked):
        return composed
    labels = {
        keys.HOOK_TYPE_LABEL: TYPE_LABELS["canary"],
        keys.HOOK_REVISION_LABEL: canary.update,
        keys.HOOK_STEP_LABEL: str(canary.index),
    }
    name = cut_name(f"canary-{canary.update}-{hooks.index_prefix}{canary.index}-{hook.template}")
    return CreateHookRun(name, labels, composed.spec, "canary", dropped=composed.dropped, template=composed.template)


def describe_run(run: HookRunView) -> str:
    """What a run says, and where it stands; a failed one with the value it measured and the condition it missed."""
    if run.measured.failing and not run.completed:
        return f"HookRun {run.name} {erring(run)}"
    said = f": {run.message}" if run.message else ""
    verb = f"ended {run.phase}" if run.completed else f"is {run.phase or 'Pending'}"
    return f"HookRun {run.name} {verb}{said}"
