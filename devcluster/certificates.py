"""Certificates and kubeconfigs of the one-node cluster, made with the openssl command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from devcluster.state import run_dir

SERVER = "https://10.88.0.1:6443"
_CLIENTS = {
    "admin": "/O=system:masters/CN=kubernetes-admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "kubelet": "/O=system:nodes/CN=system:node:game-node",
    "proxy": "/CN=system:kube-proxy",
    "apiserver-kubelet-client": "/O=system:masters/CN=kube-apiserver-kubelet-client",
}
_NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,DNS:game-node"
_ADDRESSES = "IP:127.0.0.1,IP:10.96.0.1,IP:10.88.0.1"


def _openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def _sign(folder: Path, name: str, subject: str, extensions: str) -> None:
    key, request, ext = (
        folder / f"{name}.key",
        folder / f"{name}.csr",
        folder / f"{name}.ext",
    )
    ext.write_text(extensions)
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    _openssl("req", "-new", "-key", str(key), "-subj", subject, "-out", str(request))
    ca = [
        "-CA",
        str(folder / "ca.crt"),
        "-CAkey",
        str(folder / "ca.key"),
        "-CAcreateserial",
    ]
    out = ["-days", "3650", "-extfile", str(ext), "-out", str(folder / f"{name}.crt")]
    _openssl("x509", "-req", "-in", str(request), *ca, *out)


def make() -> None:
    """Make all of them once; they stay over restarts of the cluster."""
    folder = run_dir() / "pki"
    if (folder / "complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ca = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt")]
    _openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "3650",
        "-subj",
        "/CN=game-operators",
        *ca,
    )
    _openssl("genrsa", "-out", str(folder / "sa.key"), "2048")
    _openssl("rsa", "-in", str(folder / "sa.key"), "-pubout", "-out", str(folder / "sa.pub"))
    serving = f"subjectAltName={_NAMES},{_ADDRESSES}\nextendedKeyUsage=serverAuth,clientAuth\n"
    _sign(folder, "apiserver", "/CN=kube-apiserver", serving)
    _sign(folder, "kubelet-serving", "/O=system:nodes/CN=system:node:game-node", serving)
    for name, subject in _CLIENTS.items():
        _sign(folder, name, subject, "extendedKeyUsage=clientAuth\n")
    for name in ("admin", "controller-manager", "scheduler", "kubelet", "proxy"):
        _kubeconfig(folder, name)
    (folder / "complete").touch()


def _kubeconfig(folder: Path, name: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "game",
                "cluster": {
                    "server": SERVER,
                    "certificate-authority": str(folder / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate": str(folder / f"{name}.crt"),
                    "client-key": str(folder / f"{name}.key"),
                },
            }
        ],
        "contexts": [{"name": "game", "context": {"cluster": "game", "user": name}}],
        "current-context": "game",
    }
    target = run_dir() / "kubeconfig" if name == "admin" else folder / f"{name}.kubeconfig"
    target.write_text(json.dumps(body, indent=1))
    target.chmod(0o600)
