"""What an installation, an upgrade and an uninstall do to definitions and workloads."""

import json
import re
import shutil

import pytest

from devcluster import processes
from devcluster.helm import CHART, HelmFailed
from tests.e2e.board import Board, workload
from tests.e2e.installation import installation

KINDS = ("gamedeployments", "gamestatefulsets", "hookruns", "hooktemplates")
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}


@pytest.fixture(scope="module")
def installed(cluster, crds, no_operators, operator_image):
    """A release that takes over the definitions, which tests of other modules applied."""
    with installation(cluster, operator_image) as made:
        made.values["crds"] = {"install": True}
        made.install("--take-ownership")
        yield made


def definitions(installed):
    names = [f"crd/{kind}.tkex.tencent.com" for kind in KINDS]
    return {d["metadata"]["name"]: d for d in json.loads(installed.kubectl("get", *names, "-o", "json"))["items"]}


def test_definitions_belong_to_the_release_and_are_kept(installed):
    for definition in definitions(installed).values():
        annotations = definition["metadata"]["annotations"]
        assert annotations["helm.sh/resource-policy"] == "keep"
        assert annotations["meta.helm.sh/release-namespace"] == installed.namespace
        assert annotations["version"]


def test_the_release_is_small_enough_to_be_recorded(installed):
    secrets = json.loads(installed.kubectl("get", "secrets", "-l", "owner=helm", "-o", "json"))["items"]
    assert max(len(s["data"]["release"]) for s in secrets) < 512 * 1024, "Secrets hold 1 MiB"


def test_pkg_13_an_upgrade_upgrades_the_definitions(installed, tmp_path):
    newer = tmp_path / "game-operators"
    shutil.copytree(CHART, newer)
    text = (newer / "Chart.yaml").read_text().replace("\nversion: 0.1.0", "\nversion: 0.1.1")
    (newer / "Chart.yaml").write_text(text)
    path = newer / "files" / "crds" / "hooktemplates.yaml"
    changed = path.read_text().replace("shortNames:\n    - hkt", "shortNames:\n    - hkt\n    - hooktpl")
    path.write_text(changed)
    before = definitions(installed)
    installed.release.apply(installed.values, chart=newer)
    after = definitions(installed)
    assert after["hooktemplates.tkex.tencent.com"]["spec"]["names"]["shortNames"] == ["hkt", "hooktpl"]
    installed.install()
    again = definitions(installed)
    assert {n: d["spec"] for n, d in again.items()} == {n: d["spec"] for n, d in before.items()}
    assert {n: d["metadata"]["uid"] for n, d in again.items()} == {n: d["metadata"]["uid"] for n, d in before.items()}


def test_an_upgrade_keeps_the_certificates_of_the_webhooks(installed):
    def trusted():
        name = f"{installed.namespace}-game-operators"
        hooks = json.loads(installed.kubectl("get", "validatingwebhookconfiguration", name, "-o", "json"))["webhooks"]
        return {h["clientConfig"].get("caBundle", "") for h in hooks}

    assert processes.wait(lambda: "" not in trusted() and len(trusted()) == 1, 60), (
        "the webhooks did not say who they are"
    )
    before = trusted()
    secret = installed.kubectl("get", "secret", "game-operators-webhooks-certificate", "-o", "jsonpath={.data}")
    installed.install(webhooks={"podAnnotations": {"example.com/restarted": "1"}})
    assert trusted() == before
    assert installed.kubectl("get", "secret", "game-operators-webhooks-certificate", "-o", "jsonpath={.data}") == secret


def test_webhooks_protect_in_the_namespaces_they_are_for(installed, namespace):
    installed.cluster.kubectl("label", "namespace", namespace, installed.guarded)
    board = Board(installed.cluster, namespace, "kept")
    board.apply(workload("kept", 1, IN_PLACE))
    board.until("the pod is ready", board.complete("0.0.1", 1))
    with pytest.raises(AssertionError, match="forbidden by ResourceDeletionAllow"):
        board.kubectl("delete", "gamedeployment", "kept")
    board.kubectl("label", "gamedeployment", "kept", "io.tencent.bcs.dev/deletion-allow=Always")
    board.kubectl("delete", "gamedeployment", "kept")


def test_pkg_28_the_go_operators_must_be_stopped_first(installed):
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "go"}},
        "template": {
            "metadata": {"labels": {"app": "go"}},
            "spec": {"containers": [{"name": "manager", "image": "registry:5000/bcs/operator"}]},
        },
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bcs-hook-operator"}, "spec": spec}
    elsewhere = f"{installed.namespace}-go"
    installed.cluster.kubectl("create", "namespace", elsewhere)
    try:
        installed.cluster.kubectl("-n", elsewhere, "create", "-f", "-", input=json.dumps(body))
        with pytest.raises(AssertionError, match=r"bcs-hook-operator has 1 replicas\. Scale them to 0 first"):
            installed.install(preflight={"namespace": elsewhere})
        installed.cluster.kubectl("-n", elsewhere, "scale", "deployment/bcs-hook-operator", "--replicas=0")
        installed.install(preflight={"namespace": elsewhere})
    finally:
        installed.cluster.kubectl("delete", "namespace", elsewhere, "--wait=false")


def test_pkg_12_an_uninstall_is_refused_while_workloads_live_and_keeps_definitions_and_objects(installed, namespace):
    board = Board(installed.cluster, namespace, "arena")
    board.apply(workload("arena", 2, IN_PLACE))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    pods = board.names()

    refused_and_taken_back(installed, f"{namespace}/arena")

    said = installed.release.run("uninstall", "--no-hooks", "--wait")
    assert "kept due to the resource policy" in said
    assert not installed.pods()
    assert len(definitions(installed)) == 4
    assert board.get("gamedeployment", "arena")["spec"]["replicas"] == 2
    assert board.names() == pods

    installed.install()
    board.patch({"replicas": 3})
    board.until("a new installation goes on where the old one ended", board.complete("0.0.1", 3))
    assert pods < board.names()
    assert installed.release.status()["version"] == 1
    refused_and_taken_back(installed, f"{namespace}/arena")


def refused_and_taken_back(installed, workload):
    """An uninstall is refused, and the way back that the refusal names leads to the very same release."""
    before = installed.release.status()["config"], installed.names()
    with pytest.raises(HelmFailed) as refused:
        installed.release.run("uninstall")
    said = str(refused.value)
    assert "Refused: these workloads would be left without an operator" in said
    assert workload in said
    way_back = re.search(r"helm (rollback) \S+ (\d+) -n", said)
    installed.release.run(way_back.group(1), way_back.group(2), "--wait")
    assert installed.release.status()["info"]["status"] == "deployed"
    after = installed.release.status()["config"], installed.names()
    assert after == before, "values were changed, or operators replaced"
