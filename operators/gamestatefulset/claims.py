"""Volume claims: their names and bodies, the volumes of a pod, and who owns them (docs/spec/gamestatefulset.md 2.11).

A claim belongs to an ordinal, not to a pod: whoever holds the ordinal next finds the same data. By default nothing
ever deletes one. ``persistentVolumeClaimRetentionPolicy`` works by owner references, as in native StatefulSets, so
that the garbage collector deletes claims together with what they belong to, and never earlier. Claims made for a surge
pod carry a mark, and go when the pod is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.gamestatefulset.ordinals import ordinal_of

Json = Mapping[str, Any]
#: On claims that were made for a surge pod: they hold nothing that anybody would come back for.
SURGE_ANNOTATION = f"{keys.GROUP}/surge-claim"


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A PersistentVolumeClaim as planning needs it. ``owners`` are (kind, name, uid) of all its owner references."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    owners: tuple[tuple[str, str, str], ...] = ()
    surge: bool = False
    phase: str = ""
    deleting: bool = False

    def goes_with(self, pod: str) -> bool:
        """Scaling in has made the claim go along with a pod of that name."""
        return any((kind, name) == ("Pod", pod) for kind, name, _ in self.owners)


def claim_view(obj: Json) -> ClaimView:
    """Decode a PersistentVolumeClaim."""
    metadata = obj["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return ClaimView(
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        owners=tuple((o.get("kind", ""), o.get("name", ""), o.get("uid", "")) for o in owners),
        surge=(metadata.get("annotations") or {}).get(SURGE_ANNOTATION) == "true",
        phase=(obj.get("status") or {}).get("phase") or "",
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def claim_name(template: Json, pod: str) -> str:
    """``<template>-<pod>``."""
    return f"{template['metadata']['name']}-{pod}"


def claim_names(templates: Sequence[Json], pod: str) -> tuple[str, ...]:
    """The claims of a pod, in the order of the templates."""
    return tuple(claim_name(t, pod) for t in templates)


def claim_body(
    template: Json, pod: str, selector: Mapping[str, str], *, surge: bool = False, owner: ClaimOwner | None = None
) -> dict[str, Any]:
    """A new claim. Labels are the template's, overlaid with those of the selector.

    It has its owner from the beginning: there is no moment at which the deletion of the workload would forget it.
    """
    metadata = template["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    if surge:
        annotations[SURGE_ANNOTATION] = "true"
    made: dict[str, Any] = {
        "name": claim_name(template, pod),
        "labels": {**(metadata.get("labels") or {}), **selector},
    }
    if annotations:
        made["annotations"] = annotations
    if owner is not None:
        made["ownerReferences"] = [owner.reference()]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": made, "spec": dict(template["spec"])}


def with_volumes(spec: Json, templates: Sequence[Json], pod: str) -> dict[str, Any]:
    """The pod spec with a volume for every claim, first and in template order; they shadow volumes of their names."""
    if not templates:
        return dict(spec)
    own = {t["metadata"]["name"] for t in templates}
    volumes = [_volume(t, pod) for t in templates]
    volumes += [v for v in spec.get("volumes") or () if v.get("name") not in own]
    return {**spec, "volumes": volumes}


def _volume(template: Json, pod: str) -> dict[str, Any]:
    claim = {"claimName": claim_name(template, pod), "readOnly": False}
    return {"name": template["metadata"]["name"], "persistentVolumeClaim": claim}


def claim_of(volume: Json) -> str:
    """The claim that a volume of a pod stands for, "" when it is of another kind."""
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")


def storage_matches(workload: str, templates: Sequence[Json], pod: str, volumes: Iterable[tuple[str, str]]) -> bool:
    """Whether a pod mounts its own claims; ``volumes`` are its (name, claim). Other volumes are its own affair."""
    if ordinal_of(workload, pod) is None:
        return False
    held = dict(volumes)
    return all(held.get(t["metadata"]["name"]) == claim_name(t, pod) for t in templates)


@dataclass(frozen=True, slots=True)
class ClaimOwner:
    """Whose deletion takes the claim along: a pod's, the workload's, or (None) nobody's."""

    kind: str
    name: str
    uid: str

    def reference(self) -> dict[str, Any]:
        """The owner reference; the claim never keeps its owner from going."""
        version = "v1" if self.kind == "Pod" else keys.API_VERSION
        return {"apiVersion": version, "kind": self.kind, "name": self.name, "uid": self.uid}


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


def ownership_patch(claim: ClaimView, wanted: ClaimOwner | None, workload_uid: str) -> list[dict[str, Any]]:
    """Entries of a strategic merge patch of the owner references, [] when they are right.

    The workload's references and those of the claim's pods, past ones included, are ours; others are not touched.
    """
    if wanted is None and not claim.owners:
        return []
    ours = [o for o in claim.owners if o[2] == workload_uid or (o[0] == "Pod" and claim.name.endswith(f"-{o[1]}"))]
    uid = wanted.uid if wanted is not None else ""
    entries: list[dict[str, Any]] = [{"$patch": "delete", "uid": o[2]} for o in ours if o[2] != uid]
    if wanted is not None and all(o[2] != uid for o in claim.owners):
        entries.append(wanted.reference())
    return entries


def surplus(
    claims: Iterable[ClaimView], templates: Sequence[Json], workload: str, kept: Collection[int]
) -> Iterator[ClaimView]:
    """Claims made for surge pods that are gone: nobody comes back for them.

    ``kept`` are the ordinals of the replicas, and of all pods that exist or are to be created.
    """
    prefixes = tuple(t["metadata"]["name"] + "-" for t in templates)
    for claim in claims:
        if claim.surge and not claim.deleting:
            fitting = (claim.name.removeprefix(p) for p in prefixes if claim.name.startswith(p))
            ordinals = [o for name in fitting if (o := ordinal_of(workload, name)) is not None]
            if ordinals and not any(ordinal in kept for ordinal in ordinals):
                yield claim
