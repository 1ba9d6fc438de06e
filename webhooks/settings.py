"""Settings of ``game-webhooks serve``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from webhooks.flags import flag, listed, pair, seconds, switch
from webhooks.handlers import Options
from webhooks.protection import Rules
from webhooks.rotation import Policy


class BadSettings(ValueError):
    """Flags that do not go together; the text says which."""


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
class Settings:
    """How the webhooks run. Durations in seconds."""

    address: str
    port: int
    metrics_port: int
    certificate: Files | BuiltIn
    client_authority: str
    options: Options
    kubeconfig: str
    context: str
    lookup_timeout: float
    drain: float
    log_format: str
    log_level: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``serve``."""
    flag(parser, "webhook-address", "0.0.0.0", "address to serve reviews on")  # noqa: S104 - a pod's own address
    flag(parser, "webhook-port", 9443, "port of reviews, TLS", int)
    flag(parser, "metric-port", 10253, "port of /metrics, /healthz, /livez and /readyz, plain", int)
    flag(parser, "tlscert", "", "certificate chain in a file, PEM, read again when it changes")
    flag(parser, "tlskey", "", "its key")
    flag(parser, "tlsca", "", "authorities in a file; callers then need a certificate by one of them")
    flag(parser, "certificate-secret", None, "namespace/name of the Secret of built-in certificates", pair)
    flag(parser, "service", None, "namespace/name of the Service, whose names certificates are for", pair)
    flag(parser, "certificate-names", "", "further names and addresses, separated by commas", listed)
    flag(parser, "webhook-configuration", "", "configurations that are to trust built-in certificates", listed)
    flag(parser, "certificate-validity", 365 * 86400.0, "seconds that a certificate is good for", seconds)
    flag(parser, "authority-validity", 3 * 365 * 86400.0, "seconds that the authority is good for", seconds)
    flag(parser, "rotation-settle", 60.0, "seconds from trusting a new authority to using it", seconds)
    flag(parser, "rotation-overlap", 3600.0, "seconds that the old authority is trusted on", seconds)
    flag(parser, "certificate-period", 30.0, "seconds between two looks at certificates; files: 5 at most", seconds)
    flag(parser, "exempt-users", "", "users whose deletions are never refused, separated by commas", listed)
    switch(
        parser,
        "allow-namespace-termination",
        default=False,
        text="accept deletions in namespaces that are being deleted; this weakens the protection",
    )
    switch(parser, "strict-inplace", default=False, text="refuse changes that are not possible in place")
    switch(parser, "enable-hotpatch", default=False, text="accept HotPatchUpdate: the nodes have a patched kubelet")
    flag(parser, "kubeconfig", "", "kubeconfig file; without it the pod's own credentials")
    flag(parser, "context", "", "context of the kubeconfig")
    flag(parser, "lookup-timeout", 3.0, "seconds for one read from the API server", seconds)
    flag(parser, "drain", 10.0, "seconds of serving on after SIGTERM, until callers have turned away", seconds)
    flag(parser, "log-format", "json", "json or text")
    flag(parser, "log-level", "INFO", "DEBUG, INFO, WARNING or ERROR")


def from_arguments(options: argparse.Namespace) -> Settings:
    """Settings of parsed flags.

    Raises:
        BadSettings: no way to a certificate, or more than one.
    """
    return Settings(
        address=options.webhook_address,
        port=options.webhook_port,
        metrics_port=options.metric_port,
        certificate=_certificate(options),
        client_authority=options.tlsca,
        options=Options(
            rules=Rules(frozenset(options.exempt_users), options.allow_namespace_termination),
            strict_inplace=options.strict_inplace,
            enable_hotpatch=options.enable_hotpatch,
        ),
        kubeconfig=options.kubeconfig,
        context=options.context,
        lookup_timeout=options.lookup_timeout,
        drain=options.drain,
        log_format=options.log_format,
        log_level=options.log_level,
    )


def _certificate(options: argparse.Namespace) -> Files | BuiltIn:
    if bool(options.tlscert) != bool(options.tlskey):
        raise BadSettings("--tlscert and --tlskey go together")
    if options.tlscert and options.certificate_secret:
        raise BadSettings("either --tlscert and --tlskey, or --certificate-secret")
    if options.tlscert:
        return Files(Path(options.tlscert), Path(options.tlskey))
    if not options.certificate_secret:
        raise BadSettings("reviews need TLS: give --tlscert and --tlskey, or --certificate-secret")
    names = [*_service_names(options.service), *options.certificate_names]
    if not names:
        raise BadSettings("--certificate-secret needs --service or --certificate-names: what is the certificate for?")
    policy = Policy(
        tuple(names),
        timedelta(seconds=options.authority_validity),
        timedelta(seconds=options.certificate_validity),
        timedelta(seconds=options.rotation_settle),
        timedelta(seconds=options.rotation_overlap),
    )
    secret = options.certificate_secret
    return BuiltIn(secret, options.webhook_configuration, policy, options.certificate_period)


def _service_names(service: tuple[str, str] | None) -> list[str]:
    """The name API servers use comes first."""
    if service is None:
        return []
    namespace, name = service
    return [f"{name}.{namespace}.svc", f"{name}.{namespace}", name, f"{name}.{namespace}.svc.cluster.local"]
