"""What the API server asks us about, and what happens when we do not answer.

The webhook configuration and the admission policy are made from one `Registration`, so that both layers cover the same
objects. No webhook is asked about pods or nodes: an outage can refuse changes to our own kinds only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from operators.api import keys
from webhooks.objects import Json
from webhooks.protection import ALWAYS, DEFINITIONS, KINDS, LABEL, PROTECTED, WORKLOADS

FailurePolicy = Literal["Fail", "Ignore"]
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Registration:
    """How the webhooks are made known to the API server.

    Either ``service`` (namespace, name, port) or ``url`` says where they are. ``ca_bundle`` (PEM) stays empty where it
    is filled in later: by the webhooks themselves, or by cert-manager (``inject_ca_from``, namespace/certificate).

    ``hookrun_creators`` are the users that alone may make HookRuns that a workload of ``hookrun_kinds`` controls;
    without a user or without a kind everybody may. ``protect_namespaces`` refuses the deletion of labelled namespaces.
    ``try_templates``: validation tries pod templates, for which it needs rights.
    """

    name: str = "game-operators"
    service: tuple[str, str, int] = ("default", "game-webhooks", 443)
    url: str = ""
    ca_bundle: bytes = b""
    inject_ca_from: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    protection_failure_policy: FailurePolicy = "Fail"
    validation_failure_policy: FailurePolicy = "Ignore"
    timeout_seconds: int = 5
    excluded_namespaces: Sequence[str] = ()
    namespace_selector: Json = field(default_factory=dict)
    match_conditions: Mapping[str, str] = field(default_factory=dict)
    exempt_users: Sequence[str] = ()
    allow_namespace_termination: bool = False
    hookrun_creators: Sequence[str] = ()
    hookrun_kinds: Sequence[str] = tuple(KINDS[plural] for plural in WORKLOADS)
    protect_namespaces: bool = False
    validation: bool = True
    try_templates: bool = True
    webhooks: bool = True
    policy: bool = True

    @property
    def tries_templates(self) -> bool:
        """The webhooks try templates, for which they have to be able to create pods."""
        return self.webhooks and self.validation and self.try_templates

    def selector(self) -> dict[str, Any]:
        """The namespaces we are asked about; for objects outside of namespaces it has no meaning."""
        selector = dict(self.namespace_selector)
        if self.excluded_namespaces:
            outside = {"key": NAMESPACE_LABEL, "operator": "NotIn", "values": list(self.excluded_namespaces)}
            selector["matchExpressions"] = [*selector.get("matchExpressions", ()), outside]
        return selector

    def conditions(self, own: Mapping[str, str]) -> list[dict[str, str]]:
        """CEL conditions, ours and then the owner's, all of which must hold for us to be asked."""
        every = {**own, **self.match_conditions}
        if self.exempt_users:
            every["not-exempt"] = f"!(request.userInfo.username in {cel_list(self.exempt_users)})"
        return [{"name": name, "expression": expression} for name, expression in every.items()]


def cel_list(values: Sequence[str]) -> str:
    """A CEL list of texts."""
    escaped = (value.replace("\\", "\\\\").replace("'", "\\'") for value in values)
    return "[" + ", ".join(f"'{value}'" for value in escaped) + "]"


_LABELLED: Final = f"has(oldObject.metadata.labels) && '{LABEL}' in oldObject.metadata.labels"
#: CEL: the label of the object that is to be deleted is this.
LABEL_IS: Final = f"({_LABELLED} && oldObject.metadata.labels['{LABEL}'] == '{{}}')"
#: CEL: one of our definitions; a request to delete a collection carries the name in the object only.
OUR_DEFINITIONS: Final = f"oldObject.metadata.name in {cel_list(list(DEFINITIONS))}"
#: CEL: not labelled Always, which is always allowed, even while nobody answers.
UNDECIDED: Final = "!" + LABEL_IS.format(ALWAYS)

WORKLOAD_RULE: Final[Json] = {
    "operations": ["DELETE"],
    "apiGroups": [keys.GROUP],
    "apiVersions": [keys.VERSION],
    "resources": list(PROTECTED),
    "scope": "Namespaced",
}
DEFINITION_RULE: Final[Json] = {
    "operations": ["DELETE"],
    "apiGroups": ["apiextensions.k8s.io"],
    "apiVersions": ["v1"],
    "resources": ["customresourcedefinitions"],
    "scope": "Cluster",
}
NAMESPACE_RULE: Final[Json] = {
    "operations": ["DELETE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["namespaces"],
    "scope": "Cluster",
}


def metadata(registration: Registration, name: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Metadata of one of our objects."""
    body: dict[str, Any] = {"name": name}
    if registration.labels:
        body["labels"] = dict(registration.labels)
    if annotations:
        body["annotations"] = dict(annotations)
    return body
