"""Bringing pods to the update revision (spec/gamedeployment.md 2.7, 2.8, 3, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from operators.api import keys
from operators.gamedeployment.scale import Scaling
from operators.gamedeployment.scene import Scene, awaits_post_hook
from operators.planning import inplace
from operators.planning.actions import (
    Action,
    AnnotatePod,
    Blocked,
    CreateHookRun,
    DeleteHookRun,
    DeletePod,
    UpdatePodInPlace,
)
from operators.planning.podhooks import Answer, PodHook, Verdict, ask, asked, subject
from operators.planning.refusals import pod_refused
from operators.planning.scalein import expendable
from operators.planning.updatestate import UpdateState
from operators.planning.views import PodView


@dataclass(frozen=True, slots=True)
class Updating:
    """What updating does. ``targets`` are the pods that an update is still meant for, by the hook that guards it."""

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    targets: dict[str, PodHook] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)


def refresh(scene: Scene) -> Updating:
    """Carry on with updates that have begun, open gates, run post hooks; also while the workload is paused."""
    result = Updating()
    for pod in scene.pods:
        progress = scene.progress[pod.name]
        if progress.done:
            if progress.action is not None:
                result.actions.append(progress.action)
            elif pod.state is not None:
                _post_hook(scene, pod, result)
            continue
        action = progress.action
        if progress.superseded:
            action = inplace.take_back(pod, scene.revisions.templates, scene.revisions.current, scene.now)
        if action is not None:
            result.actions.append(action)
        if progress.wait is not None:
            result.waits.append(progress.wait)
        reason = "InPlaceGrace" if progress.wait is not None else "InPlaceUpdating"
        result.blocked.append(Blocked(reason, f"pod {pod.name}: {progress.waiting}", pod.name))
    return result


def _post_hook(scene: Scene, pod: PodView, result: Updating) -> None:
    """Run the hook after an update; its mark on the pod goes when it has succeeded (spec 5.6, decision 9)."""
    state, hook = pod.state, scene.hooks["postinplace"]
    if state is None or not awaits_post_hook(pod, scene.runs):
        return
    if hook is None:
        result.actions.append(_marked(pod, state, post_hook=False))
        return
    if not state.post_hook:
        result.actions.append(_marked(pod, state, post_hook=True))  # left by the Go operators: ours from now on
    verdict = asked("postinplace", hook, pod, scene.runs, scene.observed.templates)
    if verdict.answer is Answer.PROCEED and state.post_hook:
        result.actions.append(_marked(pod, state, post_hook=False))
    if verdict.start is not None:
        result.actions.append(verdict.start)
    if verdict.blocked is not None:
        shown = verdict.blocked
        if shown.reason == "HookFailed":
            text = f"{shown.message}; set postInplaceUpdateStrategy.retry to run it again"
            shown = Blocked("PostInplaceHookFailed", text, pod.name, waiting=False)
        result.blocked.append(shown)


def _marked(pod: PodView, state: UpdateState, *, post_hook: bool) -> AnnotatePod:
    changed = UpdateState(state.revision, state.since, state.recorded, post_hook=post_hook)
    return AnnotatePod(pod.name, pod.uid, {keys.INPLACE_STATE_ANNOTATION: changed.dump()})


def update(scene: Scene, scaling: Scaling, result: Updating) -> None:
    """Choose the pods that may be touched now, and touch those whose hook allows it."""
    strategy = scene.spec.update_strategy
    outdated = [p for p in scene.outdated if p.name not in scaling.victims]
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
    _Walk(scene, scaling, outdated, result).run()


class _Walk:
    """One walk over the candidates: a pod is taken while the budget lasts, one that is down anyway costs nothing.

    Two counts bound it. A pod that is available is taken only while fewer pods are down than may be (spec 2.7 step 6).
    A pod that serves, but is not available yet (minReadySeconds, a post hook), is down already by that count; taking
    it harms all the same, so that it is taken only while fewer pods than that do not serve.
    """

    def __init__(self, scene: Scene, scaling: Scaling, outdated: list[PodView], result: Updating) -> None:
        self.scene, self.result, self.able = scene, result, scaling.able
        working = [p for p in scene.pods if p.name not in scaling.victims]
        self.working = len(working)
        self.room = scene.budget.unavailable + self.working - scene.spec.replicas
        self.down = sum(p.name not in scene.settled for p in working)
        self.dark = sum(not p.ready for p in working)
        self.new = scene.revisions.templates[scene.course.target]
        self.images = scene.images[scene.course.target]
        details = scene.spec.update_strategy.in_place_update_strategy
        self.recreates = details.on_ineligible == "Recreate"
        post_hook = scene.hooks["postinplace"] is not None
        self.settings = inplace.Settings(details.grace_period_seconds, details.policy, post_hook=post_hook)
        self.hooked = post_hook or scene.hooks[scene.update_hook] is not None
        self.ineligible = cache(self._ineligible)
        runs = {p.name: scene.runs.of(self.guard(p), p) for p in outdated} if scene.runs.all else {}
        self.open = sum(run is not None and not run.completed for run in runs.values())
        # First who is down anyway, then who has been asked: no pod that turns unready pushes one of those out.
        outdated.sort(key=lambda p: (p.ready, runs.get(p.name) is None, expendable(p)))
        self.candidates = outdated[: max(0, len(outdated) - scene.kept)]
        self.begun: list[Action] = []

    def _ineligible(self, revision: str) -> str | None:
        """Why pods of a revision cannot be updated in place."""
        if not self.scene.in_place:
            return None
        return inplace.ineligible_path(self.scene.revisions.templates.get(revision), self.new)

    def replaces(self, pod: PodView) -> bool:
        """The pod is updated by a new one in its place."""
        return not self.scene.in_place or self.ineligible(pod.revision) is not None

    def guard(self, pod: PodView) -> PodHook:
        """The hook that guards this pod's update: replacing it is a deletion, also under InplaceUpdate."""
        return "predelete" if self.replaces(pod) else self.scene.update_hook

    def run(self) -> None:
        """Take what may be taken, and say what waits."""
        held: list[PodView] = []
        stuck: list[PodView] = []
        for pod in self.candidates:
            if self.scene.in_place and not self.recreates and self.ineligible(pod.revision):
                stuck.append(pod)
                continue
            self.result.targets[pod.name] = self.guard(pod)
            if not self._refused(pod) and not self._take(pod):
                held.append(pod)
        # One write of a pod in a pass: a new update replaces whatever the refresh wanted of it.
        replaced = {getattr(a, "uid", "") for a in self.begun}
        self.result.actions[:] = [a for a in self.result.actions if getattr(a, "uid", None) not in replaced]
        self.result.actions.extend(self.begun)
        if stuck:
            self._tell_ineligible(stuck)
        if held:
            self._tell_held(held)

    def _refused(self, pod: PodView) -> bool:
        """The API server refused to change it a moment ago; others are tried meanwhile (spec 9.1 #27)."""
        kind = DeletePod if self.replaces(pod) else UpdatePodInPlace
        if not pod_refused(self.scene.observed.refusals, kind, pod.uid, self.scene.now):
            return False
        self._begin(pod)  # withheld with all that was refused, and told of there
        return True

    def _take(self, pod: PodView) -> bool:
        """Update one pod, or ask its hook, if the budget allows; False when it does not."""
        free = self._costs_nothing(pod)
        if (self.replaces(pod) and not self.able) or not (free or self._fits(pod)):
            return False
        if self._given_back(pod):
            return True
        verdict = Verdict(Answer.PROCEED) if self._untouched(pod) else self._ask(pod)
        if verdict.start is not None:
            if self.open >= max(1, self.room):
                return False
            self.open += 1
            self.begun.append(verdict.start)
        if verdict.blocked is not None:
            self.result.blocked.append(verdict.blocked)
        if verdict.answer is Answer.PROCEED:
            self._begin(pod)
        if not free:
            self.down += pod.name in self.scene.settled
            self.dark += pod.ready
        return True

    def _fits(self, pod: PodView) -> bool:
        if pod.name in self.scene.settled:
            return self.down < self.room
        return not pod.ready or self.dark < self.room

    def _costs_nothing(self, pod: PodView) -> bool:
        """Only labels and annotations change, and no hook disturbs the pod."""
        if self.hooked or self.replaces(pod) or not self.scene.progress[pod.name].done:
            return False
        return self.scene.images.get(pod.revision) == self.images

    def _untouched(self, pod: PodView) -> bool:
        """The pod is in grace, and what it would go to is what it still runs: nothing to ask a hook for."""
        in_grace = inplace.in_grace(pod) and not self.replaces(pod)
        return in_grace and not inplace.changed_images(pod, self.images)

    def _given_back(self, pod: PodView) -> bool:
        """A pod in grace for an older update is given back first when its hook has to be asked anew.

        It serves while the hook is asked, in the name of the revision it runs.
        """
        if not self.scene.progress[pod.name].superseded or self.scene.hooks[self.guard(pod)] is None:
            return False
        if self._untouched(pod):
            return False
        return any(isinstance(a, UpdatePodInPlace) and a.uid == pod.uid for a in self.result.actions)

    def _ask(self, pod: PodView) -> Verdict:
        kind, scene = self.guard(pod), self.scene
        return ask(kind, scene.hooks[kind], pod, scene.runs, scene.observed.templates, self.images)

    def _begin(self, pod: PodView) -> None:
        if self.replaces(pod):
            self.begun.append(DeletePod(pod.name, pod.uid, "rollingUpdate"))
            return
        old, target = self.scene.revisions.templates.get(pod.revision), self.scene.course.target
        self.begun.append(inplace.begin(pod, old, self.new, target, self.settings, self.scene.now))

    def _tell_ineligible(self, stuck: list[PodView]) -> None:
        first = min(stuck, key=lambda p: p.name)
        more = f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else ""
        text = (
            f"pod {first.name}{more} cannot be updated in place: {self.ineligible(first.revision)} changed; only "
            "images, labels and annotations can; revert the template, or choose RollingUpdate or onIneligible: Recreate"
        )
        self.result.blocked.append(Blocked("InPlaceNotPossible", text, first.name, waiting=False))

    def _tell_held(self, held: list[PodView]) -> None:
        strategy = self.scene.spec.update_strategy
        if not self.able:
            text = f"{len(held)} pods are not replaced, because no pod can be created now"
        else:
            text = (
                f"{len(held)} of {len(self.candidates)} pods wait: {self.down} of {self.working} pods are down or "
                f"taken, {max(0, self.room)} may be (maxUnavailable {strategy.max_unavailable}, maxSurge "
                f"{strategy.max_surge}, replicas {self.scene.spec.replicas})"
            )
        self.result.blocked.append(Blocked("BudgetExhausted", text))


