"""Taking over from the Go operators (docs/spec/gamedeployment.md 2.5, 9, and 10, case 65; decision 16).

The objects are as those wrote them: revisions with typed zero values and amounts in their own spelling, pods with their
labels and annotations, a status without the fields that are ours.
"""

import base64
import copy
import json

import pytest

from operators.api import keys
from operators.planning import actions as act
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.observations import OWNER, raw_pod

FIRST, SECOND = "gd-5b7d9f8c6", "gd-75c467595"
STATE, GRACE = keys.INPLACE_STATE_ANNOTATION, keys.INPLACE_GRACE_ANNOTATION


def manifest(version):
    """The container, as the user writes it."""
    return {
        "name": "web",
        "image": f"game:{version}",
        "command": ["sh", "-c", "exec game < /dev/null > /log 2>&1 && true"],
        "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}, "requests": {"cpu": "250m"}},
        "ports": [{"containerPort": 80}],
    }


def stored(name, number, version):
    """The ControllerRevision that the Go operator made of it: what it decoded, zero values and defaults included."""
    container = {
        **manifest(version),
        "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "250m"}},
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    spec = {
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    template = {"$patch": "replace", "metadata": {"creationTimestamp": None, "labels": {"app": "game"}}, "spec": spec}
    return {
        "metadata": {
            "namespace": "game",
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "3",
            "creationTimestamp": "1970-01-01T00:00:00Z",
            "labels": {"app": "game", "controller.kubernetes.io/hash": name.removeprefix("gd-")},
            "ownerReferences": [OWNER],
        },
        "revision": number,
        "data": {"spec": {"template": template}},
    }


def living(instance, revision, version, **annotations):
    body = raw_pod(instance, revision, gate=True, image=f"game:{version}", annotations=annotations)
    body["spec"]["containers"] = [{**manifest(version), "image": f"game:{version}"}]
    del body["metadata"]["deletionTimestamp"]
    return body


def taken_over(*pods, strategy=None, status=None, **spec):
    """The cluster that the Go operator leaves behind; two revisions, the second is the template."""
    template = {"metadata": {"creationTimestamp": None}, "spec": {"containers": [manifest(2)]}}
    fleet = Fleet(len(pods), strategy=strategy, template=template, **spec)
    fleet.cluster.revisions = {FIRST: stored(FIRST, 1, 1), SECOND: stored(SECOND, 2, 2)}
    for body in copy.deepcopy(pods):
        fleet.cluster.add_pod(body)
    counts = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "updatedReadyReplicas")
    fleet.cluster.workload["status"] = {
        **dict.fromkeys(counts, len(pods)),
        "observedGeneration": 1,
        "collisionCount": 0,
        "updateRevision": SECOND,
        "labelSelector": "app=game",
        "canary": {"revision": SECOND},
        **(status or {}),
    }
    return fleet


@pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate", "OnDelete"])
@pytest.mark.parametrize("limit", [0, 10])
def test_gd_65_a_settled_workload_is_left_alone(type_, limit):
    state = {"revision": SECOND, "updateTimestamp": "1970-01-01T01:00:00Z", "lastContainerStatuses": {}}
    pods = [living("bbbbb", SECOND, 2), living("ccccc", SECOND, 2, **{STATE: json.dumps(state)})]
    fleet = taken_over(*pods, strategy={"type": type_}, revisionHistoryLimit=limit)
    for _ in range(5):
        fleet.one_pass()
    touched = [a for a in fleet.cluster.log if not isinstance(a, act.DeleteRevision)]
    assert touched == []
    assert [a.name for a in fleet.done(act.DeleteRevision)] == ([FIRST] if limit == 0 else [])
    assert (fleet.status["updateRevision"], fleet.status["currentRevision"]) == (SECOND, SECOND)
    assert fleet.condition("Complete")["status"] == "True"


@pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate"])
def test_gd_65_a_partition_stays_as_it_is(type_):
    pods = [living("bbbbb", FIRST, 1), living("ccccc", SECOND, 2)]
    fleet = taken_over(*pods, strategy={"type": type_, "partition": 1}, status={"canary": {"revision": FIRST}})
    fleet.settle()
    assert fleet.cluster.log == []
    assert (fleet.status["currentRevision"], fleet.status["updatedReplicas"]) == (FIRST, 1)


def test_gd_65_a_change_that_follows_is_rolled_out_once():
    fleet = taken_over(living("bbbbb", SECOND, 2), living("ccccc", SECOND, 2), strategy={"type": "InplaceUpdate"})
    fleet.settle()
    fleet.change(template={"spec": {"containers": [manifest(3)]}}).settle()
    assert [len(fleet.at(v)) for v in (2, 3)] == [0, 2]
    fleet.change(template={"spec": {"containers": [manifest(2)]}}).settle()
    assert fleet.update == SECOND
    assert (fleet.names, len(fleet.done(act.CreateRevision)), fleet.gone()) == (["gd-bbbbb", "gd-ccccc"], 1, [])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}}}, True, id="amounts respelled"),
        pytest.param({"terminationMessagePolicy": "File"}, True, id="a default written out"),
        pytest.param({"resources": {"limits": {"cpu": "501m"}}}, False, id="another amount"),
        pytest.param({"command": ["sh", "-c", "exec game"]}, False, id="another command"),
        pytest.param({"terminationMessagePolicy": "FallbackToLogsOnError"}, False, id="another value"),
    ],
)
def test_gd_65_what_is_the_same_template_and_what_is_not(change, same):
    fleet = taken_over(living("bbbbb", SECOND, 2))
    container = manifest(2)
    container["resources"]["limits"] |= change.get("resources", {}).get("limits", {})
    container |= {k: v for k, v in change.items() if k != "resources"}
    fleet.change(template={"spec": {"containers": [container]}})
    fleet.one_pass()
    assert len(fleet.done(act.CreateRevision)) == (0 if same else 1)


