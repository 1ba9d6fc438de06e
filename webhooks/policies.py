"""The second layer: those rules that CEL can express, evaluated inside the API server.

A ValidatingAdmissionPolicy needs no server, no certificate and no network, so it goes on protecting while the webhooks
are down or already uninstalled. It cannot count: what is labelled Cascading and needs counting is left to the webhooks,
or, where there are none, refused (docs/spec/admission.md 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from operators.api.keys import PROTECTED_NAMESPACE_LABEL
from webhooks.objects import Json
from webhooks.protection import (
    ALWAYS,
    CASCADING,
    DEFAULT,
    LABEL,
    LABEL_VALUES,
    WHILE,
    WORKLOADS,
)
from webhooks.registration import (
    DEFINITION_RULE,
    NAMESPACE_RULE,
    OUR_DEFINITIONS,
    WORKLOAD_RULE,
    Registration,
    cel_list,
    metadata,
)

_API: Final = "admissionregistration.k8s.io/v1"
#: CEL variables; absent replicas mean one pod, and pods that are still there count too.
_VARIABLES: Final[Mapping[str, str]] = {
    "label": f"has(oldObject.metadata.labels) && '{LABEL}' in oldObject.metadata.labels "
    f"? oldObject.metadata.labels['{LABEL}'] : ''",
    "workload": f"request.resource.resource in {cel_list(WORKLOADS)}",
    "replicas": "has(oldObject.spec.replicas) ? oldObject.spec.replicas : 1",
    "living": "has(oldObject.status) && has(oldObject.status.replicas) ? oldObject.status.replicas : 0",
}
_COUNTED: Final = "only the webhooks can count what depends on it, and they are not installed"


def policies(registration: Registration, account: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """Policies and their bindings; ``account`` (namespace, name) is that of the webhooks."""
    found = [*_deletion(registration)]
    if registration.hookrun_creators and registration.hookrun_kinds:
        found += _hookruns(registration)
    if registration.protect_namespaces:
        found += _namespaces(registration)
    if account is not None and registration.tries_templates:
        found += _dry_runs(registration, account)
    return found


def _deletion(registration: Registration) -> list[dict[str, Any]]:
    objects, definitions = f"{registration.name}-deletion", f"{registration.name}-deletion-crd"
    said = f"{DEFAULT}; {_COUNTED}"
    counted = [] if registration.webhooks else [_refuse(f"variables.label != '{CASCADING}'", said)]
    templates = (
        [] if registration.webhooks else [_refuse(f"variables.workload || variables.label != '{CASCADING}'", said)]
    )
    rules = [_LABELLED, *_scaled_to_zero(), *templates]
    return [
        _policy(
            registration,
            objects,
            WORKLOAD_RULE,
            registration.conditions({}),
            [_spared(rule) for rule in rules] if registration.allow_namespace_termination else rules,
            _VARIABLES,
        ),
        _binding(registration, objects, namespaced=True),
        _policy(
            registration,
            definitions,
            DEFINITION_RULE,
            registration.conditions({"ours": OUR_DEFINITIONS}),
            [_LABELLED, *counted],
            {"label": _VARIABLES["label"]},
        ),
        _binding(registration, definitions, namespaced=False),
    ]


def _spared(rule: Mapping[str, str]) -> dict[str, str]:
    """The same rule where a namespace that ends takes everything along. Match conditions do not see namespaces."""
    ending = "namespaceObject != null && has(namespaceObject.metadata.deletionTimestamp)"
    return {**rule, "expression": f"({ending}) || ({rule['expression']})"}


def _refuse(unless: str, message: str, expression: str = "") -> dict[str, str]:
    body = {"expression": unless, "message": message, "reason": "Forbidden"}
    if expression:
        body["messageExpression"] = expression
    return body


_LABELLED: Final = _refuse(f"variables.label in {cel_list(LABEL_VALUES)}", DEFAULT)


def _scaled_to_zero() -> list[dict[str, str]]:
    """Two rules, so that each message has its own number."""
    concerned = f"variables.workload && variables.label == '{CASCADING}'"
    wanted, living = "scale it to 0 first", "its last pods are still being deleted"
    message = f"'{WHILE}replicas ' + string(variables.{{}}) + '>0; {{}}'"
    return [
        _refuse(
            f"!({concerned} && variables.replicas > 0)",
            f"{WHILE}replicas>0; {wanted}",
            message.format("replicas", wanted),
        ),
        _refuse(
            f"!({concerned} && variables.replicas <= 0 && variables.living > 0)",
            f"{WHILE}replicas>0; {living}",
            message.format("living", living),
        ),
    ]


def _hookruns(registration: Registration) -> list[dict[str, Any]]:
    """H13: only the operators make HookRuns that speak for a workload, for such a run lets pods be deleted.

    An update may keep the workload that controls the run, the same by kind, name and UID, but bring no other one.
    """
    name = f"{registration.name}-hookrun-owner"
    rule = {**WORKLOAD_RULE, "operations": ["CREATE", "UPDATE"], "resources": ["hookruns"]}
    owners = "has({0}.metadata.ownerReferences) && {0}.metadata.ownerReferences.exists({1})"
    same = "b, has(b.controller) && b.controller && b.kind == r.kind && b.name == r.name && b.uid == r.uid"
    kept = f"request.operation == 'UPDATE' && {owners.format('oldObject', same)}"
    by_workload = f"has(r.controller) && r.controller && r.kind in {cel_list(registration.hookrun_kinds)}"
    gained = owners.format("object", f"r, {by_workload} && !({kept})")
    foreign = f"!(request.userInfo.username in {cel_list(registration.hookrun_creators)})"
    said = (
        "only the operators may make HookRuns that a workload controls: their success lets pods be deleted or updated"
    )
    return [
        _policy(
            registration, name, rule, registration.conditions({"foreign": foreign}), [_refuse(f"!({gained})", said)]
        ),
        _binding(registration, name, namespaced=True),
    ]


def _namespaces(registration: Registration) -> list[dict[str, Any]]:
    """Opt-in: a labelled namespace is not deleted by mistake.

    The namespace controller deletes pods whatever becomes of their workloads, so the namespace itself is the last thing
    that can be refused. One that is ending already is left to it.
    """
    name = f"{registration.name}-namespace"
    labels = "oldObject.metadata.labels"
    variables = {
        "label": _VARIABLES["label"],
        "protected": f"has({labels}) && '{PROTECTED_NAMESPACE_LABEL}' in {labels} "
        f"&& {labels}['{PROTECTED_NAMESPACE_LABEL}'] != 'false'",
    }
    way = "deleting a namespace ends its pods within seconds, without their hooks: scale its workloads to 0 first"
    rule = _refuse(f"!variables.protected || variables.label == '{ALWAYS}'", f"{DEFAULT}; {way}")
    conditions = registration.conditions({"not-ending": "!has(oldObject.metadata.deletionTimestamp)"})
    return [
        _policy(registration, name, NAMESPACE_RULE, conditions, [rule], variables),
        _binding(registration, name, namespaced=True),
    ]


def _dry_runs(registration: Registration, account: tuple[str, str]) -> list[dict[str, Any]]:
    """The webhooks may create pods to try templates, which is a strong right: nothing of it is ever stored."""
    name = f"{registration.name}-dry-run"
    rule = {
        "operations": ["CREATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods", "podtemplates"],
        "scope": "Namespaced",
    }
    namespace, user = account
    webhooks = {
        "name": "webhooks",
        "expression": f"request.userInfo.username == 'system:serviceaccount:{namespace}:{user}'",
    }
    dry = _refuse("has(request.dryRun) && request.dryRun", "the webhooks create pods and PodTemplates by dry runs only")
    return [
        _policy(registration, name, rule, [webhooks], [dry]),
        _binding(registration, name, namespaced=False),
    ]


def _policy(
    registration: Registration,
    name: str,
    rule: Json,
    conditions: Sequence[Json],
    validations: Sequence[Json],
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": [dict(rule)]},
        "validations": [dict(v) for v in validations],
    }
    if variables:
        spec["variables"] = [{"name": name, "expression": expression} for name, expression in variables.items()]
    if conditions:
        spec["matchConditions"] = list(conditions)
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(registration, name),
        "spec": spec,
    }


def _binding(registration: Registration, policy: str, *, namespaced: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"policyName": policy, "validationActions": ["Deny"]}
    if namespaced and registration.selector():
        spec["matchResources"] = {"namespaceSelector": registration.selector()}
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata(registration, policy),
        "spec": spec,
    }
