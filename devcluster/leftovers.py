"""Removes what a cluster leaves behind: containers, mounts, network rules; only what is its own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from devcluster import images, processes
from devcluster.daemons import BRIDGE, NETWORK
from devcluster.programs import program
from devcluster.state import run_dir

_CHAINS = ("-N KUBE-KUBELET-CANARY", "-N KUBE-FIREWALL", "-N KUBE-IPTABLES-HINT")
"""Chains of the kubelet; those of kube-proxy are removed by kube-proxy."""
_TABLES = ("nat", "filter", "mangle")


def clear() -> None:
    """Remove mounts, pod data and network state; images, certificates and logs stay. The daemons must have ended."""
    _unmount()
    for folder in ("etcd", "kubelet", "cni-leases", "containerd/state"):
        shutil.rmtree(run_dir() / folder, ignore_errors=True)
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)
    _clear_rules()


def exist() -> bool:
    """Whether an earlier cluster left data, containers or its bridge here."""
    bridge = Path("/sys/class/net") / BRIDGE
    return (run_dir() / "etcd").exists() or bridge.exists() or any(True for _ in _container_processes())


def end_containers() -> int:
    """Kill every container of our containerd with its shim; how many processes were ended.

    The kubelet must have ended before, or it starts them again; containerd should still run, so that it forgets them.
    """
    pids = set(_container_processes())
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    processes.wait(lambda: not any(True for _ in _container_processes()), 10)
    if processes.alive("containerd") and images.socket_path().exists():
        for name in images.ctr("containers", "ls", "-q").stdout.split():
            images.ctr("tasks", "rm", "-f", name)
            images.ctr("containers", "rm", name)
    return len(pids)


def _container_processes() -> Iterator[int]:
    """Shims that name our socket, and processes whose root is a snapshot of our containerd."""
    here = Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            shim = b"containerd-shim" in command and str(images.socket_path()).encode() in command
            if shim or ((entry / "ns" / "mnt").readlink() != here and _root_is_ours(entry)):
                yield int(entry.name)
        except OSError:
            continue


def _root_is_ours(process: Path) -> bool:
    ours = f"={run_dir()}/containerd/"
    return any(line.split()[4] == "/" and ours in line for line in (process / "mountinfo").read_text().splitlines())


def _mounts() -> list[str]:
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]


def _unmount() -> None:
    """Detach mounts below the run directory, and the network namespaces of pods that no process uses any more."""
    for mount in reversed(_mounts()):
        if mount.startswith(f"{run_dir()}/"):
            subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
    for lease in _pod_namespaces():
        subprocess.run(["umount", "-l", str(lease)], capture_output=True, check=False)
        lease.unlink(missing_ok=True)


def _pod_namespaces() -> list[Path]:
    """Named network namespaces that hold an address leased from our network."""
    leased = {lease.name for lease in (run_dir() / "cni-leases" / NETWORK).glob("*.*.*.*")}
    found = []
    for path in sorted(Path("/run/netns").glob("cni-*")):
        command = ["nsenter", f"--net={path}", "ip", "-o", "-4", "addr", "show", "scope", "global"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if leased & {line.split()[3].split("/")[0] for line in shown.splitlines()}:
            found.append(path)
    return found


def _iptables(*args: str) -> str:
    done = subprocess.run(["iptables", "-w", "5", *args], capture_output=True, text=True, check=False)
    return done.stdout


def _clear_rules() -> None:
    """Take out the rules of kube-proxy, of the kubelet, and of the bridge plugin for our network."""
    if shutil.which("iptables") is None:
        return
    if program("kube-proxy").exists():
        subprocess.run(
            [str(program("kube-proxy")), "--cleanup"],
            capture_output=True,
            check=False,
            timeout=60,
        )
    for table in _TABLES:
        rules = _iptables("-t", table, "-S").splitlines()
        chains = [r.split()[1] for r in rules if r.startswith(_CHAINS)]
        chains += sorted({r.split()[1] for r in rules if f'name: \\"{NETWORK}\\"' in r and r.startswith("-A CNI-")})
        for rule in rules:
            if rule.startswith("-A ") and any(rule.endswith(f"-j {chain}") for chain in chains):
                _delete_rule(table, rule)
        for chain in chains:
            _iptables("-t", table, "-F", chain)
            _iptables("-t", table, "-X", chain)


def _delete_rule(table: str, rule: str) -> None:
    _iptables("-t", table, "-D", *shlex.split(rule)[1:])
