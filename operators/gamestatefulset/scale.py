"""Creating and removing pods by ordinal, with their claims (spec/gamestatefulset.md 2.5, 2.6, 2.10, 2.11)."""

from __future__ import annotations

from operators.api.reasons import BlockedReason
from operators.gamestatefulset.claims import (
    ClaimOwner,
    Retention,
    claim_body,
    claim_name,
    claim_names,
    ownership_patch,
    surplus,
    wanted_owner,
)
from operators.gamestatefulset.lostnodes import lost_node
from operators.gamestatefulset.order import OrdinalChanges, created_at_current, ordered_changes, parallel_changes
from operators.gamestatefulset.pods import ordinal_pod
from operators.gamestatefulset.rollout import KIND, SetRollout
from operators.planning.actions import (
    Action,
    Blocked,
    CreateClaim,
    CreatePod,
    DeleteClaim,
    ForceDeletePod,
    Json,
    KeepClaim,
    OwnClaim,
)
from operators.planning.scaling import (
    AT_ONCE,
    ScaleOutcome,
    batch,
    crash_backoff,
    failed_pod_deletion,
    leaving,
    remove,
    report_crash_backoff,
    report_foreign_names,
)
from operators.planning.views import PodView

#: Seconds after which to look again for a stranger's pod that has our name: its going wakes nobody here.
_STRANGER = 10.0


def ordinal_changes(state: SetRollout) -> OrdinalChanges:
    """What the pods' management policy allows in this pass."""
    if state.ordered:
        return ordered_changes(state.ordinals, state.rollout.canary.target, state.available, state.rollout.now)
    return parallel_changes(state.ordinals)


def scale(state: SetRollout, changes: OrdinalChanges) -> ScaleOutcome:
    """Bring the pods to the ordinals that replicas, reserved ordinals and surge ask for."""
    rollout, ordinals, result = state.rollout, state.ordinals, ScaleOutcome()
    _lost_nodes(state, result)
    leaving(rollout, result)
    result.blocked += changes.blocked
    if changes.wait is not None:
        result.waits.append(changes.wait)
    if any(b.reason == BlockedReason.NAME_TAKEN for b in changes.blocked):
        result.waits.append(_STRANGER)
    rest = crash_backoff(rollout.observed, rollout.now)
    report_crash_backoff(rest, rollout.now, result)
    for ordinal in changes.remove:
        pod = ordinals.pods[ordinal]
        if pod.name not in rest and (ordinal in ordinals.wanted or _claims_know(state, pod, result)):
            result.actions.append(failed_pod_deletion(pod))
    # A pod would come back under a name that is still on the list, and be deleted once more: the name goes first.
    named = frozenset(state.spec.scale_strategy.pods_to_delete)
    create = tuple(o for o in changes.create if ordinals.name(o) not in named)
    if rollout.first and not state.ordered:
        create = create[: batch(rollout, len(create), result)]
    result.actions += [_created(state, ordinal) for ordinal in create[:AT_ONCE]]
    for ordinal in changes.retire:
        _retire(state, ordinals.pods[ordinal], result)
    _asked(state, result)
    _named(state, changes, result)
    result.actions += _claims(state)
    return result


def _created(state: SetRollout, ordinal: int) -> CreatePod:
    rollout, spec = state.rollout, state.spec
    on_delete = spec.update_strategy.type == "OnDelete"
    target = rollout.canary.target
    old = created_at_current(
        ordinal, state.ordinals, target, ordered_changes=state.ordered, held=rollout.canary.held, on_delete=on_delete
    )
    revision = rollout.revisions.current if old else target
    body = ordinal_pod(
        rollout.workload.name,
        rollout.revisions.templates[revision],
        revision,
        ordinal,
        service=spec.service_name,
        claims=spec.volume_claim_templates,
        gate=not spec.disable_readiness_gate,
    )
    name = state.ordinals.name(ordinal)
    return CreatePod(name, revision, body, _lacking(state, name, surge=ordinal in state.ordinals.surge))


def _lacking(state: SetRollout, pod: str, *, surge: bool) -> tuple[Json, ...]:
    """Claims of a pod that do not exist."""
    selector = state.spec.selector.match_labels
    retention, workload = _retention(state)
    owner = wanted_owner(retention, workload, None, leaving=False)
    return tuple(
        claim_body(template, pod, selector, surge=surge, owner=owner)
        for template in state.spec.volume_claim_templates
        if claim_name(template, pod) not in state.observed.claims
    )


def _retire(state: SetRollout, pod: PodView, result: ScaleOutcome) -> None:
    """A pod that scaling in has chosen goes when its claims know whether to go along, and its hook allows it."""
    result.victims[pod.name] = pod
    if _claims_know(state, pod, result):
        remove(state.rollout, pod, result)


