"""What kubectl makes of the CRDs: conditions, columns, short names, scale, status, explain."""

import json
import re

import pytest

from devcluster import processes
from operators.api.crds import definitions
from tests.integration.api.broken import GOOD, manifest

STILL = {"spec.replicas": 0}


@pytest.fixture(scope="module")
def objects(api):
    """One object of each kind. The HookRun is interrupted, so that it measures nothing."""
    for kind in GOOD:
        change = STILL if kind.startswith("Game") else ({"spec.terminate": True} if kind == "HookRun" else {})
        api.create(manifest(kind, change, name="seen"))
    return api


def test_pkg_1_all_crds_are_established_and_structural(cluster, crds):
    assert sorted(crds) == sorted(d["metadata"]["name"] for d in definitions().values())
    for name in crds:
        found = json.loads(cluster.kubectl("get", "crd", name, "-o", "json"))["status"]["conditions"]
        conditions = {c["type"]: c["status"] for c in found}
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"
        assert not conditions.keys() - {"Established", "NamesAccepted", "NonStructuralSchema"}


@pytest.mark.parametrize("file", definitions())
def test_pkg_1_client_side_apply_takes_the_crds_too(cluster, crds, file):
    assert "dry run" in cluster.kubectl("apply", "--dry-run=server", "-f", f"crds/{file}")


HEADERS = {
    "gamedeployments": "NAME DESIRED UPDATED UPDATED_READY READY TOTAL AGE",
    "gamestatefulsets": "NAME REPLICAS READY_REPLICAS CURRENT_REPLICAS UPDATED_REPLICAS UPDATED_READY_REPLICAS AGE",
    "hookruns": "NAME PHASE AGE",
    "hooktemplates": "NAME AGE",
}


@pytest.mark.parametrize("plural", HEADERS)
def test_pkg_2_3_4_columns_as_the_white_paper_prints_them(objects, plural):
    header, *rows = objects.text("get", f"{plural}.tkex.tencent.com").splitlines()
    assert header.split() == HEADERS[plural].split()
    assert rows[0].startswith("seen ")


WIDE = {
    "gamedeployments": "STRATEGY PAUSED WAITING STEP PROGRESS",
    "gamestatefulsets": "STRATEGY PAUSED WAITING STEP PROGRESS",
    "hookruns": "POD ANSWER TERMINATE MESSAGE",
    "hooktemplates": "POLICY",
}


@pytest.mark.parametrize("plural", WIDE)
def test_wide_columns(objects, plural):
    header = objects.text("get", f"{plural}.tkex.tencent.com", "-o", "wide").splitlines()[0]
    assert header.split() == f"{HEADERS[plural]} {WIDE[plural]}".split()


@pytest.mark.parametrize("short", ["gd", "gsts", "hkt", "hkr"])
def test_short_names(objects, short):
    assert "/seen" in objects.text("get", short, "-o", "name")


def test_the_category_names_all_kinds(objects):
    found = {line.split(".")[0] for line in objects.text("get", "tkex", "-o", "name").split()}
    assert found == {"gamedeployment", "gamestatefulset", "hooktemplate", "hookrun"}


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets"])
def test_pkg_7_scale(objects, plural):
    path = f"/apis/tkex.tencent.com/v1alpha1/namespaces/{objects.namespace}/{plural}/seen"
    objects.text(
        "patch", plural, "seen", "--subresource=status", "--type=merge", "-p", _status(labelSelector="app=game")
    )
    scale = json.loads(objects.text("get", "--raw", f"{path}/scale"))
    assert scale["kind"] == "Scale"
    assert (scale["spec"].get("replicas", 0), scale["status"]["selector"]) == (0, "app=game")
    for replicas in (1, 0):
        objects.text("scale", plural, "seen", f"--replicas={replicas}")
        assert objects.object("get", plural, "seen")["spec"]["replicas"] == replicas


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets"])
def test_a_scale_below_0_is_refused(objects, plural):
    path = f"/apis/tkex.tencent.com/v1alpha1/namespaces/{objects.namespace}/{plural}/seen/scale?dryRun=All"
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "seen", "namespace": objects.namespace},
        "spec": {"replicas": -1},
    }
    done = objects.run("replace", "--raw", path, "-f", "-", body=body)
    assert "should be a non-negative integer" in done.stderr


def _status(**fields):
    return json.dumps({"status": fields})


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets"])
def test_pkg_8_only_the_subresource_writes_the_status(objects, plural):
    patch = ("--type=merge", "--dry-run=server", "-p", _status(collisionCount=7))
    aside = objects.object("patch", plural, "seen", *patch)
    assert aside.get("status", {}).get("collisionCount") != 7
    assert objects.object("patch", plural, "seen", "--subresource=status", *patch)["status"]["collisionCount"] == 7


