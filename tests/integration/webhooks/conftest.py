"""`game-webhooks` as processes beside the API server, registered for the test's own namespaces only."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from devcluster.choose import Cluster
from devcluster.processes import free_port, wait
from operators.kube.credentials import PlainCredentials
from webhooks import authority
from webhooks.configuration import configuration
from webhooks.registration import Registration

MARK = "game-operators.test/admission"
LABEL = "io.tencent.bcs.dev/deletion-allow"
API = "/apis/tkex.tencent.com/v1alpha1"
REGISTRY = "/apis/admissionregistration.k8s.io/v1"
DEFAULT = "forbidden by ResourceDeletionAllow, set labels io.tencent.bcs.dev/deletion-allow=Always to allow operation"
Json = dict[str, Any]


class Api:
    """Requests to the API server, as a person or as somebody else; answers are (status, body)."""

    def __init__(self, kubeconfig: Path) -> None:
        found = PlainCredentials.load(str(kubeconfig))
        self.client = httpx.Client(
            base_url=found.server, verify=found.tls, headers=dict(asyncio.run(found.headers())), timeout=30
        )

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Json]:
        headers: dict[str, str] = {}
        user = options.pop("user", "")
        if user:
            headers |= {"Impersonate-User": user, "Impersonate-Group": "system:masters"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        content = None if body is None else json.dumps(body)
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        answer = self.client.request(method, path, content=content, headers=headers, params=options)
        self.warnings = answer.headers.get_list("Warning")
        return answer.status_code, answer.json()

    def good(self, method: str, path: str, body: Any = None, **options: Any) -> Json:
        status, answer = self.ask(method, path, body, **options)
        assert status < 300, f"{method} {path}: {status} {answer.get('message')}"
        return answer

    def gone(self, path: str) -> bool:
        return self.ask("GET", path)[0] == 404


class Hooks:
    """One process of the webhooks."""

    def __init__(self, folder: Path, kubeconfig: Path, *flags: str) -> None:
        self.port, self.plain_port = free_port(), free_port()
        name = f"webhooks-{self.port}"
        self.log = folder / f"{name}.log"
        program = Path(sys.executable).with_name("game-webhooks")
        ports = (f"--webhook-port={self.port}", f"--metric-port={self.plain_port}")
        command = [str(program), f"--kubeconfig={kubeconfig}", "--log-format=text", *ports, *flags]
        with self.log.open("wb") as log:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("GAME_WEBHOOKS_")}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def plain(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.plain_port}{path}", timeout=5)

    def is_ready(self) -> bool:
        try:
            return self.plain("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def ready(self) -> Hooks:
        assert wait(self.is_ready, 60), f"not ready after 60 s:\n{self.text()}"
        return self

    def text(self) -> str:
        return self.log.read_text()

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the series with these labels."""
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        lines = self.plain("/metrics").text.splitlines()
        found = [x for x in lines if x.startswith((name + "{", name + " ")) and all(w in x for w in wanted)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


@pytest.fixture(scope="module")
def api(cluster: Cluster, crds) -> Api:
    return Api(cluster.kubeconfig)


@pytest.fixture(scope="module")
def mark() -> str:
    """Value of the label that our namespaces carry, and part of all names."""
    return f"adm-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def new_namespace(api: Api, mark: str) -> Iterator[Callable[[], str]]:
    """Makes namespaces that our webhooks are asked about."""
    names: list[str] = []

    def make() -> str:
        name = f"{mark}-{len(names)}"
        api.good("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": {MARK: mark}}})
        names.append(name)
        return name

    yield make
    for name in names:
        api.ask("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def games(new_namespace) -> str:
    return str(new_namespace())


class Certificates:
    """An authority, and a certificate of it in files."""

    def __init__(self, folder: Path, *names: str) -> None:
        now = datetime.now(UTC)
        self.authority = authority.new_authority(now, timedelta(days=1))
        self.names = ("127.0.0.1", *names)
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.renew()

    def renew(self) -> None:
        pair = authority.issue(self.authority, self.names, datetime.now(UTC), timedelta(hours=12))
        for path, content in ((self.key, pair.key), (self.certificate, pair.certificate)):
            partial = path.with_suffix(".part")
            partial.write_bytes(content)
            partial.rename(path)

    @property
    def flags(self) -> tuple[str, str]:
        return f"--tlscert={self.certificate}", f"--tlskey={self.key}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.certificate.decode())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory, mark: str) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), f"hooks.{mark}-0.svc")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory, cluster: Cluster, certificates: Certificates) -> Iterator[Hooks]:
    """One process with certificates in files."""
    found = Hooks(tmp_path_factory.mktemp("hooks"), cluster.kubeconfig, *certificates.flags, "--drain=1")
    try:
        yield found.ready()
    finally:
        found.stop()


def only_ours(documents: list[Json], mark: str) -> list[Json]:
    """Cluster-wide rules are narrowed to dry runs by a user of ours, so that nobody else's requests are judged."""
    ours = {
        "name": "only-ours",
        "expression": f"request.userInfo.username == '{mark}' && has(request.dryRun) && request.dryRun == true",
    }
    for document in documents:
        spec = document.get("spec", {})
        holders = document.get("webhooks", [spec] if "matchConstraints" in spec else [])
        for holder in holders:
            rules = holder.get("rules") or holder["matchConstraints"]["resourceRules"]
            if any(rule["scope"] == "Cluster" for rule in rules):
                holder["matchConditions"] = [ours, *holder.get("matchConditions", ())]
    return documents


def registration(mark: str, **fields: Any) -> Registration:
    return Registration(name=mark, namespace_selector={"matchLabels": {MARK: mark}}, **fields)


@pytest.fixture(scope="module")
def registered(api: Api, mark: str, games: str, hooks: Hooks, certificates: Certificates) -> Iterator[str]:
    """The webhooks are asked about our namespaces; the configuration's name."""
    asked = registration(
        mark, url=f"https://127.0.0.1:{hooks.port}", ca_bundle=certificates.authority.certificate, timeout_seconds=5
    )
    (document,) = only_ours([configuration(asked)], mark)
    api.good("POST", f"{REGISTRY}/validatingwebhookconfigurations", document)
    try:
        until_denied(api, games)
        yield mark
    finally:
        api.ask("DELETE", f"{REGISTRY}/validatingwebhookconfigurations/{mark}")


def until_denied(api: Api, namespace: str) -> None:
    """Wait until deletions in the namespace are judged: API servers see a registration after a moment."""
    path = create(api, namespace, hook_template(f"probe-{secrets.token_hex(3)}"))

    def denied() -> bool:
        status, answer = api.ask("DELETE", path, dryRun="All")
        said.append(str(answer.get("message")))
        return status == 403 and DEFAULT in said[-1]

    said: list[str] = []
    assert wait(denied, 30, 0.2), f"deletions are not judged: {said[-1]}"


# Objects


def workload(name: str, kind: str = "GameDeployment", label: str | None = None, **spec: Any) -> Json:
    """A workload whose pods fit no node, so that operators that happen to run start nothing."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"nodeSelector": {"no": "where"}, "containers": [{"name": "game", "image": "game:1"}]},
    }
    full: Json = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    if kind == "GameStatefulSet":
        full["serviceName"] = name
    metadata = {"name": name, **({} if label is None else {"labels": {LABEL: label}})}
    return {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": kind, "metadata": metadata, "spec": full | spec}


def hook_template(name: str, label: str | None = None, condition: str = "asInt(result) == 1", **web: str) -> Json:
    provider = {"web": {"url": "http://{{ args.PodIP }}:8080/hook", "jsonPath": "{$.result}", **web}}
    metadata = {"name": name, **({} if label is None else {"labels": {LABEL: label}})}
    metric = {"name": "ready", "successCondition": condition, "provider": provider}
    spec = {"metrics": [metric]}
    return {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "HookTemplate", "metadata": metadata, "spec": spec}


def hook_run(name: str) -> Json:
    """A run that is not over soon, should a controller find it."""
    body = hook_template(name) | {"kind": "HookRun"}
    body["spec"]["metrics"][0]["initialDelay"] = "1h"
    return body


def collection(namespace: str, kind: str) -> str:
    return f"{API}/namespaces/{namespace}/{kind.lower()}s"


def create(api: Api, namespace: str, body: Json, **options: str) -> str:
    """Create an object; its path."""
    path = collection(namespace, body["kind"])
    api.good("POST", path, body, **options)
    return f"{path}/{body['metadata']['name']}"


def refused(answer: tuple[int, Json], message: str, code: int = 403) -> str:
    """The whole message of a refusal that holds this text."""
    status, body = answer
    assert status == code, body
    assert message in body["message"], body["message"]
    return str(body["message"])


@pytest.fixture(scope="module", autouse=True)
def _alone(no_operators):
    """Operators that run beside would work on the same objects."""
