"""Templates are tried on the real API server before they count (docs/spec/admission.md 6.4)."""

from __future__ import annotations

import copy
import json
import secrets
from pathlib import Path

import httpx
import pytest
import yaml

from devcluster.processes import wait
from operators.kube import wire
from tests.integration.webhooks.conftest import LABEL, MARK, REGISTRY, Hooks, collection, create, refused, workload

pytestmark = pytest.mark.usefixtures("registered")
ROOT = Path(__file__).parents[3]
FILES = sorted([*(ROOT / "tests/integration/api/manifests").glob("*.yaml"), *(ROOT / "examples").rglob("*.yaml")])
KINDS = pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
#: Templates that no pod can have (what is wrong with the container, with the spec), and the API server's words.
IMPOSSIBLE = {
    "amount": ({"resources": {"limits": {"cpu": "abc"}}}, {}, "quantities must match the regular expression"),
    "type": ({"ports": [{"containerPort": "http"}]}, {}, "cannot unmarshal string into Go struct field"),
    "number": ({"env": [{"name": "A", "value": 1}]}, {}, "cannot unmarshal number into Go struct field EnvVar"),
    "mount": (
        {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        {},
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
    ),
    "port": (
        {"ports": [{"containerPort": 70000}]},
        {},
        "spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000",
    ),
    "requests above limits": (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        {},
        "must be less than or equal to cpu limit",
    ),
    "policy": ({}, {"dnsPolicy": "Sometimes"}, 'spec.template.spec.dnsPolicy: Unsupported value: "Sometimes"'),
    "volume": (
        {},
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
        "may not specify more than 1 volume type",
    ),
    "misspelt probe": (
        {"livenesProbe": {"httpGet": {"port": 80}}},
        {},
        'strict decoding error: unknown field "spec.template.spec.containers[0].livenesProbe"',
    ),
    "misspelt grace": (
        {},
        {"terminationGracePeriodSecond": 7},
        'unknown field "spec.template.spec.terminationGracePeriodSecond"',
    ),
}
#: Misspelt around the spec.
AROUND = {
    'unknown field "spec.template.metadata.foo"': {"metadata": {"labels": {"app": "odd"}, "foo": 1}},
    'unknown field "spec.template.sepc"': {"sepc": {"containers": []}},
}


def bad(kind: str, name: str, container: dict, spec: dict, **more) -> dict:
    body = workload(name, kind, label="Always", replicas=0, **more)
    pod = body["spec"]["template"]["spec"]
    pod |= spec
    pod["containers"][0] |= container
    return body


@pytest.fixture(scope="module", autouse=True)
def _judged(registered, api, games):
    """Templates are tried once one is refused."""
    path, body = collection(games, "GameDeployment"), bad("GameDeployment", "judged", {"odd": 1}, {})
    assert wait(lambda: api.ask("POST", path, body, dryRun="All")[0] == 422, 30, 0.2)


@KINDS
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_public_f3_f5_a_template_that_no_pod_can_have_is_refused_in_the_api_server_s_words(api, games, kind, case):
    container, spec, said = IMPOSSIBLE[case]
    body = bad(kind, "impossible", container, spec)
    refused(api.ask("POST", collection(games, kind), body, dryRun="All"), said, 422)


@pytest.mark.parametrize("said", AROUND)
def test_public_f5_what_is_misspelt_around_the_spec_is_found_too(api, games, said):
    body = workload("odd", label="Always")
    body["spec"]["template"] |= AROUND[said]
    refused(api.ask("POST", collection(games, "GameDeployment"), body, dryRun="All"), said, 422)


@KINDS
def test_public_f3_an_update_to_such_a_template_is_refused_and_changes_nothing(api, games, kind):
    path = create(api, games, workload(f"update-{kind.lower()}", kind, label="Always", replicas=0))
    assert not api.warnings
    container, spec, said = IMPOSSIBLE["mount"]
    body = bad(kind, f"update-{kind.lower()}", container, spec)
    refused(api.ask("PATCH", path, {"spec": body["spec"]}), said, 422)
    assert "volumeMounts" not in api.good("GET", path)["spec"]["template"]["spec"]["containers"][0]
    api.good("DELETE", path)


def test_the_claims_of_a_set_are_volumes_of_the_pod(api, games):
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    claim["spec"]["resources"] = {"requests": {"storage": "1Mi"}}
    container, spec, _ = IMPOSSIBLE["mount"]
    body = bad("GameStatefulSet", "claims", container, spec, volumeClaimTemplates=[claim])
    api.good("POST", collection(games, "GameStatefulSet"), body, dryRun="All")
    assert not api.warnings


def test_a_workload_without_a_name_is_tried_too(api, games):
    body = workload("lobby", label="Always")
    body["metadata"] = {"generateName": "lobby-", "labels": {LABEL: "Always"}}
    api.good("POST", collection(games, "GameDeployment"), body, dryRun="All")
    assert not api.warnings


def test_public_f5_what_is_stored_with_an_unknown_field_can_be_changed(api, mark):
    """Stored before anybody looked: scaling, another image, fewer mistakes; but not more."""
    name = f"{mark}-stored"
    api.good("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        body = bad("GameDeployment", "stored", {"livenesProbe": {}, "readinesProbe": {}}, {})
        path = create(api, name, body)
        api.good("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": {MARK: mark}}})
        misspelt = bad("GameDeployment", "new", {"odd": 1}, {})
        kinds = collection(name, "GameDeployment")
        assert wait(lambda: api.ask("POST", kinds, misspelt, dryRun="All")[0] == 422, 30, 0.2)
        api.good("PATCH", path, {"spec": {"minReadySeconds": 5}})
        body["spec"]["template"]["spec"]["containers"][0]["image"] = "game:2"
        api.good("PATCH", path, {"spec": {"template": body["spec"]["template"]}})
        del body["spec"]["template"]["spec"]["containers"][0]["readinesProbe"]
        api.good("PATCH", path, {"spec": {"template": body["spec"]["template"]}})
        body["spec"]["template"]["spec"]["containers"][0]["startupProb"] = {}
        said = refused(api.ask("PATCH", path, {"spec": {"template": body["spec"]["template"]}}), "startupProb", 422)
        assert "livenesProbe" not in said
    finally:
        api.ask("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def namespace(new_namespace) -> str:
    return str(new_namespace())


def warned(api, namespace: str, body: dict, said: str) -> None:
    """Applied, and warned of; admission of the API server learns of a label or a quota after a moment."""
    told: list[str] = []

    def holds() -> bool:
        api.good("POST", collection(namespace, body["kind"]), body, dryRun="All")
        told[:] = wire.warnings(api.warnings)
        return any("a pod of it would be refused now" in w and said in w for w in told)

    assert wait(holds, 20, 0.2), told


def test_what_time_can_cure_is_a_warning(api, namespace):
    """GitOps applies a service account, a quota, a label of the namespace a moment later, in the same apply."""
    body = workload("later", label="Always")
    body["spec"]["template"]["spec"]["serviceAccountName"] = "later"
    warned(api, namespace, body, 'serviceaccount "later" not found')
    path = f"/api/v1/namespaces/{namespace}"
    api.good("POST", f"{path}/serviceaccounts", {"metadata": {"name": "later"}})
    api.good("POST", collection(namespace, "GameDeployment"), body, dryRun="All")
    assert not api.warnings
    urgent = workload("urgent", label="Always")
    urgent["spec"]["template"]["spec"]["priorityClassName"] = "nobody-s"
    warned(api, namespace, urgent, "no PriorityClass with name nobody-s was found")
    api.good("POST", f"{path}/resourcequotas", {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    full = f"{path}/resourcequotas/none"
    assert wait(lambda: api.good("GET", full).get("status", {}).get("hard"), 30, 0.2)
    warned(api, namespace, workload("much", label="Always"), "exceeded quota")
    api.good("DELETE", full)
    api.good("PATCH", path, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    warned(api, namespace, workload("root", label="Always"), 'violates PodSecurity "restricted:latest"')


def test_limits_of_the_namespace_that_a_pod_does_not_fit_are_a_warning(api, namespace):
    """Validation refuses such a pod (422), because of what admission gave it; the template is good by itself."""
    limits = [{"type": "Container", "default": {"cpu": "1"}}]
    body = {"metadata": {"name": "small"}, "spec": {"limits": limits}}
    api.good("POST", f"/api/v1/namespaces/{namespace}/limitranges", body)
    big = bad("GameDeployment", "big", {"resources": {"requests": {"cpu": "2"}}}, {})

    def told():
        api.good("POST", collection(namespace, "GameDeployment"), big, dryRun="All")
        return any("must be less than or equal to cpu limit" in w for w in api.warnings)

    assert wait(told, 30, 0.2), api.warnings


def test_policies_of_others_about_pods_are_a_warning(api, mark, namespace):
    """They refuse with any code, 422 by default."""
    name = f"{mark}-pods"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": "no pods on Sundays"}],
        },
    }
    binding = {
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": here},
    }
    api.good("POST", f"{REGISTRY}/validatingadmissionpolicies", policy)
    api.good("POST", f"{REGISTRY}/validatingadmissionpolicybindings", binding)
    try:
        body = workload("sunday", label="Always")

        def told():
            api.good("POST", collection(namespace, "GameDeployment"), body, dryRun="All")
            return any("no pods on Sundays" in w for w in api.warnings)

        assert wait(told, 60, 0.5), api.warnings
    finally:
        api.ask("DELETE", f"{REGISTRY}/validatingadmissionpolicybindings/{name}")
        api.ask("DELETE", f"{REGISTRY}/validatingadmissionpolicies/{name}")


def documents() -> list:
    found = []
    for file in FILES:
        for number, body in enumerate(b for b in yaml.safe_load_all(file.read_text(encoding="utf-8")) if b):
            if body["kind"] in ("GameDeployment", "GameStatefulSet"):
                found.append(pytest.param(body, id=f"{file.relative_to(ROOT).as_posix()}-{number}"))
    return found


@pytest.mark.parametrize("manifest", documents())
def test_pkg_5_manifests_of_today_and_of_the_go_operators_pass(api, games, manifest):
    body = copy.deepcopy(manifest)
    body["metadata"].pop("namespace", None)
    pod = body["spec"]["template"]["spec"]
    if "aFieldOfTomorrow" in pod:
        said = 'unknown field "spec.template.spec.aFieldOfTomorrow"'
        refused(api.ask("POST", collection(games, body["kind"]), body, dryRun="All"), said, 422)
        del pod["aFieldOfTomorrow"]
    api.good("POST", collection(games, body["kind"]), body, dryRun="All")
    assert not [w for w in api.warnings if "spec.template" in w and "deletion" not in w], api.warnings


def asked(hooks: Hooks, certificates, namespace: str, body: dict) -> dict:
    """A review, sent to a process directly."""
    resource = {"group": "tkex.tencent.com", "version": "v1alpha1", "resource": f"{body['kind'].lower()}s"}
    request = {"uid": secrets.token_hex(4), "operation": "CREATE", "namespace": namespace, "resource": resource}
    request |= {"name": body["metadata"]["name"], "kind": {"kind": body["kind"]}, "object": body}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    url = f"https://127.0.0.1:{hooks.port}/validate-spec"
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(url, content=json.dumps(review), headers=headers, verify=certificates.context(), timeout=10)
    return answer.json()["response"]


@pytest.mark.parametrize(
    "flag", ["--template-strictness=Warn", "--template-strictness=Ignore", "--try-templates=false"]
)
def test_public_f5_owners_of_clusters_choose(cluster, certificates, tmp_path, games, flag):
    hooks = Hooks(tmp_path, cluster.kubeconfig, *certificates.flags, "--drain=1", flag)
    try:
        hooks.ready()
        misspelt = bad("GameDeployment", "free", {"livenesProbe": {}}, {})
        response = asked(hooks, certificates, games, misspelt)
        assert response["allowed"]
        told = 'spec.template: unknown field "spec.template.spec.containers[0].livenesProbe"'
        assert (told in response.get("warnings", ())) == ("Warn" in flag)
        container, spec, said = IMPOSSIBLE["mount"]
        response = asked(hooks, certificates, games, bad("GameDeployment", "free", container, spec))
        assert response["allowed"] == ("false" in flag)
        assert response["allowed"] or said in response["status"]["message"]
        assert hooks.metric("bkbcs_admission_template_trials_total") == (0 if "false" in flag else 2)
    finally:
        hooks.stop()


def test_nothing_is_created(api, games):
    for kind in ("pods", "podtemplates"):
        assert api.good("GET", f"/api/v1/namespaces/{games}/{kind}")["items"] == []
