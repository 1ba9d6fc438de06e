"""Creating and removing pods by ordinal, with their claims (spec/gamestatefulset.md 2.5, 2.6, 2.10, 2.11)."""

from __future__ import annotations

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
from operators.gamestatefulset.lostnodes import drift
from operators.gamestatefulset.order import Order, created_at_current, ordered, parallel
from operators.gamestatefulset.pods import ordinal_pod
from operators.gamestatefulset.rollout import KIND, Ensemble
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
from operators.planning.scaling import AT_ONCE, Scaling, batch, buried, failing, leaving, remove, resting, strangers
from operators.planning.views import PodView

#: Seconds after which to look again for a stranger's pod that has our name: its going wakes nobody here.
_STRANGER = 10.0


def order_of(found: Ensemble) -> Order:
    """What the pods' management policy allows in this pass."""
    if found.ordered:
        return ordered(found.roster, found.scene.course.target, found.available, found.scene.now)
    return parallel(found.roster)


def scale(found: Ensemble, order: Order) -> Scaling:
    """Bring the pods to the ordinals that replicas, reserved ordinals and surge ask for."""
    scene, roster, result = found.scene, found.roster, Scaling()
    _drift(found, result)
    leaving(scene, result)
    result.blocked += order.blocked
    if order.wait is not None:
        result.waits.append(order.wait)
    if any(b.reason == "NameTaken" for b in order.blocked):
        result.waits.append(_STRANGER)
    rest = resting(scene.observed, scene.now)
    failing(rest, scene.now, result)
    for ordinal in order.remove:
        pod = roster.pods[ordinal]
        if pod.name not in rest and (ordinal in roster.wanted or _claims_know(found, pod, result)):
            result.actions.append(buried(pod))
    # A pod would come back under a name that is still on the list, and be deleted once more: the name goes first.
    named = frozenset(found.spec.scale_strategy.pods_to_delete)
    create = tuple(o for o in order.create if roster.name(o) not in named)
    if scene.first and not found.ordered:
        create = create[: batch(scene, len(create), result)]
    result.actions += [_created(found, ordinal) for ordinal in create[:AT_ONCE]]
    for ordinal in order.retire:
        _retire(found, roster.pods[ordinal], result)
    _asked(found, result)
    _named(found, order, result)
    result.actions += _claims(found)
    return result


def _created(found: Ensemble, ordinal: int) -> CreatePod:
    scene, spec = found.scene, found.spec
    on_delete = spec.update_strategy.type == "OnDelete"
    target = scene.course.target
    old = created_at_current(
        ordinal, found.roster, target, ordered=found.ordered, held=scene.course.held, on_delete=on_delete
    )
    revision = scene.revisions.current if old else target
    body = ordinal_pod(
        scene.workload.name,
        scene.revisions.templates[revision],
        revision,
        ordinal,
        service=spec.service_name,
        claims=spec.volume_claim_templates,
        gate=not spec.disable_readiness_gate,
    )
    name = found.roster.name(ordinal)
    return CreatePod(name, revision, body, _lacking(found, name, surge=ordinal in found.roster.surge))


def _lacking(found: Ensemble, pod: str, *, surge: bool) -> tuple[Json, ...]:
    """Claims of a pod that do not exist."""
    selector = found.spec.selector.match_labels
    retention, workload = _retention(found)
    owner = wanted_owner(retention, workload, None, leaving=False)
    return tuple(
        claim_body(template, pod, selector, surge=surge, owner=owner)
        for template in found.spec.volume_claim_templates
        if claim_name(template, pod) not in found.observed.claims
    )


def _retire(found: Ensemble, pod: PodView, result: Scaling) -> None:
    """A pod that scaling in has chosen goes when its claims know whether to go along, and its hook allows it."""
    result.victims[pod.name] = pod
    if _claims_know(found, pod, result):
        remove(found.scene, pod, result)


def _claims_know(found: Ensemble, pod: PodView, result: Scaling) -> bool:
    """Whether the claims of a pod that scaling in takes away have the owner that takes them along, or none."""
    changes = _ownership(found, pod, leaving=True)
    if changes:
        result.actions += changes
        text = f"pod {pod.name} goes when its claims are known to go with it"
        result.blocked.append(Blocked("ClaimsFirst", text, pod.name))
    return not changes


