"""The observation sorted out: which version pods should have, how far each has come, how many may be touched.

The same for every kind of workload. Which pods are its own, and how many there should be, each kind says for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from operators.api.strategies import StrategyBase
from operators.planning.actions import Action
from operators.planning.adoption import Origins
from operators.planning.budgets import Budget
from operators.planning.canary.state import CanaryState, DesiredRollout, PodCounts, canary_state, read_recorded
from operators.planning.hooks.leftovers import Asking, take_back
from operators.planning.hooks.pods import Hook, HookKind, HookRuns
from operators.planning.inplace import update as inplace
from operators.planning.restarts import Restart, restart_of
from operators.planning.revisions import History, RecordedRevisions, Revisions, resolve, templates_by_revision
from operators.planning.views import OwnerView, PodView
from operators.planning.workloads import Observed, Spec, WorkloadView


@dataclass(frozen=True, slots=True)
class StrategyNumbers:
    """Partition and budgets as the spec writes them, wherever it does."""

    partition: int | str | None
    max_unavailable: int | str
    max_surge: int | str


@dataclass(frozen=True, slots=True)
class Rollout:
    """Everything that scaling and updating decide on, computed once a pass.

    ``pods`` are the active pods we own, by name; ``joining`` are those that this pass adopts; ``outdated`` are those
    not at the revision they are brought to, and ``updated`` the rest. ``progress`` says for each where its in-place
    update stands; ``healthy`` are the names of those that are available, complete in every respect, and past their
    hook (spec 2.7, decision 9). ``taken_back`` is what becomes of HookRuns that nobody owns. ``canary`` says which
    revision pods are brought to, how many are kept back, and whether any may be updated at all. ``budget`` is what an
    update may use now, ``surge`` what the spec allows at most. ``images`` are those of each revision. ``restart`` are
    the pods to be restarted as they are. ``first`` holds
    until the pods of a new workload have all been created once; ``whole`` when none is missing or too many;
    ``complete`` when, besides, every pod is at the update revision.
    """

    kind: str
    workload: WorkloadView[Spec]
    spec: Spec
    numbers: StrategyNumbers
    observed: Observed[Spec]
    pods: tuple[PodView, ...]
    joining: tuple[PodView, ...]
    outdated: tuple[PodView, ...]
    updated: tuple[PodView, ...]
    revisions: Revisions
    stored: History
    runs: HookRuns
    taken_back: tuple[Action, ...]
    hooks: Mapping[str, Hook | None]
    canary: CanaryState
    budget: Budget
    surge: int
    progress: Mapping[str, inplace.Progress]
    healthy: frozenset[str]
    images: Mapping[str, inplace.Images]
    restart: Restart
    first: bool
    whole: bool
    complete: bool
    now: float

    @property
    def kept(self) -> int:
        """Pods that stay at the old version."""
        return self.canary.kept

    @property
    def in_place(self) -> bool:
        """Pods are updated where they are."""
        return self.spec.update_strategy.type == "InplaceUpdate"

    @property
    def settings(self) -> inplace.InPlaceSettings:
        """How pods are updated in place."""
        details = self.spec.update_strategy.in_place_update_strategy
        post_hook = self.hooks["postinplace"] is not None
        return inplace.InPlaceSettings(details.grace_period_seconds, details.policy, post_hook=post_hook)

    @property
    def update_hook(self) -> HookKind:
        """Kind of hook that guards the update of a pod: a lone pre-delete hook guards in-place updates too."""
        return "preinplace" if self.in_place and self.hooks["preinplace"] else "predelete"

    def pod_counts(self, leaving: Collection[str]) -> PodCounts:
        """The pods that stay, counted for the canary."""
        pods = [p for p in self.pods if p.name not in leaving]
        updated = [p for p in pods if p.revision == self.revisions.update]
        return PodCounts(
            replicas=self.spec.replicas,
            outdated=len(pods) - len(updated),
            updated=len(updated),
            updated_ready=sum(self.update_ready(p) for p in updated),
            ready=sum(p.ready for p in pods),
            available=sum(p.available(self.now, self.spec.min_ready_seconds) for p in pods),
            stable=sum(p.revision == self.canary.stable for p in pods),
        )

    def serves_update(self, pod: PodView) -> bool:
        """At the update revision and ready with its containers.

        A pod is labelled before its containers restart, and its node says Ready until it has seen the closed gate.
        """
        progress = self.progress.get(pod.name)
        begun = progress is not None and not progress.done
        closed = pod.gated and pod.gate is False
        return pod.ready and pod.revision == self.revisions.update and not begun and not closed

    def update_ready(self, pod: PodView) -> bool:
        """Available, its last in-place update complete, and its post hook passed (spec 2.7, decision 9)."""
        return pod.name in self.healthy


def left_to_older_workload(observed: Observed[Spec], pod: PodView) -> bool:
    """Another workload's selector takes the pod too, and was there before: one of them has to keep back."""
    age = (observed.workload.created, observed.workload.uid)
    return any(
        rival.spec is not None and (rival.created, rival.uid) < age and rival.spec.selector.matches(pod.labels)
        for rival in observed.overlapping
    )


def recorded_revisions(workload: WorkloadView[Any]) -> RecordedRevisions:
    """What the status says of revisions."""
    status = workload.status
    present = status.get("observedGeneration") == workload.generation
    return RecordedRevisions(
        current=str(status.get("currentRevision") or ""),
        update=str(status.get("updateRevision") or "") if present else "",
        collisions=int(status.get("collisionCount") or 0),
    )


