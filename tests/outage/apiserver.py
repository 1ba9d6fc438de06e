"""An etcd and a kube-apiserver of a test's own, which may be killed: nobody else uses them.

There is no kubelet, no scheduler and no controller manager: `Readiness` stands in for the first, pods stay without a
node (so that the API server ends them at once), and nothing else is needed for a rollout.
"""

import json
import secrets
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

from devcluster.programs import build, program
from tests.integration.runtime.processes import free_port


class ApiServer:
    """Both programs; `kill` and `start` take the API server away and bring it back, with the same port and data."""

    def __init__(self, folder, authorization="AlwaysAllow", **users):
        """``users`` are others than the administrator, by the name of their kubeconfig."""
        self._authorization, self._users = (
            authorization,
            {name: (user, secrets.token_hex(16)) for name, user in users.items()},
        )
        build(["etcd", "kube-apiserver"])
        self._folder, self._token = folder, secrets.token_hex(16)
        self._etcd_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self._tls, self._server = None, None
        self.kubeconfig = folder / "own.kubeconfig"
        others = "".join(f"{token},{user},{user}\n" for user, token in self._users.values())
        (folder / "tokens").write_text(f'{self._token},admin,admin,"system:masters"\n{others}')
        subprocess.run(["openssl", "genrsa", "-out", str(folder / "sa.key"), "2048"], check=True, capture_output=True)
        self._etcd = self._run("etcd", *self._etcd_flags())

    def start(self, seconds=60.0):
        """Start the API server and wait until it is ready; the monotonic time at which it was seen ready."""
        self._server = self._run("kube-apiserver", *self._server_flags())
        deadline = time.monotonic() + seconds
        while not self._ready():
            assert self._server.poll() is None, self._tail()
            assert time.monotonic() < deadline, f"not ready within {seconds} s\n{self._tail()}"
            time.sleep(0.02)
        return time.monotonic()

    def kill(self):
        """End the API server at once, as ``kill -9`` does."""
        self._server.send_signal(signal.SIGKILL)
        self._server.wait(10)

    def expire_versions(self):
        """Let every version known so far be too old for a watch (410), as after many writes; the server may be away."""
        answer = self._ask_etcd("put", {"key": "dGVzdA==", "value": "dGVzdA=="})
        self._ask_etcd("compaction", {"revision": answer["header"]["revision"]})

    def pause(self):
        """Let the API server stand still: connections stay open, nothing is answered."""
        self._server.send_signal(signal.SIGSTOP)

    def resume(self):
        """Let it go on; the monotonic time."""
        self._server.send_signal(signal.SIGCONT)
        return time.monotonic()

    def close(self):
        """End both."""
        for process in (self._server, self._etcd):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(10)

    def request(self, method, path, body=None, kind="application/json", timeout=5.0):
        """Send a request; the decoded answer.

        Raises:
            OSError: no answer, or one that is an error (`urllib.error.HTTPError`).
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": "application/json"}
        asked = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=timeout, context=self._tls) as answer:
            text = answer.read()
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def define(self, definitions):
        """Create definitions of custom resources and wait until they are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for definition in definitions:
            self.request("POST", path, definition)
        deadline = time.monotonic() + 30
        while not all(self._established(f"{path}/{d['metadata']['name']}") for d in definitions):
            assert time.monotonic() < deadline, "definitions are not served within 30 s"
            time.sleep(0.05)

    def _ask_etcd(self, verb, body):
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv/{verb}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)

    def _established(self, path):
        conditions = self.request("GET", path).get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def _ready(self):
        certificate = self._folder / "pki" / "apiserver.crt"
        if not certificate.exists():
            return False
        try:
            if self._tls is None:
                self._tls = ssl.create_default_context(cafile=certificate)
                self._write_kubeconfig(self.kubeconfig, certificate, self._token)
                for name, (_, token) in self._users.items():
                    self._write_kubeconfig(self.kubeconfig_of(name), certificate, token)
            return self.request("GET", "/readyz", timeout=1.0) == "ok"
        except OSError:
            return False

    def kubeconfig_of(self, name):
        """That of another user than the administrator."""
        return self._folder / f"{name}.kubeconfig"

    def _write_kubeconfig(self, file, certificate, token):
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

    def _run(self, name, *flags):
        with (self._folder / f"{name}.log").open("ab") as out:
            return subprocess.Popen([str(program(name)), *flags], stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def _tail(self):
        text = (self._folder / "kube-apiserver.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def _etcd_flags(self):
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

    def _server_flags(self):
        folder = self._folder
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={folder}/pki",
            f"--token-auth-file={folder}/tokens",
            f"--authorization-mode={self._authorization}",
            f"--service-account-key-file={folder}/sa.key",
            f"--service-account-signing-key-file={folder}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.97.0.0/16",
            "--endpoint-reconciler-type=none",
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
        )


class Readiness:
    """Makes each pod of a namespace Running and Ready, in place of a kubelet, and remembers what it has seen."""

    def __init__(self, server, namespace):
        self._server, self._path = server, f"/api/v1/namespaces/{namespace}/pods"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.seen = {}
        """Name of every pod by its UID."""
        self.most = 0
        """The most pods at a time."""
        self.pods = []

    def start(self):
        """Begin."""
        self._thread.start()

    def stop(self):
        """End, and wait for it."""
        self._ended.set()
        self._thread.join(10)

    def _work(self):
        while not self._ended.wait(0.05):
            try:
                self._pass()
            except (OSError, ValueError):  # the server is away: that is what the tests are about
                continue

    def _pass(self):
        pods = self._server.request("GET", self._path, timeout=2.0)["items"]
        self.pods = pods
        self.most = max(self.most, len(pods))
        for pod in pods:
            self.seen[pod["metadata"]["uid"]] = pod["metadata"]["name"]
            if not is_ready(pod):
                self._make_ready(pod)

    def _make_ready(self, pod):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        gates = [g["conditionType"] for g in pod["spec"].get("readinessGates", ())]
        held = {c["type"]: c for c in pod.get("status", {}).get("conditions", ())}
        if any(held.get(gate, {}).get("status") != "True" for gate in gates):
            return
        states = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": f"test@{container['image']}",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ]
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("ContainersReady", "Ready")
        ]
        status = {"phase": "Running", "startTime": now, "containerStatuses": states, "conditions": conditions}
        path = f"{self._path}/{pod['metadata']['name']}/status"
        try:
            self._server.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise


def is_ready(pod):
    """Whether a pod is Ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
