"""What planning sees of the cluster: small frozen values, decoded once from raw objects.

A view holds only what a rule reads, so that thousands stay cheap (about 1 kB each). Times are Unix seconds.
Raw bodies stop here, except pod templates and revision data, which pass through untouched.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operators.api import keys
from operators.api.hookphase import FINAL_PHASES
from operators.kube.times import timestamp
from operators.planning.hooks.measured import NOTHING_MEASURED, Measured, measured, version
from operators.planning.inplace.annotations import Grace, UpdateState, read_grace, read_state
from operators.planning.podproblems import ENDED, PodProblem, problem_of
from operators.planning.templates import PodBody, template_digest

Json = Mapping[str, Any]
#: Seconds that a pod which is not ready, and does not say why, counts as starting; afterwards it counts as stuck.
READY_DEADLINE = 300.0


@dataclass(frozen=True, slots=True)
class OwnerView:
    """The controller reference of an object."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container of a pod: what the spec asks for, and what its status reports (empty when it has none yet)."""

    name: str
    image: str
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    running_since: float | None = None
    restarts: int = 0
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod as planning needs it.

    ``ready_since`` is the last transition of the Ready condition while it is True, ``unready_since`` the same while it
    is not (of a pod that has no such condition yet, its creation). ``gated`` tells whether the pod lists the in-place
    gate; ``gate`` is the condition's status, None while it is absent. ``state`` and ``grace`` are what its annotations
    say of an in-place update. ``deletion_timestamp`` is when its grace period ends, None while it is not being deleted;
    ``finalizers`` are its finalizers. ``made_of`` is the body of a pod that nobody controls, or that names no revision,
    None for others: which template it was made from must be told by comparison.

    The last three follow from the others, kept because a pass asks for them many times: ``ready``, running with a true
    Ready condition; ``revision``, the full name of the ControllerRevision the pod carries; ``instance``, its instance
    id, in a GameStatefulSet its ordinal.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: float
    phase: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: OwnerView | None = None
    node: str = ""
    pod_ip: str = ""
    host_ip: str = ""
    deleting: bool = False
    deletion_timestamp: float | None = None
    finalizers: tuple[str, ...] = ()
    ready_since: float | None = None
    unready_since: float | None = None
    containers_ready: bool = False
    gated: bool = False
    gate: bool | None = None
    containers: tuple[ContainerView, ...] = ()
    problem: PodProblem | None = None
    state: UpdateState | None = None
    grace: Grace | None = None
    made_of: PodBody | None = field(default=None, compare=False)
    ready: bool = field(init=False, compare=False, repr=False)
    revision: str = field(init=False, compare=False, repr=False)
    instance: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        get, keep = self.labels.get, object.__setattr__
        keep(self, "ready", self.phase == "Running" and self.ready_since is not None)
        keep(self, "revision", get(keys.REVISION_LABEL, ""))
        keep(self, "instance", get(keys.INSTANCE_LABEL) or get(keys.ORDINAL_LABEL, ""))

    @property
    def active(self) -> bool:
        """Neither finished nor being deleted (docs/spec/gamedeployment.md 2.3)."""
        return not self.deleting and not self.finished

    @property
    def finished(self) -> bool:
        """Ended for good: an evicted or completed pod never runs again."""
        return self.phase in ENDED

    @property
    def restarts(self) -> int:
        """Restarts of all containers."""
        return sum(c.restarts for c in self.containers)

    def stuck(self, now: float) -> bool:
        """Not ready, and not expected to become so: its status says why, or its deadline has passed."""
        return not self.ready and (self.problem is not None or self.ready_deadline_left(now) <= 0)

    def ready_deadline_left(self, now: float) -> float:
        """Seconds until a pod that is not ready counts as stuck; infinite for a ready one."""
        return math.inf if self.unready_since is None else self.unready_since + READY_DEADLINE - now

    def available(self, now: float, min_ready_seconds: int) -> bool:
        """Ready for at least ``min_ready_seconds``; without such no clock is asked, as that of a node may be ahead."""
        if not self.ready or self.ready_since is None:
            return False
        return min_ready_seconds <= 0 or now - self.ready_since >= min_ready_seconds


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A ControllerRevision; ``template`` is the pod template it stores, ``digest`` its meaning."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    revision: int
    created: float
    template: Json
    digest: str
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: OwnerView | None = None
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class HookRunView:
    """A HookRun as the workload controllers read it.

    ``ended`` is when it completed, None where it does not say. ``asked`` is the spec of one that nobody owns, None
    for others: who takes it over must know whether it asks what would be asked now. ``template`` is the version of the
    HookTemplate it was made of (`HookTemplateView.version`), "" where an earlier version of the operators made it;
    ``question`` is then what it asks (`HookTemplateView.question`).
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: float
    labels: Mapping[str, str]
    phase: str = ""
    message: str = ""
    owner: OwnerView | None = None
    deleting: bool = False
    terminate: bool = False
    ended: float | None = None
    asked: Json | None = field(default=None, compare=False)
    measured: Measured = NOTHING_MEASURED
    template: str = ""
    question: str = ""

    @property
    def completed(self) -> bool:
        """Reached a final phase."""
        return self.phase in FINAL_PHASES


@dataclass(frozen=True, slots=True)
class HookTemplateView:
    """A HookTemplate: ``args`` as (name, value or None); ``metrics`` untouched, to be copied into HookRuns.

    ``version`` is equal for templates that ask the same, ``question`` leaves out their arguments.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    args: tuple[tuple[str, str | None], ...]
    metrics: tuple[Json, ...]
    policy: str = ""
    deleting: bool = False
    version: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node: the annotation that orders scale-in, and whether its pods are still in good hands.

    ``ready`` is None while nobody hears of its kubelet; ``out_of_service`` is a person's word that it is switched off;
    ``addresses`` are all it has, inside the cluster and outside.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    cost: str | None = None
    ready: bool | None = True
    out_of_service: bool = False
    deleting: bool = False
    addresses: tuple[str, ...] = ()


