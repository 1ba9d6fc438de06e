"""``game-webhooks manifests``: prints what the API server has to be told, as YAML."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import yaml

from webhooks.configuration import configuration
from webhooks.flags import flag, listed, pair, switch
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
        "policy": policies(registration) if registration.policy else [],
        "rbac": roles(registration, account, secret) if account else [],
    }


def _failure(text: str) -> str:
    if text not in _FAILURE:
        raise argparse.ArgumentTypeError(f"Fail or Ignore, not {text!r}")
    return text


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a JSON object, not {text!r}: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"a JSON object, not {text!r}")
    return value


def _timeout(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 30:
        raise argparse.ArgumentTypeError(f"1 to 30 seconds, not {text!r}")
    return int(text)


def _service(text: str) -> tuple[str, str, int]:
    rest, _, port = text.partition(":")
    namespace, name = pair(rest)
    if port and not port.isdecimal():
        raise argparse.ArgumentTypeError(f"namespace/name:port, not {text!r}")
    return namespace, name, int(port or 443)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``manifests``."""
    flag(parser, "name", "game-operators", "name of the webhook configuration, and first part of all other names")
    flag(parser, "service", "default/game-webhooks:443", "namespace/name:port of the Service", _service)
    flag(parser, "url", "", "where the webhooks are, instead of a Service")
    flag(parser, "ca-bundle", "", "file with the authorities to trust; empty: filled in later")
    flag(parser, "inject-ca-from", "", "namespace/name of the cert-manager Certificate to trust")
    flag(parser, "labels", "{}", "labels of all objects, as JSON", _object)
    flag(parser, "protection-failure-policy", "Fail", "deletions while nobody answers: Fail or Ignore", _failure)
    flag(parser, "validation-failure-policy", "Ignore", "other changes while nobody answers: Fail or Ignore", _failure)
    flag(parser, "timeout-seconds", "5", "seconds that API servers wait for an answer", _timeout)
    flag(parser, "exclude-namespaces", "", "namespaces without protection and validation, with commas", listed)
    flag(parser, "namespace-selector", "{}", "namespaces with protection and validation, as JSON", _object)
    flag(parser, "match-conditions", "{}", "further CEL conditions, as JSON: name to expression", _object)
    flag(parser, "exempt-users", "", "users whose deletions are never judged, with commas", listed)
    flag(parser, "hookrun-creators", "", "users that alone may make HookRuns of workloads, with commas", listed)
    switch(parser, "allow-namespace-termination", default=False, text="deletions pass where the namespace is going")
    switch(parser, "validation", default=True, text="validate creations and updates")
    switch(parser, "webhooks", default=True, text="register the webhooks")
    switch(parser, "policy", default=True, text="protect by admission policies too (Kubernetes 1.30 and later)")
    flag(parser, "service-account", None, "namespace/name of the account to print roles for", pair)
    flag(parser, "certificate-secret", "", "name of the Secret of built-in certificates, for the roles")
    flag(parser, "only", ",".join(_PARTS), "which parts to print, with commas", listed)


def text(options: argparse.Namespace) -> str:
    """The manifests as YAML, one document each."""
    registration = Registration(
        name=options.name,
        service=options.service,
        url=options.url,
        ca_bundle=Path(options.ca_bundle).read_bytes() if options.ca_bundle else b"",
        inject_ca_from=options.inject_ca_from,
        labels=options.labels,
        protection_failure_policy=options.protection_failure_policy,
        validation_failure_policy=options.validation_failure_policy,
        timeout_seconds=options.timeout_seconds,
        excluded_namespaces=options.exclude_namespaces,
        namespace_selector=options.namespace_selector,
        match_conditions=options.match_conditions,
        exempt_users=options.exempt_users,
        allow_namespace_termination=options.allow_namespace_termination,
        hookrun_creators=options.hookrun_creators,
        validation=options.validation,
        webhooks=options.webhooks,
        policy=options.policy,
    )
    parts = documents(registration, options.service_account, options.certificate_secret)
    chosen = [document for name in options.only for document in parts.get(name, ())]
    return yaml.dump_all(chosen, Dumper=_Plain, sort_keys=False, explicit_start=True, width=120)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: shared parts are written out."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True
