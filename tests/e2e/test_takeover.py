"""Real pods that the Go operators made are taken over as they run (docs/install.md, from the Go operators)."""

import json

from operators.api import keys
from tests.e2e import board
from tests.e2e.board import Board, workload

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
FIRST, SECOND = "game-5b7d9f8c6", "game-75c467595"
COUNTS = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "updatedReadyReplicas")


def left_behind(game):
    """A workload with two revisions and two pods of the second, in the words of the Go operators."""
    game.apply(workload("game", 2, IN_PLACE, image="0.0.1"))
    metadata = game.get("gamedeployment", "game")["metadata"]
    owner = {"apiVersion": keys.API_VERSION, "kind": "GameDeployment", "name": "game", "uid": metadata["uid"]}
    owners = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    for number, (name, image) in enumerate(((FIRST, "0.0.0"), (SECOND, "0.0.1")), 1):
        game.apply(revision(name, number, image, owners))
    state = {"revision": SECOND, "updateTimestamp": "2022-10-01T00:00:00Z", "lastContainerStatuses": {}}
    for instance, annotations in (("bbbbb", {}), ("ccccc", {keys.INPLACE_STATE_ANNOTATION: json.dumps(state)})):
        game.apply(pod(instance, owners, annotations))
    game.until("the containers run", lambda: len(running(game)) == 2)
    gate = {"type": keys.INPLACE_READY_GATE, "status": "True", "lastTransitionTime": "2022-10-01T00:00:00Z"}
    for name in game.names():
        game.kubectl("patch", "pod", name, "--subresource=status", "-p", json.dumps({"status": {"conditions": [gate]}}))
    game.until("the pods are ready", lambda: all(board.condition(p, "Ready")["status"] == "True" for p in game.pods()))
    status = {**dict.fromkeys(COUNTS, 2), "observedGeneration": metadata["generation"], "updateRevision": SECOND}
    status |= {"collisionCount": 0, "labelSelector": "app=game", "canary": {"revision": SECOND}}
    body = json.dumps({"status": status})
    game.kubectl("patch", "gamedeployment", "game", "--subresource=status", "--type=merge", "-p", body)


def revision(name, number, image, owners):
    """What the Go operator decoded of the template: with zero values, and with the API server's defaults."""
    template = workload("game", 2, IN_PLACE, image=image)["spec"]["template"]
    (container,) = template["spec"]["containers"]
    container |= {"resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
    container["readinessProbe"] |= {"timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    container["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    template["spec"] |= {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    template["spec"]["securityContext"] = {}
    template["metadata"] = {"creationTimestamp": None, "labels": {"app": "game"}}
    labels = {"app": "game", keys.REVISION_HASH_LABEL: name.removeprefix("game-")}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": name, "labels": labels, "ownerReferences": owners},
        "revision": number,
        "data": {"spec": {"template": {"$patch": "replace", **template}}},
    }


def pod(instance, owners, annotations):
    spec = workload("game", 2, IN_PLACE, image="0.0.1")["spec"]["template"]["spec"]
    labels = {"app": "game", keys.REVISION_LABEL: SECOND, keys.INSTANCE_LABEL: instance}
    metadata = {"name": f"game-{instance}", "labels": labels, "annotations": annotations, "ownerReferences": owners}
    spec["readinessGates"] = [{"conditionType": keys.INPLACE_READY_GATE}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def running(game):
    return [p for p in game.pods() if p["status"]["phase"] == "Running"]


def restarts(game):
    return [p["status"]["containerStatuses"][0]["restartCount"] for p in game.pods()]


def test_pkg_27_pods_of_the_go_operators_are_taken_over_without_a_restart(cluster, crds, beside, namespace):
    beside.stop()
    game = Board(cluster, namespace, "game")
    left_behind(game)
    before = {p["metadata"]["uid"]: p["metadata"]["resourceVersion"] for p in game.pods()}

    beside.start()
    game.until("the workload is looked after", game.complete("0.0.1", 2))
    revisions = {r["metadata"]["name"] for r in game.get("controllerrevisions")["items"]}
    assert revisions == {FIRST, SECOND}, "the template is the version it was"
    assert game.status()["updateRevision"] == game.status()["currentRevision"] == SECOND
    game.patch({"replicas": 3})
    game.until("a third pod comes", game.complete("0.0.1", 3))
    after = {p["metadata"]["uid"]: p["metadata"]["resourceVersion"] for p in game.pods()}
    assert before.items() <= after.items(), "pods were written to"
    assert restarts(game) == [0, 0, 0]

    game.apply(workload("game", 3, IN_PLACE, image="0.0.2"))
    game.until("all three are updated in place", game.complete("0.0.2", 3), 120)
    assert before.keys() <= {p["metadata"]["uid"] for p in game.pods()}
    assert restarts(game) == [1, 1, 1]
