"""ManagerSettings of ``game-operators run``: flags, each with an environment variable GAME_OPERATORS_<FLAG>."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from operators import logs
from operators.flags import (
    Flag,
    Flags,
    InvalidSettings,
    comma_separated,
    namespace_and_name,
    not_empty,
    one_of,
    port,
    seconds,
    seconds_or_none,
    truth,
    whole_number,
)
from operators.kube.credentials import SERVICE_ACCOUNT

CONTROLLERS = ("gamedeployment", "gamestatefulset", "hook")


@dataclass(frozen=True, slots=True)
class ManagerSettings:
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
    node_lost_delay: float
    node_sick_delay: float
    hook_deny_cidr: tuple[str, ...]
    hook_deny_service: tuple[tuple[str, str], ...]
    hook_allow_node_ports: tuple[range, ...]
    hook_cpu_limit: float
    protect_namespaces: bool


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part, strict=False)) for part in comma_separated(text))


def _services(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(namespace_and_name(part) for part in comma_separated(text))


def _port_ranges(text: str) -> tuple[range, ...]:
    """Ranges like 7000-8000, and single ports."""
    found = []
    for part in comma_separated(text):
        first, dash, last = part.partition("-")
        least, most = port(first), port(last if dash else first)
        if least > most:
            raise ValueError(f"{part!r} ends before it begins")
        found.append(range(least, most + 1))
    return tuple(found)


def _home_namespace() -> str:
    """The namespace this pod is in, ``default`` outside a cluster."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="ascii").strip() or "default"
    except OSError:
        return "default"


_FLAGS = (
    Flag(
        "kubeconfig kubeConfig",
        None,
        not_empty,
        "kubeconfig file; without it the pod's service account, outside a pod the user's own kubeconfig",
    ),
    Flag("context", None, not_empty, "context of the kubeconfig; without it its current one"),
    Flag("namespace", None, not_empty, "work in this namespace only, with rights in it alone"),
    Flag(
        "concurrent-syncs workers concurrent-gamedeployment-syncs concurrent-statefulset-syncs",
        "4",
        whole_number(1, 1000),
        "passes at a time, each over another workload",
        stored_as="workers",
    ),
    Flag("address", "0.0.0.0", not_empty, "address to serve metrics and health on"),  # noqa: S104 - a pod's
    Flag("metric-port", "10251", port, "port of /metrics, /healthz and /readyz", stored_as="metrics_port"),
    Flag("liveness-port health-port", "10252", port, "port of the framework's own probe, /healthz"),
    Flag(
        "resync-period",
        "300",
        seconds,
        "seconds after which custom resources are listed and every workload is looked at, even if nothing happened",
    ),
    Flag("leader-elect", "true", truth, "lead before working; false only for a single replica"),
    Flag("leader-elect-namespace", _home_namespace(), not_empty, "namespace of the Lease; the pod's own in a cluster"),
    Flag("leader-elect-name", "game-operators", not_empty, "name of the Lease"),
    Flag("leader-elect-lease-duration", "15", seconds, "seconds a Lease is good for", stored_as="lease_duration"),
    Flag(
        "leader-elect-renew-deadline",
        "10",
        seconds,
        "seconds without renewal after which the leader ends",
        stored_as="renew_deadline",
    ),
    Flag("leader-elect-retry-period", "2", seconds, "seconds between two tries", stored_as="retry_period"),
    Flag("log-format", "json", one_of(logs.FORMATS), "json or text"),
    Flag("log-level", "INFO", one_of(logs.LEVELS, str.upper), "DEBUG, INFO, WARNING or ERROR"),
    Flag(
        "hook-allow-cidr hook-allow-cidrs",
        "",
        _networks,
        "comma-separated networks that hooks may reach although they are refused by default",
    ),
    Flag(
        "node-lost-delay",
        "0",
        seconds_or_none,
        "seconds beyond its own time to end that a pod gets on a node nobody hears of, before its place is given away",
    ),
    Flag("node-sick-delay", "60", seconds_or_none, "the same on a node whose kubelet says that it is not ready"),
    Flag(
        "protect-namespaces",
        "false",
        truth,
        "label namespaces that hold protected workloads, for the admission policy that refuses their deletion; needs "
        "the rights to get, list and patch namespaces",
    ),
    Flag(
        "hook-cpu-limit",
        "0.25",
        seconds,
        "seconds of CPU that reading and judging one measurement may take; one that takes more ends as Error",
    ),
    Flag(
        "hook-deny-cidr hook-deny-cidrs",
        "",
        _networks,
        "comma-separated networks that hooks may not reach although they may by default",
    ),
    Flag(
        "hook-deny-service hook-deny-services",
        "default/kubernetes",
        _services,
        "comma-separated Services, as namespace/name, that hooks may reach neither by their own addresses nor by those "
        "of their endpoints: the API server, and in the chart the operators and the webhooks",
    ),
    Flag(
        "hook-allow-node-ports hook-allow-node-port",
        "",
        _port_ranges,
        "comma-separated ports and ranges of ports, like 7000-8000, that hooks may reach on the cluster's nodes: those "
        "of game servers with hostNetwork or hostPort; by default none",
    ),
)
FLAGS = Flags("GAME_OPERATORS_", _FLAGS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The controllers and the flags of ``run``."""
    parser.add_argument(
        "controllers",
        nargs="*",
        metavar="CONTROLLER",
        help=f"which to run: {', '.join(CONTROLLERS)}; all when none is named (env GAME_OPERATORS_CONTROLLERS)",
    )
    FLAGS.add_to(parser)


def from_arguments(options: argparse.Namespace, environment: Mapping[str, str] | None = None) -> ManagerSettings:
    """ManagerSettings of parsed flags, of the environment where a flag is not given, else by default.

    Raises:
        InvalidSettings: an unknown controller, a value that cannot be, or times that do not fit together.
    """
    variables = os.environ if environment is None else environment
    values = FLAGS.read(options, variables)
    if not values["retry_period"] < values["renew_deadline"] < values["lease_duration"]:
        raise InvalidSettings(
            "--leader-elect-retry-period must be less than --leader-elect-renew-deadline, "
            "and that less than --leader-elect-lease-duration"
        )
    named = tuple(options.controllers) or tuple(
        variables.get("GAME_OPERATORS_CONTROLLERS", "").replace(",", " ").split()
    )
    unknown = [c for c in named if c not in CONTROLLERS]
    if unknown:
        raise InvalidSettings(f"unknown controller {unknown[0]!r}: known are {', '.join(CONTROLLERS)}")
    identity = variables.get("POD_NAME") or f"{socket.gethostname()}_{os.getpid()}"
    chosen = tuple(c for c in CONTROLLERS if c in named) or CONTROLLERS
    return ManagerSettings(controllers=chosen, identity=identity, **values)
