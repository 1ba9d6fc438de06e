"""Updates that have begun: carried on in every pass, whatever else holds (docs/spec/gamedeployment.md 3, 5.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from operators.api import keys
from operators.api.reasons import BlockedReason
from operators.planning.actions import Action, AnnotatePod, Blocked
from operators.planning.findings import NOTHING, Findings, join
from operators.planning.hooks.pods import HookAnswer, HookKind, ask_hook
from operators.planning.inplace import update as inplace
from operators.planning.inplace.annotations import UpdateState
from operators.planning.inplace.changes import ineligible_path
from operators.planning.rollout import Rollout, awaits_post_hook
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """What updating does. ``targets`` are the pods that an update is still meant for, by the hook that guards it."""

    found: Findings = NOTHING
    targets: Mapping[str, HookKind] = field(default_factory=dict)


def continue_updates(rollout: Rollout) -> Findings:
    """Carry on with updates that have begun, open gates, run post hooks; also while the workload is paused."""
    runs, progress = rollout.runs, rollout.progress
    moving = (p for p in rollout.pods if not progress[p.name].idle or (p.state and awaits_post_hook(p, runs)))
    return join(_continue(rollout, pod, progress[pod.name]) for pod in moving)


def _continue(rollout: Rollout, pod: PodView, progress: inplace.Progress) -> Findings:
    if progress.done:
        return _post_hook(rollout, pod) if progress.action is None else Findings((progress.action,))
    if progress.superseded:
        progress = _returning(rollout, pod, progress)
    reason = BlockedReason.IN_PLACE_UPDATING if progress.wait is None else BlockedReason.IN_PLACE_GRACE
    return Findings(
        () if progress.action is None else (progress.action,),
        (Blocked(reason, f"pod {pod.name}: {progress.waiting}", pod.name),),
        () if progress.wait is None else (progress.wait,),
    )


def _returning(rollout: Rollout, pod: PodView, progress: inplace.Progress) -> inplace.Progress:
    """The way out of a grace period whose update is no longer wanted: back to what the pod still runs.

    An earlier update may have left it half changed, so that it runs no version whole: then it is brought to the one
    that pods came from. Where that cannot be in place the update it is in is finished. In grace for good it would serve
    nobody, and hold the budget.
    """
    templates, current = rollout.revisions.templates, rollout.revisions.current
    back = inplace.take_back(pod, templates, current, rollout.now)
    old, new = templates.get(pod.revision), templates.get(current)
    if back is None and new is not None and ineligible_path(old, new) is None:
        source = inplace.container_source(pod, rollout.images, done=False)
        started = inplace.begin(pod, old, new, current, rollout.settings, source, rollout.now)
        back = replace(started, begins=False)  # its hook was asked when the update began that it comes back from
    if back is not None:
        return replace(progress, action=back)
    return inplace.advance(pod, inplace.wanted_images(pod, rollout.images), rollout.settings.policy, rollout.now)


def _post_hook(rollout: Rollout, pod: PodView) -> Findings:
    """Run the hook after an update; its mark on the pod goes when it has succeeded (spec 5.6, decision 9)."""
    state, hook = pod.state, rollout.hooks["postinplace"]
    if state is None:
        return Findings()
    if hook is None:
        return Findings((_marked(pod, state, post_hook=False),))
    actions: list[Action] = []
    if not state.post_hook:
        actions.append(_marked(pod, state, post_hook=True))  # left by the Go operators: ours from now on
    verdict = ask_hook("postinplace", hook, pod, rollout.runs, rollout.observed.templates)
    if verdict.answer is HookAnswer.PROCEED and state.post_hook:
        actions.append(_marked(pod, state, post_hook=False))
    if verdict.start is not None:
        actions.append(verdict.start)
    return Findings(tuple(actions), () if verdict.blocked is None else (_retried_by_hand(verdict.blocked),))


def _retried_by_hand(blocked: Blocked) -> Blocked:
    """Of a hook that has failed it is said how it is run again."""
    if blocked.reason != BlockedReason.HOOK_FAILED:
        return blocked
    text = f"{blocked.message}; set postInplaceUpdateStrategy.retry to run it again"
    return Blocked(BlockedReason.POST_INPLACE_HOOK_FAILED, text, blocked.pod, waiting=False)


def _marked(pod: PodView, state: UpdateState, *, post_hook: bool) -> AnnotatePod:
    changed = replace(state, post_hook=post_hook)
    return AnnotatePod(pod.name, pod.uid, {keys.INPLACE_STATE_ANNOTATION: changed.dump()})
