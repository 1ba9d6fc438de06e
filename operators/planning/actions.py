"""What a plan asks the executor to do.

Actions are values: the executor carries them out, a simulation applies them to a cluster in memory, a test reads them.
``stage`` orders execution: everything of a stage is done (concurrently, within limits) before the next begins, and
a failure in the first stages keeps the later ones from running (a pod must not exist before its revision does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Literal

from operators.api.reasons import BlockedReason, EventReason
from operators.planning.workloadstatus import WorkloadStatus

Json = Mapping[str, Any]


class Stage(IntEnum):
    """Order of execution within one pass."""

    REVISION = 0
    OWNERSHIP = 1
    HOOKS = 2
    READINESS = 3
    PODS = 4
    SPEC = 5
    HISTORY = 6


#: The refusal key of all creations of pods.
CREATIONS = "CreatePod"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something waits or is refused: which pod ("" for the workload), which rule, which numbers.

    ``reason`` is a CamelCase word that becomes the condition's reason, the Event's reason and a metric label.
    ``waiting`` separates what passes by itself (a budget, a running hook) from what needs a person.
    """

    reason: BlockedReason
    message: str
    pod: str = ""
    waiting: bool = True


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Actions of one refusal key that are not tried for a while: how many, what the API server said.

    ``waiting`` holds where the reason may pass by itself.
    """

    count: int
    said: str
    waiting: bool


ObjectKind = Literal["revisions", "pods", "hook_runs", "claims", "workload"]


class Action:
    """One write that a plan asks for.

    ``kind_of_object`` says which collection its object is in; ``creates`` holds where there is no such object yet. An
    action also says how its failure is reported, so that adding one is adding one class, and its writer.
    """

    __slots__ = ()
    kind_of_object: ClassVar[ObjectKind]
    creates: ClassVar[bool] = False
    stage: Stage

    @property
    def refusal_key(self) -> str:
        """What a refusal of this action holds back: the same write on the same object."""
        return f"{type(self).__name__}/{getattr(self, 'uid', '') or getattr(self, 'name', '')}"

    @property
    def failure_reason(self) -> EventReason:
        """Reason of the Event for a failure (docs/spec/gamedeployment.md 8.1)."""
        return EventReason.FAILED_WRITE

    def refused(self, held: HeldBack) -> Blocked:
        """What to say while the action is held back."""
        text = f"{type(self).__name__} {getattr(self, 'name', '')} is refused: {held.said}"
        return Blocked(BlockedReason.WRITE_REFUSED, text.replace("  ", " "), waiting=held.waiting)


def _update_refused(pod: str, held: HeldBack) -> Blocked:
    return Blocked(BlockedReason.FAILED_UPDATE, f"pod {pod} is not updated: {held.said}", pod, waiting=held.waiting)


class _PodUpdate(Action):
    """A step of an update in place."""

    __slots__ = ()
    name: str

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_UPDATE_POD_IN_PLACE

    def refused(self, held: HeldBack) -> Blocked:
        return _update_refused(self.name, held)


@dataclass(frozen=True, slots=True)
class CreateRevision(Action):
    """Store a template as a ControllerRevision of the given name, owned by the workload."""

    name: str
    revision: int
    template: Json
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    stage: Stage = Stage.REVISION
    kind_of_object: ClassVar[ObjectKind] = "revisions"
    creates: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RenumberRevision(Action):
    """Give an older revision the newest number: a rollback reuses it (docs/spec/gamedeployment.md 2.5)."""

    name: str
    uid: str
    revision: int
    stage: Stage = Stage.REVISION
    kind_of_object: ClassVar[ObjectKind] = "revisions"


@dataclass(frozen=True, slots=True)
class AdoptRevision(Action):
    """Take a revision that nobody controls: set the controller reference."""

    name: str
    uid: str
    stage: Stage = Stage.REVISION
    kind_of_object: ClassVar[ObjectKind] = "revisions"


@dataclass(frozen=True, slots=True)
class DeleteRevision(Action):
    """Remove a revision beyond the history limit."""

    name: str
    uid: str
    stage: Stage = Stage.HISTORY
    kind_of_object: ClassVar[ObjectKind] = "revisions"


@dataclass(frozen=True, slots=True)
class AdoptPod(Action):
    """Take an orphan: set the controller reference and the labels it lacks. One of ours may lack labels, too.

    The executor first proves with one uncached read that the workload still exists under the same UID.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    stage: Stage = Stage.OWNERSHIP
    kind_of_object: ClassVar[ObjectKind] = "pods"


