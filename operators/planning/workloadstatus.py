"""The status of a workload as a value: what a pass found out, dumped once where it is written.

The names in JSON are those of the models in `operators.api.status`, from which the CRDs are made; a test holds the two
equal. Nothing is validated here: what the controllers write is right by its types, and every pass writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pydantic.alias_generators import to_camel

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that the controllers write. ``last_transition_time`` (RFC 3339) is "" until that is known."""

    type: str
    status: Literal["True", "False"]
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str = ""

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.last_transition_time,
        }


@dataclass(frozen=True, slots=True)
class PauseCondition:
    """Why the controller paused a rollout, and since when (RFC 3339)."""

    reason: str
    start_time: str

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {"reason": self.reason, "startTime": self.start_time}


@dataclass(frozen=True, slots=True)
class PodHookCondition:
    """A pod that waits for its hook: since when (RFC 3339), and the phase of its HookRun."""

    pod_name: str
    start_time: str
    phase: str

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {"podName": self.pod_name, "startTime": self.start_time, "phase": self.phase}


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """The field ``canary``. ``current_step_hook_run`` is None where the field is not to appear.

    ``kept`` is what stands there already; fields of others stay.
    """

    revision: str
    current_step_hook_run: str | None = None
    kept: Json = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        found = {**self.kept, "revision": self.revision}
        if self.current_step_hook_run is not None:
            found["currentStepHookRun"] = self.current_step_hook_run
        return found


@dataclass(frozen=True, slots=True)
class StatusCounters:
    """The numbers of pods in the status; which pods each of them counts is defined by the kind of workload."""

    replicas: int
    ready: int
    updated: int
    updated_ready: int
    current: int | None = None


#: On fields whose change is written at once; changes of the others may wait a moment for more.
_PROMPT = {"prompt": True}


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """The whole status. A field that is None does not appear; ``current_replicas`` is of GameStatefulSets only.

    ``kept`` is what stands on the object already and stays, for passes that find out only a part: of an object whose
    spec cannot be read, that is being deleted, or whose plan cannot be made. Conditions that are not computed anew,
    those of others included, are the mappings that were read.
    """

    observed_generation: int | None = field(default=None, metadata=_PROMPT)
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    updated_replicas: int | None = None
    updated_ready_replicas: int | None = None
    current_revision: str | None = field(default=None, metadata=_PROMPT)
    collision_count: int | None = field(default=None, metadata=_PROMPT)
    label_selector: str | None = field(default=None, metadata=_PROMPT)
    update_revision: str | None = field(default=None, metadata=_PROMPT)
    canary: CanaryRecord | None = field(default=None, metadata=_PROMPT)
    pause_conditions: tuple[PauseCondition, ...] | None = field(default=None, metadata=_PROMPT)
    current_step_hash: str | None = field(default=None, metadata=_PROMPT)
    current_step_index: int | None = field(default=None, metadata=_PROMPT)
    pre_delete_hook_condition: tuple[PodHookCondition, ...] | None = None
    pre_inplace_hook_condition: tuple[PodHookCondition, ...] | None = None
    post_inplace_hook_condition: tuple[PodHookCondition, ...] | None = None
    conditions: tuple[Condition | Json, ...] | None = None
    current_replicas: int | None = None
    kept: Json = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        found = dict(self.kept)
        for name, key in JSON_NAMES.items():
            value = getattr(self, name)
            if value is not None:
                found[key] = _plain(value)
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [dict(entry) if isinstance(entry, Mapping) else entry.dump() for entry in value]
    return value.dump() if isinstance(value, CanaryRecord) else value


#: Name in JSON by the name of the field, in the order in which they are dumped.
JSON_NAMES: Mapping[str, str] = {f.name: to_camel(f.name) for f in fields(WorkloadStatus) if f.name != "kept"}
#: JSON names of the fields whose change is written at once.
PROMPT_FIELDS = frozenset(JSON_NAMES[f.name] for f in fields(WorkloadStatus) if f.metadata.get("prompt"))
