"""Bringing pods to the update revision (spec/gamedeployment.md 2.7, 2.8, 3, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from operators.api import keys
from operators.gamedeployment.scene import Scene
from operators.planning import inplace
from operators.planning.actions import Action, AnnotatePod, Blocked, DeleteHookRun, DeletePod
from operators.planning.podhooks import Answer, PodHook, ask, new_run
from operators.planning.scalein import expendable
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class Updating:
    """What updating does. ``targets`` are the pods that an update is still meant for, served or not."""

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    targets: dict[str, PodView] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)


def refresh(scene: Scene) -> Updating:
    """Carry on with updates that have begun, open gates, run post hooks; also while the workload is paused."""
    result = Updating()
    for pod in scene.pods:
        progress = scene.progress[pod.name]
        if progress.action is not None:
            result.actions.append(progress.action)
        if progress.wait is not None:
            result.waits.append(progress.wait)
        if not progress.done:
            text = f"pod {pod.name}: {progress.waiting}"
            result.blocked.append(Blocked("InPlaceUpdating", text, pod.name))
        elif progress.action is None:
            _post_hook(scene, pod, result)
    return result


def _post_hook(scene: Scene, pod: PodView, result: Updating) -> None:
    """Run the hook after an update; its mark on the pod goes when it has succeeded (spec 5.6, decision 9)."""
    state = inplace.read_state(pod)
    if state is None or not state.post_hook or state.revision != pod.revision:
        return
    hook = scene.hook("postinplace")
    run = scene.runs.of("postinplace", pod)
    if hook is None or (run and run.phase == "Successful"):
        passed = inplace.State(state.revision, state.since, state.recorded)
        result.actions.append(AnnotatePod(pod.name, pod.uid, {keys.INPLACE_STATE_ANNOTATION: passed.dump()}))
        return
    if run is None:
        made = new_run("postinplace", hook, scene.observed.templates.get(hook.template), pod)
        if isinstance(made, Blocked):
            result.blocked.append(made)
        else:
            result.actions.append(made)
            result.blocked.append(
                Blocked("HookRunning", f"postinplace hook of pod {pod.name} is being asked", pod.name)
            )
        return
    said = f": {run.message}" if run.message else ""
    if run.completed:
        text = f"HookRun {run.name} of pod {pod.name} ended {run.phase}{said}; set postInplaceUpdateStrategy.retry"
        result.blocked.append(Blocked("PostInplaceHookFailed", text, pod.name, waiting=False))
    else:
        text = f"HookRun {run.name} of pod {pod.name} is {run.phase or 'Pending'}{said}"
        result.blocked.append(Blocked("HookRunning", text, pod.name))


def update(scene: Scene, victims: Mapping[str, PodView], result: Updating) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it."""
    strategy = scene.spec.update_strategy
    outdated = [p for p in scene.outdated if p.name not in victims]
    if not outdated:
        return
    if scene.course.held:
        if scene.course.memory.user_paused and not scene.course.active:
            result.blocked.append(Blocked("Paused", f"updateStrategy.paused: {len(outdated)} pods are not updated"))
        return
    if strategy.type == "HotPatchUpdate":
        text = "updateStrategy.type HotPatchUpdate needs a patched kubelet and is not enabled; nothing is updated"
        result.blocked.append(Blocked("HotPatchNotEnabled", text, waiting=False))
        return
    if strategy.type == "OnDelete":
        result.blocked.append(Blocked("OnDelete", f"{len(outdated)} pods are updated when somebody deletes them"))
        return
    kind, _ = scene.pre_update_hook
    asked = {p.name for p in outdated if scene.runs.of(cast("PodHook", kind), p)}
    outdated.sort(key=lambda p: (p.name not in asked, expendable(p)))
    candidates = outdated[: max(0, len(outdated) - scene.kept)]
    result.targets.update({p.name: p for p in candidates})
    _walk(scene, victims, candidates, asked, result)


def _walk(
    scene: Scene, victims: Mapping[str, PodView], candidates: list[PodView], asked: set[str], result: Updating
) -> None:
    """Take candidates while the budget lasts. A pod that is down anyway costs nothing (spec 2.7 step 6)."""
    working = [p for p in scene.pods if p.name not in victims]
    room = scene.budget.unavailable + len(working) - scene.spec.replicas
    down = sum(1 for p in working if not scene.update_ready(p))
    open_hooks = len(asked)
    held = 0
    for pod in candidates:
        if scene.update_ready(pod):
            if down >= room:
                held += 1
                continue
            down += 1
        may_ask = pod.name in asked or open_hooks < max(1, room)
        open_hooks += _update_one(scene, pod, result, may_ask=may_ask)
    if held:
        text = (
            f"{held} of {len(candidates)} pods wait: {down} of {len(working)} pods are down, {max(0, room)} may be "
            f"(maxUnavailable {scene.spec.update_strategy.max_unavailable}, "
            f"maxSurge {scene.spec.update_strategy.max_surge}, replicas {scene.spec.replicas})"
        )
        result.blocked.append(Blocked("BudgetExhausted", text))


