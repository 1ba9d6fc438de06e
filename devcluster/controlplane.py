"""A control plane without nodes, for a test or a session of tests alone: nobody else uses it, and it may be killed.

An etcd and a kube-apiserver, and where wanted the controller manager, which ends namespaces, collects garbage and gives
namespaces their service accounts. Pods stay without a node, so that the API server ends them at once.
"""

from __future__ import annotations

import json
import secrets
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devcluster import choose
from devcluster.processes import free_port
from devcluster.programs import program


class ApiServer:
    """Both programs; `kill` and `start` take the API server away and bring it back, with the same port and data.

    Args:
        folder: For its data, certificates and logs.
        controllers: Whether the controller manager runs too; requests are then authorised by RBAC, as in a cluster.
        users: Others than the administrator, with no rights but those that they are given; see `kubeconfig_of`.
    """

    def __init__(self, folder: Path, *, controllers: bool = False, users: Sequence[str] = ()) -> None:
        self._names = ("etcd", "kube-apiserver", *(("kube-controller-manager",) if controllers else ()))
        if not all(program(name).exists() for name in self._names):
            choose.build_programs(list(self._names))
        self._folder, self._token, self._controllers = folder, secrets.token_hex(16), controllers
        self._etcd_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self._tls: ssl.SSLContext | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._manager: subprocess.Popen[bytes] | None = None
        self.kubeconfig = folder / "own.kubeconfig"
        self._users = {user: secrets.token_hex(16) for user in users}
        others = "".join(f"{token},{user},{user}\n" for user, token in self._users.items())
        (folder / "tokens").write_text(f'{self._token},admin,admin,"system:masters"\n{others}')
        subprocess.run(["openssl", "genrsa", "-out", str(folder / "sa.key"), "2048"], check=True, capture_output=True)
        self._etcd = self._run("etcd", *self._etcd_flags())

    def start(self, seconds: float = 60.0) -> float:
        """Start the API server and wait until it is ready; the monotonic time at which it was seen ready."""
        self._server = self._run("kube-apiserver", *self._server_flags())
        deadline = time.monotonic() + seconds
        while not self._ready():
            assert self._server.poll() is None, self._tail()
            assert time.monotonic() < deadline, f"not ready within {seconds} s\n{self._tail()}"
            time.sleep(0.02)
        if self._controllers and self._manager is None:
            self._manager = self._run("kube-controller-manager", *self._manager_flags())
        return time.monotonic()

    def kill(self) -> None:
        """End the API server at once, as ``kill -9`` does."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait(10)

    def expire_versions(self) -> None:
        """Let every version known so far be too old for a watch (410), as after many writes; the server may be away."""
        answer = self._ask_etcd("put", {"key": "dGVzdA==", "value": "dGVzdA=="})
        self._ask_etcd("compaction", {"revision": answer["header"]["revision"]})

    def pause(self) -> None:
        """Let the API server stand still: connections stay open, nothing is answered."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> float:
        """Let it go on; the monotonic time."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)
        return time.monotonic()

    def close(self) -> None:
        """End all."""
        for process in (self._manager, self._server, self._etcd):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(10)

    def request(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", timeout: float = 5.0
    ) -> Any:
        """Send a request; the decoded answer.

        Raises:
            OSError: no answer, or one that is an error (`urllib.error.HTTPError`).
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": "application/json"}
        asked = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=timeout, context=self._tls) as answer:
            text: bytes = answer.read()
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def define(self, definitions: Sequence[Any]) -> None:
        """Create definitions of custom resources and wait until they are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for definition in definitions:
            self.request("POST", path, definition)
        deadline = time.monotonic() + 30
        while not all(self._established(f"{path}/{d['metadata']['name']}") for d in definitions):
            assert time.monotonic() < deadline, "definitions are not served within 30 s"
            time.sleep(0.05)

    def _ask_etcd(self, verb: str, body: Any) -> Any:
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv/{verb}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)

    def _established(self, path: str) -> bool:
        conditions = self.request("GET", path).get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def _ready(self) -> bool:
        certificate = self._folder / "pki" / "apiserver.crt"
        if not certificate.exists():
            return False
        try:
            if self._tls is None:
                self._tls = ssl.create_default_context(cafile=certificate)
                self._write_kubeconfig(self.kubeconfig, certificate, self._token)
                for user, token in self._users.items():
                    self._write_kubeconfig(self.kubeconfig_of(user), certificate, token)
            return bool(self.request("GET", "/readyz", timeout=1.0) == "ok")
        except OSError:
            return False

    def kubeconfig_of(self, user: str) -> Path:
        """That of another user than the administrator."""
        return self._folder / f"{user}.kubeconfig"

    def _write_kubeconfig(self, file: Path, certificate: Path, token: str) -> None:
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": str(certificate)}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": cluster}],
            "users": [{"name": "own", "user": {"token": token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
            "current-context": "own",
        }
        file.write_text(json.dumps(body))
        file.chmod(0o600)

    def _run(self, name: str, *flags: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as out:
            return subprocess.Popen([str(program(name)), *flags], stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def _tail(self) -> str:
        text = (self._folder / "kube-apiserver.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def _etcd_flags(self) -> tuple[str, ...]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return (
            f"--data-dir={self._folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )

    def _server_flags(self) -> tuple[str, ...]:
        folder = self._folder
        as_in_a_cluster = ("--authorization-mode=RBAC", "--allow-privileged=true")
        without_accounts = ("--authorization-mode=AlwaysAllow", "--disable-admission-plugins=ServiceAccount")
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={folder}/pki",
            f"--token-auth-file={folder}/tokens",
            f"--service-account-key-file={folder}/sa.key",
            f"--service-account-signing-key-file={folder}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.97.0.0/16",
            "--endpoint-reconciler-type=none",
            "--profiling=false",
            *(as_in_a_cluster if self._controllers else without_accounts),
        )

    def _manager_flags(self) -> tuple[str, ...]:
        return (
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self._folder}/sa.key",
            f"--root-ca-file={self._folder}/pki/apiserver.crt",
            "--use-service-account-credentials=true",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self._folder}/manager",
            "--leader-elect=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
