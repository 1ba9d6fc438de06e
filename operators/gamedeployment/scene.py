"""The observation sorted out: whose pods these are, where they should go, how many may be touched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from operators.api import keys
from operators.api.gamedeployment import GameDeploymentSpec
from operators.gamedeployment.observed import GameDeploymentView, Observed
from operators.planning import inplace
from operators.planning.actions import Action, AdoptPod, DeletePod, ReleasePod
from operators.planning.budgets import Budget, budget
from operators.planning.canary import Course, Tally, Wanted, chart, read_memory
from operators.planning.identity import instance_ids
from operators.planning.podhooks import Hook, HookRuns, PodHook
from operators.planning.revisions import History, Remembered, Revisions, history, resolve
from operators.planning.templates import gives
from operators.planning.views import OwnerView, PodView

KIND = "GameDeployment"
_LABEL_LIMIT = 63


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that scaling and updating decide on, computed once a pass.

    ``pods`` are the active pods we own, by name; ``outdated`` are those not at the revision they are brought to, and
    ``updated`` the rest. ``progress`` says for each where its in-place update stands; ``settled`` are the names of
    those that are available, complete in every respect, and past their hook (spec 2.7, decision 9). ``course`` says
    which revision pods are brought to, how many are kept back, and whether any may be updated at all. ``budget`` is
    what an update may use now, ``surge`` what the spec allows at most. ``images`` are those of each revision.
    ``first`` holds until the pods of a new workload have all been created once.
    """

    workload: GameDeploymentView
    spec: GameDeploymentSpec
    observed: Observed
    pods: tuple[PodView, ...]
    outdated: tuple[PodView, ...]
    updated: tuple[PodView, ...]
    revisions: Revisions
    stored: History
    runs: HookRuns
    hooks: Mapping[str, Hook | None]
    course: Course
    budget: Budget
    surge: int
    progress: Mapping[str, inplace.Progress]
    settled: frozenset[str]
    images: Mapping[str, inplace.Images]
    first: bool
    now: float

    @property
    def kept(self) -> int:
        """Pods that stay at the old version."""
        return self.course.kept

    @property
    def complete(self) -> bool:
        """Every pod is at the update revision, and none is missing or too many."""
        return len(self.pods) == self.spec.replicas and all(p.revision == self.revisions.update for p in self.pods)

    @property
    def in_place(self) -> bool:
        """Pods are updated where they are."""
        return self.spec.update_strategy.type == "InplaceUpdate"

    @property
    def update_hook(self) -> PodHook:
        """Kind of hook that guards the update of a pod: a lone pre-delete hook guards in-place updates too."""
        return "preinplace" if self.in_place and self.hooks["preinplace"] else "predelete"

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
        return pod.name in self.settled


def _origin(pod: PodView, templates: Mapping[str, Mapping[str, object]]) -> str:
    """The revision an adopted pod was made from, "" when none gives it."""
    if pod.revision in templates:
        return pod.revision
    if pod.made_of is None:
        return ""
    labels, annotations, spec = pod.made_of
    return next((name for name, template in templates.items() if gives(template, labels, annotations, spec)), "")


def _new_instances(pods: Collection[PodView]) -> dict[str, str]:
    """Instance ids for pods (by name) that have none of their own: the suffix of their name, else a new one (spec 7.4).

    Two pods of one id would share the answers of their hooks. The one whose name ends in it keeps it.
    """
    if len({p.instance for p in pods if p.instance}) == len(pods):
        return {}
    holders: dict[str, str] = {}
    for pod in pods:
        if pod.instance and (pod.instance not in holders or pod.name.endswith(f"-{pod.instance}")):
            holders[pod.instance] = pod.name
    given: dict[str, str] = {}
    for pod in pods:
        if holders.get(pod.instance) == pod.name:
            continue
        suffix = pod.name.rsplit("-", 1)[-1]
        free = 0 < len(suffix) <= _LABEL_LIMIT and suffix not in holders
        given[pod.name] = suffix if free else next(instance_ids(pod.uid, holders))
        holders[given[pod.name]] = pod.name
    return given


def claim(
    observed: Observed, spec: GameDeploymentSpec, templates: Mapping[str, Mapping[str, object]]
) -> tuple[list[PodView], list[Action]]:
    """Our active pods, and what ownership needs: adopt, release, remove those that ended (spec 2.3).

    A pod is never released because of its phase. Pods that failed or completed are deleted, to be replaced at once.
    """
    mine: list[PodView] = []
    orphans: list[PodView] = []
    actions: list[Action] = []
    uid, matches = observed.workload.uid, spec.selector.matches
    for pod in sorted(observed.pods, key=lambda p: p.name):
        if pod.owner is None:
            if pod.active and matches(pod.labels) and not _left_to_rival(observed, pod):
                orphans.append(pod)
        elif pod.owner.uid != uid or pod.deleting:
            continue
        elif not matches(pod.labels):
            actions.append(ReleasePod(pod.name, pod.uid))
        elif pod.finished:
            actions.append(DeletePod(pod.name, pod.uid, "failedPod"))
        else:
            mine.append(pod)
    actions += _labelled(mine, orphans, templates)
    return mine, actions