def _update_one(scene: Scene, pod: PodView, result: Updating, *, may_ask: bool) -> int:
    """Update one pod if its hook allows; the number of hooks newly opened."""
    in_place = scene.spec.update_strategy.type == "InplaceUpdate"
    old, new = scene.revisions.templates.get(pod.revision), scene.revisions.templates[scene.course.target]
    path = inplace.ineligible_path(old, new) if in_place else None
    if path is not None and scene.spec.update_strategy.in_place_update_strategy.on_ineligible == "Block":
        text = f"pod {pod.name} cannot be updated in place: {path} changed; only images, labels and annotations can"
        result.blocked.append(Blocked("InPlaceNotPossible", text, pod.name, waiting=False))
        return 0
    kind, hook = ("predelete", scene.hook("predelete")) if path is not None else scene.pre_update_hook
    untouched = in_place and inplace.grace_seconds(pod) is not None and not inplace.changed_images(pod, new)
    if not untouched:
        verdict = ask(cast("PodHook", kind), hook, pod, scene.runs, scene.observed.templates, new)
        if verdict.start and not may_ask:
            result.blocked.append(
                Blocked("BudgetExhausted", f"pod {pod.name} waits for the hooks of other pods", pod.name)
            )
            return 0
        if verdict.blocked:
            result.blocked.append(verdict.blocked)
        if verdict.answer is not Answer.PROCEED:
            if verdict.start:
                result.actions.append(verdict.start)
            return int(verdict.start is not None)
    if in_place and path is None:
        details = scene.spec.update_strategy.in_place_update_strategy
        settings = inplace.Settings(
            details.grace_period_seconds, details.policy, post_hook=scene.hook("postinplace") is not None
        )
        _drop_refresh(pod, result)
        result.actions.append(inplace.begin(pod, old, new, scene.course.target, settings, scene.now))
    else:
        result.actions.append(DeletePod(pod.name, pod.uid, "rollingUpdate"))
    return 0


def _drop_refresh(pod: PodView, result: Updating) -> None:
    """A pod gets one write a pass: the new update replaces whatever the refresh wanted of it."""
    result.actions[:] = [a for a in result.actions if getattr(a, "uid", None) != pod.uid]


def retry(scene: Scene) -> list[Action]:
    """``retry: true``: remove the answers that refused, so that the hooks are asked once more (spec 5.7)."""
    actions: list[Action] = []
    holders = {
        "predelete": scene.spec.pre_delete_update_strategy,
        "preinplace": scene.spec.pre_inplace_update_strategy,
        "postinplace": scene.spec.post_inplace_update_strategy,
    }
    for kind, holder in holders.items():
        if holder.retry:
            refused = [
                r for r in scene.runs.of_kind(kind) if r.completed and r.phase != "Successful" and not r.deleting
            ]
            actions += [DeleteHookRun(r.name, r.uid, "retry") for r in refused]
    return actions


def clean(scene: Scene, victims: Mapping[str, PodView], targets: Mapping[str, PodView]) -> list[Action]:
    """Remove answers that nobody waits for, and take back the mark on pods that stay (spec 5.4)."""
    actions: list[Action] = []
    update_kind, _ = scene.pre_update_hook
    wanted: dict[tuple[str, str, str], PodView] = {}
    for pod in victims.values():
        wanted["predelete", pod.revision, pod.instance] = pod
    for pod in targets.values():
        wanted[update_kind, pod.revision, pod.instance] = pod
        if scene.spec.update_strategy.in_place_update_strategy.on_ineligible == "Recreate":
            wanted["predelete", pod.revision, pod.instance] = pod
    living = {(p.revision, p.instance): p for p in scene.pods}
    for kind in ("predelete", "preinplace", "postinplace"):
        for run in scene.runs.of_kind(kind):
            subject = (run.labels.get(keys.HOOK_REVISION_LABEL, ""), run.labels.get(keys.HOOK_INSTANCE_LABEL, ""))
            owner = living.get(subject)
            if run.deleting or (kind, *subject) in wanted:
                continue
            if kind == "postinplace" and owner is not None and _awaits_post_hook(owner):
                continue
            actions.append(DeleteHookRun(run.name, run.uid, "no longer needed"))
            marked = owner is not None and owner.annotations.get(keys.POD_DELETING_ANNOTATION) == "true"
            if owner is not None and marked and kind != "postinplace":
                actions.append(AnnotatePod(owner.name, owner.uid, {keys.POD_DELETING_ANNOTATION: "false"}))
    return actions


def _awaits_post_hook(pod: PodView) -> bool:
    state = inplace.read_state(pod)
    return state is not None and state.post_hook and state.revision == pod.revision