@dataclass(frozen=True, slots=True)
class ReleasePod(Action):
    """Drop our controller reference, and the mark of our hooks, from a pod that the selector no longer matches."""

    name: str
    uid: str
    stage: Stage = Stage.OWNERSHIP
    kind_of_object: ClassVar[ObjectKind] = "pods"


@dataclass(frozen=True, slots=True)
class CreateHookRun(Action):
    """Start a check about ``pod`` ("" for a canary step).

    An existing object of the same name and controller is taken as this one; a foreign one is a conflict. ``dropped``
    names arguments of the user's that the HookTemplate does not declare, ``template`` is the version of the latter.
    """

    name: str
    labels: Mapping[str, str]
    spec: Json
    kind: Literal["predelete", "preinplace", "postinplace", "canary"]
    pod: str = ""
    dropped: tuple[str, ...] = ()
    template: str = ""
    stage: Stage = Stage.HOOKS
    kind_of_object: ClassVar[ObjectKind] = "hook_runs"
    creates: ClassVar[bool] = True

    @property
    def failure_reason(self) -> EventReason:
        return (
            EventReason.FAILED_CREATE_POST_HOOK_RUN
            if self.kind == "postinplace"
            else EventReason.FAILED_CREATE_HOOK_RUN
        )

    def refused(self, held: HeldBack) -> Blocked:
        text = f"HookRun {self.name} is not created: {held.said}"
        return Blocked(BlockedReason.FAILED_CREATE_HOOK_RUN, text, self.pod, waiting=held.waiting)


@dataclass(frozen=True, slots=True)
class AdoptHookRun(Action):
    """Take a check over that nobody owns: set the controller reference."""

    name: str
    uid: str
    stage: Stage = Stage.OWNERSHIP
    kind_of_object: ClassVar[ObjectKind] = "hook_runs"


@dataclass(frozen=True, slots=True)
class DeleteHookRun(Action):
    """Remove a check that answers nothing any more."""

    name: str
    uid: str
    reason: str
    stage: Stage = Stage.HOOKS
    kind_of_object: ClassVar[ObjectKind] = "hook_runs"


@dataclass(frozen=True, slots=True)
class TerminateHookRun(Action):
    """Interrupt a running check."""

    name: str
    uid: str
    stage: Stage = Stage.HOOKS
    kind_of_object: ClassVar[ObjectKind] = "hook_runs"


@dataclass(frozen=True, slots=True)
class AnnotatePod(Action):
    """Set (or with None remove) single annotations of a pod; nothing else of it is touched."""

    name: str
    uid: str
    annotations: Mapping[str, str | None]
    stage: Stage = Stage.HOOKS
    kind_of_object: ClassVar[ObjectKind] = "pods"


@dataclass(frozen=True, slots=True)
class SetGate(_PodUpdate):
    """Set the condition ``InPlaceUpdateReady`` in the pod's status."""

    name: str
    uid: str
    ready: bool
    reason: str = ""
    stage: Stage = Stage.READINESS
    kind_of_object: ClassVar[ObjectKind] = "pods"


@dataclass(frozen=True, slots=True)
class UpdatePodInPlace(_PodUpdate):
    """Change a living pod: new images by container name, and metadata (None removes a key).

    ``begins`` marks the first patch of an update (the one that counts and is announced); ``close_gate`` tells the
    executor to set the gate False, and see it accepted, before the images change.
    """

    name: str
    uid: str
    resource_version: str
    images: Mapping[str, str]
    labels: Mapping[str, str | None] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    begins: bool = True
    close_gate: bool = False
    stage: Stage = Stage.PODS
    kind_of_object: ClassVar[ObjectKind] = "pods"


@dataclass(frozen=True, slots=True)
class CreatePod(Action):
    """Create a pod from a template; ``body`` is complete but for the owner reference, which the executor adds.

    ``claims`` are bodies of volume claims that it lacks: they are created first, and without them it is not.
    """

    name: str
    revision: str
    body: Json
    claims: tuple[Json, ...] = ()
    stage: Stage = Stage.PODS
    kind_of_object: ClassVar[ObjectKind] = "pods"
    creates: ClassVar[bool] = True

    @property
    def refusal_key(self) -> str:
        """All creations together: the names are made up anew in each pass."""
        return CREATIONS

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_CREATE

    def refused(self, held: HeldBack) -> Blocked:
        return Blocked(
            BlockedReason.FAILED_SCALE, f"{held.count} pods to create are refused: {held.said}", waiting=held.waiting
        )