def _labelled(
    mine: list[PodView], orphans: list[PodView], templates: Mapping[str, Mapping[str, object]]
) -> Iterator[Action]:
    """Orphans are taken with the labels they lack; one of ours that lost its instance id gets one again."""
    ids = _new_instances([*mine, *orphans])
    for pod in orphans:
        labels = {keys.INSTANCE_LABEL: ids[pod.name]} if pod.name in ids else {}
        origin = _origin(pod, templates)
        if origin and origin != pod.revision:
            labels[keys.REVISION_LABEL] = origin
        yield AdoptPod(pod.name, pod.uid, labels)
    for pod in mine if ids else ():
        if pod.name in ids:
            yield AdoptPod(pod.name, pod.uid, {keys.INSTANCE_LABEL: ids[pod.name]})


def _left_to_rival(observed: Observed, pod: PodView) -> bool:
    """Another workload's selector takes the pod too, and was there before: one of them has to keep back."""
    age = (observed.workload.created, observed.workload.uid)
    return any(
        rival.spec is not None and (rival.created, rival.uid) < age and rival.spec.selector.matches(pod.labels)
        for rival in observed.rivals
    )


def _course(spec: GameDeploymentSpec, workload: GameDeploymentView, revisions: Revisions, mixed: bool) -> Course:  # noqa: FBT001
    strategy = spec.update_strategy
    course = chart(
        Wanted(strategy.canary, strategy.partition, strategy.paused, spec.replicas),
        read_memory(workload.status, workload.annotations, paused=strategy.paused),
        revisions.update,
        revisions.current,
        mixed=mixed,
        known=revisions.templates,
    )
    if not course.steps and revisions.current == revisions.update:
        return replace(course, kept=0)  # back to where pods came from: a partition keeps none of the others (spec 6.2)
    return course


def remembered(workload: GameDeploymentView) -> Remembered:
    """What the status says of revisions."""
    status = workload.status
    present = status.get("observedGeneration") == workload.generation
    return Remembered(
        current=str(status.get("currentRevision") or ""),
        update=str(status.get("updateRevision") or "") if present else "",
        collisions=int(status.get("collisionCount") or 0),
    )


def _hooks(spec: GameDeploymentSpec) -> dict[str, Hook | None]:
    holders = {
        "predelete": spec.pre_delete_update_strategy,
        "preinplace": spec.pre_inplace_update_strategy,
        "postinplace": spec.post_inplace_update_strategy,
    }
    return {
        kind: Hook(h.hook.template_name, tuple((a.name, a.value) for a in h.hook.args)) if h.hook else None
        for kind, h in holders.items()
    }


def _settled(pod: PodView, progress: inplace.Progress, now: float, min_ready: int, runs: HookRuns) -> bool:
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


def arrange(observed: Observed, spec: GameDeploymentSpec, now: float) -> tuple[Scene, list[Action]]:
    """Sort the observation out; the scene, and what ownership of the pods needs."""
    workload = observed.workload
    stored = history(observed.revisions, workload.uid, spec.selector)
    known = {r.name: r.template for r in stored.known}
    pods, ownership = claim(observed, spec, known)
    memory = remembered(workload)
    revisions = resolve(workload.name, spec.template, workload.digest, workload.annotations, stored, pods, memory)
    strategy = spec.update_strategy
    course = _course(spec, workload, revisions, any(p.revision != revisions.update for p in pods))
    outdated = tuple(p for p in pods if p.revision != course.target)
    limits = budget(strategy.max_unavailable, strategy.max_surge, spec.replicas)
    surge = 0 if strategy.type in ("OnDelete", "HotPatchUpdate") else limits.surge
    stopped = course.held and not course.begins
    images = {name: inplace.images_of(template) for name, template in revisions.templates.items()}
    wanted = {course.target, revisions.current}
    progress = {
        p.name: inplace.advance(
            p,
            images.get(p.revision),
            strategy.in_place_update_strategy.policy,
            now,
            superseded=p.revision not in wanted,
        )
        for p in pods
    }
    runs = HookRuns(r for r in observed.hook_runs if r.owner == OwnerView(KIND, workload.name, workload.uid))
    scene = Scene(
        workload=workload,
        spec=spec,
        observed=observed,
        pods=tuple(pods),
        outdated=outdated,
        updated=tuple(p for p in pods if p.revision == course.target),
        revisions=revisions,
        stored=stored,
        runs=runs,
        hooks=_hooks(spec),
        course=course,
        budget=Budget(limits.unavailable, 0 if stopped else surge),
        surge=surge,
        progress=progress,
        settled=frozenset(p.name for p in pods if _settled(p, progress[p.name], now, spec.min_ready_seconds, runs)),
        images=images,
        first=not memory.current and not outdated and len(pods) < spec.replicas,
        now=now,
    )
    return scene, ownership
