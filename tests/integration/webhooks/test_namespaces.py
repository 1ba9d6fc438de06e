"""Where its owner lets a namespace take everything along: both layers agree, and on that alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import (
    DEFAULT,
    MARK,
    REGISTRY,
    Hooks,
    create,
    only_ours,
    refused,
    registration,
    until_denied,
    workload,
)
from webhooks.manifests import documents
from webhooks.policies import policies

PLURALS = {
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


@pytest.fixture(scope="module")
def lenient(api, cluster, mark, games, certificates, tmp_path_factory) -> Iterator[Hooks]:
    """Webhooks and policies, each with its part of the exception."""
    flags = (*certificates.flags, "--drain=1", "--allow-namespace-termination")
    hooks = Hooks(tmp_path_factory.mktemp("hooks"), cluster.kubeconfig, *flags)
    asked = registration(
        mark,
        url=f"https://127.0.0.1:{hooks.port}",
        ca_bundle=certificates.authority.certificate,
        allow_namespace_termination=True,
    )
    made = []
    try:
        hooks.ready()
        parts = documents(asked)
        for document in only_ours([*parts["configuration"], *parts["policy"]], mark):
            path = f"{REGISTRY}/{PLURALS[document['kind']]}"
            api.good("POST", path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        until_denied(api, games)
        yield hooks
    finally:
        for path in reversed(made):
            api.ask("DELETE", path)
        hooks.stop()


def test_a_namespace_that_is_deleted_takes_protected_objects_along(api, lenient, new_namespace, games):
    namespace = new_namespace()
    path = create(api, namespace, workload("taken"))
    assert wait(lambda: DEFAULT in api.ask("DELETE", path, dryRun="All")[1].get("message", ""), 30)
    api.good("DELETE", f"/api/v1/namespaces/{namespace}")
    assert wait(lambda: api.gone(f"/api/v1/namespaces/{namespace}"), 120)
    assert lenient.metric("bkbcs_admission_requests_total", outcome="allowed") >= 1
    kept = create(api, games, workload("kept"))
    said = refused(api.ask("DELETE", kept), DEFAULT)
    assert said.startswith("gamedeployments.tkex.tencent.com"), "the policy answers first"


def test_both_layers_judge_alone_too(api, lenient, mark, games):
    """With the policies gone the webhook says the same."""
    path = create(api, games, workload("alone"))
    for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        for name in (f"{mark}-deletion", f"{mark}-deletion-crd"):
            api.good("DELETE", f"{REGISTRY}/{plural}/{name}")

    def by_webhook() -> bool:
        message = api.ask("DELETE", path)[1].get("message", "")
        return message.startswith("admission webhook") and DEFAULT in message

    assert wait(by_webhook, 30)
    assert lenient.plain("/healthz").text == "ok"
    assert api.good("GET", f"/api/v1/namespaces/{games}")["metadata"]["labels"][MARK] == mark


def pod(name: str) -> dict[str, object]:
    """A pod that no node runs."""
    spec = {"nodeSelector": {"no": "where"}, "containers": [{"name": "game", "image": "game:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def kept_namespaces(api, mark) -> Iterator[None]:
    """The policy of namespaces, judging those of ours by its binding."""
    documents_ = [
        d for d in policies(registration(mark, protect_namespaces=True)) if d["metadata"]["name"] == f"{mark}-namespace"
    ]
    made = []
    try:
        for document in documents_:
            path = f"{REGISTRY}/{PLURALS[document['kind']]}"
            api.good("POST", path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        yield
    finally:
        for path in reversed(made):
            api.ask("DELETE", path)


def test_attack_f9_adm_79_a_labelled_namespace_keeps_its_pods_until_its_owner_allows_the_deletion(
    api, kept_namespaces, new_namespace
):
    namespace = new_namespace()
    path, pods = f"/api/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}/pods"
    api.good("PATCH", path, {"metadata": {"labels": {"tkex.tencent.com/protected": "true"}}})
    assert wait(lambda: api.ask("DELETE", path, dryRun="All")[0] == 403, 30), "deletions are not judged"
    assert wait(lambda: api.ask("POST", pods, pod("player"))[0] == 201, 30), "no service account yet"
    said = refused(api.ask("DELETE", path), DEFAULT)
    assert "deleting a namespace ends its pods within seconds" in said
    assert api.good("GET", path)["status"]["phase"] == "Active"
    assert "deletionTimestamp" not in api.good("GET", f"{pods}/player")["metadata"]
    api.good("PATCH", path, {"metadata": {"labels": {"io.tencent.bcs.dev/deletion-allow": "Always"}}})
    assert wait(lambda: api.ask("DELETE", path)[0] in (200, 409), 30)
    assert wait(lambda: api.gone(path), 120)
