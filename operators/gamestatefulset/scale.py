"""Creating and removing pods by ordinal, with their claims (docs/spec/gamestatefulset.md 2.5, 2.6, 2.10, 2.11)."""

from __future__ import annotations

from collections.abc import Sequence

from operators.api.reasons import BlockedReason
from operators.gamestatefulset.claimowners import ClaimOwner, Retention, other_controller, ownership, wanted_owner
from operators.gamestatefulset.claims import (
    DELETION_EXPECTED,
    claim_body,
    claim_name,
    claim_names,
    surplus,
)
from operators.gamestatefulset.claimviews import ClaimView
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
from operators.planning.findings import Findings, join
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
from operators.planning.views import NodeView, PodView

#: Seconds after which to look again for a stranger's pod that has our name: its going wakes nobody here.
_STRANGER = 10.0


def ordinal_changes(state: SetRollout) -> OrdinalChanges:
    """What the pods' management policy allows in this pass."""
    if state.ordered:
        return ordered_changes(state.ordinals, state.rollout.canary.target, state.available, state.rollout.now)
    return parallel_changes(state.ordinals)


def scale(state: SetRollout, changes: OrdinalChanges) -> ScaleOutcome:
    """Bring the pods to the ordinals that replicas, reserved ordinals and surge ask for."""
    rollout = state.rollout
    rest = crash_backoff(rollout.observed, rollout.now)
    retired = [state.ordinals.pods[ordinal] for ordinal in changes.retire]
    named, replaced = _named(state, changes, retired)
    victims = {p.name: p for p in (*retired, *_asked(state), *named)}
    said = (
        _lost_nodes(state),
        leaving(rollout),
        _waiting(changes),
        report_crash_backoff(rest, rollout.now),
        *(_remove_ended(state, o) for o in changes.remove if state.ordinals.name(o) not in rest),
        _create(state, changes),
        *(_retire(state, pod) for pod in retired),
        replaced,
        Findings(tuple(_claims(state))),
    )
    return ScaleOutcome(join(said), victims)


def _waiting(changes: OrdinalChanges) -> Findings:
    """What the management policy waits for."""
    waits = [changes.wait] if changes.wait is not None else []
    if any(b.reason == BlockedReason.NAME_TAKEN for b in changes.blocked):
        waits.append(_STRANGER)
    if any(b.reason == BlockedReason.CLAIM_TERMINATING and b.waiting for b in changes.blocked):
        waits.append(DELETION_EXPECTED)
    return Findings(blocked=changes.blocked, waits=tuple(waits))


def _remove_ended(state: SetRollout, ordinal: int) -> Findings:
    """A pod that has ended goes; where none follows it, when its claims know whether to go along."""
    pod = state.ordinals.pods[ordinal]
    first = Findings() if ordinal in state.ordinals.wanted else _claims_first(state, pod)
    return first if first.actions else Findings((failed_pod_deletion(pod),))


def _create(state: SetRollout, changes: OrdinalChanges) -> Findings:
    """Pods of ordinals that have none.

    A pod would come back under a name that is still on podsToDelete, and be deleted once more: the name goes first.
    """
    listed = frozenset(state.spec.scale_strategy.pods_to_delete)
    ordinals, found = tuple(o for o in changes.create if state.ordinals.name(o) not in listed), Findings()
    if state.rollout.first and not state.ordered:
        count, found = batch(state.rollout, len(ordinals))
        ordinals = ordinals[:count]
    return found + Findings(tuple(_created(state, ordinal) for ordinal in ordinals[:AT_ONCE]))


def successor(state: SetRollout, ordinal: int) -> Json:
    """The pod that would come in the place of an ordinal's when that is updated."""
    target = state.rollout.canary.target
    return _body(state, ordinal, target)


def _body(state: SetRollout, ordinal: int, revision: str) -> Json:
    rollout, spec = state.rollout, state.spec
    return ordinal_pod(
        rollout.workload.name,
        rollout.revisions.templates[revision],
        revision,
        ordinal,
        service=spec.service_name,
        claims=spec.volume_claim_templates,
        gate=not spec.disable_readiness_gate,
    )


def _created(state: SetRollout, ordinal: int) -> CreatePod:
    rollout, spec = state.rollout, state.spec
    on_delete = spec.update_strategy.type == "OnDelete"
    target = rollout.canary.target
    old = created_at_current(
        ordinal, state.ordinals, target, ordered_changes=state.ordered, held=rollout.canary.held, on_delete=on_delete
    )
    revision = rollout.revisions.current if old else target
    name = state.ordinals.name(ordinal)
    return CreatePod(
        name, revision, _body(state, ordinal, revision), _lacking(state, name, surge=ordinal in state.ordinals.surge)
    )


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


