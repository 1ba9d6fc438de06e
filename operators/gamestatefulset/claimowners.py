"""Whose deletion takes a volume claim along, as owner references tell it (docs/spec/gamestatefulset.md 2.11).

The rules are those of native StatefulSets: our references name their owner as controller and keep it from going before
the claim; a claim that has another controller is left to that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.gamestatefulset.claimviews import ClaimView, OwnerReference


@dataclass(frozen=True, slots=True)
class ClaimOwner:
    """Whose deletion takes the claim along: a pod's, the workload's, or (None) nobody's."""

    kind: str
    name: str
    uid: str

    def reference(self) -> dict[str, Any]:
        """The owner reference. Deleted in the foreground, the owner stays until the claim is gone.

        Where the API server checks that, writing it needs ``update`` on the owner's ``finalizers``.
        """
        version = "v1" if self.kind == "Pod" else keys.API_VERSION
        named = {"apiVersion": version, "kind": self.kind, "name": self.name, "uid": self.uid}
        return {**named, "controller": True, "blockOwnerDeletion": True}


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of claims: whether the deletion of the workload, and scaling in, delete them."""

    when_deleted: bool = False
    when_scaled: bool = False


def wanted_owner(
    retention: Retention, workload: ClaimOwner, pod: ClaimOwner | None, *, leaving: bool
) -> ClaimOwner | None:
    """Whose deletion should take a claim along, as in native StatefulSets (spec 2.11).

    ``leaving`` holds for a pod that scaling in has chosen: then its own deletion does, where the policy says so. A pod
    that is merely replaced never takes its claims along.
    """
    if leaving and retention.when_scaled:
        return pod
    return workload if retention.when_deleted else None


def _ours(owner: OwnerReference, workload_uid: str, pod: str) -> bool:
    """The workload's reference, or that of a present or past pod of the ordinal."""
    return owner.uid == workload_uid or owner.is_pod(pod)


def other_controller(claim: ClaimView, workload_uid: str, pod: str) -> OwnerReference | None:
    """Who else controls the claim; a set of our name that was there before is somebody else."""
    return next((o for o in claim.owners if o.controller and not _ours(o, workload_uid, pod)), None)


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """Entries of a strategic merge patch of the owner references, and the UIDs in the order that they are to have."""

    entries: tuple[dict[str, Any], ...] = ()
    order: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)


def ownership(claim: ClaimView, wanted: ClaimOwner | None, workload_uid: str, pod: str) -> OwnerChange:
    """What makes the owner references right, false when they are.

    The references of the workload and of pods of the name ``pod``, past ones included, are ours; others stay as they
    are, and where they are. Beside another controller there is none of ours. One of ours without its flags gets them.
    """
    if wanted is None and not claim.owners:
        return OwnerChange()
    if other_controller(claim, workload_uid, pod) is not None:
        wanted = None
    uid = wanted.uid if wanted is not None else ""
    held = [o for o in claim.owners if o.uid == uid or not _ours(o, workload_uid, pod)]
    dropped = [o.uid for o in claim.owners if o not in held]
    entries: list[dict[str, Any]] = [{"$patch": "delete", "uid": u} for u in dropped]
    if wanted is not None and not any(o.uid == uid and o.controller and o.blocking for o in held):
        entries.append(wanted.reference())
    order = [o.uid for o in held]
    if wanted is not None and uid not in order:
        order.append(uid)
    return OwnerChange(tuple(entries), tuple(order))


def named(owners: Sequence[OwnerReference]) -> str:
    """Owners in words."""
    return ", ".join(f"{o.kind} {o.name}" for o in owners)
