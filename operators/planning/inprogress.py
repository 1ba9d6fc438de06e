"""Updates that have begun: carried on in every pass, whatever else holds (spec/gamedeployment.md 3, 5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from operators.api import keys
from operators.api.reasons import BlockedReason
from operators.planning.actions import Action, AnnotatePod, Blocked
from operators.planning.hooks.pods import HookAnswer, PodHook, asked
from operators.planning.inplace import update as inplace
from operators.planning.inplace.annotations import UpdateState
from operators.planning.rollout import Rollout, awaits_post_hook
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """What updating does. ``targets`` are the pods that an update is still meant for, by the hook that guards it."""

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    targets: dict[str, PodHook] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)


def continue_updates(rollout: Rollout) -> UpdateOutcome:
    """Carry on with updates that have begun, open gates, run post hooks; also while the workload is paused."""
    result = UpdateOutcome()
    for pod in rollout.pods:
        progress = rollout.progress[pod.name]
        if progress.done:
            if progress.action is not None:
                result.actions.append(progress.action)
            elif pod.state is not None:
                _post_hook(rollout, pod, result)
            continue
        if progress.superseded:
            progress = _returning(rollout, pod, progress)
        if progress.action is not None:
            result.actions.append(progress.action)
        if progress.wait is not None:
            result.waits.append(progress.wait)
        reason = BlockedReason.IN_PLACE_GRACE if progress.wait is not None else BlockedReason.IN_PLACE_UPDATING
        result.blocked.append(Blocked(reason, f"pod {pod.name}: {progress.waiting}", pod.name))
    return result


def _returning(rollout: Rollout, pod: PodView, progress: inplace.Progress) -> inplace.Progress:
    """The way out of a grace period whose update is no longer wanted: back to what the pod still runs.

    An earlier update may have left it half changed, so that it runs no version whole: then it is brought to the one
    that pods came from. Where that cannot be in place the update it is in is finished. In grace for good it would serve
    nobody, and hold the budget.
    """
    templates, current = rollout.revisions.templates, rollout.revisions.current
    back = inplace.take_back(pod, templates, current, rollout.now)
    old, new = templates.get(pod.revision), templates.get(current)
    if back is None and new is not None and inplace.ineligible_path(old, new) is None:
        source = inplace.container_source(pod, rollout.images, done=False)
        started = inplace.begin(pod, old, new, current, rollout.settings, source, rollout.now)
        back = replace(started, begins=False)  # its hook was asked when the update began that it comes back from
    if back is not None:
        return replace(progress, action=back)
    return inplace.advance(pod, rollout.images.get(pod.revision), rollout.settings.policy, rollout.now)


def _post_hook(rollout: Rollout, pod: PodView, result: UpdateOutcome) -> None:
    """Run the hook after an update; its mark on the pod goes when it has succeeded (spec 5.6, decision 9)."""
    state, hook = pod.state, rollout.hooks["postinplace"]
    if state is None or not awaits_post_hook(pod, rollout.runs):
        return
    if hook is None:
        result.actions.append(_marked(pod, state, post_hook=False))
        return
    if not state.post_hook:
        result.actions.append(_marked(pod, state, post_hook=True))  # left by the Go operators: ours from now on
    verdict = asked("postinplace", hook, pod, rollout.runs, rollout.observed.templates)
    if verdict.answer is HookAnswer.PROCEED and state.post_hook:
        result.actions.append(_marked(pod, state, post_hook=False))
    if verdict.start is not None:
        result.actions.append(verdict.start)
    if verdict.blocked is not None:
        shown = verdict.blocked
        if shown.reason == BlockedReason.HOOK_FAILED:
            text = f"{shown.message}; set postInplaceUpdateStrategy.retry to run it again"
            shown = Blocked(BlockedReason.POST_INPLACE_HOOK_FAILED, text, pod.name, waiting=False)
        result.blocked.append(shown)


def _marked(pod: PodView, state: UpdateState, *, post_hook: bool) -> AnnotatePod:
    changed = replace(state, post_hook=post_hook)
    return AnnotatePod(pod.name, pod.uid, {keys.INPLACE_STATE_ANNOTATION: changed.dump()})
