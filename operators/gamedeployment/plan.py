"""One pass over a GameDeployment, decided (spec/gamedeployment.md 2).

Pure and level-triggered: the same observation gives the same plan, and nothing is remembered between passes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from operators.api import keys
from operators.gamedeployment.observed import Observed
from operators.gamedeployment.scale import scale
from operators.gamedeployment.scene import Scene, arrange, claim
from operators.gamedeployment.status import invalid_status, status
from operators.gamedeployment.update import clean, refresh, retry, update
from operators.planning.actions import (
    Action,
    AnnotatePod,
    Blocked,
    CreateHookRun,
    CreatePod,
    CreateRevision,
    DeleteHookRun,
    PatchSpec,
    Plan,
    RenumberRevision,
)
from operators.planning.canarysteps import Decision, StepHooks, decide
from operators.planning.revisions import trim


def plan(observed: Observed, now: float) -> Plan:
    """Decide what to do about one GameDeployment at ``now`` (Unix seconds)."""
    workload = observed.workload
    if workload.deleting:
        return Plan(status=workload.status)
    if workload.spec is None or workload.invalid:
        refused = Blocked("InvalidSpec", workload.invalid, waiting=False)
        return Plan(status=invalid_status(workload, refused, now), blocked=(refused,))
    pods, ownership = claim(observed, workload.spec)
    scene = arrange(observed, workload.spec, pods, now)
    if any(isinstance(a, RenumberRevision | CreateRevision) for a in scene.revisions.actions):
        # The new version is put on record before anything of it exists; the next pass goes on from there.
        steps = canary_steps(scene, ())
        state = status(scene, (), steps.record)
        return Plan((*scene.revisions.actions, *ownership), state, notes=steps.notes, wake_after=None)
    return _decide(scene, ownership)


def _decide(scene: Scene, ownership: list[Action]) -> Plan:
    work = refresh(scene)
    scaling = scale(scene)
    steps = canary_steps(scene, scaling.victims)
    update(scene, scaling.victims, work)
    retried = retry(scene)
    cleaned = clean(scene, scaling.victims, work.targets)
    actions: list[Action] = [*ownership, *scaling.actions, *work.actions, *_unique(retried, cleaned), *steps.actions]
    actions += _marks(scene, actions)
    actions += _patch_spec(scene, retry_asked=_retry_flags(scene))
    if steps.patch and not any(isinstance(a, PatchSpec) for a in actions):
        actions.append(steps.patch)  # one patch of the spec a pass: each is guarded by the version it was planned on
    creates = any(isinstance(a, CreatePod) for a in actions)
    live = {scene.revisions.update, scene.revisions.current, *(p.revision for p in scene.observed.pods)}
    live.add(scene.course.stable)
    if not creates:
        actions += trim(scene.observed.revisions, live, scene.spec.revision_history_limit)
    blocked = (*steps.blocked, *work.blocked, *scaling.blocked, *_no_budget(scene))
    waits = [*work.waits, *_availability(scene), *([] if steps.wait is None else [steps.wait])]
    actions.sort(key=lambda a: a.stage)
    state = status(scene, blocked, steps.record)
    return Plan(tuple(actions), state, blocked, steps.notes, wake_after=min(waits, default=None))


def canary_steps(scene: Scene, victims: Collection[str]) -> Decision:
    """The canary's move in this pass; pods chosen to go do not count for its steps."""
    runs = scene.runs.of_kind("canary")
    hooks = StepHooks(runs, scene.observed.templates, scene.observed.host_ip)
    return decide(scene.course, scene.tally(victims), hooks, scene.now, complete=scene.complete)


def _marks(scene: Scene, actions: list[Action]) -> list[Action]:
    """``game-pod-deleting: "true"`` on every pod whose pre hook is being asked, whenever it is missing (spec 5.3)."""
    asked = {a.pod for a in actions if isinstance(a, CreateHookRun) and a.kind in ("predelete", "preinplace")}
    dropped = {a.name for a in actions if isinstance(a, DeleteHookRun)}
    for pod in scene.pods:
        runs = (scene.runs.of("predelete", pod), scene.runs.of("preinplace", pod))
        live = any(r is not None and r.name not in dropped and not r.completed for r in runs)
        if (live or pod.name in asked) and pod.annotations.get(keys.POD_DELETING_ANNOTATION) is None:
            asked.add(pod.name)
    by_name = {p.name: p for p in scene.pods}
    unmarked = [by_name[n] for n in sorted(asked) if by_name[n].annotations.get(keys.POD_DELETING_ANNOTATION) != "true"]
    return [AnnotatePod(p.name, p.uid, {keys.POD_DELETING_ANNOTATION: "true"}) for p in unmarked]


def _unique(*groups: list[Action]) -> list[Action]:
    """Without repeats: a HookRun can be stale and retried at once."""
    seen: dict[tuple[str, str], Action] = {}
    for action in (a for group in groups for a in group):
        seen.setdefault((type(action).__name__, getattr(action, "name", "")), action)
    return list(seen.values())


def _retry_flags(scene: Scene) -> dict[str, Any]:
    holders = {
        "preDeleteUpdateStrategy": scene.spec.pre_delete_update_strategy,
        "preInplaceUpdateStrategy": scene.spec.pre_inplace_update_strategy,
        "postInplaceUpdateStrategy": scene.spec.post_inplace_update_strategy,
    }
    return {field: {"retry": None} for field, holder in holders.items() if holder.retry}


def _patch_spec(scene: Scene, retry_asked: dict[str, Any]) -> list[Action]:
    """Reset one-shot switches, and take names of pods that are gone off podsToDelete."""
    actions: list[Action] = []
    if retry_asked:
        actions.append(PatchSpec({"spec": retry_asked}, "retry was carried out"))
    named = scene.spec.scale_strategy.pods_to_delete
    existing = {p.name for p in scene.observed.pods}
    left = [name for name in named if name in existing]
    if len(left) != len(named) and not retry_asked:
        gone = ", ".join(name for name in named if name not in existing)
        patch = {"spec": {"scaleStrategy": {"podsToDelete": left or None}}}
        actions.append(PatchSpec(patch, f"podsToDelete: gone are {gone}"))
    return actions


def _no_budget(scene: Scene) -> tuple[Blocked, ...]:
    if not scene.outdated or scene.budget.unavailable or scene.budget.surge or scene.course.held:
        return ()
    if scene.spec.update_strategy.type in ("OnDelete", "HotPatchUpdate"):
        return ()
    text = "maxUnavailable and maxSurge are both 0: no pod can ever be updated"
    return (Blocked("NoBudget", text, waiting=False),)


def _availability(scene: Scene) -> list[float]:
    """Times after which a ready pod becomes available."""
    wait = scene.spec.min_ready_seconds
    if not wait:
        return []
    left = [wait - (scene.now - p.ready_since) for p in scene.pods if p.ready and p.ready_since is not None]
    return [max(0.1, t) for t in left if t > 0]