def origins_of(observed: Observed[Spec], spec: Spec, stored: History) -> Origins:
    """Where pods come from: the stored revisions, and the one that this pass stores."""
    workload = observed.workload
    recorded = recorded_revisions(workload)
    return Origins(templates_by_revision(workload.name, spec.template, workload.digest, stored, recorded))


def _canary(
    spec: Spec, numbers: StrategyNumbers, workload: WorkloadView[Spec], revisions: Revisions, pods: Sequence[PodView]
) -> CanaryState:
    strategy = spec.update_strategy
    canary = canary_state(
        DesiredRollout(strategy.canary, numbers.partition, strategy.paused, spec.replicas),
        read_recorded(workload.status, workload.annotations, paused=strategy.paused),
        revisions.update,
        revisions.current,
        mixed=any(p.revision != revisions.update for p in pods),
        known=revisions.templates,
        new=not recorded_revisions(workload).current,
    )
    unknown = any(not p.revision for p in pods)
    if not canary.steps and revisions.current == revisions.update and not unknown:
        return replace(canary, kept=0)  # back to where pods came from: a partition keeps none of the others (spec 6.2)
    return canary


def _hooks(spec: Spec) -> dict[str, Hook | None]:
    holders = {
        "predelete": spec.pre_delete_update_strategy,
        "preinplace": spec.pre_inplace_update_strategy,
        "postinplace": spec.post_inplace_update_strategy,
    }
    return {
        kind: Hook(h.hook.template_name, tuple((a.name, a.value) for a in h.hook.args)) if h.hook else None
        for kind, h in holders.items()
    }


def _is_healthy(pod: PodView, progress: inplace.Progress, now: float, min_ready: int, runs: HookRuns) -> bool:
    if not progress.done or not pod.available(now, min_ready) or (pod.gated and pod.gate is False):
        return False
    return not awaits_post_hook(pod, runs)


def awaits_post_hook(pod: PodView, runs: HookRuns) -> bool:
    """The hook after the pod's last update has not succeeded yet.

    The pod carries a mark until it has; a run that the Go operators left has none.
    """
    if pod.state is None or pod.state.revision != pod.revision:
        return False
    if pod.state.post_hook:
        return True
    run = runs.of("postinplace", pod)
    return run is not None and not run.deleting and run.phase != "Successful"


def _progress(
    pods: Sequence[PodView],
    images: Mapping[str, inplace.Images],
    wanted: Collection[str],
    strategy: StrategyBase,
    now: float,
) -> dict[str, inplace.Progress]:
    """Where the update in place of each pod stands; ``wanted`` are the revisions that pods are to have."""
    policy = strategy.in_place_update_strategy.policy
    return {
        p.name: inplace.advance(p, inplace.wanted_images(p, images), policy, now, superseded=p.revision not in wanted)
        for p in pods
    }


def build_rollout(
    kind: str,
    observed: Observed[Spec],
    spec: Spec,
    numbers: StrategyNumbers,
    limits: Budget,
    pods: Sequence[PodView],
    stored: History,
    now: float,
    *,
    joining: Sequence[PodView] = (),
    runs_carry_uid: bool = False,
) -> Rollout:
    """Sort the observation out. ``pods`` are the active ones we own, ``limits`` what the spec allows an update.

    ``joining`` are those that this pass adopts: a workload that has them is no new one, so that steps and partitions
    hold from its first pass (decision 5).
    ``runs_carry_uid``: new HookRuns are labelled with the UID of their pod (see `HookRuns`).
    """
    workload, strategy = observed.workload, spec.update_strategy
    recorded = recorded_revisions(workload)
    present = (*pods, *joining)
    revisions = resolve(workload.name, spec.template, workload.digest, workload.annotations, stored, present, recorded)
    canary = _canary(spec, numbers, workload, revisions, present)
    outdated = tuple(p for p in pods if p.revision != canary.target)
    surge = 0 if strategy.type in ("OnDelete", "HotPatchUpdate") else limits.surge
    stopped = canary.held and not canary.begins
    images = {name: inplace.images_of(template) for name, template in revisions.templates.items()}
    progress = _progress(pods, images, {canary.target, revisions.current}, strategy, now)
    owner = OwnerView(kind, workload.name, workload.uid)
    hooks = _hooks(spec)
    asking = Asking(present, hooks, observed.templates, images, progress, canary, observed.host_ip)
    subjects = {(p.revision, p.instance) for p in observed.pods}
    left, taken_back = take_back(observed.hook_runs, asking, subjects, revisions.templates)
    own = (r for r in observed.hook_runs if r.owner == owner)
    runs = HookRuns((*own, *left), now, carry_uid=runs_carry_uid)
    healthy = frozenset(p.name for p in pods if _is_healthy(p, progress[p.name], now, spec.min_ready_seconds, runs))
    return Rollout(
        kind=kind,
        workload=workload,
        spec=spec,
        numbers=numbers,
        observed=observed,
        pods=tuple(pods),
        joining=tuple(joining),
        outdated=outdated,
        updated=tuple(p for p in pods if p.revision == canary.target),
        revisions=revisions,
        stored=stored,
        runs=runs,
        taken_back=tuple(taken_back),
        hooks=hooks,
        canary=canary,
        budget=Budget(limits.unavailable, 0 if stopped else surge),
        surge=surge,
        progress=progress,
        healthy=healthy,
        images=images,
        restart=restart_of(spec, pods, images, progress, healthy, now),
        first=not recorded.current and not outdated and not joining and len(pods) < spec.replicas,
        whole=len(pods) == spec.replicas,
        complete=len(pods) == spec.replicas and all(p.revision == revisions.update for p in pods),
        now=now,
    )
