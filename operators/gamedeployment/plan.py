"""One pass over a GameDeployment, decided (spec/gamedeployment.md 2).

Pure and level-triggered: the same observation gives the same plan, and nothing is remembered between passes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from operators.gamedeployment.explain import explain
from operators.gamedeployment.observed import Observed
from operators.gamedeployment.scale import scale
from operators.gamedeployment.scene import Scene, arrange
from operators.gamedeployment.status import invalid_status, status
from operators.gamedeployment.update import clean, marks, refresh, retry, update
from operators.planning.actions import (
    Action,
    Blocked,
    CreatePod,
    CreateRevision,
    PatchSpec,
    Plan,
    RenumberRevision,
)
from operators.planning.canarysteps import Decision, StepHooks, decide
from operators.planning.refusals import withhold
from operators.planning.revisions import trim


def plan(observed: Observed, now: float) -> Plan:
    """Decide what to do about one GameDeployment at ``now`` (Unix seconds)."""
    workload = observed.workload
    if workload.deleting:
        return Plan(status=workload.status)
    if workload.spec is None or workload.invalid:
        refused = Blocked("InvalidSpec", workload.invalid, waiting=False)
        return Plan(status=invalid_status(observed, refused, now), blocked=(refused,))
    scene, ownership = arrange(observed, workload.spec, now)
    before = [*scene.revisions.actions, *ownership]
    if any(isinstance(a, CreateRevision | RenumberRevision) for a in before):
        return _put_on_record(scene, before)
    return _decide(scene, before)


def _put_on_record(scene: Scene, actions: list[Action]) -> Plan:
    """The new version is stored before anything of it exists; the next pass goes on from there."""
    steps = canary_steps(scene, ())
    tried = withhold(actions, scene.observed.refusals, scene.now)
    blocked = (*tried.blocked, *explain(scene).blocked)
    state = status(scene, blocked, steps.record)
    return Plan(tuple(tried.actions), state, blocked, steps.notes, wake_after=min(tried.waits, default=None))


def _decide(scene: Scene, before: list[Action]) -> Plan:
    work = refresh(scene)
    scaling = scale(scene)
    steps = canary_steps(scene, scaling.victims)
    update(scene, scaling, work)
    retried, switched_off = retry(scene)
    cleaned = clean(scene, scaling.victims, work.targets)
    actions: list[Action] = [*before, *scaling.actions, *work.actions, *_unique(retried, cleaned), *steps.actions]
    actions += marks(scene, actions)
    actions += _patch_spec(scene, switched_off, steps.patch)
    if not any(isinstance(a, CreatePod) for a in actions):
        actions += _trim(scene)
    tried = withhold(actions, scene.observed.refusals, scene.now)
    tried.actions.sort(key=lambda a: a.stage)
    explained = explain(scene)
    blocked = (*tried.blocked, *steps.blocked, *work.blocked, *scaling.blocked, *explained.blocked)
    waits = [*work.waits, *scaling.waits, *explained.waits, *tried.waits]
    waits += [] if steps.wait is None else [steps.wait]
    state = status(scene, blocked, steps.record)
    return Plan(tuple(tried.actions), state, blocked, steps.notes, wake_after=min(waits, default=None))


def canary_steps(scene: Scene, victims: Collection[str]) -> Decision:
    """The canary's move in this pass; pods chosen to go do not count for its steps."""
    runs = scene.runs.of_kind("canary")
    hooks = StepHooks(runs, scene.observed.templates, scene.observed.host_ip)
    return decide(scene.course, scene.tally(victims), hooks, scene.now, complete=scene.complete)


def _unique(*groups: list[Action]) -> list[Action]:
    """Without repeats: a HookRun can be stale and retried at once."""
    seen: dict[tuple[str, str], Action] = {}
    for action in (a for group in groups for a in group):
        seen.setdefault((type(action).__name__, getattr(action, "name", "")), action)
    return list(seen.values())


def _patch_spec(scene: Scene, switched_off: Sequence[str], canary: PatchSpec | None) -> list[Action]:
    """One patch of the spec a pass, each is guarded by the version it was planned on.

    One-shot switches that have done their work go off, names of pods that are gone are taken off podsToDelete, and
    the canary makes its move.
    """
    if switched_off:
        patch: dict[str, Any] = {field: {"retry": None} for field in switched_off}
        return [PatchSpec({"spec": patch}, "retry was carried out")]
    named = scene.spec.scale_strategy.pods_to_delete
    existing = {p.name for p in scene.observed.pods} if named else set()
    left = [name for name in named if name in existing]
    if len(left) != len(named):
        gone = ", ".join(name for name in named if name not in existing)
        patch = {"spec": {"scaleStrategy": {"podsToDelete": left or None}}}
        return [PatchSpec(patch, f"podsToDelete: gone are {gone}")]
    return [canary] if canary is not None else []


def _trim(scene: Scene) -> list[Action]:
    """Revisions beyond the history limit that nothing needs; what a pod in grace still runs is needed."""
    if len(scene.stored.known) <= scene.spec.revision_history_limit:
        return []
    live = {scene.revisions.update, scene.revisions.current, scene.course.stable}
    live.update(p.revision for p in scene.observed.pods)
    live.update(p.grace.origin for p in scene.pods if p.grace is not None)
    return list(trim(scene.stored.known, live, scene.spec.revision_history_limit))
