"""A HookRun as its own controller reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from operators.api.hookrun import HookRunSpec
from operators.hookrun.assess import RunState, unreadable
from operators.hookrun.status import read_state
from operators.kube.times import timestamp
from operators.planning.views import OwnerView, owner_view


@dataclass(frozen=True, slots=True)
class RunView:
    """A HookRun; ``status`` is as stored, ``state`` what it means. Times are Unix seconds."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: float
    state: RunState
    status: Mapping[str, Any]
    args: tuple[tuple[str, str | None], ...] = ()
    owner: OwnerView | None = None
    deleting: bool = False

    @property
    def owned_by(self) -> str:
        """``Kind|Name`` of the owner, "" for none, as dashboards know it."""
        return f"{self.owner.kind}|{self.owner.name}" if self.owner else ""


def run_view(obj: Mapping[str, Any]) -> RunView:
    """Decode a HookRun. A spec that the models refuse is a state too: the run ends with the reason."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    subject, refused = f"{metadata['namespace']}/{metadata['name']}", ""
    try:
        spec = HookRunSpec.model_validate(obj.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        spec, refused = HookRunSpec.model_construct(metrics=()), unreadable(first["loc"], first["msg"])
    return RunView(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        metadata["resourceVersion"],
        int(metadata.get("generation") or 0),
        timestamp(metadata.get("creationTimestamp")) or 0.0,
        read_state(spec, status, subject=subject, refused=refused),
        status,
        tuple((argument.name, argument.value) for argument in spec.args),
        owner_view(metadata),
        bool(metadata.get("deletionTimestamp")),
    )