def _claims_know(state: SetRollout, pod: PodView, result: ScaleOutcome) -> bool:
    """Whether the claims of a pod that scaling in takes away have the owner that takes them along, or none."""
    changes = _ownership(state, pod, leaving=True)
    if changes:
        result.actions += changes
        text = f"pod {pod.name} goes when its claims are known to go with it"
        result.blocked.append(Blocked(BlockedReason.CLAIMS_FIRST, text, pod.name))
    return not changes


def _asked(state: SetRollout, result: ScaleOutcome) -> None:
    """Condemned pods that wait for their turn, but whose hook was asked already: it is not to be asked anew."""
    for ordinal in state.ordinals.surplus:
        pod = state.ordinals.active(ordinal)
        if pod is not None and state.rollout.runs.of("predelete", pod) is not None:
            result.victims.setdefault(pod.name, pod)


def _named(state: SetRollout, changes: OrdinalChanges, result: ScaleOutcome) -> None:
    """Replicas that podsToDelete names are replaced; under OrderedReady one at a time, and broken ones at any time.

    One of these may be what all the others wait for.
    """
    names = frozenset(state.spec.scale_strategy.pods_to_delete)
    report_foreign_names(state.rollout, names, result)
    for ordinal in reversed(state.ordinals.wanted) if names else ():
        pod = state.ordinals.active(ordinal)
        if pod is None or pod.name not in names or pod.name in result.victims:
            continue
        if changes.open or not pod.ready:
            result.victims[pod.name] = pod
            remove(state.rollout, pod, result)
            if state.ordered:
                return


def _lost_nodes(state: SetRollout, result: ScaleOutcome) -> None:
    """Pods of lost nodes give their place to others, where the user has opted in."""
    nodes = state.observed.nodes
    for pod in state.membership.pods.values():
        if not pod.deleting or nodes is None:
            continue
        lost = lost_node(pod, nodes.get(pod.node), state.observed.delays, state.rollout.now)
        if lost.force:
            result.actions.append(ForceDeletePod(pod.name, pod.uid, pod.node))
        if lost.wait is not None:
            result.waits.append(lost.wait)
        if lost.text:
            waiting = lost.force or lost.wait is not None
            result.blocked.append(Blocked(BlockedReason.NODE_LOST, lost.text, pod.name, waiting=waiting))


def _claims(state: SetRollout) -> list[Action]:
    """Claims that living pods lack, owners of claims, and claims that surge pods have left behind."""
    templates, ordinals = state.spec.volume_claim_templates, state.ordinals
    if not templates:
        return []
    actions: list[Action] = []
    actions += _kept(state)
    for ordinal in ordinals.wanted:
        pod = ordinals.pods.get(ordinal)
        if pod is None:
            continue
        if pod.phase == "Pending" and pod.active:
            lacking = _lacking(state, pod.name, surge=ordinal in ordinals.surge)
            actions += [CreateClaim(body["metadata"]["name"], body) for body in lacking]
        # Also of a pod on its way out: the one that follows it comes back for the claim.
        actions += _ownership(state, pod, leaving=False)
    for ordinal in ordinals.surplus:
        # Somebody else deletes it, but scaling in is why nothing follows it.
        if ordinals.pods[ordinal].deleting:
            actions += _ownership(state, ordinals.pods[ordinal], leaving=True)
    kept = {*ordinals.wanted, *ordinals.pods}
    gone = surplus(state.observed.claims.values(), templates, ordinals.workload, kept)
    return actions + [DeleteClaim(c.name, c.uid) for c in gone]


def _kept(state: SetRollout) -> list[KeepClaim]:
    """Claims of replicas that were made when their ordinal was one of surge: they hold data, like any other."""
    ordinals, templates = state.ordinals, state.spec.volume_claim_templates
    names = (n for o in ordinals.members for n in claim_names(templates, ordinals.name(o)))
    claims = (c for n in names if (c := state.observed.claims.get(n)) is not None)
    return [KeepClaim(c.name, c.uid) for c in claims if c.surge and not c.deleting]


def _retention(state: SetRollout) -> tuple[Retention, ClaimOwner]:
    """What becomes of claims, and the workload as their owner."""
    policy, workload = state.spec.persistent_volume_claim_retention_policy, state.rollout.workload
    retention = Retention(policy.when_deleted == "Delete", policy.when_scaled == "Delete")
    return retention, ClaimOwner(KIND, workload.name, workload.uid)


def _ownership(state: SetRollout, pod: PodView, *, leaving: bool) -> list[OwnClaim]:
    retention, workload = _retention(state)
    wanted = wanted_owner(retention, workload, ClaimOwner("Pod", pod.name, pod.uid), leaving=leaving)
    changes = []
    for name in claim_names(state.spec.volume_claim_templates, pod.name):
        claim = state.observed.claims.get(name)
        if claim is not None and not claim.deleting:
            entries = ownership_patch(claim, wanted, workload.uid)
            if entries:
                changes.append(OwnClaim(name, claim.uid, tuple(entries)))
    return changes