# ---- in the middle of an update


def test_gd_65_an_update_in_place_that_was_under_way_is_finished():
    """Its record holds no container id: a container that started after the update has restarted."""
    state = {
        "revision": SECOND,
        "updateTimestamp": "1970-01-12T13:40:00Z",
        "lastContainerStatuses": {"web": {"imageID": "id-game:2"}},
        "unknown": {},
    }
    pod = living("bbbbb", SECOND, 2, **{STATE: json.dumps(state)})
    gate = next(c for c in pod["status"]["conditions"] if c["type"] == keys.INPLACE_READY_GATE)
    gate["status"] = "False"
    fleet = taken_over(pod, strategy={"type": "InplaceUpdate"})
    fleet.settle()
    assert fleet.done(act.SetGate) == []
    pod = fleet.cluster.pods["gd-bbbbb"]
    pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = "1970-01-12T13:40:05Z"
    fleet.cluster._touch(pod)
    fleet.settle()
    assert [(a.name, a.ready) for a in fleet.done(act.SetGate)] == [("gd-bbbbb", True)]
    assert fleet.done(act.UpdatePodInPlace) == []


def test_gd_65_a_grace_period_that_was_under_way_ends_as_it_was_promised():
    """At the stored length, with the stored metadata; directives of strategic patches are not metadata."""
    patch = {"metadata": {"annotations": {"note": None, "$setElementOrder/x": []}, "labels": {"season": "2"}}}
    grace = {
        "revision": SECOND,
        "containerImages": {"web": "game:2"},
        "metaDataPatch": base64.b64encode(json.dumps(patch).encode()).decode(),
        "graceSeconds": 20,
    }
    state = {"revision": SECOND, "updateTimestamp": "1970-01-12T13:46:30Z", "lastContainerStatuses": {}}
    annotations = {"note": "x", STATE: json.dumps(state), GRACE: json.dumps(grace)}
    strategy = {"type": "InplaceUpdate", "inPlaceUpdateStrategy": {"gracePeriodSeconds": 300}}
    fleet = taken_over(living("bbbbb", SECOND, 1, **annotations), strategy=strategy)
    decision = fleet.one_pass()
    assert (decision.actions, decision.wake_after) == ((), 10)
    fleet.after(10)
    (action,) = fleet.done(act.UpdatePodInPlace)
    assert (action.images, action.labels) == ({"web": "game:2"}, {"season": "2"})
    assert (action.annotations["note"], action.annotations[GRACE]) == (None, None)
    assert fleet.ready == ["gd-bbbbb"]


def test_gd_65_a_hook_run_that_is_there_is_the_one_that_answers():
    pods = [living("bbbbb", FIRST, 1), living("ccccc", SECOND, 2)]
    fleet = taken_over(*pods, strategy={"type": "InplaceUpdate"}, hooks=["preInplace"])
    name = f"preinplace-{FIRST}-bbbbb-check"
    labels = {"hookrun-type": "pre-inplace-step", "workload-revision": FIRST, "instance-id": "bbbbb"}
    metadata = {"namespace": "game", "name": name, "uid": "uid-run", "resourceVersion": "4", "labels": labels}
    run = {"metadata": {**metadata, "ownerReferences": [OWNER]}, "spec": {}, "status": {"phase": "Running"}}
    fleet.cluster.hook_runs[name] = run
    fleet.settle()
    assert (fleet.done(act.CreateHookRun), fleet.at(2)) == ([], ["gd-ccccc"])
    fleet.answer_all().settle()
    assert (fleet.at(2), fleet.runs) == (["gd-bbbbb", "gd-ccccc"], {})


def test_gd_65_a_hook_run_after_an_update_is_waited_for_too():
    """Those of the Go operators leave no mark on the pod; from now on it has one (decision 9)."""
    state = {"revision": SECOND, "updateTimestamp": "1970-01-01T01:00:00Z", "lastContainerStatuses": {}}
    pods = [living("bbbbb", SECOND, 2, **{STATE: json.dumps(state)}), living("ccccc", FIRST, 1)]
    fleet = taken_over(*pods, strategy={"type": "InplaceUpdate"}, hooks=["postInplace"])
    name = f"postinplace-{SECOND}-bbbbb-check"
    labels = {"hookrun-type": "post-inplace-step", "workload-revision": SECOND, "instance-id": "bbbbb"}
    metadata = {"namespace": "game", "name": name, "uid": "uid-run", "resourceVersion": "4", "labels": labels}
    run = {"metadata": {**metadata, "ownerReferences": [OWNER]}, "spec": {}, "status": {"phase": "Running"}}
    fleet.cluster.hook_runs[name] = run
    fleet.settle()
    (marked,) = fleet.done(act.AnnotatePod)
    assert json.loads(marked.annotations[STATE]) == {**state, "postHook": "Pending"}
    assert (fleet.at(1), list(fleet.runs)) == (["gd-ccccc"], [name])
    fleet.answer_all().settle()
    assert (fleet.at(1), name in fleet.runs) == ([], False)


def test_gd_65_pods_with_an_index_keep_it():
    on = {
        "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
        "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex": 100, "podEndIndex": 110}',
    }
    fleet = taken_over(living("bbbbb", SECOND, 2, **{keys.INDEX_ID_ANNOTATION: "100"}), annotations=on)
    fleet.scale(2).settle()
    (made,) = fleet.done(act.CreatePod)
    assert made.body["metadata"]["annotations"][keys.INDEX_ID_ANNOTATION] == "101"
    assert fleet.gone() == []
