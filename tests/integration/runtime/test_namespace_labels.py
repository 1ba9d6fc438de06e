"""Namespaces with protected workloads carry a label, and a policy keeps them: on an API server of the test's own."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest
import yaml

from devcluster.controlplane import ApiServer
from devcluster.processes import wait
from tests.attack.generators import workload
from tests.integration.runtime.processes import Process
from tests.unit.helm.charts import NAMESPACE, RELEASE, render

_CRDS = Path(__file__).parents[3] / "crds"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_PATCH = "application/merge-patch+json"
PROTECTED, ALLOW = "tkex.tencent.com/protected", "io.tencent.bcs.dev/deletion-allow"
ASKED = {"policies": {"protectNamespaces": True}}


class Cluster(ApiServer):
    """With the chart's policies, and operators that have the chart's rights and no others."""

    def __init__(self, folder):
        super().__init__(folder, controllers=True, users=["ops"])
        self.folder, self.operators = folder, None

    def prepare(self, *namespaces):
        self.start()
        self.define([yaml.safe_load(file.read_text()) for file in sorted(_CRDS.glob("*.yaml"))])
        for name in namespaces:
            self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        rendered = render(ASKED)
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
            plural = "validatingadmissionpolicies" if kind.endswith("Policy") else f"{kind.lower()}s"
            for body in rendered.of(kind):
                self.request("POST", f"{_ADMISSION}/{plural}", body)

    def grant(self, values, namespace=None):
        """Give the operators the rights that the chart gives them, all of them or those in one namespace."""
        rendered = render(values)
        names = [("ClusterRole", f"{NAMESPACE}-{RELEASE}", _RBAC)]
        if namespace is not None:
            names.append(("Role", RELEASE, f"{_RBAC}/namespaces/{namespace}"))
        for kind, name, root in names:
            self.request("POST", f"{root}/{kind.lower()}s", rendered.one(kind, name))
            subject = {"kind": "User", "name": "ops", "apiGroup": "rbac.authorization.k8s.io"}
            role = {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
            binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}
            self.request("POST", f"{root}/{kind.lower()}bindings", binding)

    def run(self, namespace=None):
        flags = ("--protect-namespaces=true", "--leader-elect=false", "--resync-period=3")
        self.operators = Process(self.kubeconfig_of("ops"), self.folder, namespace, *flags)
        self.operators.until("its caches are filled", lambda: self.operators.ready)

    def end(self):
        if self.operators is not None:
            self.operators.close()
            refused = [record for record in self.operators.log if "namespaces" in str(record.get("error"))]
            assert not refused, refused

    def label(self, namespace, value=PROTECTED):
        return self.request("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["labels"].get(value)

    def becomes(self, namespace, value, seconds=15):
        assert wait(lambda: self.label(namespace) == value, seconds), f"{self.label(namespace)}, not {value}"

    def set(self, path, **labels):
        self.request("PATCH", path, {"metadata": {"labels": labels}}, _PATCH)

    def gone(self, namespace):
        try:
            self.request("GET", f"/api/v1/namespaces/{namespace}")
        except urllib.error.HTTPError as error:
            return error.code == 404
        return False

    def delete(self, path):
        """Status of a deletion."""
        try:
            self.request("DELETE", path)
        except urllib.error.HTTPError as error:
            return error.code
        return 200


def _workloads(namespace, kind="gamedeployments"):
    return f"/apis/tkex.tencent.com/v1alpha1/namespaces/{namespace}/{kind}"


def _idle(name, kind="GameDeployment"):
    body = workload(name)
    body["spec"]["replicas"] = 0
    if kind == "GameStatefulSet":
        body |= {"kind": kind}
        body["spec"]["serviceName"] = name
    return body


@pytest.fixture
def cluster_of(tmp_path):
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        if made.operators is not None:
            made.operators.close()
        made.close()


def test_attack_f9_adm_81_the_operators_label_namespaces_as_long_as_they_hold_protected_workloads(cluster_of):
    api = cluster_of
    api.prepare("arena", "owned", "open")
    api.grant(ASKED)
    api.set("/api/v1/namespaces/owned", **{PROTECTED: "true"})
    api.set("/api/v1/namespaces/open", **{PROTECTED: "false"})
    api.run()
    for namespace in ("arena", "owned", "open"):
        api.request("POST", _workloads(namespace), _idle("lobby"))
    api.request("POST", _workloads("arena", "gamestatefulsets"), _idle("world", "GameStatefulSet"))
    api.becomes("arena", "by-operators")
    assert wait(lambda: api.delete("/api/v1/namespaces/arena?dryRun=All") == 403, 15)
    assert api.delete("/api/v1/namespaces/arena") == 403

    api.set("/api/v1/namespaces/arena", **{PROTECTED: None})
    api.becomes("arena", "by-operators")  # whoever removed it

    api.set(f"{_workloads('arena')}/lobby", **{ALLOW: "Always"})
    api.set(f"{_workloads('arena', 'gamestatefulsets')}/world", **{ALLOW: "Cascading"})
    api.request("DELETE", f"{_workloads('arena')}/lobby")
    assert api.label("arena") == "by-operators", "the other one is protected"
    api.request("DELETE", f"{_workloads('arena', 'gamestatefulsets')}/world")
    api.becomes("arena", None)
    api.request("POST", _workloads("arena"), _idle("lobby"))
    api.becomes("arena", "by-operators")

    api.end()  # what happens while nobody looks is seen afterwards
    for namespace in ("arena", "owned", "open"):
        api.set(f"{_workloads(namespace)}/lobby", **{ALLOW: "Always"})
        api.request("DELETE", f"{_workloads(namespace)}/lobby")
    api.run()
    api.becomes("arena", None)
    assert (api.label("owned"), api.label("open")) == ("true", "false"), "the owner's word stays"
    assert api.delete("/api/v1/namespaces/arena") == 200
    assert api.delete("/api/v1/namespaces/open") == 200
    assert api.delete("/api/v1/namespaces/owned") == 403
    assert wait(lambda: api.gone("arena"), 60)
    api.end()


def test_attack_f9_adm_81_in_one_namespace_a_role_is_enough(cluster_of):
    api = cluster_of
    api.prepare("arena", "other")
    api.grant({**ASKED, "watchNamespace": "arena"}, "arena")
    api.run("arena")
    for namespace in ("arena", "other"):
        api.request("POST", _workloads(namespace), _idle("lobby"))
    api.becomes("arena", "by-operators")
    api.set(f"{_workloads('arena')}/lobby", **{ALLOW: "Always"})
    api.becomes("arena", None)
    assert api.label("other") is None
    api.end()
