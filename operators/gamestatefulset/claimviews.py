"""Volume claims as planning sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operators.api import keys
from operators.kube.times import timestamp

Json = Mapping[str, Any]
#: On claims that were made for a surge pod: they hold nothing that anybody would come back for.
SURGE_ANNOTATION = f"{keys.GROUP}/surge-claim"


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """One owner of a claim. Absent flags are False; ``blocking`` is ``blockOwnerDeletion``."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    blocking: bool = False

    def is_pod(self, name: str) -> bool:
        """A pod of that name, whichever UID it has."""
        return (self.kind, self.name) == ("Pod", name)


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A PersistentVolumeClaim as planning needs it. ``deleted`` is when its deletion was asked for (epoch seconds)."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    owners: tuple[OwnerReference, ...] = ()
    surge: bool = False
    phase: str = ""
    deleted: float | None = None
    finalizers: tuple[str, ...] = ()

    @property
    def deleting(self) -> bool:
        """It is on its way out."""
        return self.deleted is not None

    def goes_with(self, pod: str) -> bool:
        """Scaling in has made the claim go along with a pod of that name."""
        return any(o.is_pod(pod) for o in self.owners)


def _reference(owner: Json) -> OwnerReference:
    return OwnerReference(
        owner.get("apiVersion") or "",
        owner.get("kind") or "",
        owner.get("name") or "",
        owner.get("uid") or "",
        owner.get("controller") is True,
        owner.get("blockOwnerDeletion") is True,
    )


def claim_view(obj: Json) -> ClaimView:
    """Decode a PersistentVolumeClaim."""
    metadata = obj["metadata"]
    return ClaimView(
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        owners=tuple(_reference(o) for o in metadata.get("ownerReferences") or ()),
        surge=(metadata.get("annotations") or {}).get(SURGE_ANNOTATION) == "true",
        phase=(obj.get("status") or {}).get("phase") or "",
        deleted=timestamp(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
    )