def _retire(state: SetRollout, pod: PodView) -> Findings:
    """A pod that scaling in has chosen goes when its claims know whether to go along, and its hook allows it."""
    found = _claims_first(state, pod)
    return found if found.actions else remove(state.rollout, pod)


def _claims_first(state: SetRollout, pod: PodView) -> Findings:
    """What gives the claims of a pod that scaling in takes away the owner that takes them along, or none."""
    changes = _ownership(state, pod, leaving=True)
    if not changes:
        return Findings()
    text = f"pod {pod.name} is deleted when its claims have their new owner"
    return Findings(tuple(changes), (Blocked(BlockedReason.CLAIMS_FIRST, text, pod.name),))


def _asked(state: SetRollout) -> list[PodView]:
    """Condemned pods that wait for their turn, but whose hook was asked already: it is not to be asked anew."""
    condemned = (state.ordinals.active(ordinal) for ordinal in state.ordinals.surplus)
    return [p for p in condemned if p is not None and state.rollout.runs.of("predelete", p) is not None]


def _named(state: SetRollout, changes: OrdinalChanges, retired: Sequence[PodView]) -> tuple[list[PodView], Findings]:
    """Replicas that podsToDelete names are replaced; under OrderedReady one at a time, and broken ones at any time.

    One of these may be what all the others wait for.
    """
    names = frozenset(state.spec.scale_strategy.pods_to_delete)
    found = report_foreign_names(state.rollout, names)
    going = {p.name for p in (*retired, *_asked(state))} if names else set()
    living = (state.ordinals.active(o) for o in reversed(state.ordinals.wanted) if names)
    named = [p for p in living if p is not None and p.name in names and p.name not in going]
    chosen = [p for p in named if changes.open or not p.ready]
    if state.ordered:
        chosen = chosen[:1]
    return chosen, join((found, *(remove(state.rollout, pod) for pod in chosen)))


def _lost_nodes(state: SetRollout) -> Findings:
    """Pods of lost nodes give their place to others, where the user has opted in."""
    nodes = state.observed.nodes
    if nodes is None:
        return Findings()
    terminating = (pod for pod in state.membership.pods.values() if pod.deleting)
    return join(_lost_node(state, pod, nodes.get(pod.node)) for pod in terminating)


def _lost_node(state: SetRollout, pod: PodView, node: NodeView | None) -> Findings:
    lost = lost_node(pod, node, state.observed.delays, state.rollout.now)
    waiting = lost.force or lost.wait is not None
    return Findings(
        (ForceDeletePod(pod.name, pod.uid, pod.node),) if lost.force else (),
        (Blocked(BlockedReason.NODE_LOST, lost.text, pod.name, waiting=waiting),) if lost.text else (),
        (lost.wait,) if lost.wait is not None else (),
    )


def _claims(state: SetRollout) -> list[Action]:
    """Claims that living pods lack, owners of claims, and claims that surge pods have left behind."""
    templates, ordinals = state.spec.volume_claim_templates, state.ordinals
    if not templates:
        return []
    actions: list[Action] = []
    actions += _kept(state)
    orphans = {p.name: p for p in state.observed.pods if p.owner is None} if state.membership.taken else {}
    for ordinal in ordinals.wanted:
        name = ordinals.name(ordinal)
        pod = ordinals.pods.get(ordinal)
        if pod is None:
            orphan = orphans.get(name)
            # The pod that follows an orphan on its way out comes back for the claim, whoever was to take it along.
            actions += _ownership(state, orphan, leaving=False) if orphan else _left_to_others(state, name)
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
    kept = {*ordinals.wanted, *ordinals.pods, *state.membership.taken}  # what nobody controls has its claims, too
    gone = surplus(state.observed.claims.values(), templates, _retention(state)[1], kept)
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
    return _owned(_held(state, pod.name), wanted, workload.uid, pod.name)


def _left_to_others(state: SetRollout, pod: str) -> list[OwnClaim]:
    """Our references go from claims of a missing pod that another controller has taken over meanwhile."""
    uid = state.rollout.workload.uid
    return _owned([c for c in _held(state, pod) if other_controller(c, uid, pod)], None, uid, pod)


def _held(state: SetRollout, pod: str) -> list[ClaimView]:
    """The claims of a pod that are there to stay."""
    names = claim_names(state.spec.volume_claim_templates, pod)
    return [c for n in names if (c := state.observed.claims.get(n)) is not None and not c.deleting]


def _owned(claims: Sequence[ClaimView], wanted: ClaimOwner | None, workload_uid: str, pod: str) -> list[OwnClaim]:
    changes = ((c, ownership(c, wanted, workload_uid, pod)) for c in claims)
    return [OwnClaim(c.name, c.uid, change.entries, change.order) for c, change in changes if change]
