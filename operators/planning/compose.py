"""How a pass ends, whatever it decided: actions in order, what was refused left out, the status, the next look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operators.planning.actions import Action, CreatePod, PatchSpec, Plan
from operators.planning.canary.decision import Decision
from operators.planning.canary.hooks import StepHooks
from operators.planning.canary.state import PodCounts
from operators.planning.canary.steps import decide
from operators.planning.deadline import overdue
from operators.planning.explain import explain
from operators.planning.hooks.cleanup import clean, marks, renew, retry
from operators.planning.inprogress import UpdateOutcome
from operators.planning.refusals import withhold
from operators.planning.revisions import trim
from operators.planning.rollout import Rollout
from operators.planning.scaling import ScaleOutcome
from operators.planning.status import status
from operators.planning.workloadstatus import StatusCounters


def canary_steps(rollout: Rollout, counts: PodCounts, *, index_prefix: str = "") -> Decision:
    """The canary's move in this pass; ``counts`` are the pods that count for its steps."""
    runs = rollout.runs.of_kind("canary")
    hooks = StepHooks(runs, rollout.observed.templates, rollout.observed.host_ip, index_prefix)
    return decide(rollout.canary, counts, hooks, rollout.now, complete=rollout.complete)


def revision_first_plan(rollout: Rollout, actions: Sequence[Action], steps: Decision, counters: StatusCounters) -> Plan:
    """The new version is stored before anything of it exists; the next pass goes on from there.

    The canary's patch of the spec comes along: what a person says by ``paused`` is heard in every pass.
    """
    patch = [steps.patch] if steps.patch is not None else []
    tried = withhold([*actions, *patch], rollout.observed.refusals, rollout.now)
    blocked = (*tried.blocked, *explain(rollout).blocked)
    state = status(rollout, blocked, steps.canary_status, counters)
    return Plan(tried.actions, state, blocked, steps.notes, wake_after=min(tried.waits, default=None))


def full_plan(
    rollout: Rollout,
    before: Sequence[Action],
    scaling: ScaleOutcome,
    work: UpdateOutcome,
    steps: Decision,
    counters: StatusCounters,
) -> Plan:
    """The whole plan; ``before`` is what revisions and ownership need."""
    retried, switched_off = retry(rollout)
    cleaned = clean(rollout, scaling.victims, work.targets)
    older, notes = renew(rollout)
    actions: list[Action] = [
        *before,
        *scaling.found.actions,
        *work.found.actions,
        *_unique(retried, cleaned, older),
        *steps.actions,
    ]
    actions += marks(rollout, actions)
    actions += _patch_spec(rollout, switched_off, steps.patch)
    if not any(isinstance(a, CreatePod) for a in actions):
        actions += _trim(rollout)
    tried = withhold(actions, rollout.observed.refusals, rollout.now)
    staged = tuple(sorted(tried.actions, key=lambda a: a.stage))
    explained = explain(rollout)
    blocked = (*tried.blocked, *steps.blocked, *work.found.blocked, *scaling.found.blocked, *explained.blocked)
    late = overdue(rollout, blocked)
    blocked = (*blocked, *late.blocked)
    waits = [*late.waits, *work.found.waits, *scaling.found.waits, *explained.waits, *tried.waits]
    waits += [] if steps.wait is None else [steps.wait]
    state = status(rollout, blocked, steps.canary_status, counters)
    return Plan(staged, state, blocked, (*steps.notes, *notes), wake_after=min(waits, default=None))


def _unique(*groups: list[Action]) -> list[Action]:
    """Without repeats: a HookRun can be stale and retried at once."""
    seen: dict[tuple[str, str], Action] = {}
    for action in (a for group in groups for a in group):
        seen.setdefault((type(action).__name__, getattr(action, "name", "")), action)
    return list(seen.values())


def _patch_spec(rollout: Rollout, switched_off: Sequence[str], canary: PatchSpec | None) -> list[Action]:
    """One patch of the spec a pass, each is guarded by the version it was planned on.

    One-shot switches that have done their work go off, names of pods that are gone are taken off podsToDelete, and
    the canary makes its move.
    """
    if switched_off:
        patch: dict[str, Any] = {field: {"retry": None} for field in switched_off}
        return [PatchSpec({"spec": patch}, "retry was carried out")]
    named = rollout.spec.scale_strategy.pods_to_delete
    existing = {p.name for p in rollout.observed.pods} if named else set()
    left = [name for name in named if name in existing]
    if len(left) != len(named):
        gone = ", ".join(name for name in named if name not in existing)
        patch = {"spec": {"scaleStrategy": {"podsToDelete": left or None}}}
        return [PatchSpec(patch, f"podsToDelete: gone are {gone}")]
    return [canary] if canary is not None else []


def _trim(rollout: Rollout) -> list[Action]:
    """Revisions beyond the history limit that nothing needs; what a pod in grace still runs is needed."""
    if len(rollout.stored.known) <= rollout.spec.revision_history_limit:
        return []
    live = {rollout.revisions.update, rollout.revisions.current, rollout.canary.stable}
    live.update(p.revision for p in rollout.observed.pods)
    live.update(p.grace.origin for p in rollout.pods if p.grace is not None)
    return list(trim(rollout.stored.known, live, rollout.spec.revision_history_limit))
