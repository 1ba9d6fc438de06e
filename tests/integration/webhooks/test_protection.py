"""Deletions on the real API server (docs/spec/admission.md 7)."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import (
    API,
    DEFAULT,
    LABEL,
    collection,
    create,
    hook_run,
    hook_template,
    refused,
    workload,
)

pytestmark = pytest.mark.usefixtures("registered")
WHILE = "forbidden by ResourceDeletionAllow for io.tencent.bcs.dev/deletion-allow=Cascading and "
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
def test_adm_1_11_2_12_the_label_decides(api, games, kind):
    path = create(api, games, workload(f"bare-{kind.lower()}", kind))
    said = refused(api.ask("DELETE", path), DEFAULT)
    assert said.startswith('admission webhook "deletion-workload.game-operators.tkex.tencent.com" denied the request: ')
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "Always"}}})
    api.good("DELETE", path)


@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
def test_adm_3_4_13_14_25_cascading_goes_at_zero(api, games, kind):
    path = create(api, games, workload(f"casc-{kind.lower()}", kind, "Cascading"))
    refused(api.ask("DELETE", path), WHILE + "replicas 2>0; scale it to 0 first")
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 0}})

    def deleted() -> bool:  # operators that happen to run may still count pods for a moment
        return api.ask("DELETE", path)[0] == 200

    assert wait(deleted, 30), api.ask("DELETE", path)


def test_adm_5_the_last_pods_are_waited_for(api, games):
    path = create(api, games, workload("leaving", "GameStatefulSet", "Cascading", replicas=0))

    def still_there() -> bool:  # whoever else writes the status may be faster once, but not every time
        api.good("PATCH", f"{path}/status", {"status": {"replicas": 1}})
        return "replicas 1>0; its last pods" in api.ask("DELETE", path, dryRun="All")[1].get("message", "")

    assert wait(still_there, 20)


def test_adm_16_17_18_hooktemplates(api, games):
    path = create(api, games, hook_template("used", "Cascading"))
    owner = create(
        api, games, workload("user", label="Always", preDeleteUpdateStrategy={"hook": {"templateName": "used"}})
    )
    refused(api.ask("DELETE", path), WHILE + "references 1>0; it is used by GameDeployment user")
    api.good("DELETE", owner)
    assert wait(lambda: api.gone(owner), 30)
    run = create(api, games, hook_run("predelete-x-used"))
    said = refused(api.ask("DELETE", path, dryRun="All"), WHILE + "references 1>0")
    assert "HookRun predelete-x-used" in said
    api.good("DELETE", run)
    assert wait(lambda: api.gone(run), 30)
    api.good("DELETE", path)
    always = create(api, games, hook_template("always", "Always"))
    api.good("DELETE", always)


def test_adm_19_hookruns_are_not_protected(api, games):
    api.good("DELETE", create(api, games, hook_run("by-hand")))


def test_adm_21_pods_are_not_asked_about(api, games):
    pod = {"metadata": {"name": "lobby-abcde"}, "spec": {"nodeSelector": {"no": "where"}}}
    pod["spec"]["containers"] = [{"name": "game", "image": "game:1"}]
    path = f"/api/v1/namespaces/{games}/pods"
    api.good("POST", path, pod)
    api.good("DELETE", f"{path}/lobby-abcde", gracePeriodSeconds="0")


def test_adm_22_23_24_the_label_comes_and_goes_freely(api, games):
    path = create(api, games, workload("labels"))
    for value in ("Always", None):
        api.good("PATCH", path, {"metadata": {"labels": {LABEL: value}}})
    refused(api.ask("DELETE", path), DEFAULT)


def test_adm_29_56_a_dry_run_is_refused_with_403_and_changes_nothing(api, games):
    path = create(api, games, workload("dry"))
    status, answer = api.ask("DELETE", path, dryRun="All")
    assert (status, answer["code"], answer["reason"]) == (403, 403, "Forbidden")
    assert "deletionTimestamp" not in api.good("GET", path)["metadata"]


def test_adm_30_a_collection_is_judged_object_by_object(api, new_namespace):
    namespace = new_namespace()
    paths = [create(api, namespace, hook_template(n, v)) for n, v in (("a", None), ("b", "Always"), ("c", "NotAllow"))]
    refused(api.ask("DELETE", collection(namespace, "HookTemplate")), DEFAULT)
    # The API server stops at the first refusal it meets, after deleting what it had begun.
    api.good("DELETE", paths[1]) if not api.gone(paths[1]) else None
    assert [api.gone(path) for path in paths] == [False, True, False]


def test_adm_31_a_namespace_waits_and_says_for_what(api, new_namespace):
    namespace = new_namespace()
    path = create(api, namespace, workload("held"))
    api.good("DELETE", f"/api/v1/namespaces/{namespace}")

    def said() -> str:
        conditions = api.good("GET", f"/api/v1/namespaces/{namespace}")["status"].get("conditions", ())
        return "".join(c["message"] for c in conditions if c["type"] == "NamespaceDeletionContentFailure")

    assert wait(lambda: DEFAULT in said(), 60), said()
    assert f"namespace {namespace} stays Terminating until then" in said()
    assert not api.gone(path)
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "Always"}}})
    assert wait(lambda: api.gone(f"/api/v1/namespaces/{namespace}"), 120)


# Definitions: dry runs by a user of ours, so that the shared ones stay as they are


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets", "hooktemplates", "hookruns"])
def test_adm_32_definitions_are_protected(api, mark, plural):
    path = f"{CRDS}/{plural}.tkex.tencent.com"
    refused(api.ask("DELETE", path, user=mark, dryRun="All"), DEFAULT)


def test_adm_40_41_definitions_of_others_are_not_asked_about(api, mark, hooks):
    group = f"{mark}.example.com"
    name = f"gamedeployments.{group}"
    schema = {"openAPIV3Schema": {"type": "object"}}
    names = {"kind": "GameDeployment", "plural": "gamedeployments"}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    body = {"metadata": {"name": name}, "spec": {"group": group, "scope": "Namespaced", "names": names}}
    body["spec"]["versions"] = versions
    before = hooks.metric("bkbcs_admission_requests_total", path="/validate-crd")
    api.good("POST", CRDS, body)
    api.good("DELETE", f"{CRDS}/{name}", user=mark, dryRun="All")
    api.good("DELETE", f"{CRDS}/{name}")
    assert hooks.metric("bkbcs_admission_requests_total", path="/validate-crd") == before


def asked_about_definition(hooks, certificates, plural: str, label: str) -> dict:
    """What the process says when an API server asks about a definition with this label."""
    old = {"metadata": {"name": f"{plural}.tkex.tencent.com", "labels": {LABEL: label}}}
    resource = {"group": "apiextensions.k8s.io", "version": "v1", "resource": "customresourcedefinitions"}
    request = {"uid": "1", "operation": "DELETE", "resource": resource, "oldObject": old}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    url = f"https://127.0.0.1:{hooks.port}/validate-crd"
    return dict(httpx.post(url, json=body, verify=certificates.context(), timeout=10).json()["response"])


def living(api, kind: str) -> int:
    items = api.good("GET", f"{API}/{kind}")["items"]
    return sum(not item["metadata"].get("deletionTimestamp") for item in items)


@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet", "HookTemplate", "HookRun"])
def test_adm_35_37_38_57_instances_of_all_namespaces_are_counted(api, games, new_namespace, hooks, certificates, kind):
    """The cluster is shared, so the count is only bounded from below by our own two objects."""
    body = {"HookTemplate": hook_template, "HookRun": hook_run}.get(kind, lambda n: workload(n, kind))("counted")
    for namespace in (games, new_namespace()):
        create(api, namespace, body)
    plural = f"{kind.lower()}s"
    response = asked_about_definition(hooks, certificates, plural, "Cascading")
    assert not response["allowed"]
    found = re.match(re.escape(WHILE) + r"active CRs (\d+)>0; ", response["status"]["message"])
    assert found, response
    assert int(found.group(1)) >= 2
    assert living(api, plural) >= 2


def test_adm_33_a_definition_labelled_always_goes_uncounted(hooks, certificates):
    assert asked_about_definition(hooks, certificates, "gamedeployments", "Always") == {"uid": "1", "allowed": True}


def test_the_log_names_refusals_and_no_contents(api, games, hooks):
    path = create(api, games, workload("quiet", template=secretive()))
    refused(api.ask("DELETE", path), DEFAULT)
    assert "review refused" in hooks.text()
    assert f"operation=DELETE kind=GameDeployment namespace={games} name=quiet" in hooks.text()
    assert "hunter2" not in hooks.text()


def secretive() -> dict:
    body = json.loads(json.dumps(workload("quiet")["spec"]["template"]))
    body["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "hunter2"}]
    return dict(body)
