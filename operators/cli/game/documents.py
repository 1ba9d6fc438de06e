"""What commands find out, as it stands in JSON: ``apiVersion: cli.tkex/v1``. Fields are added, never renamed.

The schemas in ``schemas/`` are written from these models by ``python -m operators.cli.game.schemas.write``. Times are
RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Time = str


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, json_schema_serialization_defaults_required=True
    )


class Document(Part):
    """A whole document; each command has its ``kind``."""

    api_version: Literal["cli.tkex/v1"] = "cli.tkex/v1"

    def dump(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return self.model_dump(mode="json", by_alias=True)


class WorkloadName(Part):
    """Which workload."""

    kind: str
    namespace: str
    name: str


class ImageChange(Part):
    """A container, the image of the pods that are kept, and that of the new ones; the same where nothing changes."""

    container: str
    old: str
    new: str


class PodNumbers(Part):
    """Pods, as the status counts them."""

    wanted: int
    exist: int
    ready: int
    available: int
    new: int
    new_ready: int


class BudgetUse(Part):
    """How many pods may be down for an update, and what uses that up; ``asked`` are ready pods that a hook holds."""

    allowed: int
    taken: int
    grace: int
    restarting: int
    not_ready: int
    asked: int


class StepNumbers(Part):
    """Where a rollout stands: step ``number`` of ``count`` (both 0 without steps), and pods that the step asks for."""

    number: int
    count: int
    does: str
    done: int
    due: int
    next: str


class HookState(Part):
    """A HookRun: whom it was asked about, and what it says."""

    run: str
    hook: str
    template: str
    pod: str
    state: Literal["not asked yet", "says no", "only errors", "failed", "passed", "being removed"]
    phase: str
    asked: int
    errors: int
    metric: str
    value: str
    message: str
    wants: str
    since: Time
    outdated: bool


class PodState(Part):
    """A pod, and what it does in the rollout."""

    name: str
    revision: str
    state: Literal[
        "ready", "grace", "restarting", "asked", "hook failed", "starting", "failing", "young", "leaving", "ended"
    ]
    words: str
    detail: str
    ready: bool
    new: bool
    phase: str
    instance: str
    node: str
    address: str
    restarts: int
    created: Time
    owner: str
    hooks: tuple[HookState, ...]


class RevisionState(Part):
    """A revision and its pods; one that is not stored any more has number 0."""

    name: str
    number: int
    role: Literal["new", "old", "current", "other", "unknown"]
    stable: bool
    images: dict[str, str]
    created: Time | None
    note: str
    pods: tuple[PodState, ...]


State = Literal["complete", "progressing", "waiting", "held", "blocked", "unseen", "deleting"]


class Summary(Part):
    """A workload in a few lines. ``needs_you`` says what needs a person, "" when nothing does."""

    workload: WorkloadName
    state: State
    reason: str
    words: str
    message: str
    since: Time | None
    strategy: str
    step: StepNumbers
    images: tuple[ImageChange, ...]
    pods: PodNumbers
    budget: BudgetUse | None
    needs_you: str
    needs_you_reason: str
    waits_for: tuple[HookState, ...]


class WorkloadTree(Document):
    """``get NAME``."""

    kind: Literal["WorkloadTree"] = "WorkloadTree"
    at: Time
    created: Time
    summary: Summary
    revisions: tuple[RevisionState, ...]
    hooks: tuple[HookState, ...]
    foreign: tuple[PodState, ...]


class WorkloadList(Document):
    """``list``."""

    kind: Literal["WorkloadList"] = "WorkloadList"
    at: Time
    items: tuple[Summary, ...]


class RolloutStatus(Document):
    """``status``: how a wait ended, by the exit code, and in a sentence for people."""

    kind: Literal["RolloutStatus"] = "RolloutStatus"
    at: Time
    exit_code: int
    sentence: str
    seconds: float
    summary: Summary


class Revision(Part):
    """A line of the history."""

    number: int
    name: str
    created: Time
    pods: int
    images: dict[str, str]
    role: Literal["new", "old", "current", "other"]
    stable: bool
    cause: str


class RevisionHistory(Document):
    """``history``."""

    kind: Literal["RevisionHistory"] = "RevisionHistory"
    at: Time
    workload: WorkloadName
    revisions: tuple[Revision, ...]


class Change(Part):
    """A path that differs, and what that costs each pod under the strategy of the workload."""

    path: str
    old: str | None
    new: str | None
    cost: Literal["nothing", "restart", "new pod", "refused", "no pod"]
    words: str


class TemplateDiff(Document):
    """``diff``; ``old`` and ``new`` say what was compared."""

    kind: Literal["TemplateDiff"] = "TemplateDiff"
    workload: WorkloadName
    old: str
    new: str
    changes: tuple[Change, ...]


class HookList(Document):
    """``hooks``."""

    kind: Literal["HookList"] = "HookList"
    at: Time
    workload: WorkloadName
    hooks: tuple[HookState, ...]


class OperatorsVersion(Part):
    """A Deployment of the operators or webhooks; ``version`` is the chart's word."""

    namespace: str
    name: str
    version: str
    ready: int


class DefinitionVersion(Part):
    """A CustomResourceDefinition of ours; ``lacks`` are fields that this program knows and the cluster does not."""

    name: str
    version: str
    present: bool
    lacks: tuple[str, ...]


class VersionReport(Document):
    """``version``: who works together, and what does not fit."""

    kind: Literal["VersionReport"] = "VersionReport"
    client: str
    commit: str = ""
    server: str = ""
    operators: tuple[OperatorsVersion, ...] = ()
    definitions: tuple[DefinitionVersion, ...] = ()
    skew: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class MetricTrial(Part):
    """One measurement of one metric, taken once: what was asked, what came back, and what the conditions make of it.

    ``answer`` is cut at 1 KiB; ``conditions`` hold each condition, and whether it is true or why it cannot be told.
    """

    name: str
    provider: str
    request: str
    status: int | None
    seconds: float
    answer: str
    path: str
    value: str | None
    conditions: dict[str, str]
    phase: str
    message: str


class HookTrial(Document):
    """``hook run``: a HookTemplate measured once. ``phase`` is that of a run that would end here, else of its metrics.

    ``as_a_run`` says what a HookRun of a workload would make of these answers.
    """

    kind: Literal["HookTrial"] = "HookTrial"
    at: Time
    template: str
    namespace: str
    pod: str
    run: str
    metrics: tuple[MetricTrial, ...]
    phase: str
    as_a_run: str


class Finding(Part):
    """Something that stops, or will stop, the workload: ``look`` is the command that mends or shows it."""

    cause: str
    text: str
    look: str


class Explanation(Document):
    """``why``: what stops what, the first cause first."""

    kind: Literal["Explanation"] = "Explanation"
    at: Time
    about: str
    healthy: bool
    verdict: str
    findings: tuple[Finding, ...]
    next_actions: tuple[str, ...]
    status_differs: tuple[str, ...]
    looked_at: tuple[str, ...]
    unreadable: tuple[str, ...]
