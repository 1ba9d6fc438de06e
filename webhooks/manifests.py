"""``game-webhooks manifests``: prints what the API server has to be told, as YAML."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import yaml

from operators.flags import Flag, Flags, comma_separated, namespace_and_name, one_of, truth, whole_number
from webhooks.configuration import configuration
from webhooks.policies import policies
from webhooks.rbac import roles
from webhooks.registration import Registration

_FAILURE: Final = ("Fail", "Ignore")
_PARTS: Final = ("configuration", "policy", "rbac")


def documents(
    registration: Registration, account: tuple[str, str] | None = None, secret: str = ""
) -> dict[str, list[dict[str, Any]]]:
    """All manifests by part: ``configuration``, ``policy``, and ``rbac`` where a service account is named."""
    return {
        "configuration": [configuration(registration)] if registration.webhooks else [],
        "policy": policies(registration, account) if registration.policy else [],
        "rbac": roles(registration, account, secret) if account else [],
    }


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"must be a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def _service(text: str) -> tuple[str, str, int]:
    rest, _, port = text.partition(":")
    if port and not port.isdecimal():
        raise ValueError("must be namespace/name:port")
    namespace, name = namespace_and_name(rest)
    return namespace, name, int(port or 443)


FLAGS: Final = Flags(
    "GAME_WEBHOOKS_",
    (
        Flag("name", "game-operators", str, "name of the webhook configuration, and first part of all other names"),
        Flag("service", "default/game-webhooks:443", _service, "namespace/name:port of the Service"),
        Flag("url", "", str, "where the webhooks are, instead of a Service"),
        Flag("ca-bundle", "", str, "file with the authorities to trust; empty: filled in later"),
        Flag("inject-ca-from", "", str, "namespace/name of the cert-manager Certificate to trust"),
        Flag("labels", "{}", _object, "labels of all objects, as JSON"),
        Flag("protection-failure-policy", "Fail", one_of(_FAILURE), "deletions while nobody answers: Fail or Ignore"),
        Flag(
            "validation-failure-policy",
            "Ignore",
            one_of(_FAILURE),
            "other changes while nobody answers: Fail or Ignore",
        ),
        Flag("timeout-seconds", "5", whole_number(1, 30), "seconds that API servers wait for an answer"),
        Flag(
            "exclude-namespaces",
            "",
            comma_separated,
            "namespaces without protection and validation, with commas",
            stored_as="excluded_namespaces",
        ),
        Flag("namespace-selector", "{}", _object, "namespaces with protection and validation, as JSON"),
        Flag("match-conditions", "{}", _object, "further CEL conditions, as JSON: name to expression"),
        Flag("exempt-users", "", comma_separated, "users whose deletions are never judged, with commas"),
        Flag("hookrun-creators", "", comma_separated, "users that alone may make HookRuns of workloads, with commas"),
        Flag(
            "hookrun-kinds",
            ",".join(Registration().hookrun_kinds),
            comma_separated,
            "kinds of those workloads, with commas",
        ),
        Flag("protect-namespaces", "false", truth, "refuse the deletion of labelled namespaces", switch=True),
        Flag("allow-namespace-termination", "false", truth, "deletions pass where the namespace is going", switch=True),
        Flag("validation", "true", truth, "validate creations and updates", switch=True),
        Flag("try-templates", "true", truth, "rights to try pod templates by dry runs", switch=True),
        Flag("webhooks", "true", truth, "register the webhooks", switch=True),
        Flag("policy", "true", truth, "protect by admission policies too (Kubernetes 1.30 and later)", switch=True),
        Flag("service-account", None, namespace_and_name, "namespace/name of the account to print roles for"),
        Flag("certificate-secret", "", str, "name of the Secret of built-in certificates, for the roles"),
        Flag("only", ",".join(_PARTS), comma_separated, "which parts to print, with commas"),
    ),
)


def text(options: argparse.Namespace) -> str:
    """The manifests as YAML, one document each.

    Raises:
        InvalidSettings: a value cannot be used.
        OSError: the file with the authorities cannot be read.
    """
    values = FLAGS.read(options)
    taken = {field.name: values[field.name] for field in fields(Registration) if field.name in values}
    bundle = Path(values["ca_bundle"]).read_bytes() if values["ca_bundle"] else b""
    parts = documents(
        Registration(**{**taken, "ca_bundle": bundle}), values["service_account"], values["certificate_secret"]
    )
    chosen = [document for name in values["only"] for document in parts.get(name, ())]
    return yaml.dump_all(chosen, Dumper=_Plain, sort_keys=False, explicit_start=True, width=120)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: shared parts are written out."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True
