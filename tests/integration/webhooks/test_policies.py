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
OPERATORS = "system:serviceaccount:game-system:game-operators"
FORGED = "only the operators may make HookRuns that a workload controls"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def paths(documents):
    return [f"{REGISTRY}/{PLURALS[d['kind']]}" for d in documents]


@pytest.fixture(scope="module")
def policy(api, mark, games):
    """The policies that go with webhooks, which are not there."""
    fields = {"exempt_users": ["cleaner"], "hookrun_creators": [OPERATORS], "protect_namespaces": True}
    documents = only_ours(policies(registration(mark, **fields)), mark)
    made = []
    try:
        for path, document in zip(paths(documents), documents, strict=True):
            api.good("POST", path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        until_denied(api, games)
        forged = controlled(hook_run("forged"))
        assert wait(lambda: api.ask("POST", collection(games, "HookRun"), forged, dryRun="All")[0] == 403, 30)
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


def controlled(run, **other):
    """The run, with a workload in control."""
    owner = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": "x", "uid": "1"}
    return {**run, "metadata": {**run["metadata"], "ownerReferences": [owner | {"controller": True} | other]}}


@pytest.mark.usefixtures("policy")
def test_attack_f13_h13_adm_80_only_the_operators_make_hookruns_of_workloads(api, games):
    run, path = hook_run("forged"), collection(games, "HookRun")
    refused(api.ask("POST", path, controlled(run), dryRun="All"), FORGED)
    refused(api.ask("POST", path, controlled(run, apiVersion="other/v1"), dryRun="All"), FORGED)
    api.good("POST", path, controlled(run), dryRun="All", user=OPERATORS)
    api.good("POST", path, controlled(run, controller=False), dryRun="All")
    api.good("POST", path, controlled(run, kind="Experiment"), dryRun="All")


@pytest.mark.usefixtures("policy")
def test_attack_f13_h13_adm_80_everybody_makes_and_interrupts_runs_of_their_own(api, games):
    path = create(api, games, hook_run("by-hand"))
    api.good("PATCH", path, {"spec": {"terminate": True}})
    owners = controlled(hook_run("by-hand"))["metadata"]["ownerReferences"]
    refused(api.ask("PATCH", path, {"metadata": {"ownerReferences": owners}}), FORGED)
    api.good("DELETE", path)


@pytest.mark.parametrize("other", [{"kind": "GameStatefulSet"}, {"name": "y"}, {"uid": "2"}], ids=str)
@pytest.mark.usefixtures("policy")
def test_attack_f13_h13_adm_80_an_update_keeps_the_very_workload_that_controls_the_run(api, games, other):
    """White paper: people interrupt a run of a workload by a change of its spec."""
    name = f"theirs-{'-'.join(other)}"
    owner = api.good("GET", create(api, games, workload(name)))["metadata"]["uid"]
    body = controlled(hook_run(name), name=name, uid=owner)
    path = create(api, games, body, user=OPERATORS)
    changed = controlled(body, **{"name": name, "uid": owner} | other)["metadata"]["ownerReferences"]
    refused(api.ask("PATCH", path, {"metadata": {"ownerReferences": changed}}, dryRun="All"), FORGED)
    api.good("PATCH", path, {"metadata": {"ownerReferences": changed}}, dryRun="All", user=OPERATORS)
    api.good("PATCH", path, {"spec": {"terminate": True}}, dryRun="All")
    api.good("DELETE", path, dryRun="All")


def test_attack_f9_adm_79_only_labelled_namespaces_are_kept(api, mark, policy, new_namespace):
    path = f"/api/v1/namespaces/{new_namespace()}"
    wanted = f"{DEFAULT}; deleting a namespace ends its pods within seconds"

    def delete():
        return api.ask("DELETE", path, user=mark, dryRun="All")

    def label(**labels):
        names = {"protected": "tkex.tencent.com/protected", "allowed": LABEL}
        api.good("PATCH", path, {"metadata": {"labels": {names[k]: v for k, v in labels.items()}}})

    assert delete()[0] == 200
    label(protected="true")
    assert wait(lambda: delete()[0] == 403, 30), "deletions of namespaces are not judged"
    for value in ("true", "yes", ""):
        label(protected=value)
        refused(delete(), wanted)
    for value in ("Cascading", "always", None):
        label(allowed=value)
        refused(delete(), wanted)
    label(allowed="Always")
    assert delete()[0] == 200
    label(allowed=None, protected="false")
    assert delete()[0] == 200