def test_pkg_8_every_field_of_a_status_is_kept(objects):
    time = "2020-11-09T10:08:49Z"
    waiting = [{"podName": "game-a", "startTime": time, "phase": "Pending"}]
    status = {
        "observedGeneration": 3,
        "replicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "updatedReplicas": 1,
        "updatedReadyReplicas": 1,
        "currentRevision": "game-65bb57b6b5",
        "updateRevision": "game-5d9755c8cc",
        "collisionCount": 0,
        "conditions": [
            {"type": "FailedScale", "status": "True", "lastTransitionTime": time, "reason": "a", "message": "b"}
        ],
        "pauseConditions": [{"reason": "PausedByCanaryPauseStep", "startTime": time}],
        "labelSelector": "app=game",
        "currentStepIndex": 1,
        "currentStepHash": "65bb57b6b5",
        "canary": {"revision": "game-65bb57b6b5", "currentStepHookRun": "a", "pauseStartTime": time},
        "preDeleteHookCondition": waiting,
        "preInplaceHookCondition": waiting,
        "postInplaceHookCondition": waiting,
    }
    for plural, more in (("gamedeployments", {}), ("gamestatefulsets", {"currentReplicas": 1})):
        wanted = status | more
        patch = ("--subresource=status", "--type=merge", "--dry-run=server", "-p", json.dumps({"status": wanted}))
        got = objects.object("patch", plural, "seen", *patch)["status"]
        assert {key: got.get(key) for key in wanted} == wanted


EXPLAINED = {
    "gd": "GameDeployment runs game servers that are alike",
    "gd.spec.updateStrategy.canary.steps": "Each has exactly one of partition, pause and hook",
    "gd.spec.updateStrategy.canary.steps.pause": "until a person sets updateStrategy.paused to false",
    "gd.spec.updateStrategy.maxUnavailable": "Pods that may be unavailable during an update",
    "gd.spec.updateStrategy.inPlaceUpdateStrategy.policy": "Order of containers",
    "gd.spec.scaleStrategy.podsToDelete": "Names of pods to delete first",
    "gd.spec.template.spec": "A PodSpec, kept exactly as written",
    "gd.spec.template.spec.containers": "Containers of the pod",
    "gd.status.preDeleteHookCondition": "Pods waiting to be deleted",
    "gsts.spec.volumeClaimTemplates": "PersistentVolumeClaims that every pod gets",
    "gsts.spec.reserveOrders": "Ordinals that must not exist",
    "hkt.spec.metrics.interval": "Time between two measurements",
    "hkt.spec.metrics.provider.web.jsonPath": "Which part of the JSON answer becomes the result",
    "hkt.spec.metrics.provider.jsonPath": "does not belong here, write provider.web.jsonPath",
    "hkr.spec.terminate": "Set to true to interrupt the run",
    "hkr.status.metricResults.measurements.value": "The value measured",
}


@pytest.mark.parametrize("path", EXPLAINED)
def test_kubectl_explain_says_something_useful(objects, path):
    shown = re.sub(r"\s+", " ", objects.text("explain", path))
    assert EXPLAINED[path] in shown


def test_hpa_finds_the_scale(objects):
    """The API server maps kind to scale by discovery, as the autoscaler does."""
    found = json.loads(objects.text("get", "--raw", "/apis/tkex.tencent.com/v1alpha1"))["resources"]
    assert {r["name"] for r in found if r["kind"] == "Scale"} == {"gamedeployments/scale", "gamestatefulsets/scale"}


def test_pkg_7_a_real_autoscaler_reads_the_scale(objects):
    """It finds no metrics here; that it can get the scale it says in its condition AbleToScale."""
    for kind in ("GameDeployment", "GameStatefulSet"):
        name = f"hpa-{kind.lower()}"
        objects.text("apply", "-f", "-", body=_autoscaler(name, kind))

        def able(name=name):
            status = objects.object("get", "hpa", name).get("status", {})
            found = {c["type"]: c["reason"] for c in status.get("conditions", ())}
            return found.get("AbleToScale") in ("SucceededGetScale", "ReadyForNewScale")

        assert processes.wait(able, 60), objects.text("get", "hpa", name, "-o", "yaml")


def _autoscaler(name, kind):
    target = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": kind, "name": "seen"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2, "metrics": [metric]}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": spec,
    }
