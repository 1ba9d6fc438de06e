"""The one-node cluster: starts, repairs and ends its daemons, from etcd to kube-proxy, and has CoreDNS run in it."""

from __future__ import annotations

import http
import socket
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devcluster import certificates, daemons, dns, images, leftovers, packages, processes
from devcluster.daemons import ADDRESS, BRIDGE, NODE, ORDER
from devcluster.programs import CLUSTER, build, link, program
from devcluster.state import Missing, run_dir, say

_KUBELET_HEALTH = "http://127.0.0.1:10248/healthz"
_SERVICE_ADDRESS = "https://10.96.0.1:443"
_STOP_FIRST = (
    "kwok",
    "kubelet",
    "kube-proxy",
    "kube-scheduler",
    "kube-controller-manager",
)
_STOP_LAST = ("containerd", "kube-apiserver", "etcd")


def kubectl(*args: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl as the cluster's admin; the caller looks at the return code."""
    command = [str(program("kubectl")), f"--kubeconfig={run_dir()}/kubeconfig", *args]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=60)


def healthy() -> bool:
    """All daemons run, API and kubelet answer, the node is Ready, a Service address works."""
    return all(processes.alive(d) for d in ORDER) and _kubelet_answers() and _ready() and _service_answers()


def _kubelet_answers() -> bool:
    """The kubelet's own health: the node's condition lags behind a dead or hanging kubelet by up to 40 s."""
    try:
        with urllib.request.urlopen(_KUBELET_HEALTH, timeout=2) as answer:
            return bool(answer.status == http.HTTPStatus.OK)
    except OSError:
        return False


def _ready() -> bool:
    """The node is Ready and pods can be created: the default service account is there."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    node = kubectl("get", "node", NODE, "--request-timeout=5s", "-o", path)
    if node.stdout.strip() != "True":
        return False
    return kubectl("get", "serviceaccount", "default", "-n", "default", "--request-timeout=5s").returncode == 0


def _service_answers() -> bool:
    return (
        kubectl(
            f"--server={_SERVICE_ADDRESS}",
            "get",
            "--raw",
            "/readyz",
            "--request-timeout=2s",
        ).returncode
        == 0
    )


def _bridge_up() -> bool:
    shown = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", BRIDGE],
        capture_output=True,
        text=True,
        check=False,
    )
    return f" {ADDRESS}/" in shown.stdout


def _network() -> None:
    """The bridge exists before the first pod: its address serves API server and node."""
    if not _bridge_up():
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)
        subprocess.run(
            ["ip", "link", "add", BRIDGE, "type", "bridge"],
            check=True,
            capture_output=True,
        )
        subprocess.run(
            ["ip", "addr", "add", f"{ADDRESS}/16", "dev", BRIDGE],
            check=True,
            capture_output=True,
        )
    subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True, capture_output=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    try:
        socket.gethostbyname(NODE)
    except OSError:
        with Path("/etc/hosts").open("a", encoding="ascii") as hosts:
            hosts.write(f"{ADDRESS} {NODE}\n")


def up() -> None:
    """Start what is not running, repair what is broken, and wait for a Ready node.

    A cluster with some dead daemons is repaired in place and keeps its objects; one that cannot be repaired, or that
    stopped altogether, starts afresh with an empty etcd.

    Raises:
        Missing: this machine cannot carry the cluster, or a daemon does not start.
    """
    packages.check()
    with ThreadPoolExecutor(1) as beside:
        installing = beside.submit(packages.install)  # waits for the network, while the compiler takes the cores
        build(list(CLUSTER))
        link(list(CLUSTER))
        images.build_all()
        installing.result()
    certificates.make()
    if any(processes.alive(d) for d in ORDER):
        if _repair():
            images.load_missing()
            dns.up(kubectl)
            return
        say("that did not help: starting afresh")
        down()
    elif leftovers.exist():
        say("clearing what an earlier cluster left behind")
        down()
    _start()


def _repair() -> bool:
    """Bring a cluster that partly runs to health by starting its dead or outdated daemons; False when that fails."""
    commands, changed = daemons.commands(), daemons.write_configs()
    stale = [d for d in ORDER if d in changed or not processes.alive(d, commands[d])]
    if not stale:
        if processes.wait(healthy, 5, 0.5):
            say("the cluster is running and healthy")
            return True
        stale = [] if _kubelet_answers() else ["kubelet"]
    if not _bridge_up():
        say(f"the bridge {BRIDGE} is gone")
        return False
    say(f"repairing: {', '.join(stale) or 'no daemon is dead, but the cluster is not healthy'}")
    for name in stale:
        processes.stop(name)
        processes.start(name, commands[name])
        if name == "kube-apiserver":
            _wait_for_api()
    if not processes.wait(healthy, 60 if stale else 20, 0.5):
        return False
    say("repaired: node Ready, Service addresses answer")
    return True


def _start() -> None:
    for log in (run_dir() / "log").glob("*.log"):
        log.unlink()
    daemons.write_configs()
    _network()
    commands = daemons.commands()
    for name in ("etcd", "containerd", "kube-apiserver"):
        processes.start(name, commands[name])
    say("etcd, containerd and kube-apiserver started")
    _wait_for_api()
    say("API answers")
    images.load_missing()
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"):
        processes.start(name, commands[name])
    say("controller-manager, scheduler, kubelet and kube-proxy started; waiting for the node")
    _wait_for("the node is not Ready", _ready, "kubelet")
    say("node Ready")
    _wait_for("Service addresses do not answer", _service_answers, "kube-proxy")
    say("Service addresses answer")
    dns.up(kubectl)


def _wait_for_api() -> None:
    _wait_for(
        "kube-apiserver does not answer",
        lambda: kubectl("get", "--raw", "/readyz").returncode == 0,
        "kube-apiserver",
    )


def _wait_for(trouble: str, condition: processes.Condition, daemon: str) -> None:
    """Wait at most 120 s, less when the daemon dies meanwhile."""
    met = processes.wait(lambda: not processes.alive(daemon) or condition(), 120, 0.3)
    if not met or not processes.alive(daemon):
        ended = "" if processes.alive(daemon) else f" ({daemon} ended)"
        raise Missing(f"{trouble}{ended}. The end of {run_dir()}/log/{daemon}.log:\n{processes.tail(daemon)}")


def down() -> None:
    """End everything we started: daemons, containers, mounts, network. Images, certificates and logs stay."""
    stopped = processes.stop(*_STOP_FIRST)
    containers = leftovers.end_containers()
    stopped += processes.stop(*_STOP_LAST, patience=3)
    leftovers.clear()
    if containers:
        stopped.append(f"{containers} processes of pods")
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def status() -> list[str]:
    """One line per daemon, then one for the node."""
    lines = [f"{d:<24} {processes.describe(d)}" for d in (*ORDER, "kwok") if d != "kwok" or processes.alive("kwok")]
    if all(processes.alive(d) for d in ORDER):
        nodes = kubectl("get", "nodes", "--no-headers", "--request-timeout=5s").stdout.splitlines()
        fake = sum(1 for n in nodes if n.startswith("kwok-"))
        lines += [n for n in nodes if not n.startswith("kwok-")] + ([f"{fake} fake nodes"] if fake else [])
    lines.append(f"{'coredns':<24} {'answers' if dns.answers() else 'does not answer'}")
    lines.append("healthy" if healthy() else "not healthy: `up` starts or repairs it")
    return lines
