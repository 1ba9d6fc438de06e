"""Bringing pods to the version they should have, within the budget (docs/spec/gamedeployment.md 2.7, 2.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from operators.api.reasons import BlockedReason
from operators.planning.actions import CREATIONS, Action, Blocked, DeletePod, TryPod, UpdatePodInPlace
from operators.planning.adoption import derived_template
from operators.planning.findings import Findings
from operators.planning.hooks.pods import HookAnswer, HookKind, HookVerdict, ask
from operators.planning.inplace import update as inplace
from operators.planning.inplace.changes import ineligible_path
from operators.planning.inprogress import UpdateOutcome
from operators.planning.refusals import pod_refused
from operators.planning.rollout import Rollout
from operators.planning.views import HookRunView, PodView

Template = Mapping[str, Any]


def held_update(rollout: Rollout, outdated: Sequence[PodView]) -> Findings | None:
    """Why none of these pods may be updated now, as far as that is to be said; None when they may."""
    strategy = rollout.spec.update_strategy
    if not outdated:
        return Findings()
    if rollout.canary.held:
        if not rollout.canary.recorded.user_paused or rollout.canary.active:
            return Findings()  # the canary speaks for itself
        return _held(BlockedReason.PAUSED, f"updateStrategy.paused: {len(outdated)} pods are not updated")
    if strategy.type == "HotPatchUpdate":
        text = "updateStrategy.type HotPatchUpdate needs a patched kubelet and is not enabled; nothing is updated"
        return Findings(blocked=(Blocked(BlockedReason.HOT_PATCH_NOT_ENABLED, text, waiting=False),))
    if strategy.type == "OnDelete":
        return _held(BlockedReason.ON_DELETE, f"{len(outdated)} pods are updated when somebody deletes them")
    return None


def _held(reason: BlockedReason, text: str) -> Findings:
    return Findings(blocked=(Blocked(reason, text),))


@dataclass(frozen=True, slots=True)
class DisruptionAllowance:
    """How much an update may take: of ``working`` pods ``room`` may be down.

    ``down`` are down already: not available, not complete, or their hook not passed. ``able`` tells whether pods can be
    created at all: one that could not be replaced must not be deleted.
    """

    room: int
    down: int
    working: int
    able: bool = True


def _creation_refused(rollout: Rollout) -> bool:
    """The API server refuses to create pods, and will until somebody changes something."""
    refusal = rollout.observed.refusals.get(CREATIONS) if rollout.observed.refusals else None
    return refusal is not None and refusal.lasting


def _creation_tried(rollout: Rollout) -> bool:
    """A pod of the version to come exists, or would be created: the API server was asked, where somebody asks it."""
    creatable, target = rollout.observed.creatable, rollout.canary.target
    return creatable is None or target in creatable or any(p.revision == target for p in rollout.pods)


class UpdatePass:
    """One pass over the candidates: a pod is taken while the budget lasts, one that serves nobody costs nothing.

    A pod that is available is taken only while fewer pods are down than may be (spec 2.7 step 6). One that serves, but
    is not available yet (minReadySeconds, a post hook), is down already by that count. Taking it harms all the same, so
    that it is taken only while no more pods are down than may be: were it free, a second release right after a first
    would take every pod at once. ``begun`` is what updates that have begun go on with; ``successor`` makes the body of
    the pod that would come in the place of one.

    A pod is deleted only for one that can be created: while creations are refused, and before the API server was asked
    about the first pod of a revision, none is (docs/decisions/0047-tried-before-deleted.md).
    """

    def __init__(
        self,
        rollout: Rollout,
        outdated: Sequence[PodView],
        allowance: DisruptionAllowance,
        begun: Findings,
        successor: Callable[[PodView], Mapping[str, Any]],
        restarts: Sequence[PodView] = (),
    ) -> None:
        self.rollout, self.earlier, self.successor = rollout, begun, successor
        self.refused = _creation_refused(rollout)
        self.tried = not self.refused and _creation_tried(rollout)
        self.able = allowance.able and self.tried
        self.possible = allowance.able
        self.in_place = rollout.in_place
        self.working, self.room = allowance.working, allowance.room
        self.down = allowance.down
        self.new = rollout.revisions.templates[rollout.canary.target]
        self.images = rollout.images[rollout.canary.target]
        self.recreates = rollout.spec.update_strategy.in_place_update_strategy.on_ineligible == "Recreate"
        self.settings = rollout.settings
        self.restarting = {p.name for p in restarts} - {p.name for p in outdated}
        self.hooked = self.settings.post_hook or rollout.hooks[rollout.update_hook] is not None
        self.ineligible = cache(self._ineligible)
        self.derived: dict[str, Template | None] = {}
        self.runs: dict[str, HookRunView | None] = {}
        if rollout.runs.all:
            self.runs = {p.name: rollout.runs.of(self.guard(p), p) for p in (*outdated, *restarts)}
        self.open = sum(run is not None and not run.completed for run in self.runs.values())
        self.candidates: Sequence[PodView] = ()
        self.begun: list[Action] = []
        self.blocked: list[Blocked] = []
        self.targets: dict[str, HookKind] = {}

    def hook_asked(self, pod: PodView) -> bool:
        """The hook that guards the pod's update has been asked."""
        return self.runs.get(pod.name) is not None

    def waits(self, pod: PodView) -> bool:
        """The hook that guards the pod's update is running."""
        run = self.runs.get(pod.name)
        return run is not None and not run.completed

    def _ineligible(self, revision: str) -> str | None:
        """Why pods of a revision cannot be updated in place."""
        if not self.in_place:
            return None
        return ineligible_path(self.rollout.revisions.templates.get(revision), self.new)

    def made_from(self, pod: PodView) -> Template | None:
        """The template that the pod was made from; of a pod that names no revision, what the pod itself tells of it.

        A label or a revision that is gone is no reason to end a pod that differs in nothing but images, labels and
        annotations (docs/decisions/0051-adopted-in-place.md).
        """
        if pod.revision:
            return self.rollout.revisions.templates.get(pod.revision)
        if pod.name not in self.derived:
            self.derived[pod.name] = derived_template(pod, self.new, self.successor(pod))
        return self.derived[pod.name]

    def replaces(self, pod: PodView) -> bool:
        """The pod is updated, or restarted, by a new one in its place."""
        if pod.name in self.restarting:
            return pod.name not in self.rollout.restart.images
        if not self.in_place:
            return True
        return self.ineligible(pod.revision) is not None if pod.revision else self.made_from(pod) is None

    def guard(self, pod: PodView) -> HookKind:
        """The hook that guards this pod's update: replacing it is a deletion, also under InplaceUpdate."""
        return "predelete" if self.replaces(pod) else self.rollout.update_hook

    def run(self, candidates: Sequence[PodView], restarts: Sequence[PodView] = ()) -> UpdateOutcome:
        """Take what may be taken, in this order, and say what waits; then ``restarts``, which stay at their version."""
        self.candidates = [*candidates, *restarts]
        self.restarting |= {p.name for p in restarts}
        if restarts and self.rollout.runs.all:
            self.runs.update({p.name: self.rollout.runs.of(self.guard(p), p) for p in restarts})
            self.open = sum(run is not None and not run.completed for run in self.runs.values())
        held: list[PodView] = []
        stuck: list[PodView] = []
        for pod in self.candidates:
            if (
                pod.name not in self.restarting
                and self.in_place
                and not self.recreates
                and pod.revision
                and self.ineligible(pod.revision)
            ):
                stuck.append(pod)
                continue
            self.targets[pod.name] = self.guard(pod)
            if not self._refused(pod) and not self._take(pod):
                held.append(pod)
        # One write of a pod in a pass: a new update replaces whatever the refresh wanted of it.
        replaced = {getattr(a, "uid", "") for a in self.begun}
        kept = (a for a in self.earlier.actions if getattr(a, "uid", None) not in replaced)
        said = [*self.blocked]
        replaced_later = [p for p in held if self.replaces(p)]
        if replaced_later and self.possible and not self.tried:
            first = replaced_later[0]
            self.begun.append(TryPod(self.rollout.canary.target, self.successor(first), after_refusal=self.refused))
            held = [p for p in held if self.refused or not self.replaces(p)]
        if stuck:
            said.append(self._ineligible_pods(stuck))
        if held:
            said.append(self._held_pods(held))
        found = Findings((*kept, *self.begun), (*self.earlier.blocked, *said), self.earlier.waits)
        return UpdateOutcome(found, self.targets)

    def _refused(self, pod: PodView) -> bool:
        """The API server refused to change it a moment ago; others are tried meanwhile (spec 2.6)."""
        if not self.rollout.observed.refusals:
            return False
        kind = DeletePod if self.replaces(pod) else UpdatePodInPlace
        if not pod_refused(self.rollout.observed.refusals, kind, pod.uid, self.rollout.now):
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
        verdict = HookVerdict(HookAnswer.PROCEED) if self._untouched(pod) else self._ask(pod)
        if verdict.start is not None:
            if self.open >= max(1, self.room):
                return False
            self.open += 1
            self.begun.append(verdict.start)
        if verdict.blocked is not None:
            self.blocked.append(verdict.blocked)
        if verdict.answer is HookAnswer.PROCEED:
            self._begin(pod)
        if not free:
            self.down += pod.name in self.rollout.healthy
        return True

    def _fits(self, pod: PodView) -> bool:
        if pod.name in self.rollout.healthy:
            return self.down < self.room
        return not pod.ready or self.down <= self.room

    def _costs_nothing(self, pod: PodView) -> bool:
        """Only labels and annotations change, and no hook disturbs the pod."""
        if self.hooked or self.replaces(pod) or not self.rollout.progress[pod.name].done:
            return False
        if pod.name in self.restarting:
            return False
        if pod.revision:
            return self.rollout.images.get(pod.revision) == self.images
        made = self.made_from(pod)
        return made is not None and inplace.images_of(made) == self.images

    def _untouched(self, pod: PodView) -> bool:
        """The pod is in grace, and what it would go to is what it still runs: nothing to ask a hook for."""
        in_grace = inplace.in_grace(pod) and not self.replaces(pod)
        return in_grace and not inplace.changed_images(pod, self.images, self._container_source(pod))

    def _given_back(self, pod: PodView) -> bool:
        """A pod in grace for an older update is given back first when its hook has to be asked anew.

        It serves while the hook is asked, in the name of the revision it runs.
        """
        if not self.rollout.progress[pod.name].superseded or self.rollout.hooks[self.guard(pod)] is None:
            return False
        if self._untouched(pod):
            return False
        return any(isinstance(a, UpdatePodInPlace) and a.uid == pod.uid for a in self.earlier.actions)

    def _ask(self, pod: PodView) -> HookVerdict:
        kind, rollout = self.guard(pod), self.rollout
        source = self._container_source(pod)
        wanted = rollout.restart.images.get(pod.name, self.images) if pod.name in self.restarting else self.images
        return ask(kind, rollout.hooks[kind], pod, rollout.runs, rollout.observed.templates, wanted, source)

    def _begin(self, pod: PodView) -> None:
        if self.replaces(pod):
            self.begun.append(DeletePod(pod.name, pod.uid, "rollingUpdate"))
            return
        if pod.name in self.restarting:
            restart = self.rollout.restart
            images = restart.images[pod.name]
            self.begun.append(inplace.begin_restart(pod, images, restart.text, self.settings, self.rollout.now))
            return
        old, target = self.made_from(pod), self.rollout.canary.target
        source = self._container_source(pod)
        self.begun.append(inplace.begin(pod, old, self.new, target, self.settings, source, self.rollout.now))

    def _container_source(self, pod: PodView) -> inplace.ContainerSource:
        return inplace.container_source(pod, self.rollout.images, done=self.rollout.progress[pod.name].done)

    def _ineligible_pods(self, stuck: list[PodView]) -> Blocked:
        first = min(stuck, key=lambda p: p.name)
        more = f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else ""
        text = (
            f"pod {first.name}{more} cannot be updated in place: {self.ineligible(first.revision)} changed; only "
            "images, labels and annotations can; revert the template, or choose RollingUpdate or onIneligible: Recreate"
        )
        return Blocked(BlockedReason.IN_PLACE_NOT_POSSIBLE, text, first.name, waiting=False)

    def _held_pods(self, held: list[PodView]) -> Blocked:
        numbers = self.rollout.numbers
        if not self.able:
            text = f"{len(held)} pods are not replaced, because no pod can be created now"
        else:
            text = (
                f"{len(held)} of {len(self.candidates)} pods wait: {self.down} of {self.working} pods are down or "
                f"being updated, at most {max(0, self.room)} may be (maxUnavailable {numbers.max_unavailable}, "
                f"maxSurge {numbers.max_surge}, replicas {self.rollout.spec.replicas})"
            )
        return Blocked(BlockedReason.BUDGET_EXHAUSTED, text)
