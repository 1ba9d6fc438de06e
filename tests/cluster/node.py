"""The one-node cluster: starts, repairs and ends etcd, the control plane, containerd, kubelet and kube-proxy."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.cluster import certificates, images, processes
from tests.cluster.programs import CLUSTER, build, program
from tests.cluster.state import Missing, run_dir, say

NODE = "game-node"
_BRIDGE, _ADDRESS = "game0", "10.88.0.1"
_DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet", "kube-proxy")


def _containerd_config() -> str:
    run = run_dir()
    return f"""version = 2
root = "{run}/containerd/root"
state = "{run}/containerd/state"
oom_score = 0
[grpc]
  address = "{images.socket_path()}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


def _cni_config() -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": _BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(run_dir() / "cni-leases"),
            "ranges": [[{"subnet": "10.88.0.0/16", "gateway": _ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "0.4.0", "name": "game", "plugins": plugins}


def _kubelet_config() -> dict[str, object]:
    pki = run_dir() / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "maxPods": 250,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "containerRuntimeEndpoint": f"unix://{images.socket_path()}",
        "tlsCertFile": str(pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-serving.key"),
        "resolvConf": "/etc/resolv.conf",
        "staticPodPath": "",
    }


def _write_configs() -> None:
    run = run_dir()
    for folder in ("cni", "etc", "cni-leases"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    (run / "etc" / "containerd.toml").write_text(_containerd_config())
    (run / "cni" / "10-game.conflist").write_text(json.dumps(_cni_config()))
    (run / "etc" / "kubelet.json").write_text(json.dumps(_kubelet_config()))


def _apiserver() -> list[str]:
    pki = run_dir() / "pki"
    return [
        str(program("kube-apiserver")),
        "--etcd-servers=http://127.0.0.1:23790",
        "--bind-address=0.0.0.0",
        f"--advertise-address={_ADDRESS}",
        "--secure-port=6443",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        "--profiling=false",
    ]


def _commands() -> dict[str, list[str]]:
    run, pki = run_dir(), run_dir() / "pki"
    fast = ["--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000"]
    etcd = "http://127.0.0.1:23790"
    return {
        "etcd": [
            str(program("etcd")),
            f"--data-dir={run}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            "--listen-peer-urls=http://127.0.0.1:23800",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        "kube-apiserver": _apiserver(),
        "kube-controller-manager": [
            str(program("kube-controller-manager")),
            f"--kubeconfig={pki}/controller-manager.kubeconfig",
            f"--authentication-kubeconfig={pki}/controller-manager.kubeconfig",
            f"--authorization-kubeconfig={pki}/controller-manager.kubeconfig",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            "--use-service-account-credentials=true",
            "--bind-address=127.0.0.1",
            *fast,
        ],
        "kube-scheduler": [
            str(program("kube-scheduler")),
            f"--kubeconfig={pki}/scheduler.kubeconfig",
            f"--authentication-kubeconfig={pki}/scheduler.kubeconfig",
            f"--authorization-kubeconfig={pki}/scheduler.kubeconfig",
            "--bind-address=127.0.0.1",
            *fast,
        ],
        "containerd": ["containerd", "--config", str(run / "etc" / "containerd.toml")],
        "kubelet": [
            str(program("kubelet")),
            f"--config={run}/etc/kubelet.json",
            f"--kubeconfig={pki}/kubelet.kubeconfig",
            f"--root-dir={run}/kubelet",
            f"--hostname-override={NODE}",
            f"--node-ip={_ADDRESS}",
        ],
        "kube-proxy": [
            str(program("kube-proxy")),
            f"--kubeconfig={pki}/proxy.kubeconfig",
            "--proxy-mode=iptables",
            "--cluster-cidr=10.88.0.0/16",
            f"--hostname-override={NODE}",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ],
    }


def kubectl(*args: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl as the cluster's admin."""
    command = [str(program("kubectl")), f"--kubeconfig={run_dir()}/kubeconfig", *args]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=False, timeout=60)


def healthy() -> bool:
    """All daemons run, the API answers, the node is Ready."""
    return all(processes.alive(d) for d in _DAEMONS) and _ready()


def _ready() -> bool:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    node = kubectl("get", "node", NODE, "--request-timeout=5s", "-o", path)
    account = kubectl("get", "serviceaccount", "default", "--request-timeout=5s")
    return node.stdout.strip() == "True" and account.returncode == 0


def _network() -> None:
    """The bridge exists before the first pod: its address serves API server and node."""
    if subprocess.run(["ip", "link", "show", _BRIDGE], capture_output=True, check=False).returncode:
        subprocess.run(["ip", "link", "add", _BRIDGE, "type", "bridge"], check=True, capture_output=True)
        subprocess.run(["ip", "addr", "add", f"{_ADDRESS}/16", "dev", _BRIDGE], check=True, capture_output=True)
    subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True, capture_output=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    try:
        socket.gethostbyname(NODE)
    except OSError:
        with open("/etc/hosts", "a", encoding="ascii") as hosts:
            hosts.write(f"{_ADDRESS} {NODE}\n")


def up() -> None:
    """Start what is not running, and wait for a Ready node.

    Raises:
        Missing: this machine cannot carry the cluster, or a daemon does not start.
    """
    from tests.cluster import packages

    if os.geteuid() != 0:
        raise Missing("not root: the cluster runs containers on this machine. Use sudo, or name a kubeconfig.")
    packages.install()
    build(list(CLUSTER))
    images.build_all()
    if healthy():
        say("the cluster is running and healthy")
        images.load_missing()
        return
    if any(processes.alive(d) for d in _DAEMONS) or (run_dir() / "etcd").exists():
        say("found a stopped or broken cluster: clearing it")
        down()
    _start()


def _start() -> None:
    certificates.make()
    _write_configs()
    _network()
    commands = _commands()
    for name in ("etcd", "containerd", "kube-apiserver"):
        processes.start(name, commands[name])
    say("etcd, containerd and kube-apiserver started")
    answered = processes.wait(lambda: kubectl("get", "--raw", "/readyz").returncode == 0, 90, 0.5)
    if not answered:
        raise Missing(f"kube-apiserver does not answer:\n{processes.tail('kube-apiserver')}")
    images.load_missing()
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"):
        processes.start(name, commands[name])
    say("controller-manager, scheduler, kubelet and kube-proxy started; waiting for the node")
    if not processes.wait(_ready, 120, 0.5):
        raise Missing(f"the node does not get Ready:\n{processes.tail('kubelet')}")
    say("node Ready")


def down() -> None:
    """End everything we started: daemons, containers, mounts, the bridge. Images and certificates stay."""
    stopped = [d for d in ("kwok", "kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager") if processes.stop(d)]
    _end_containers()
    stopped += [d for d in ("containerd", "kube-apiserver", "etcd") if processes.stop(d)]
    _unmount()
    run = run_dir()
    for folder in ("etcd", "kubelet", "cni-leases", "containerd/state"):
        shutil.rmtree(run / folder, ignore_errors=True)
    subprocess.run(["ip", "link", "del", _BRIDGE], capture_output=True, check=False)
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def _shims() -> list[int]:
    """Container shims of our containerd: their command line names our socket."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "containerd-shim" in command and str(images.socket_path()) in command:
                found.append(int(entry.name))
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _end_containers() -> None:
    """Kill the shims of our containerd and what runs below them."""
    for shim in _shims():
        for pid in (*_children(shim), shim):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    if processes.alive("containerd"):
        listed = images.ctr("containers", "ls", "-q").stdout.split()
        for name in listed:
            images.ctr("tasks", "rm", "-f", name)
            images.ctr("containers", "rm", name)


def _unmount() -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    ours = [m for m in mounts if m.startswith((f"{run_dir()}/", "/run/netns/cni-")) or "/netns/cni-" in m]
    for mount in reversed(ours):
        subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
        if "/netns/cni-" in mount:
            Path(mount).unlink(missing_ok=True)
