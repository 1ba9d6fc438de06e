"""Settings of ``game-operators run``: flags, each with an environment variable GAME_OPERATORS_<FLAG>."""

from __future__ import annotations

import argparse
import os
import socket
from dataclasses import dataclass

CONTROLLERS = ("gamedeployment", "hook")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operators run. Durations in seconds."""

    controllers: tuple[str, ...]
    kubeconfig: str | None
    context: str | None
    namespace: str | None
    workers: int
    address: str
    metrics_port: int
    liveness_port: int
    resync_period: float
    leader_elect: bool
    leader_elect_namespace: str
    leader_elect_name: str
    lease_duration: float
    renew_deadline: float
    retry_period: float
    identity: str
    log_format: str
    log_level: str
    hook_allow_cidr: tuple[str, ...]


def _flag(parser: argparse.ArgumentParser, name: str, default: object, text: str, type_: type = str) -> None:
    variable = "GAME_OPERATORS_" + name.upper().replace("-", "_")
    value = os.environ.get(variable)
    parser.add_argument(
        f"--{name}",
        default=type_(value) if value is not None else default,
        type=type_,
        help=f"{text} (default: {default}; env {variable})",
    )


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise argparse.ArgumentTypeError(f"true or false, not {text!r}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``run``."""
    parser.add_argument("controllers", nargs="*", metavar="CONTROLLER", help=f"which to run: {', '.join(CONTROLLERS)}")
    _flag(parser, "kubeconfig", None, "kubeconfig file; without it in-cluster credentials, then ~/.kube/config")
    _flag(parser, "context", None, "context of the kubeconfig")
    _flag(parser, "namespace", None, "watch this namespace only")
    _flag(parser, "concurrent-syncs", 4, "passes at a time, each over another workload", int)
    _flag(parser, "address", "0.0.0.0", "address to serve metrics and health on")  # noqa: S104 - a pod's own address
    _flag(parser, "metric-port", 10251, "port of /metrics, /healthz and /readyz", int)
    _flag(parser, "liveness-port", 10252, "port of the framework's own liveness probe, /healthz", int)
    _flag(parser, "resync-period", 300.0, "seconds between two full lists of custom resources", float)
    parser.add_argument(
        "--leader-elect",
        type=_truth,
        default=_truth(os.environ.get("GAME_OPERATORS_LEADER_ELECT", "true")),
        help="lead before working (default: true; env GAME_OPERATORS_LEADER_ELECT)",
    )
    _flag(parser, "leader-elect-namespace", "default", "namespace of the Lease")
    _flag(parser, "leader-elect-name", "game-operators", "name of the Lease")
    _flag(parser, "leader-elect-lease-duration", 15.0, "seconds a Lease is good for", float)
    _flag(parser, "leader-elect-renew-deadline", 10.0, "seconds without renewal after which the leader ends", float)
    _flag(parser, "leader-elect-retry-period", 2.0, "seconds between two tries", float)
    _flag(parser, "log-format", "json", "json or text")
    _flag(parser, "log-level", "INFO", "DEBUG, INFO, WARNING or ERROR")
    _flag(parser, "hook-allow-cidr", "", "comma-separated networks that hooks may reach although refused by default")


def from_arguments(options: argparse.Namespace) -> Settings:
    """Settings of parsed flags.

    Raises:
        ValueError: an unknown controller.
    """
    unknown = [c for c in options.controllers if c not in CONTROLLERS]
    if unknown:
        raise ValueError(f"unknown controller {unknown[0]!r}: known are {', '.join(CONTROLLERS)}")
    return Settings(
        controllers=tuple(options.controllers) or CONTROLLERS,
        kubeconfig=options.kubeconfig,
        context=options.context,
        namespace=options.namespace,
        workers=options.concurrent_syncs,
        address=options.address,
        metrics_port=options.metric_port,
        liveness_port=options.liveness_port,
        resync_period=options.resync_period,
        leader_elect=options.leader_elect,
        leader_elect_namespace=options.leader_elect_namespace,
        leader_elect_name=options.leader_elect_name,
        lease_duration=options.leader_elect_lease_duration,
        renew_deadline=options.leader_elect_renew_deadline,
        retry_period=options.leader_elect_retry_period,
        identity=os.environ.get("POD_NAME") or f"{socket.gethostname()}_{os.getpid()}",
        log_format=options.log_format,
        log_level=options.log_level,
        hook_allow_cidr=tuple(c for c in options.hook_allow_cidr.split(",") if c),
    )
