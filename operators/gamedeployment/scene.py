"""The observation sorted out: whose pods these are, where they should go, how many may be touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec
from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.planning import inplace
from operators.planning.actions import Action, AdoptPod, DeletePod, ReleasePod
from operators.planning.budgets import Budget, budget
from operators.planning.canary import Course, Tally, Wanted, chart, read_memory
from operators.planning.identity import instance_ids
from operators.planning.podhooks import Hook, HookRuns
from operators.planning.revisions import Revisions, resolve
from operators.planning.views import OwnerView, PodView

KIND = "GameDeployment"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that scaling and updating decide on.

    ``pods`` are the active pods we own; ``progress`` says for each where its in-place update stands; ``course`` says
    which revision they are brought to, how many are kept back, and whether any may be updated at all.
    """

    workload: GameDeploymentView
    spec: GameDeploymentSpec
    observed: Observed
    pods: tuple[PodView, ...]
    revisions: Revisions
    runs: HookRuns
    course: Course
    budget: Budget
    progress: dict[str, inplace.Progress]
    now: float

    @property
    def kept(self) -> int:
        """Pods that stay at the old version."""
        return self.course.kept

    @property
    def outdated(self) -> list[PodView]:
        """Pods that are not at the revision they are brought to."""
        return [p for p in self.pods if p.revision != self.course.target]

    @property
    def updated(self) -> list[PodView]:
        """Pods at the revision they are brought to."""
        return [p for p in self.pods if p.revision == self.course.target]

    @property
    def complete(self) -> bool:
        """Every pod is at the update revision, and none is missing or too many."""
        return len(self.pods) == self.spec.replicas and all(p.revision == self.revisions.update for p in self.pods)

    @property
    def pre_update_hook(self) -> tuple[str, Hook | None]:
        """Kind and hook that guard the update of a pod: a lone pre-delete hook guards in-place updates too."""
        if self.spec.update_strategy.type == "InplaceUpdate" and self.spec.pre_inplace_update_strategy.hook:
            return "preinplace", self.hook("preinplace")
        return "predelete", self.hook("predelete")

    def hook(self, kind: str) -> Hook | None:
        """The configured hook of a kind."""
        holder = {
            "predelete": self.spec.pre_delete_update_strategy,
            "preinplace": self.spec.pre_inplace_update_strategy,
            "postinplace": self.spec.post_inplace_update_strategy,
        }[kind]
        if holder.hook is None:
            return None
        return Hook(holder.hook.template_name, tuple((a.name, a.value) for a in holder.hook.args))

    def tally(self, leaving: Collection[str]) -> Tally:
        """The pods that stay, counted for the canary."""
        pods = [p for p in self.pods if p.name not in leaving]
        updated = [p for p in pods if p.revision == self.revisions.update]
        return Tally(
            replicas=self.spec.replicas,
            outdated=len(pods) - len(updated),
            updated=len(updated),
            updated_ready=sum(self.update_ready(p) for p in updated),
            ready=sum(p.ready for p in pods),
            available=sum(p.available(self.now, self.spec.min_ready_seconds) for p in pods),
            stable=sum(p.revision == self.course.stable for p in pods),
        )

    def update_ready(self, pod: PodView) -> bool:
        """Available, its last in-place update complete, and its post hook passed (spec 2.7, decision 9)."""
        if not pod.available(self.now, self.spec.min_ready_seconds) or (pod.gated and pod.gate is False):
            return False
        progress = self.progress[pod.name]
        state = inplace.read_state(pod)
        return progress.done and not (state and state.post_hook and state.revision == pod.revision)


def _labels_for(pod: PodView, ids: str, revision: str) -> dict[str, str]:
    """Labels an adopted pod lacks: an instance id from its name's suffix, and a revision only if one can be told."""
    labels = {}
    if not pod.instance:
        suffix = pod.name.rsplit("-", 1)[-1]
        labels[keys.INSTANCE_LABEL] = suffix if 0 < len(suffix) <= 63 else next(instance_ids(ids, ()))
    if revision:
        labels[keys.REVISION_LABEL] = revision
    return labels


def claim(observed: Observed, spec: GameDeploymentSpec) -> tuple[list[PodView], list[Action]]:
    """Our active pods, and what ownership needs: adopt, release, remove those that ended (spec 2.3).

    A pod is never released because of its phase. Pods that failed or completed are deleted, to be replaced at once.
    """
    mine: list[PodView] = []
    actions: list[Action] = []
    uid = observed.workload.uid
    for pod in sorted(observed.pods, key=lambda p: p.name):
        matches = spec.selector.matches(pod.labels)
        if pod.owner is None:
            if matches and pod.active:
                actions.append(AdoptPod(pod.name, pod.uid, _labels_for(pod, pod.uid, "")))
            continue
        if pod.owner.uid != uid or pod.deleting:
            continue
        if not matches:
            actions.append(ReleasePod(pod.name, pod.uid))
        elif pod.finished:
            actions.append(DeletePod(pod.name, pod.uid, "failedPod"))
        else:
            mine.append(pod)
    return mine, actions


def _course(spec: GameDeploymentSpec, workload: GameDeploymentView, revisions: Revisions, mixed: bool) -> Course:  # noqa: FBT001
    strategy = spec.update_strategy
    return chart(
        Wanted(strategy.canary, strategy.partition, strategy.paused, spec.replicas),
        read_memory(workload.status, workload.annotations, paused=strategy.paused),
        revisions.update,
        revisions.current,
        mixed=mixed,
        known=revisions.templates,
    )


def arrange(observed: Observed, spec: GameDeploymentSpec, pods: list[PodView], now: float) -> Scene:
    """Sort the observation out."""
    workload, status = observed.workload, observed.workload.status
    revisions = resolve(
        workload.name,
        spec.template,
        workload.digest,
        [r for r in observed.revisions if r.owner is None or r.owner.uid == workload.uid],
        pods,
        str(status.get("currentRevision") or ""),
        int(status.get("collisionCount") or 0),
    )
    strategy = spec.update_strategy
    course = _course(spec, workload, revisions, any(p.revision != revisions.update for p in pods))
    limits = budget(strategy.max_unavailable, strategy.max_surge, spec.replicas)
    stopped = course.held and not course.begins
    if stopped or strategy.type in ("OnDelete", "HotPatchUpdate"):
        limits = Budget(limits.unavailable, 0)
    due = not stopped and sum(p.revision != course.target for p in pods) > course.kept
    policy = strategy.in_place_update_strategy.policy
    progress = {
        p.name: inplace.advance(
            p,
            revisions.templates.get(p.revision),
            policy,
            now,
            superseded=due and p.revision != course.target,
        )
        for p in pods
    }
    runs = HookRuns(r for r in observed.hook_runs if r.owner == OwnerView(KIND, workload.name, workload.uid))
    return Scene(workload, spec, observed, tuple(pods), revisions, runs, course, limits, progress, now)
