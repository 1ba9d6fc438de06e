"""Volume claims: their names and bodies, the volumes of a pod, and which go (docs/spec/gamestatefulset.md 2.11).

A claim belongs to an ordinal, not to a pod: whoever holds the ordinal next finds the same data. By default nothing
ever deletes one. ``persistentVolumeClaimRetentionPolicy`` works by owner references (claimowners.py), as in native
StatefulSets, so that the garbage collector deletes claims together with what they belong to, and never earlier. Claims
made for a surge pod carry a mark, and go when the pod is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators.gamestatefulset.claimowners import ClaimOwner, named, other_controller
from operators.gamestatefulset.claimviews import SURGE_ANNOTATION, ClaimView, Json
from operators.gamestatefulset.ordinals import ordinal_of

#: Finalizers that go by themselves: when no pod uses the claim, when its snapshot is made, when the collector has come.
_PASSING = frozenset(
    (
        "kubernetes.io/pvc-protection",
        "snapshot.storage.kubernetes.io/pvc-as-source-protection",
        "foregroundDeletion",
        "orphan",
    )
)
#: Seconds in which the deletion of a claim whose finalizers go by themselves is expected to be over.
DELETION_EXPECTED = 60.0


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
class Hindrance:
    """Why a pod cannot have a claim yet; ``waiting`` holds where that may pass by itself."""

    text: str
    waiting: bool


def hindrance(claim: ClaimView, pod: str, workload_uid: str, now: float) -> Hindrance | None:
    """What keeps a missing pod from being created with the claim that there is, None when nothing does.

    A claim on its way out, and one that goes with the pod of that name that was there before, are waited for. The
    garbage collector decides about the latter: where the claim has other owners, that may take for ever, because it
    cannot judge an owner of an unknown kind. A claim that another controller has stays, and is used as it is.
    """
    if claim.deleted is not None:
        rest = [f for f in claim.finalizers if f not in _PASSING]
        waiting = not claim.finalizers or (not rest and now - claim.deleted < DELETION_EXPECTED)
        why = "is being deleted"
        held = "" if waiting else f"; finalizers hold it: {', '.join(rest or claim.finalizers)}"
    elif claim.goes_with(pod) and other_controller(claim, workload_uid, pod) is None:
        others = [o for o in claim.owners if not o.is_pod(pod) and o.uid != workload_uid]
        waiting = not others
        why = "goes with the pod that was there before"
        held = f"; it has other owners: {named(others)}; remove its owner reference to pod {pod}" if others else ""
    else:
        return None
    return Hindrance(f"pod {pod} is not created before its claim {claim.name}, which {why}, is gone{held}", waiting)


def surplus(
    claims: Iterable[ClaimView], templates: Sequence[Json], workload: ClaimOwner, kept: Collection[int]
) -> Iterator[ClaimView]:
    """Claims made for surge pods that are gone: nobody comes back for them, unless they have another controller.

    ``kept`` are the ordinals of the replicas, and of all pods that exist or are to be created.
    """
    prefixes = tuple(t["metadata"]["name"] + "-" for t in templates)
    for claim in claims:
        if claim.surge and not claim.deleting:
            pods = [claim.name.removeprefix(p) for p in prefixes if claim.name.startswith(p)]
            ours = {name: o for name in pods if (o := ordinal_of(workload.name, name)) is not None}
            others = any(other_controller(claim, workload.uid, name) for name in ours)
            if ours and not others and not any(ordinal in kept for ordinal in ours.values()):
                yield claim
