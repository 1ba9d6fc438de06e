"""What the cluster consists of: the daemons, their command lines and their configuration files."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster import dns, images
from devcluster.programs import program
from devcluster.state import run_dir

NODE = "game-node"
BRIDGE, ADDRESS = "game0", "10.88.0.1"
ETCD = "http://127.0.0.1:23790"
NETWORK = "game"
ORDER = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


def audit_log() -> Path:
    """One JSON line per finished API request (level Metadata): who, verb, object, answer code."""
    return run_dir() / "log" / "audit.log"


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
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(run_dir() / "cni-leases"),
            "ranges": [[{"subnet": "10.88.0.0/16", "gateway": ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": plugins}


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
        "evictionHard": {
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "memory.available": "100Mi",
        },
        "imageGCHighThresholdPercent": 100,
        "containerRuntimeEndpoint": f"unix://{images.socket_path()}",
        "tlsCertFile": str(pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-serving.key"),
        "resolvConf": "/etc/resolv.conf",
        "staticPodPath": "",
        "clusterDNS": [dns.ADDRESS],
        "clusterDomain": dns.DOMAIN,
    }


def _audit_policy() -> dict[str, object]:
    """Every request once, without bodies; lease renewals and the API server's own traffic are left out."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "None", "users": ["system:apiserver"]},
            {
                "level": "None",
                "userGroups": ["system:nodes"],
                "resources": [{"group": "coordination.k8s.io"}],
            },
            {
                "level": "None",
                "nonResourceURLs": [
                    "/healthz*",
                    "/livez*",
                    "/readyz*",
                    "/openapi*",
                    "/version",
                ],
            },
            {"level": "Metadata"},
        ],
    }


def write_configs() -> set[str]:
    """Write the daemons' configuration files; the names of daemons whose file is new or changed."""
    run = run_dir()
    for folder in ("cni", "etc", "cni-leases", "log"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    files = {
        run / "etc" / "containerd.toml": ("containerd", _containerd_config()),
        run / "cni" / "10-game.conflist": ("containerd", json.dumps(_cni_config())),
        run / "etc" / "kubelet.json": ("kubelet", json.dumps(_kubelet_config())),
        run / "etc" / "audit.json": ("kube-apiserver", json.dumps(_audit_policy())),
    }
    changed = set()
    for path, (daemon, text) in files.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.add(daemon)
    return changed


def _apiserver() -> list[str]:
    pki = run_dir() / "pki"
    return [
        str(program("kube-apiserver")),
        f"--etcd-servers={ETCD}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={ADDRESS}",
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
        f"--audit-policy-file={run_dir()}/etc/audit.json",
        f"--audit-log-path={audit_log()}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=2",
    ]


def commands() -> dict[str, list[str]]:
    """Command line of every daemon."""
    run, pki = run_dir(), run_dir() / "pki"
    fast = ["--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000"]
    return {
        "etcd": [
            str(program("etcd")),
            f"--data-dir={run}/etcd",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
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
            f"--node-ip={ADDRESS}",
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