_ANNOTATIONS = frozenset(
    {
        keys.POD_DELETING_ANNOTATION,
        keys.POD_COST_ANNOTATION,
        keys.LEGACY_POD_COST_ANNOTATION,
        keys.NODE_LOST_ANNOTATION,
        *(prefix + keys.INDEX_ID for prefix in keys.INDEX_PREFIXES),
    }
)


def owner_view(metadata: Json) -> OwnerView | None:
    """The controller reference, if any."""
    for ref in metadata.get("ownerReferences") or ():
        if ref.get("controller"):
            return OwnerView(kind=ref["kind"], name=ref["name"], uid=ref["uid"])
    return None


def _identity(metadata: Json) -> dict[str, str]:
    return {
        "namespace": sys.intern(metadata.get("namespace") or ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "resource_version": metadata.get("resourceVersion", ""),
    }


def _containers(spec: Json, status: Json) -> tuple[ContainerView, ...]:
    statuses = {s["name"]: s for s in status.get("containerStatuses") or ()}
    views = []
    for container in spec.get("containers") or ():
        seen = statuses.get(container["name"], {})
        state = seen.get("state") or {}
        views.append(
            ContainerView(
                name=sys.intern(container["name"]),
                image=sys.intern(container.get("image") or ""),
                image_id=sys.intern(seen.get("imageID") or ""),
                container_id=seen.get("containerID") or "",
                ready=bool(seen.get("ready")),
                running_since=timestamp((state.get("running") or {}).get("startedAt")),
                restarts=seen.get("restartCount") or 0,
                waiting=(state.get("waiting") or {}).get("reason") or "",
            )
        )
    return tuple(views)


def pod_view(obj: Json) -> PodView:
    """Decode a pod."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    gate = conditions.get(keys.INPLACE_READY_GATE)
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    deleted = metadata.get("deletionTimestamp")
    owner = owner_view(metadata)
    created = timestamp(metadata.get("creationTimestamp")) or 0.0
    turned, is_ready = timestamp(ready.get("lastTransitionTime")), ready.get("status") == "True"
    return PodView(
        **_identity(metadata),
        created=created,
        phase=sys.intern(status.get("phase") or "Pending"),
        labels={sys.intern(k): sys.intern(v) for k, v in labels.items()},
        annotations={k: v for k, v in annotations.items() if k in _ANNOTATIONS},
        owner=owner,
        node=sys.intern(spec.get("nodeName") or ""),
        pod_ip=status.get("podIP") or "",
        host_ip=sys.intern(status.get("hostIP") or ""),
        deleting=bool(deleted),
        deletion_timestamp=timestamp(deleted),
        finalizers=tuple(metadata.get("finalizers") or ()),
        ready_since=(turned or 0.0) if is_ready else None,
        unready_since=None if is_ready else turned or created,
        containers_ready=(conditions.get("ContainersReady") or {}).get("status") == "True",
        gated=any(g.get("conditionType") == keys.INPLACE_READY_GATE for g in spec.get("readinessGates") or ()),
        gate=None if gate is None else gate.get("status") == "True",
        containers=_containers(spec, status),
        problem=problem_of(conditions, status, spec),
        state=read_state(annotations.get(keys.INPLACE_STATE_ANNOTATION)),
        grace=read_grace(annotations.get(keys.INPLACE_GRACE_ANNOTATION)),
        made_of=PodBody(labels, annotations, spec) if owner is None or not labels.get(keys.REVISION_LABEL) else None,
    )


def revision_view(obj: Json) -> RevisionView:
    """Decode a ControllerRevision; one that stores no template reads as an empty template."""
    metadata = obj["metadata"]
    template = (((obj.get("data") or {}).get("spec") or {}).get("template")) or {}
    return RevisionView(
        **_identity(metadata),
        revision=int(obj.get("revision") or 0),
        created=timestamp(metadata.get("creationTimestamp")) or 0.0,
        template={k: v for k, v in template.items() if k != "$patch"},
        digest=template_digest(template),
        labels=metadata.get("labels") or {},
        owner=owner_view(metadata),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def hookrun_view(obj: Json) -> HookRunView:
    """Decode a HookRun."""
    metadata, status, spec = obj["metadata"], obj.get("status") or {}, obj.get("spec") or {}
    template = (metadata.get("annotations") or {}).get(keys.HOOK_TEMPLATE_ANNOTATION) or ""
    owner = owner_view(metadata)
    return HookRunView(
        **_identity(metadata),
        created=timestamp(metadata.get("creationTimestamp")) or 0.0,
        labels=metadata.get("labels") or {},
        phase=status.get("phase") or "",
        message=_hookrun_message(status),
        owner=owner,
        deleting=bool(metadata.get("deletionTimestamp")),
        terminate=bool(spec.get("terminate")),
        ended=timestamp(status.get("completedAt")),
        asked=None if metadata.get("ownerReferences") else spec,
        measured=measured(spec, status),
        template=template,
        question="" if template else version(spec, with_args=False),
    )


def _hookrun_message(status: Json) -> str:
    """What the run last measured, for the person who waits for it."""
    if status.get("message"):
        return str(status["message"])
    parts = []
    for result in status.get("metricResults") or ():
        measurements = result.get("measurements") or ()
        if result.get("phase") == "Successful" or not measurements:
            continue
        last = measurements[-1]
        said = last.get("message") or (f"value {last['value']}" if "value" in last else last.get("phase", ""))
        parts.append(f"metric {result.get('name')}: {said}")
    return "; ".join(parts)[:300]


def hooktemplate_view(obj: Json) -> HookTemplateView:
    """Decode a HookTemplate."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    return HookTemplateView(
        **_identity(metadata),
        args=tuple((a["name"], a.get("value")) for a in spec.get("args") or ()),
        metrics=tuple(spec.get("metrics") or ()),
        policy=spec.get("policy") or "",
        deleting=bool(metadata.get("deletionTimestamp")),
        version=version(spec),
        question=version(spec, with_args=False),
    )


def node_view(obj: Json) -> NodeView:
    """Decode a node; one without a Ready condition is one that nobody has heard of."""
    metadata = obj["metadata"]
    conditions = {c["type"]: c.get("status") for c in (obj.get("status") or {}).get("conditions") or ()}
    taints = (obj.get("spec") or {}).get("taints") or ()
    addresses = (obj.get("status") or {}).get("addresses") or ()
    return NodeView(
        **_identity(metadata),
        cost=(metadata.get("annotations") or {}).get(keys.NODE_COST_ANNOTATION),
        ready={"True": True, "False": False}.get(conditions.get("Ready") or ""),
        out_of_service=any(t.get("key") == keys.OUT_OF_SERVICE_TAINT for t in taints),
        deleting=bool(metadata.get("deletionTimestamp")),
        addresses=tuple(a["address"] for a in addresses if a.get("type") in ("InternalIP", "ExternalIP")),
    )
