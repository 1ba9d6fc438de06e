"""GameStatefulSets on real containers, volumes and DNS names: what is kept, what is repaired, in which order."""

import json

import pytest

from tests.e2e.board import HOOK, Board, workload

BROKEN = "0.0.3-broken"


def stateful(name, replicas, strategy, *, storage="", **more):
    """A GameStatefulSet of game servers; with ``storage`` (a storage class) each has a volume."""
    body = workload(name, replicas, strategy, **more)
    body["kind"] = "GameStatefulSet"
    body["spec"]["serviceName"] = name
    if storage:
        resources = {"requests": {"storage": "1Mi"}}
        claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage, "resources": resources}
        body["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
        container = body["spec"]["template"]["spec"]["containers"][0]
        who = {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
        container["env"].append(who)
        # The kubelet makes a folder in the volume for every pod that mounts it.
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data", "subPathExpr": "$(WHO)"}]
    return body


class SetBoard(Board):
    """Reads and changes one GameStatefulSet."""

    kind = "gamestatefulset"

    def patch(self, spec):
        self.kubectl("patch", self.kind, self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def status(self):
        return json.loads(self.kubectl("get", self.kind, self.name, "-o", "json")).get("status", {})

    def pods(self):
        return sorted(super().pods(), key=lambda p: p["metadata"]["name"])

    def uids(self):
        return {p["metadata"]["name"]: p["metadata"]["uid"] for p in self.pods()}

    def versions(self):
        return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"].rsplit(":", 1)[1] for p in self.pods()}

    def ready(self):
        return {
            p["metadata"]["name"]
            for p in self.pods()
            if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", ()))
        }

    def claims(self):
        listed = self.get("pvc")["items"]
        return {c["metadata"]["name"]: (c["metadata"]["uid"], c["spec"].get("volumeName")) for c in listed}


@pytest.fixture
def volumes(cluster, namespace, tmp_path):
    """Four volumes in folders of the node; their storage class."""
    tmp_path.chmod(0o755)
    for number in range(4):
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{number}"},
            "spec": {
                "capacity": {"storage": "1Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": namespace,
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(tmp_path / str(number)), "type": "DirectoryOrCreate"},
            },
        }
        cluster.kubectl("apply", "-f", "-", input=json.dumps(body))
    yield namespace, tmp_path
    cluster.kubectl("delete", "pv", "--wait=false", *(f"{namespace}-{n}" for n in range(4)))


def test_gss_3_14_18_pods_keep_their_names_and_volumes(cluster, operators, namespace, volumes):
    storage, root = volumes
    board = SetBoard(cluster, namespace, "keep")
    board.apply(stateful("keep", 3, {"type": "RollingUpdate"}, storage=storage))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    first, claims = board.uids(), board.claims()
    assert set(first) == {"keep-0", "keep-1", "keep-2"}
    assert set(claims) == {"data-keep-0", "data-keep-1", "data-keep-2"}
    assert all(volume for _, volume in claims.values()), claims

    board.apply(stateful("keep", 3, {"type": "RollingUpdate"}, storage=storage, image="0.0.2"))
    board.until("all are replaced", board.complete("0.0.2", 3))
    second = board.uids()
    assert set(second) == set(first)
    assert not set(second.values()) & set(first.values())
    assert board.claims() == claims

    board.kubectl("scale", "gamestatefulset", "keep", "--replicas=1")
    board.until("one is left", board.complete("0.0.2", 1))
    assert board.claims() == claims, "scaling in took a claim along"
    board.kubectl("scale", "gamestatefulset", "keep", "--replicas=3")
    board.until("three are back", board.complete("0.0.2", 3))
    assert board.claims() == claims
    third = board.uids()
    folders = [{pod.name for pod in volume.iterdir()} for volume in root.iterdir()]
    for name in first:
        pods = {first[name], second[name], third[name]}
        assert pods in folders, f"{name}: no volume was mounted by {pods}: {folders}"
    board.kubectl("delete", "gamestatefulset", "keep")
    board.kubectl("wait", "--for=delete", "pods", "-l", "app=keep", "--timeout=60s")
    assert board.claims() == claims, "the claims went with the set"


def headless(name):
    """The Service that gives every pod of a set its name."""
    ports = [{"name": "web", "port": 8080}]
    spec = {"clusterIP": "None", "selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def test_gss_3_every_pod_is_found_by_its_name(cluster, operators, namespace):
    board = SetBoard(cluster, namespace, "peers")
    board.apply(headless("peers"))
    board.apply(stateful("peers", 2, {"type": "RollingUpdate"}))
    board.until("two pods are ready", board.complete("0.0.1", 2))

    def found(asking, name):
        """Addresses that the pod gets from the cluster's DNS, by way of the API server."""
        path = f"/api/v1/namespaces/{namespace}/pods/{asking}:8080/proxy/lookup?name={name}"
        try:
            return json.loads(board.kubectl("get", "--raw", path))["addresses"]
        except AssertionError:
            return []

    def address(name):
        return [next(p["status"]["podIP"] for p in board.pods() if p["metadata"]["name"] == name)]

    whole = f"peers-1.peers.{namespace}.svc.cluster.local"
    board.until("one pod finds the other", lambda: found("peers-0", whole) == address("peers-1"))
    assert found("peers-0", "peers-1.peers") == address("peers-1"), "the domains it searches"
    path = f"/api/v1/namespaces/{namespace}/pods/peers-1:8080/proxy/"
    assert json.loads(board.kubectl("get", "--raw", path))["host"] == "peers-1"

    before = address("peers-1")
    board.kubectl("delete", "pod", "peers-1", "--wait")
    board.until("it is back", board.complete("0.0.1", 2))
    assert address("peers-1") != before, "the test shows nothing where the address stays"
    board.until("it is found where it is now", lambda: found("peers-0", whole) == address("peers-1"))


def test_gss_66_67_a_broken_version_is_replaced_by_the_next_in_order(cluster, operators, namespace):
    board = SetBoard(cluster, namespace, "mend")
    board.apply(stateful("mend", 3, {"type": "RollingUpdate"}))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = board.uids()
    board.apply(stateful("mend", 3, {"type": "RollingUpdate"}, image=BROKEN))
    board.until("the last pod crashes", lambda: "mend-2" in board.said("Blocked"))
    assert board.versions() == {"mend-0": "0.0.1", "mend-1": "0.0.1", "mend-2": BROKEN}
    assert board.ready() == {"mend-0", "mend-1"}
    board.apply(stateful("mend", 3, {"type": "RollingUpdate"}, image="0.0.2"))
    board.until("the next version repairs it", board.complete("0.0.2", 3))
    assert not set(before.values()) & set(board.uids().values())
    assert "Blocked" in {c["type"] for c in board.status()["conditions"]}
    assert board.said("Blocked").startswith("False")


def test_gss_71_parallel_with_surge_never_serves_with_less(cluster, operators, namespace):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 2}}
    board = SetBoard(cluster, namespace, "surge")
    parallel = {"podManagementPolicy": "Parallel"}
    board.apply(stateful("surge", 4, strategy, **parallel))
    board.until("four pods are ready", board.complete("0.0.1", 4))
    names = set()
    fewest = 4

    def done():
        nonlocal fewest
        names.update(board.names())
        fewest = min(fewest, len(board.ready()))
        return board.complete("0.0.2", 4)()

    board.apply(stateful("surge", 4, strategy, image="0.0.2", **parallel))
    board.until("four new pods are ready, and no others left", done)
    assert names == {f"surge-{i}" for i in range(6)}
    assert fewest >= 4, f"only {fewest} of 4 pods were ready at some time"
    assert board.names() == {f"surge-{i}" for i in range(4)}


def test_gss_79_80_in_place_with_partition_then_the_rest(cluster, operators, namespace):
    strategy = {"type": "InplaceUpdate", "rollingUpdate": {"partition": 2}}
    board = SetBoard(cluster, namespace, "part")
    board.apply(stateful("part", 3, strategy))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = board.uids()
    board.apply(stateful("part", 3, strategy, image="0.0.2"))
    wanted = {"part-0": "0.0.1", "part-1": "0.0.1", "part-2": "0.0.2"}
    board.until("the highest is updated, and the others kept", lambda: board.versions() == wanted)
    board.until("it is ready again", lambda: board.status().get("updatedReadyReplicas") == 1)
    assert (board.status()["currentReplicas"], board.status()["updatedReplicas"]) == (2, 1)
    board.patch({"updateStrategy": {"rollingUpdate": {"partition": 0}}})
    board.until("all are updated", board.complete("0.0.2", 3))
    assert board.uids() == before
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in board.pods()] == [1, 1, 1]


def test_gss_125_scaling_in_waits_for_the_hook_and_can_be_taken_back(cluster, operators, namespace):
    board = SetBoard(cluster, namespace, "busy")
    board.kubectl("apply", "-f", "-", data=HOOK)
    board.apply(stateful("busy", 2, {"type": "RollingUpdate"}, hooks=["preDelete"], result="0"))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before = board.uids()
    board.kubectl("scale", "gamestatefulset", "busy", "--replicas=1")
    asked = lambda: [c["podName"] for c in board.status().get("preDeleteHookCondition", ())]  # noqa: E731
    board.until("the hook of the last pod is asked", lambda: asked() == ["busy-1"])
    board.kubectl("scale", "gamestatefulset", "busy", "--replicas=2")
    board.until("the hook is forgotten", lambda: not asked() and not board.get("hookruns")["items"])
    assert board.uids() == before
