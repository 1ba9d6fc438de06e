"""HookRuns that nobody owns: those of a workload that was deleted without them (docs/spec/gamedeployment.md 7.4).

One that asks of the same pod, or the same step, what would be asked now is taken over, with what it has measured. Any
other is removed, so that its name is free and the hook is asked anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from operators.api import keys
from operators.planning.actions import Action, AdoptHookRun, CreateHookRun, DeleteHookRun
from operators.planning.canary.hooks import StepHooks, belongs_to_step, step_run
from operators.planning.canary.state import CanaryState
from operators.planning.hooks.pods import KINDS, Hook, HookKind, new_run, run_subject
from operators.planning.inplace.update import Images, Progress, container_source
from operators.planning.views import HookRunView, HookTemplateView, PodView


@dataclass(frozen=True, slots=True)
class Asking:
    """What the workload asks now.

    ``pods`` are ours, those that join included; ``images`` are those of each revision, ``progress`` says of each pod
    where its update in place stands.
    """

    pods: Sequence[PodView]
    hooks: Mapping[str, Hook | None]
    templates: Mapping[str, HookTemplateView]
    images: Mapping[str, Images]
    progress: Mapping[str, Progress]
    canary: CanaryState
    host_ip: str = ""

    def repeats(self, run: HookRunView) -> bool:
        """The run asks what would be asked now, of the same pod or step."""
        kind = KINDS.get(run.labels.get(keys.HOOK_TYPE_LABEL, ""), "")
        asked = {k: v for k, v in (run.asked or {}).items() if k != "terminate"}
        made = self._step(run) if kind == "canary" else self._of_pod(run, kind)
        return made is not None and not run.terminate and dict(made.spec) == asked

    def _step(self, run: HookRunView) -> CreateHookRun | None:
        canary = self.canary
        if canary.begins or not canary.active or not belongs_to_step(run, canary):
            return None
        step = canary.steps[canary.index or 0]
        if step.hook is None:
            return None
        made = step_run(step.hook, canary, StepHooks((), self.templates, self.host_ip))
        return made if isinstance(made, CreateHookRun) else None

    def _of_pod(self, run: HookRunView, kind: str) -> CreateHookRun | None:
        hook = self.hooks.get(kind)
        pod = next((p for p in self.pods if (p.revision, p.instance) == run_subject(run)), None)
        if hook is None or pod is None or run.created < pod.created:
            return None
        if run.labels.get(keys.HOOK_POD_UID_LABEL, pod.uid) != pod.uid:
            return None
        asked: HookKind = kind  # type: ignore[assignment] # a key of the hooks that are configured
        known = self.progress.get(pod.name)
        source = container_source(pod, self.images, done=known is None or known.done)
        wanted = self.images[self.canary.target]
        made = new_run(asked, hook, self.templates.get(hook.template), pod, wanted, source)
        return made if isinstance(made, CreateHookRun) else None


def take_back(
    runs: Collection[HookRunView], asking: Asking, subjects: Collection[tuple[str, str]], revisions: Collection[str]
) -> tuple[list[HookRunView], list[Action]]:
    """Those of ``runs`` that nobody owns and that were ours, and what becomes of them.

    Ours are those of a revision of ours, or of a pod that we have: ``subjects`` are revision and instance of each, as
    it is labelled. One that is removed counts as being deleted, so that nothing goes on before it is gone.
    """
    found: list[HookRunView] = []
    actions: list[Action] = []
    for run in runs:
        subject = run_subject(run)
        known = subject[0] in revisions or subject in subjects
        if run.asked is None or run.labels.get(keys.HOOK_TYPE_LABEL) not in KINDS or not subject[0] or not known:
            continue
        if run.deleting:
            found.append(run)
        elif asking.repeats(run):
            actions.append(AdoptHookRun(run.name, run.uid))
            found.append(run)
        else:
            actions.append(DeleteHookRun(run.name, run.uid, "left over, and not what would be asked now"))
            found.append(replace(run, deleting=True))
    return found, actions
