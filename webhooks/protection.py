"""Whether a DELETE is accepted: the label on the object decides, and without it the answer is no.

Rules: docs/spec/admission.md 2.

Pure: a rule that needs to know more than the review says returns a `Question`, and decides by the answer to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from operators.api import keys
from webhooks.objects import Json, number, part, text, texts
from webhooks.reviews import Resource, Review
from webhooks.verdicts import MALFORMED, Verdict, allow, refuse

LABEL: Final = keys.DELETION_ALLOW_LABEL
ALWAYS, CASCADING = keys.DELETION_ALWAYS, "Cascading"
LABEL_VALUES: Final = (ALWAYS, CASCADING)

_BY: Final = "forbidden by ResourceDeletionAllow"
DEFAULT: Final = f"{_BY}, set labels {LABEL}={ALWAYS} to allow operation"
#: Begins every refusal of something labelled Cascading.
WHILE: Final = f"{_BY} for {LABEL}={CASCADING} and "

#: The kinds whose definitions are protected, by plural.
KINDS: Final[Mapping[str, str]] = {
    "gamedeployments": "GameDeployment",
    "gamestatefulsets": "GameStatefulSet",
    "hooktemplates": "HookTemplate",
    "hookruns": "HookRun",
}
#: Those whose objects are protected too; HookRuns come and go with their workloads.
WORKLOADS: Final = ("gamedeployments", "gamestatefulsets")
PROTECTED: Final = (*WORKLOADS, "hooktemplates")
DEFINITIONS: Final[Mapping[str, str]] = {f"{plural}.{keys.GROUP}": plural for plural in KINDS}

_CRD: Final = [Resource("apiextensions.k8s.io", v, "customresourcedefinitions") for v in ("v1beta1", "v1")]
_NAMESPACE_CONTROLLER: Final = "system:serviceaccount:kube-system:namespace-controller"
_COLLECTOR: Final = "system:serviceaccount:kube-system:generic-garbage-collector"
#: Both of them, where the controller manager has one identity for all its parts.
_CONTROLLER_MANAGER: Final = "system:kube-controller-manager"


@dataclass(frozen=True, slots=True)
class Rules:
    """Exceptions that a cluster's owner may make; none by default."""

    exempt_users: frozenset[str] = frozenset()
    allow_namespace_termination: bool = False


@dataclass(frozen=True, slots=True)
class CountInstances:
    """How many objects of this kind live, in all namespaces, that are not being deleted."""

    plural: str


@dataclass(frozen=True, slots=True)
class FindUsers:
    """Which workloads refer to a HookTemplate, and which unfinished HookRuns came from it."""

    namespace: str
    template: str


Question = CountInstances | FindUsers


def check_definition_deletion(review: Review, rules: Rules) -> Verdict | Question:
    """A DELETE of a CustomResourceDefinition; those of others are allowed."""
    if review.resource not in _CRD:
        text_ = f"expect resource to be one of [{_CRD[0]}, {_CRD[1]}] but got {review.resource}"
        return refuse(text_, MALFORMED)
    if not _deletes(review, rules):
        return allow()
    metadata = part(review.old, "metadata")
    plural = DEFINITIONS.get(text(metadata, "name") or review.name)
    if plural is None:
        return allow()
    match texts(metadata, "labels").get(LABEL):
        case "Always":
            return allow()
        case "Cascading":
            return CountInstances(plural)
        case _:
            way = f"or set it to {CASCADING} and delete all {KINDS[plural]}s first: they go with their definition"
            return refuse(f"{DEFAULT}; {way}")


def check_object_deletion(review: Review, rules: Rules) -> Verdict | Question:
    """A DELETE of a workload or of a HookTemplate; anything else is allowed."""
    plural = review.resource.resource
    if review.resource.group != keys.GROUP or plural not in PROTECTED or not _deletes(review, rules):
        return allow()
    old = review.old or {}
    match texts(old, "metadata", "labels").get(LABEL):
        case "Always":
            return allow()
        case "Cascading" if plural in WORKLOADS:
            return _scaled_to_zero(review, old)
        case "Cascading":
            return FindUsers(review.namespace, _name(review))
        case _:
            return refuse(f"{DEFAULT}; {_way_out(review, plural)}{_who_waits(review)}")


def verdict_after_count(question: CountInstances, count: int) -> Verdict:
    """The answer once the instances of a definition are counted."""
    if count > 0:
        return refuse(f"{WHILE}active CRs {count}>0; delete all {KINDS[question.plural]}s first")
    return allow()


def verdict_after_search(review: Review, users: Sequence[str]) -> Verdict:
    """The answer once it is known who uses a HookTemplate; ``users`` are written as "Kind name"."""
    if users:
        return refuse(f"{WHILE}references {len(users)}>0; it is used by {users[0]}{_who_waits(review)}")
    return allow()


def verdict_after_failure(question: Question, error: str) -> Verdict:
    """The answer when nobody knows: no. A guard that opens when it cannot see is none."""
    if isinstance(question, CountInstances):
        kinds = f"{KINDS[question.plural]}s"
    else:
        kinds = ", ".join(f"{KINDS[p]}s" for p in (*WORKLOADS, "hookruns"))
    return refuse(f"failed to list CRs of {kinds}: {error}")


def depends_on_namespace(review: Review, verdict: Verdict, rules: Rules) -> bool:
    """Whether a refusal is lifted when the namespace is being deleted."""
    lifted = rules.allow_namespace_termination and review.operation == "DELETE"
    return lifted and not verdict.allowed and bool(review.namespace)


def _deletes(review: Review, rules: Rules) -> bool:
    return review.operation == "DELETE" and not review.subresource and review.username not in rules.exempt_users


def _name(review: Review) -> str:
    """Name of the object; a request to delete a collection carries it in the object only."""
    return text(part(review.old, "metadata"), "name") or review.name


def _scaled_to_zero(review: Review, old: Json) -> Verdict:
    """Cascading: no pods wanted (absent means one) and none there. Deleting would take them without their hooks."""
    wanted = number(part(old, "spec"), "replicas", 1)
    living = number(part(old, "status"), "replicas", 0)
    if wanted > 0:
        return refuse(f"{WHILE}replicas {wanted}>0; scale it to 0 first{_who_waits(review)}")
    if living > 0:
        return refuse(f"{WHILE}replicas {living}>0; its last pods are still being deleted{_who_waits(review)}")
    return allow()


def _way_out(review: Review, plural: str) -> str:
    if plural in WORKLOADS:
        return f"or set it to {CASCADING}, scale {KINDS[plural]} {_name(review)} to 0 and delete it then"
    return f"or set it to {CASCADING}, and nothing may use {KINDS[plural]} {_name(review)} any more"


def _who_waits(review: Review) -> str:
    """What a refusal means when no person asked, but a controller that will ask again."""
    if review.username == _NAMESPACE_CONTROLLER:
        return f"; namespace {review.namespace} stays Terminating until then"
    if review.username == _COLLECTOR:
        return f"; its owner is gone, and it stays until then: {review.namespace}/{_name(review)}"
    if review.username == _CONTROLLER_MANAGER:
        return f"; its namespace {review.namespace} or its owner is gone, and it stays until then"
    return ""