def retry(scene: Scene) -> tuple[list[Action], list[str]]:
    """``retry: true``: remove the answers that refused, so that the hooks are asked once more (spec 5.7).

    Also the fields of the switches that have done their work: a switch goes off only when no such answer is left, so
    that none is forgotten when its removal fails.
    """
    actions: list[Action] = []
    done: list[str] = []
    holders = {
        "preDeleteUpdateStrategy": ("predelete", scene.spec.pre_delete_update_strategy),
        "preInplaceUpdateStrategy": ("preinplace", scene.spec.pre_inplace_update_strategy),
        "postInplaceUpdateStrategy": ("postinplace", scene.spec.post_inplace_update_strategy),
    }
    for name, (kind, holder) in holders.items():
        if not holder.retry:
            continue
        refused = [r for r in scene.runs.of_kind(kind) if r.completed and r.phase != "Successful"]
        actions += [DeleteHookRun(r.name, r.uid, "retry") for r in refused if not r.deleting]
        if not refused:
            done.append(name)
    return actions, done


def clean(scene: Scene, victims: Mapping[str, PodView], targets: Mapping[str, PodHook]) -> list[Action]:
    """Remove answers that nobody waits for, and take back the mark on pods that stay (spec 5.4)."""
    if not scene.runs.all:
        return []
    actions: list[Action] = []
    by_name = {p.name: p for p in scene.pods}
    wanted = {("predelete", p.revision, p.instance) for p in victims.values()}
    wanted |= {(kind, by_name[name].revision, by_name[name].instance) for name, kind in targets.items()}
    living = {(p.revision, p.instance): p for p in scene.pods}
    for kind in ("predelete", "preinplace", "postinplace"):
        for run in scene.runs.of_kind(kind):
            pod = living.get(subject(run))
            if run.deleting or (kind, *subject(run)) in wanted:
                continue
            if kind == "postinplace" and pod is not None and awaits_post_hook(pod, scene.runs):
                continue
            actions.append(DeleteHookRun(run.name, run.uid, "no longer needed"))
            stays = pod is not None and pod.name not in victims and pod.name not in targets
            marked = pod is not None and pod.annotations.get(keys.POD_DELETING_ANNOTATION) == "true"
            if pod is not None and stays and marked and kind != "postinplace":
                actions.append(AnnotatePod(pod.name, pod.uid, {keys.POD_DELETING_ANNOTATION: "false"}))
    return actions


def marks(scene: Scene, actions: list[Action]) -> list[Action]:
    """``game-pod-deleting: "true"`` on every pod whose pre hook is being asked, whenever it is missing (spec 5.3)."""
    kinds = ("predelete", "preinplace")
    asked_now = {a.pod for a in actions if isinstance(a, CreateHookRun) and a.kind in kinds}
    dropped = {a.name for a in actions if isinstance(a, DeleteHookRun)}
    open_runs = [r for kind in kinds for r in scene.runs.of_kind(kind) if not r.completed and r.name not in dropped]
    speak_for = {subject(r) for r in open_runs}
    found: list[Action] = []
    if not asked_now and not speak_for:
        return found
    for pod in scene.pods:
        mark = pod.annotations.get(keys.POD_DELETING_ANNOTATION)
        missing = mark is None and (pod.revision, pod.instance) in speak_for
        if missing or (pod.name in asked_now and mark != "true"):
            found.append(AnnotatePod(pod.name, pod.uid, {keys.POD_DELETING_ANNOTATION: "true"}))
    return found
