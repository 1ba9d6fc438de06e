"""A workload and everything around it, as one pass sees it; the same for every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import orjson
from pydantic import ValidationError

from operators.api import keys
from operators.api.selectors import LabelSelector
from operators.api.strategies import PodHook, StrategyBase
from operators.api.workloads import ScaleStrategy
from operators.kube.times import timestamp
from operators.planning.refusals import Refusal
from operators.planning.templates import template_digest
from operators.planning.views import HookRunView, HookTemplateView, PodView, RevisionView

Json = Mapping[str, Any]


class Spec(Protocol):
    """What the specs of all workloads hold."""

    @property
    def replicas(self) -> int: ...
    @property
    def selector(self) -> LabelSelector: ...
    @property
    def template(self) -> dict[str, Any]: ...
    @property
    def scale_strategy(self) -> ScaleStrategy: ...
    @property
    def update_strategy(self) -> StrategyBase: ...
    @property
    def pre_delete_update_strategy(self) -> PodHook: ...
    @property
    def pre_inplace_update_strategy(self) -> PodHook: ...
    @property
    def post_inplace_update_strategy(self) -> PodHook: ...
    @property
    def revision_history_limit(self) -> int: ...
    @property
    def min_ready_seconds(self) -> int: ...
    @property
    def progress_deadline_seconds(self) -> int | None: ...
    @property
    def restart_at(self) -> str | None: ...
    @property
    def restart_containers(self) -> tuple[str, ...]: ...
    @property
    def restart_recreate(self) -> bool: ...
    @property
    def disable_readiness_gate(self) -> bool: ...


S_co = TypeVar("S_co", bound=Spec, covariant=True)


@dataclass(frozen=True, slots=True)
class WorkloadView(Generic[S_co]):
    """The workload, decoded once per change. ``spec`` is None when it cannot be read, ``invalid`` then says why."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: float
    annotations: Mapping[str, str]
    spec: S_co | None
    status: Json
    digest: str = ""
    invalid: str = ""
    deleting: bool = False
    deletable: bool = False
    """Anybody who may delete workloads may delete it: its label says so."""


@dataclass(frozen=True, slots=True)
class Observed(Generic[S_co]):
    """The workload and everything around it.

    ``pods`` are all pods of the namespace that carry our controller reference, that nobody controls and the selector
    matches, or that podsToDelete names; terminating ones included. ``revisions`` are ours, and all whose names begin
    with the workload's. ``overlapping`` are other workloads of the kind: their selector takes pods of ours, or our
    selector takes theirs. ``refusals`` are recent writes that failed. ``creatable`` are revisions of which the
    API server was found to create pods, None where nobody asks it. ``warnings`` are those that came with pods that were
    created, by revision, as far as they are known. ``host_ip`` is the address of the operator's own node, "" when
    unknown.
    """

    workload: WorkloadView[S_co]
    pods: tuple[PodView, ...] = ()
    revisions: tuple[RevisionView, ...] = ()
    hook_runs: tuple[HookRunView, ...] = ()
    templates: Mapping[str, HookTemplateView] = field(default_factory=dict)
    node_costs: Mapping[str, str] = field(default_factory=dict)
    overlapping: tuple[WorkloadView[S_co], ...] = ()
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    creatable: frozenset[str] | None = None
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    host_ip: str = ""


def _explain(error: ValidationError) -> str:
    """Field and reason of each finding, in the spelling of the manifest."""
    parts = []
    for finding in error.errors():
        path = ".".join(str(p) for p in ("spec", *finding["loc"]))
        parts.append(f"{path}: {finding['msg'].removeprefix('Value error, ')}")
    return "; ".join(parts)


def _refusal(spec: Spec) -> str:
    """What the models cannot refuse: a selector that would take strangers, or not its own pods."""
    if spec.selector.is_empty:
        return "spec.selector: must not be empty: it would take every pod of the namespace"
    labels = (spec.template.get("metadata") or {}).get("labels") or {}
    if not spec.selector.matches(labels):
        return f"spec.selector: {spec.selector.to_string()} does not match spec.template.metadata.labels {dict(labels)}"
    return ""


def _unstorable(spec: Any) -> str:
    """Why a spec cannot be written into a revision or a pod, "" when it can.

    Where unknown fields are kept anybody may nest them deeper than any field of Kubernetes; comparing that recurses.
    """
    try:
        orjson.dumps(spec)
    except TypeError as error:
        return f"spec: cannot be stored, most likely it is nested too deeply: {error}"
    return ""


def workload_view(obj: Json, validate: Callable[[Any], S_co]) -> WorkloadView[S_co]:
    """Decode a workload; an invalid spec is kept as a text to show, never raised."""
    metadata = obj["metadata"]
    spec, digest, invalid = None, "", _unstorable(obj.get("spec"))
    try:
        spec = validate({} if invalid else obj.get("spec") or {})
        invalid = _refusal(spec)
        digest = template_digest(spec.template)
    except ValidationError as error:
        invalid = invalid or _explain(error)
    except Exception as error:  # noqa: BLE001 - one that could not be read would be passed over in silence
        invalid = f"spec.template: cannot be read: {type(error).__name__}: {error}"
    return WorkloadView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=int(metadata.get("generation") or 0),
        created=timestamp(metadata.get("creationTimestamp")) or 0.0,
        annotations=metadata.get("annotations") or {},
        spec=spec,
        status=obj.get("status") or {},
        digest=digest,
        invalid=invalid,
        deleting=bool(metadata.get("deletionTimestamp")),
        deletable=(metadata.get("labels") or {}).get(keys.DELETION_ALLOW_LABEL) == keys.DELETION_ALWAYS,
    )
