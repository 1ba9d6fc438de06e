"""Settings of ``game-operators run``: flags, each with an environment variable GAME_OPERATORS_<FLAG>."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operators import logs
from operators.kube.credentials import SERVICE_ACCOUNT

CONTROLLERS = ("gamedeployment", "gamestatefulset", "hook")


class WrongSetting(ValueError):
    """A flag, a variable or several together that cannot be; the text names them."""


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
    node_lost_delay: float
    node_sick_delay: float
    hook_deny_cidr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. ``names`` are all its spellings: the first is ours, the others those of the Go operators."""

    names: tuple[str, ...]
    field: str
    default: Any
    parse: Callable[[str], Any]
    text: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "GAME_OPERATORS_" + self.names[0].upper().replace("-", "_")

    @property
    def shown(self) -> str:
        """The default, for people."""
        if isinstance(self.default, float):
            return f"{self.default:g}"
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return "" if self.default in (None, ()) else str(self.default)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError(f"must be from {least} to {most}")
        return number

    return parse


def _seconds(text: str) -> float:
    """Seconds, plain or as Go writes them: 15, 1.5, 15s, 2m."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    seconds = float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError("must be more than nothing")
    return seconds


def _delay(text: str) -> float:
    """Seconds as above, or none."""
    return 0.0 if text.strip() in ("0", "0s") else _seconds(text)


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise ValueError("must be true or false")


def _one_of(words: tuple[str, ...], change: Callable[[str], str] = str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if change(text) not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return change(text)

    return parse


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part.strip(), strict=False)) for part in text.split(",") if part.strip())


def _home_namespace() -> str:
    """The namespace this pod is in, ``default`` outside a cluster."""
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text(encoding="ascii").strip() or "default"
    except OSError:
        return "default"


_port = _whole(0, 65535)

FLAGS = (
    Flag(
        ("kubeconfig", "kubeConfig"),
        "kubeconfig",
        None,
        _name,
        "kubeconfig file; without it the pod's service account, outside a pod the user's own kubeconfig",
    ),
    Flag(("context",), "context", None, _name, "context of the kubeconfig; without it its current one"),
    Flag(("namespace",), "namespace", None, _name, "work in this namespace only, with rights in it alone"),
    Flag(
        ("concurrent-syncs", "workers", "concurrent-gamedeployment-syncs", "concurrent-statefulset-syncs"),
        "workers",
        4,
        _whole(1, 1000),
        "passes at a time, each over another workload",
    ),
    Flag(("address",), "address", "0.0.0.0", _name, "address to serve metrics and health on"),  # noqa: S104 - a pod's
    Flag(("metric-port",), "metrics_port", 10251, _port, "port of /metrics, /healthz and /readyz"),
    Flag(
        ("liveness-port", "health-port"), "liveness_port", 10252, _port, "port of the framework's own probe, /healthz"
    ),
    Flag(
        ("resync-period",),
        "resync_period",
        300.0,
        _seconds,
        "seconds after which custom resources are listed and every workload is looked at, even if nothing happened",
    ),
    Flag(
        ("leader-elect",),
        "leader_elect",
        default=True,
        parse=_truth,
        text="lead before working; false only for a single replica",
    ),
    Flag(
        ("leader-elect-namespace",),
        "leader_elect_namespace",
        _home_namespace(),
        _name,
        "namespace of the Lease; the pod's own in a cluster",
    ),
    Flag(("leader-elect-name",), "leader_elect_name", "game-operators", _name, "name of the Lease"),
    Flag(("leader-elect-lease-duration",), "lease_duration", 15.0, _seconds, "seconds a Lease is good for"),
    Flag(
        ("leader-elect-renew-deadline",),
        "renew_deadline",
        10.0,
        _seconds,
        "seconds without renewal after which the leader ends",
    ),
    Flag(("leader-elect-retry-period",), "retry_period", 2.0, _seconds, "seconds between two tries"),
    Flag(("log-format",), "log_format", "json", _one_of(logs.FORMATS), "json or text"),
    Flag(("log-level",), "log_level", "INFO", _one_of(logs.LEVELS, str.upper), "DEBUG, INFO, WARNING or ERROR"),
    Flag(
        ("hook-allow-cidr", "hook-allow-cidrs"),
        "hook_allow_cidr",
        (),
        _networks,
        "comma-separated networks that hooks may reach although they are refused by default",
    ),
    Flag(
        ("node-lost-delay",),
        "node_lost_delay",
        0.0,
        _delay,
        "seconds beyond its own time to end that a pod gets on a node nobody hears of, before its place is given away",
    ),
    Flag(
        ("node-sick-delay",),
        "node_sick_delay",
        60.0,
        _delay,
        "the same on a node whose kubelet says that it is not ready",
    ),
    Flag(
        ("hook-deny-cidr", "hook-deny-cidrs"),
        "hook_deny_cidr",
        (),
        _networks,
        "comma-separated networks that hooks may not reach although they may by default",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``run``."""
    parser.add_argument(
        "controllers",
        nargs="*",
        metavar="CONTROLLER",
        help=f"which to run: {', '.join(CONTROLLERS)}; all when none is named (env GAME_OPERATORS_CONTROLLERS)",
    )
    for flag in FLAGS:
        default = f" (default {flag.shown})" if flag.shown else ""
        parser.add_argument(
            *(f"--{name}" for name in flag.names),
            dest=flag.field,
            metavar="VALUE",
            help=f"{flag.text}{default}; env {flag.variable}",
        )


def from_arguments(options: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of parsed flags, of the environment where a flag is not given, else by default.

    Raises:
        WrongSetting: an unknown controller, a value that cannot be, or times that do not fit together.
    """
    variables = os.environ if environment is None else environment
    values = {flag.field: _value(flag, getattr(options, flag.field), variables) for flag in FLAGS}
    if not values["retry_period"] < values["renew_deadline"] < values["lease_duration"]:
        raise WrongSetting(
            "--leader-elect-retry-period must be less than --leader-elect-renew-deadline, "
            "and that less than --leader-elect-lease-duration"
        )
    named = tuple(options.controllers) or tuple(
        variables.get("GAME_OPERATORS_CONTROLLERS", "").replace(",", " ").split()
    )
    unknown = [c for c in named if c not in CONTROLLERS]
    if unknown:
        raise WrongSetting(f"unknown controller {unknown[0]!r}: known are {', '.join(CONTROLLERS)}")
    identity = variables.get("POD_NAME") or f"{socket.gethostname()}_{os.getpid()}"
    chosen = tuple(c for c in CONTROLLERS if c in named) or CONTROLLERS
    return Settings(controllers=chosen, identity=identity, **values)


def _value(flag: Flag, given: str | None, variables: Mapping[str, str]) -> Any:
    text = given if given is not None else variables.get(flag.variable)
    if text is None:
        return flag.default
    try:
        return flag.parse(text)
    except ValueError as error:
        where = f"--{flag.names[0]}" if given is not None else f"environment variable {flag.variable}"
        raise WrongSetting(f"{where}: {text!r}: {error}") from error


def table() -> str:
    """All flags as a Markdown table, as the documentation shows it."""
    rows = ["| Flag | Default | Environment | Meaning |", "|---|---|---|---|"]
    for flag in FLAGS:
        names = ", ".join(f"`--{name}`" for name in flag.names)
        rows.append(f"| {names} | {f'`{flag.shown}`' if flag.shown else ''} | `{flag.variable}` | {flag.text} |")
    return "\n".join(rows)
