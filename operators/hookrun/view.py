"""A HookRun as its own controller reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic import ValidationError

from operators.api.hookrun import HookRunSpec
from operators.hookrun.assess import RunState, invalid_field
from operators.hookrun.status import read_state
from operators.planning.views import HookRunView, hookrun_view

_SHARED = tuple(field.name for field in fields(HookRunView))
_NO_SPEC = HookRunSpec.model_construct(metrics=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView(HookRunView):
    """A HookRun with its spec and status decoded: ``status`` is as stored, ``state`` what it means.

    It is what the workload controllers read, and more, so that a process with both kinds of controllers lists, watches
    and decodes HookRuns once. Times are Unix seconds.
    """

    generation: int
    state: RunState
    status: Mapping[str, Any]
    args: tuple[tuple[str, str | None], ...] = ()

    @property
    def owned_by(self) -> str:
        """``Kind|Name`` of the owner, "" for none, as dashboards know it."""
        return f"{self.owner.kind}|{self.owner.name}" if self.owner else ""


def run_view(obj: Mapping[str, Any]) -> RunView:
    """Decode a HookRun. A spec that the models refuse is a state too: the run ends with the reason."""
    seen, status = hookrun_view(obj), obj.get("status") or {}
    spec, refused = _NO_SPEC, ""
    try:
        spec = HookRunSpec.model_validate(obj.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        refused = invalid_field(first["loc"], first["msg"])
    return RunView(
        **{name: getattr(seen, name) for name in _SHARED},
        generation=int(obj["metadata"].get("generation") or 0),
        state=read_state(spec, status, subject=f"{seen.namespace}/{seen.name}", refused=refused),
        status=status,
        args=tuple((argument.name, argument.value) for argument in spec.args),
    )
