"""The second layer alone: no webhook is registered, the API server judges by itself."""

from __future__ import annotations

import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import (
    DEFAULT,
    LABEL,
    REGISTRY,
    collection,
    create,
    hook_run,
    hook_template,
    only_ours,
    refused,
    registration,
    until_denied,
    workload,
)
from webhooks.policies import policies

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WHILE = "forbidden by ResourceDeletionAllow for io.tencent.bcs.dev/deletion-allow=Cascading and "
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def paths(documents):
    return [f"{REGISTRY}/{PLURALS[d['kind']]}" for d in documents]


@pytest.fixture(scope="module")
def policy(api, mark, games):
    """The policies that go with webhooks, which are not there."""
    creators = ["system:serviceaccount:game-system:game-operators"]
    documents = only_ours(policies(registration(mark, exempt_users=["cleaner"], hookrun_creators=creators)), mark)
    made = []
    try:
        for path, document in zip(paths(documents), documents, strict=True):
            api.good("POST", path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        until_denied(api, games)
        yield documents
    finally:
        for path in reversed(made):
            api.ask("DELETE", path)


def test_the_api_server_finds_no_fault_in_the_expressions(api, policy):
    for path, document in zip(paths(policy), policy, strict=True):
        if document["kind"] == "ValidatingAdmissionPolicy":
            name = document["metadata"]["name"]
            status = lambda n=name, p=path: api.good("GET", f"{p}/{n}").get("status", {})  # noqa: E731
            assert wait(lambda s=status: "typeChecking" in s() or s().get("observedGeneration"), 30)
            assert not status().get("typeChecking", {}).get("expressionWarnings"), status()


@pytest.mark.parametrize("kind", ["GameDeployment", "GameStatefulSet"])
@pytest.mark.usefixtures("policy")
def test_adm_1_2_3_4_6_the_label_decides_without_a_webhook(api, games, kind):
    path = create(api, games, workload(f"vap-{kind.lower()}", kind))
    said = refused(api.ask("DELETE", path), DEFAULT)
    assert said.endswith("denied request: " + DEFAULT)
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "always"}}})
    refused(api.ask("DELETE", path), DEFAULT)
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "Cascading"}}})
    refused(api.ask("DELETE", path), WHILE + "replicas 2>0; scale it to 0 first")
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 0}})
    assert wait(lambda: api.ask("DELETE", path)[0] == 200, 30), api.ask("DELETE", path)


@pytest.mark.usefixtures("policy")
def test_adm_5_the_last_pods_are_waited_for(api, games):
    path = create(api, games, workload("vap-leaving", "GameStatefulSet", "Cascading", replicas=0))

    def still_there() -> bool:
        api.good("PATCH", f"{path}/status", {"status": {"replicas": 1}})
        return WHILE + "replicas 1>0; its last pods" in api.ask("DELETE", path, dryRun="All")[1].get("message", "")

    assert wait(still_there, 20)


@pytest.mark.usefixtures("policy")
def test_counting_is_left_to_the_webhooks(api, games):
    path = create(api, games, hook_template("vap-cascading", "Cascading"))
    api.good("DELETE", path, dryRun="All")


@pytest.mark.usefixtures("policy")
def test_adm_19_22_25_nothing_else_is_judged(api, games):
    api.good("DELETE", create(api, games, hook_run("vap-run")))
    path = create(api, games, workload("vap-free"))
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 1}})
    api.good("DELETE", path, user="cleaner")


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets", "hooktemplates", "hookruns"])
@pytest.mark.usefixtures("policy")
def test_adm_32_40_definitions(api, mark, plural):
    path = f"{CRDS}/{plural}.tkex.tencent.com"
    refused(api.ask("DELETE", path, user=mark, dryRun="All"), DEFAULT)


@pytest.mark.usefixtures("policy")
def test_h13_only_the_operators_make_hookruns_of_workloads(api, games):
    run = hook_run("forged")
    owner = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": "x", "uid": "1"}
    run["metadata"]["ownerReferences"] = [owner | {"controller": True}]
    path = collection(games, "HookRun")
    refused(api.ask("POST", path, run, dryRun="All"), "only the operators may make HookRuns")
    api.good("POST", path, run, dryRun="All", user="system:serviceaccount:game-system:game-operators")
    api.good("POST", path, hook_run("by-hand"), dryRun="All")
