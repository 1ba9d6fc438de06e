"""Settings of the hook controller."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _own_hosts() -> tuple[str, ...]:
    """Addresses of the operator's own pod and of the API server, from the environment of the pod."""
    found = (os.environ.get(name, "") for name in ("POD_IP", "POD_IPS", "KUBERNETES_SERVICE_HOST"))
    return tuple(dict.fromkeys(host for text in found for host in text.split(",") if host))


def own_node() -> tuple[str, ...]:
    """Addresses of the node this pod is on, from the environment of the pod; none outside of a cluster."""
    return tuple(host for host in os.environ.get("HOST_IP", "").split(",") if host)


@dataclass(frozen=True, slots=True)
class HookSettings:
    """``allow_cidrs`` are networks that hooks may reach although loopback, link-local and the like are refused.

    ``deny_cidrs`` are refused too, and so are ``refused_hosts`` (networks, addresses, an address with a port, or
    names): by default the operator's own pod and the API server. What is allowed is never refused. At most
    ``max_concurrent`` measurements are taken at a time, shared between namespaces; each may hold a connection and, for
    Prometheus, a thread. ``cpu_seconds`` is the CPU time that reading and judging one measurement may take.
    """

    allow_cidrs: tuple[str, ...] = ()
    deny_cidrs: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = field(default_factory=_own_hosts)
    max_concurrent: int = 500
    cpu_seconds: float = 0.25
