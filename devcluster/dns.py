"""CoreDNS in the built cluster: what pods and Services are called, as in any other cluster."""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from devcluster import images, processes
from devcluster.programs import program
from devcluster.state import Missing, say

ADDRESS, DOMAIN = "10.96.0.10", "cluster.local"
"""Where pods look names up, and under which domain: what the kubelet tells them."""
_KUBERNETES = "10.96.0.1"
_MANIFESTS = Path(__file__).parent / "coredns" / "manifests.yaml"
_RESOLVER = Path("/etc/resolv.conf")

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def _upstream(resolver: str) -> list[str]:
    """Name servers of the machine that a pod can reach, too; of those on the loopback it would ask itself."""
    named = [line.split()[1] for line in resolver.splitlines() if line.startswith("nameserver ") and line.split()[1:]]
    return [a for a in named if not ipaddress.ip_address(a.partition("%")[0]).is_loopback]


def corefile(resolver: str) -> str:
    """The configuration, on a machine with this ``resolv.conf``. Nothing is cached: tests wait for names to change."""
    others = _upstream(resolver)
    lines = [
        "errors",
        "ready",
        f"kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{",
        "    ttl 1",
        "}",
        *([f"forward . {' '.join(others)}"] if others else []),
    ]
    return ".:53 {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def _objects(image: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(yaml.safe_load_all(_MANIFESTS.read_text()))
    config = corefile(_RESOLVER.read_text() if _RESOLVER.exists() else "")
    for body in found:
        match body["kind"]:
            case "ConfigMap":
                body["data"] = {"Corefile": config}
            case "Deployment":
                body["spec"]["template"]["spec"]["containers"][0]["image"] = image
            case "Service":
                body["spec"]["clusterIP"] = ADDRESS
    return found


def _image() -> tuple[str, Path]:
    """Name and archive of the image, made of the program that was built."""
    version = program("coredns").parent.parent.name
    archive = images.folder() / f"coredns-{version}.tar"
    image = f"game-operators.local/coredns:{version}"
    if not archive.exists():
        images.write(image, "coredns", program("coredns").read_bytes(), archive)
    return image, archive


def _question(name: str) -> bytes:
    """A DNS message that asks for the IPv4 address of a name, as it is sent over TCP (RFC 1035 4)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    message = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    return struct.pack(">H", len(message)) + message


def answers() -> bool:
    """A server behind the Service's address knows the API server's own.

    That somebody accepts a connection is not enough: before the Service works, the way out of the machine may do that.
    """
    try:
        with socket.create_connection((ADDRESS, 53), timeout=1) as connection:
            connection.sendall(_question(f"kubernetes.default.svc.{DOMAIN}"))
            return socket.inet_aton(_KUBERNETES) in connection.recv(512)
    except OSError:
        return False


def up(kubectl: Kubectl) -> None:
    """Have it run as it is configured here, and wait until it answers.

    Raises:
        Missing: it does not; the text says what its pod says.
    """
    image, archive = _image()
    images.load(image, archive)
    body = {"apiVersion": "v1", "kind": "List", "items": _objects(image)}
    done = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", data=json.dumps(body))
    if done.returncode:
        raise Missing(f"CoreDNS was not accepted: {done.stderr.strip()}")
    if answers():
        return
    if not processes.wait(answers, 120, 0.3):
        pods = kubectl("-n", "kube-system", "describe", "pods", "-l", "k8s-app=kube-dns").stdout
        raise Missing(f"CoreDNS does not answer on {ADDRESS}:53. Its pod:\n{pods[-3000:]}")
    say(f"CoreDNS answers on {ADDRESS}")
