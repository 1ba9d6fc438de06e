"""Definitions that the Go operators' charts made, as v1beta1 and long ago, become ours.

No API server takes v1beta1 any more, but one reads it where an upgraded cluster has it in its storage. So the test puts
it there, under a group of its own: the real definitions are everybody's.
"""

from __future__ import annotations

import base64
import copy
import json
import secrets
import shutil
import uuid

import httpx
import pytest
import yaml

from devcluster import processes
from devcluster.daemons import ETCD
from devcluster.helm import CHART, Release
from operators.api.crds import definitions
from tests.integration.api.broken import manifest

pytestmark = pytest.mark.nodes

NOTHING_ELSE = {
    "controllers": {name: {"enabled": False} for name in ("gamedeployment", "gamestatefulset", "hook")},
    "webhooks": {"enabled": False},
    "policies": {"enabled": False},
    "rbac": {"create": False},
}


class Older:
    """A kind of ours under another name and group, with the definition of the Go charts in the storage."""

    def __init__(self, api, kind):
        self.api, self.kind, self.group = api, f"Go{kind}", f"go{secrets.token_hex(3)}.example.com"
        plural = f"{self.kind.lower()}s"
        self.name = f"{plural}.{self.group}"
        self.ours = copy.deepcopy(next(d for d in definitions().values() if d["spec"]["names"]["kind"] == kind))
        self.ours["metadata"]["name"] = self.name
        self.ours["spec"]["group"] = self.group
        names = {"kind": self.kind, "listKind": f"{self.kind}List", "plural": plural, "singular": self.kind.lower()}
        self.ours["spec"]["names"] = names
        good = copy.deepcopy(manifest(kind, {}, name="old"))
        self.object = {**good, "apiVersion": f"{self.group}/v1alpha1", "kind": self.kind}

    def store(self):
        """As `helm template` of the Go charts printed it, and the API server stored it."""
        body = {
            "apiVersion": "apiextensions.k8s.io/v1beta1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": self.name,
                "uid": str(uuid.uuid4()),
                "creationTimestamp": "2022-10-01T00:00:00Z",
                "generation": 1,
                "annotations": {
                    "meta.helm.sh/release-name": "bcs-gamedeployment-operator",
                    "meta.helm.sh/release-namespace": "bcs-system",
                },
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
            },
            "spec": {
                "group": self.group,
                "version": "v1alpha1",
                "versions": [{"name": "v1alpha1", "served": True, "storage": True}],
                "scope": "Namespaced",
                "names": self.ours["spec"]["names"],
                "subresources": {
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                    "status": {},
                },
                "validation": {"openAPIV3Schema": {"properties": {"spec": {"properties": {"replicas": {}}}}}},
            },
        }
        put(f"/registry/apiextensions.k8s.io/customresourcedefinitions/{self.name}", body)
        self.api.text("wait", "--for=condition=Established", "--timeout=60s", f"crd/{self.name}")

    def remove(self):
        self.api.text("delete", "crd", self.name, "--wait=false", "--ignore-not-found")

    def definition(self):
        return self.api.object("get", "crd", self.name)


def put(key, body):
    def coded(text):
        return base64.b64encode(text.encode()).decode()

    answer = httpx.post(f"{ETCD}/v3/kv/put", json={"key": coded(key), "value": coded(json.dumps(body))}, timeout=10)
    answer.raise_for_status()


def by_helm(older, folder):
    """The chart with this definition and nothing else, as docs/install.md says it."""
    chart = folder / "game-operators"
    shutil.copytree(CHART, chart)
    for path in (chart / "files" / "crds").iterdir():
        path.unlink()
    (chart / "files" / "crds" / "one.yaml").write_text(yaml.safe_dump(older.ours))
    release = Release(older.api.cluster.kubeconfig, "game-operators", older.api.namespace)
    release.apply(NOTHING_ELSE, "--take-ownership", chart=chart)
    assert older.definition()["metadata"]["annotations"]["meta.helm.sh/release-namespace"] == older.api.namespace


def by_client(older, folder):
    older.api.text("apply", "-f", "-", body=older.ours)


def by_server(older, folder):
    older.api.text("apply", "--server-side", "--force-conflicts", "-f", "-", body=older.ours)


@pytest.mark.parametrize(
    ("kind", "how"), [("GameDeployment", by_helm), ("GameDeployment", by_client), ("HookTemplate", by_server)]
)
def test_pkg_27_definitions_of_the_go_operators_are_taken_over(api, tmp_path, kind, how):
    if api.cluster.kind != "built":
        pytest.skip("the storage is written to on the cluster that is built here")
    older = Older(api, kind)
    try:
        older.store()
        assert older.definition()["spec"]["preserveUnknownFields"] is True, "as v1beta1 had it by default"
        older.object["spec"]["unheardOf"] = {"deep": 1}
        made = processes.wait(lambda: api.run("create", "-f", "-", body=older.object).returncode == 0, 30)
        assert made, api.run("create", "-f", "-", body=older.object).stderr
        before = api.object("get", older.name, "old")
        assert before["spec"]["unheardOf"] == {"deep": 1}

        how(older, tmp_path)

        now = older.definition()
        assert not now["spec"].get("preserveUnknownFields")
        assert now["spec"]["versions"][0]["schema"] == older.ours["spec"]["versions"][0]["schema"]
        assert now["metadata"]["annotations"]["version"] == older.ours["metadata"]["annotations"]["version"]

        def unknown_is_said():
            done = api.run("create", "--dry-run=server", "--validate=strict", "-f", "-", body=older.object)
            return 'unknown field "spec.unheardOf"' in done.stderr

        assert processes.wait(unknown_is_said, 30), "what is dropped can be seen before, as docs/install.md says"
        after = api.object("get", older.name, "old")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], "no object was written"
        assert "unheardOf" not in after["spec"]
        kept = before["spec"].keys() - {"unheardOf"}
        assert kept <= after["spec"].keys()
        api.text("label", older.name, "old", "io.tencent.bcs.dev/deletion-allow=Always")
    finally:
        older.remove()
