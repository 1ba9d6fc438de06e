"""The roles of the webhooks' service account: the rights they need, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from operators.api import keys
from webhooks.protection import KINDS
from webhooks.registration import Registration, metadata

_API: Final = "rbac.authorization.k8s.io/v1"


def roles(registration: Registration, account: tuple[str, str], secret: str) -> list[dict[str, Any]]:
    """Roles and bindings of a service account (namespace, name).

    ``secret`` is the Secret of the built-in certificates, "" where certificates come from elsewhere.
    """
    name, namespace = f"{registration.name}-webhooks", account[0]
    rules = [
        _rule(keys.GROUP, list(KINDS), ["list"]),
        _rule(keys.GROUP, ["gamedeployments", "hooktemplates"], ["get"]),
    ]
    if registration.tries_templates:
        rules.append(_rule("", ["pods", "podtemplates"], ["create"]))
    if registration.allow_namespace_termination:
        rules.append(_rule("", ["namespaces"], ["get"]))
    if secret:
        group = "admissionregistration.k8s.io"
        rules.append(_rule(group, ["validatingwebhookconfigurations"], ["get", "patch"], registration.name))
    found = [*_role_and_binding(registration, name, "", rules, account)]
    if secret:
        found += _role_and_binding(
            registration, name, namespace, [_rule("", ["secrets"], ["get", "update"], secret)], account
        )
    return found


def _rule(group: str, resources: list[str], verbs: list[str], name: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    if name:
        body["resourceNames"] = [name]
    return body


def _role_and_binding(
    registration: Registration,
    name: str,
    namespace: str,
    rules: list[dict[str, Any]],
    account: tuple[str, str],
) -> list[dict[str, Any]]:
    """A role and its binding; in one namespace, or, without one, everywhere."""
    scope = "" if namespace else "Cluster"
    about = metadata(registration, name) | ({"namespace": namespace} if namespace else {})
    subject = {"kind": "ServiceAccount", "namespace": account[0], "name": account[1]}
    reference: Mapping[str, str] = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": f"{scope}Role",
        "name": name,
    }
    return [
        {"apiVersion": _API, "kind": f"{scope}Role", "metadata": about, "rules": rules},
        {
            "apiVersion": _API,
            "kind": f"{scope}RoleBinding",
            "metadata": about,
            "roleRef": dict(reference),
            "subjects": [subject],
        },
    ]