def _asked(found: Ensemble, result: Scaling) -> None:
    """Condemned pods that wait for their turn, but whose hook was asked already: it is not to be asked anew."""
    for ordinal in found.roster.condemned:
        pod = found.roster.active(ordinal)
        if pod is not None and found.scene.runs.of("predelete", pod) is not None:
            result.victims.setdefault(pod.name, pod)


def _named(found: Ensemble, order: Order, result: Scaling) -> None:
    """Replicas that podsToDelete names are replaced; under OrderedReady one at a time, and broken ones at any time.

    One of these may be what all the others wait for.
    """
    names = frozenset(found.spec.scale_strategy.pods_to_delete)
    strangers(found.scene, names, result)
    for ordinal in reversed(found.roster.wanted) if names else ():
        pod = found.roster.active(ordinal)
        if pod is None or pod.name not in names or pod.name in result.victims:
            continue
        if order.open or not pod.ready:
            result.victims[pod.name] = pod
            remove(found.scene, pod, result)
            if found.ordered:
                return


def _drift(found: Ensemble, result: Scaling) -> None:
    """Pods of lost nodes give their place to others, where the user has opted in."""
    nodes = found.observed.nodes
    for pod in found.membership.pods.values():
        if not pod.deleting or nodes is None:
            continue
        lost = drift(pod, nodes.get(pod.node), found.observed.delays, found.scene.now)
        if lost.force:
            result.actions.append(ForceDeletePod(pod.name, pod.uid, pod.node))
        if lost.wait is not None:
            result.waits.append(lost.wait)
        if lost.text:
            waiting = lost.force or lost.wait is not None
            result.blocked.append(Blocked("NodeLost", lost.text, pod.name, waiting=waiting))


def _claims(found: Ensemble) -> list[Action]:
    """Claims that living pods lack, owners of claims, and claims that surge pods have left behind."""
    templates, roster = found.spec.volume_claim_templates, found.roster
    if not templates:
        return []
    actions: list[Action] = []
    actions += _kept(found)
    for ordinal in roster.wanted:
        pod = roster.pods.get(ordinal)
        if pod is None:
            continue
        if pod.phase == "Pending" and pod.active:
            lacking = _lacking(found, pod.name, surge=ordinal in roster.surge)
            actions += [CreateClaim(body["metadata"]["name"], body) for body in lacking]
        # Also of a pod on its way out: the one that follows it comes back for the claim.
        actions += _ownership(found, pod, leaving=False)
    for ordinal in roster.condemned:
        # Somebody else deletes it, but scaling in is why nothing follows it.
        if roster.pods[ordinal].deleting:
            actions += _ownership(found, roster.pods[ordinal], leaving=True)
    kept = {*roster.wanted, *roster.pods}
    gone = surplus(found.observed.claims.values(), templates, roster.workload, kept)
    return actions + [DeleteClaim(c.name, c.uid) for c in gone]


def _kept(found: Ensemble) -> list[KeepClaim]:
    """Claims of replicas that were made when their ordinal was one of surge: they hold data, like any other."""
    roster, templates = found.roster, found.spec.volume_claim_templates
    names = (n for o in roster.members for n in claim_names(templates, roster.name(o)))
    claims = (c for n in names if (c := found.observed.claims.get(n)) is not None)
    return [KeepClaim(c.name, c.uid) for c in claims if c.surge and not c.deleting]


def _retention(found: Ensemble) -> tuple[Retention, ClaimOwner]:
    """What becomes of claims, and the workload as their owner."""
    policy, workload = found.spec.persistent_volume_claim_retention_policy, found.scene.workload
    retention = Retention(policy.when_deleted == "Delete", policy.when_scaled == "Delete")
    return retention, ClaimOwner(KIND, workload.name, workload.uid)


def _ownership(found: Ensemble, pod: PodView, *, leaving: bool) -> list[OwnClaim]:
    retention, workload = _retention(found)
    wanted = wanted_owner(retention, workload, ClaimOwner("Pod", pod.name, pod.uid), leaving=leaving)
    changes = []
    for name in claim_names(found.spec.volume_claim_templates, pod.name):
        claim = found.observed.claims.get(name)
        if claim is not None and not claim.deleting:
            entries = ownership_patch(claim, wanted, workload.uid)
            if entries:
                changes.append(OwnClaim(name, claim.uid, tuple(entries)))
    return changes