@dataclass(frozen=True, slots=True)
class TryPod(Action):
    """Ask the API server whether it would create a pod from a template, before one is deleted to make room for it.

    ``after_refusal`` says that a creation has been refused already: then quota and admission (403) count as well.
    Without that they do not, because what they refuse now may fit when the old pod is gone.
    """

    revision: str
    body: Mapping[str, Any]
    after_refusal: bool = False
    stage: Stage = Stage.PODS
    kind_of_object: ClassVar[ObjectKind] = "pods"
    creates: ClassVar[bool] = True

    @property
    def refusal_key(self) -> str:
        """That of creations: each is a try of the other."""
        return CREATIONS

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_CREATE

    def refused(self, held: HeldBack) -> Blocked:
        text = f"no pod is replaced, because pods of revision {self.revision} are refused: {held.said}"
        return Blocked(BlockedReason.FAILED_SCALE, text, waiting=held.waiting)


@dataclass(frozen=True, slots=True)
class DeletePod(Action):
    """Delete a pod, if it still is the one that was seen.

    ``why`` is ``rollingUpdate`` (replaced by a newer version), ``deletePod`` (scale-in or named by the user) or
    ``failedPod`` (it had ended for good; ``ended`` says of what).
    """

    name: str
    uid: str
    why: Literal["rollingUpdate", "deletePod", "failedPod"]
    ended: str = ""
    stage: Stage = Stage.PODS
    kind_of_object: ClassVar[ObjectKind] = "pods"

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_UPDATE_POD_RE_CREATE if self.why == "rollingUpdate" else EventReason.FAILED_DELETE

    def refused(self, held: HeldBack) -> Blocked:
        if self.why == "rollingUpdate":
            return _update_refused(self.name, held)
        return Blocked(
            BlockedReason.FAILED_SCALE, f"pod {self.name} is not deleted: {held.said}", self.name, waiting=held.waiting
        )


@dataclass(frozen=True, slots=True)
class ForceDeletePod(Action):
    """Delete a pod without grace, because its node is lost (docs/spec/gamestatefulset.md 2.10).

    The executor first asks the API server, uncached, whether ``node`` is lost indeed.
    """

    name: str
    uid: str
    node: str
    stage: Stage = Stage.PODS
    kind_of_object: ClassVar[ObjectKind] = "pods"

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_DELETE


@dataclass(frozen=True, slots=True)
class CreateClaim(Action):
    """Create a volume claim that a living pod waits for."""

    name: str
    body: Json
    stage: Stage = Stage.READINESS
    kind_of_object: ClassVar[ObjectKind] = "claims"
    creates: ClassVar[bool] = True

    @property
    def failure_reason(self) -> EventReason:
        return EventReason.FAILED_CREATE


@dataclass(frozen=True, slots=True)
class OwnClaim(Action):
    """Change whose deletion takes a claim along: entries of a strategic merge patch of its owner references.

    ``order`` are the UIDs of all its owners afterwards.
    """

    name: str
    uid: str
    owners: tuple[Json, ...]
    order: tuple[str, ...]
    stage: Stage = Stage.READINESS
    kind_of_object: ClassVar[ObjectKind] = "claims"


@dataclass(frozen=True, slots=True)
class KeepClaim(Action):
    """A claim that was made for a surge pod belongs to a replica now: take the mark off that would have it removed."""

    name: str
    uid: str
    stage: Stage = Stage.READINESS
    kind_of_object: ClassVar[ObjectKind] = "claims"


@dataclass(frozen=True, slots=True)
class DeleteClaim(Action):
    """Remove the claim of a surge pod that is gone."""

    name: str
    uid: str
    stage: Stage = Stage.SPEC
    kind_of_object: ClassVar[ObjectKind] = "claims"


@dataclass(frozen=True, slots=True)
class PatchSpec(Action):
    """Merge-patch the workload's own spec, guarded by the resourceVersion that was planned on."""

    patch: Json
    reason: str
    stage: Stage = Stage.SPEC
    kind_of_object: ClassVar[ObjectKind] = "workload"


@dataclass(frozen=True, slots=True)
class Note:
    """An Event on the workload that does not follow from an action's result."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision of one pass.

    ``status`` is the whole status the object should have; the controller writes the difference, or
    nothing. ``wake_after`` is the number of seconds after which time alone may change the decision, None when only an
    event can.
    """

    actions: tuple[Action, ...] = ()
    status: WorkloadStatus = field(default_factory=WorkloadStatus)
    blocked: tuple[Blocked, ...] = ()
    notes: tuple[Note, ...] = ()
    wake_after: float | None = None
