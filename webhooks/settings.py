"""WebhookSettings of ``game-webhooks serve``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from operators import logs
from operators.flags import (
    Flag,
    Flags,
    InvalidSettings,
    comma_separated,
    namespace_and_name,
    one_of,
    port,
    seconds,
    truth,
)
from webhooks.judging import Options
from webhooks.protection import Rules
from webhooks.rotation import Policy
from webhooks.validation.trials import FIELD_VALIDATION, Strictness


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate that somebody else renews."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A certificate of our own: the Secret it is kept in, and the configurations that are to trust it."""

    secret: tuple[str, str]
    configurations: tuple[str, ...]
    policy: Policy
    period: float


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How the webhooks run. Durations in seconds."""

    address: str
    port: int
    metrics_port: int
    certificate: Files | BuiltIn
    client_authority: str
    options: Options
    try_templates: bool
    template_strictness: Strictness
    kubeconfig: str
    context: str
    lookup_timeout: float
    drain: float
    log_format: str
    log_level: str


FLAGS: Final = Flags(
    "GAME_WEBHOOKS_",
    (
        Flag("webhook-address", "0.0.0.0", str, "address to serve reviews on", stored_as="address"),  # noqa: S104
        Flag("webhook-port", "9443", port, "port of reviews, TLS", stored_as="port"),
        Flag(
            "metric-port",
            "10253",
            port,
            "port of /metrics, /healthz, /livez and /readyz, plain",
            stored_as="metrics_port",
        ),
        Flag("tlscert", "", str, "certificate chain in a file, PEM, read again when it changes"),
        Flag("tlskey", "", str, "its key"),
        Flag(
            "tlsca",
            "",
            str,
            "authorities in a file; callers then need a certificate by one of them",
            stored_as="client_authority",
        ),
        Flag("certificate-secret", None, namespace_and_name, "namespace/name of the Secret of built-in certificates"),
        Flag("service", None, namespace_and_name, "namespace/name of the Service, whose names certificates are for"),
        Flag("certificate-names", "", comma_separated, "further names and addresses, separated by commas"),
        Flag("webhook-configuration", "", comma_separated, "configurations that are to trust built-in certificates"),
        Flag("certificate-validity", "31536000", seconds, "seconds that a certificate is good for"),
        Flag("authority-validity", "94608000", seconds, "seconds that the authority is good for"),
        Flag("rotation-settle", "60", seconds, "seconds from trusting a new authority to using it"),
        Flag("rotation-overlap", "3600", seconds, "seconds that the old authority is trusted on"),
        Flag("certificate-period", "30", seconds, "seconds between two looks at certificates; files: 5 at most"),
        Flag("exempt-users", "", comma_separated, "users whose deletions are never refused, separated by commas"),
        Flag(
            "allow-namespace-termination",
            "false",
            truth,
            "accept deletions in namespaces that are being deleted; this weakens the protection",
            switch=True,
        ),
        Flag("strict-inplace", "false", truth, "refuse changes that are not possible in place", switch=True),
        Flag("enable-hotpatch", "false", truth, "accept HotPatchUpdate: the nodes have a patched kubelet", switch=True),
        Flag("try-templates", "true", truth, "try new pod templates by dry runs before they count", switch=True),
        Flag(
            "template-strictness",
            "Refuse",
            one_of(tuple(FIELD_VALIDATION)),
            "unknown fields in pod templates: Refuse, Warn or Ignore",
        ),
        Flag("kubeconfig", "", str, "kubeconfig file; without it the pod's own credentials"),
        Flag("context", "", str, "context of the kubeconfig"),
        Flag("lookup-timeout", "3", seconds, "seconds for one read from the API server"),
        Flag("drain", "10", seconds, "seconds of serving on after SIGTERM, until callers have turned away"),
        Flag("log-format", "json", one_of(logs.FORMATS), "json or text"),
        Flag("log-level", "INFO", one_of(logs.LEVELS, str.upper), "DEBUG, INFO, WARNING or ERROR"),
    ),
)


def from_arguments(options: argparse.Namespace, environment: Mapping[str, str] | None = None) -> WebhookSettings:
    """WebhookSettings of parsed flags, of the environment where a flag is not given, else by default.

    Raises:
        InvalidSettings: a value cannot be used, or there is not exactly one way to a certificate.
    """
    values = FLAGS.read(options, environment)
    taken = {field.name: values[field.name] for field in fields(WebhookSettings) if field.name in values}
    rules = Rules(frozenset(values["exempt_users"]), values["allow_namespace_termination"])
    chosen = Options(rules=rules, strict_inplace=values["strict_inplace"], enable_hotpatch=values["enable_hotpatch"])
    return WebhookSettings(certificate=_certificate(values), options=chosen, **taken)


def _certificate(values: Mapping[str, Any]) -> Files | BuiltIn:
    if bool(values["tlscert"]) != bool(values["tlskey"]):
        raise InvalidSettings("--tlscert and --tlskey go together")
    if values["tlscert"] and values["certificate_secret"]:
        raise InvalidSettings("either --tlscert and --tlskey, or --certificate-secret")
    if values["tlscert"]:
        return Files(Path(values["tlscert"]), Path(values["tlskey"]))
    if not values["certificate_secret"]:
        raise InvalidSettings("reviews need TLS: give --tlscert and --tlskey, or --certificate-secret")
    names = [*_service_names(values["service"]), *values["certificate_names"]]
    if not names:
        raise InvalidSettings(
            "--certificate-secret needs --service or --certificate-names: what is the certificate for?"
        )
    policy = Policy(
        tuple(names),
        timedelta(seconds=values["authority_validity"]),
        timedelta(seconds=values["certificate_validity"]),
        timedelta(seconds=values["rotation_settle"]),
        timedelta(seconds=values["rotation_overlap"]),
    )
    secret = values["certificate_secret"]
    return BuiltIn(secret, values["webhook_configuration"], policy, values["certificate_period"])


def _service_names(service: tuple[str, str] | None) -> list[str]:
    """The name API servers use comes first."""
    if service is None:
        return []
    namespace, name = service
    return [f"{name}.{namespace}.svc", f"{name}.{namespace}", name, f"{name}.{namespace}.svc.cluster.local"]
