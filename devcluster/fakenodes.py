"""Fake nodes by kwok: pods that look run, restart in place and end, at the cost of a few API requests."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from devcluster import processes
from devcluster.programs import build, link, program
from devcluster.state import Missing, say

TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
"""Pods that want a fake node tolerate this, and select the label ``type: kwok``."""
_SELECTOR = "type=kwok"
#: kwok serves a node while it holds its Lease: one that an earlier kwok left would keep it away for up to 40 s.
_LEASES = ("leases", "-n", "kube-node-lease")
_STAGES = Path(__file__).parent / "kwok" / "stages.yaml"


def _kubectl(kubeconfig: Path, *args: str, data: str | None = None) -> str:
    built = program("kubectl")
    binary = str(built) if built.exists() else shutil.which("kubectl")
    if binary is None:
        raise Missing("no kubectl: install it, or run `python -m devcluster build`")
    command = [binary, f"--kubeconfig={kubeconfig}", *args]
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise Missing(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def _node(number: int) -> dict[str, object]:
    name = f"kwok-{number}"
    much = {"cpu": "1000", "memory": "1Ti", "pods": "10000", "ephemeral-storage": "1Ti"}
    labels = {
        "type": "kwok",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": much, "capacity": much},
    }


def _names(kubeconfig: Path) -> set[str]:
    return set(_kubectl(kubeconfig, "get", "nodes", "-l", _SELECTOR, "-o", "name").split())


def up(count: int, kubeconfig: Path) -> None:
    """Have exactly this many fake nodes, Ready; pods on those that go are deleted.

    Raises:
        Missing: kwok cannot be built, or does not start.
    """
    build(["kwok"])
    link(["kwok"])
    command = [
        str(program("kwok")),
        f"--kubeconfig={kubeconfig}",
        f"--config={_STAGES}",
        f"--manage-nodes-with-label-selector={_SELECTOR}",
        "--manage-all-nodes=false",
        "--cidr=10.200.0.1/16",
        "--node-ip=10.200.0.1",
        "--node-lease-duration-seconds=40",
    ]
    processes.stop("kwok")
    wanted = {f"node/kwok-{n}" for n in range(count)}
    _remove(kubeconfig, _names(kubeconfig) - wanted)
    _kubectl(kubeconfig, "delete", *_LEASES, "--ignore-not-found", *(f"kwok-{n}" for n in range(count or 1)))
    nodes = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [_node(n) for n in range(count)],
    }
    if count:
        _kubectl(kubeconfig, "apply", "-f", "-", data=json.dumps(nodes))
    processes.start("kwok", command)
    if count and not processes.wait(lambda: _all_ready(kubeconfig, count), 60, 0.3):
        raise Missing(f"the fake nodes do not get Ready:\n{processes.tail('kwok')}")
    say(f"{count} fake nodes Ready")


def _all_ready(kubeconfig: Path, count: int) -> bool:
    path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    said = _kubectl(kubeconfig, "get", "nodes", "-l", _SELECTOR, "-o", path).split()
    held = _kubectl(kubeconfig, "get", *_LEASES, "-o", "jsonpath={.items[*].metadata.name}").split()
    served = all(f"kwok-{n}" in held for n in range(count))
    return processes.alive("kwok") and said == ["True"] * count and served


def down(kubeconfig: Path) -> None:
    """End kwok; remove the fake nodes and the pods on them."""
    stopped = processes.stop("kwok")
    names = _names(kubeconfig)
    _remove(kubeconfig, names)
    say(f"{'kwok ended, ' if stopped else ''}{len(names)} fake nodes removed")


def _remove(kubeconfig: Path, names: set[str]) -> None:
    if not names:
        return
    _kubectl(kubeconfig, "delete", "--wait=false", *sorted(names))
    pods = json.loads(_kubectl(kubeconfig, "get", "pods", "-A", "-o", "json"))["items"]
    orphans: dict[str, list[str]] = {}
    for pod in pods:
        if f"node/{pod['spec'].get('nodeName')}" in names:
            orphans.setdefault(pod["metadata"]["namespace"], []).append(pod["metadata"]["name"])
    for namespace, found in orphans.items():
        gone = ["--grace-period=0", "--force", "--wait=false", "--ignore-not-found"]
        _kubectl(kubeconfig, "delete", "pods", "-n", namespace, *gone, *found)
