"""The ValidatingWebhookConfiguration (docs/spec/admission.md 4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from operators.api import keys
from webhooks.objects import Json
from webhooks.protection import PROTECTED
from webhooks.registration import (
    DEFINITION_RULE,
    OUR_DEFINITIONS,
    UNDECIDED,
    WORKLOAD_RULE,
    FailurePolicy,
    Registration,
    metadata,
)

_SUFFIX: Final = f"game-operators.{keys.GROUP}"
_CHANGED: Final = {
    # The removal of a finalizer must pass whatever the object looks like.
    "not-ending": "!has(object.metadata.deletionTimestamp)",
    # Label, annotation and spec are all that rules look at.
    "changed": "request.operation == 'CREATE' || object.spec != oldObject.spec || "
    "(has(object.metadata.annotations) ? object.metadata.annotations : {}) != "
    "(has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}) || "
    "(has(object.metadata.labels) ? object.metadata.labels : {}) != "
    "(has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})",
}
#: Scaling in never needs us.
_SCALED_OUT: Final = {
    "scaled-out": "(has(object.spec.replicas) ? object.spec.replicas : 0) > "
    "(has(oldObject.spec.replicas) ? oldObject.spec.replicas : 0)"
}


def configuration(registration: Registration) -> dict[str, Any]:
    """The configuration: deletions fail closed, everything else as it is registered."""
    annotations = {}
    if registration.inject_ca_from:
        annotations["cert-manager.io/inject-ca-from"] = registration.inject_ca_from
    closed, validation = registration.protection_failure_policy, registration.validation_failure_policy
    webhooks = [
        _webhook(
            registration, "deletion-workload", "/validate-workload", WORKLOAD_RULE, closed, {"undecided": UNDECIDED}
        ),
        _webhook(
            registration,
            "deletion-crd",
            "/validate-crd",
            DEFINITION_RULE,
            closed,
            {"ours": OUR_DEFINITIONS, "undecided": UNDECIDED},
        ),
    ]
    if registration.validation:
        specs = _rule(["CREATE", "UPDATE"], list(PROTECTED))
        scale = _rule(["UPDATE"], ["gamedeployments/scale"])
        webhooks += [
            _webhook(registration, "spec", "/validate-spec", specs, validation, _CHANGED),
            _webhook(registration, "scale", "/validate-spec", scale, validation, _SCALED_OUT),
        ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": metadata(registration, registration.name, annotations),
        "webhooks": webhooks,
    }


def _rule(operations: list[str], resources: list[str]) -> dict[str, Any]:
    return {**WORKLOAD_RULE, "operations": operations, "resources": resources}


def _webhook(
    registration: Registration,
    name: str,
    path: str,
    rule: Json,
    failure_policy: FailurePolicy,
    conditions: Mapping[str, str],
) -> dict[str, Any]:
    body = {
        "name": f"{name}.{_SUFFIX}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client(registration, path),
        "rules": [dict(rule)],
        "matchPolicy": "Equivalent",
        "matchConditions": registration.conditions(conditions),
        "sideEffects": "None",
        "timeoutSeconds": registration.timeout_seconds,
        "failurePolicy": failure_policy,
    }
    if rule["scope"] == "Namespaced":
        body["namespaceSelector"] = registration.selector()
    return body


def _client(registration: Registration, path: str) -> dict[str, Any]:
    client: dict[str, Any] = {}
    if registration.url:
        client["url"] = registration.url.rstrip("/") + path
    else:
        namespace, name, port = registration.service
        client["service"] = {"namespace": namespace, "name": name, "port": port, "path": path}
    if registration.ca_bundle:
        client["caBundle"] = base64.b64encode(registration.ca_bundle).decode()
    return client
