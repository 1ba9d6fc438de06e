"""Real pods that the Go operators made are taken over as they run (docs/install.md, from the Go operators)."""

import json

from devcluster import podtypes
from operators.api import keys
from tests.e2e import board, helmtemplates
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


# ---- ordinary templates of charts

ROLLING = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}


class Chart:
    """A workload that a chart made of one template, looked after by the Go operators until now: one pod of it."""

    def __init__(self, game, name, number):
        self.game, self.name = game, name
        self.kind = "GameStatefulSet" if number % 3 == 2 else "GameDeployment"
        self.strategy = (ROLLING, IN_PLACE)[number % 2]
        self.template = helmtemplates.template(name, name)
        self.revision = f"{name}-75c467595"

    @property
    def pod(self):
        return f"{self.name}-0" if self.kind == "GameStatefulSet" else f"{self.name}-bbbbb"

    def left_behind(self, typed):
        """The object as the chart wrote it; revision and pod as Go types write what they read of it."""
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": self.name}}, "template": self.template}
        spec["updateStrategy"] = self.strategy
        labels = {keys.REVISION_LABEL: self.revision}
        if self.kind == "GameStatefulSet":
            spec |= {"serviceName": self.name, "updateStrategy": {"type": self.strategy["type"]}}
            labels |= {keys.POD_NAME_LABEL: self.pod, keys.ORDINAL_LABEL: "0"}
        else:
            labels[keys.INSTANCE_LABEL] = "bbbbb"
        body = {"apiVersion": keys.API_VERSION, "kind": self.kind, "metadata": {"name": self.name}, "spec": spec}
        self.game.apply(body)
        metadata = self.live()["metadata"]
        owner = {"apiVersion": keys.API_VERSION, "kind": self.kind, "name": self.name, "uid": metadata["uid"]}
        owners = [{**owner, "controller": True, "blockOwnerDeletion": True}]
        stored = revision(self.revision, 1, "", owners)
        stored["metadata"]["labels"] = {"app": self.name, keys.REVISION_HASH_LABEL: "75c467595"}
        stored["data"] = {"spec": {"template": {"$patch": "replace", **typed}}}
        self.game.apply(stored)
        made = {**typed["spec"], "readinessGates": [{"conditionType": keys.INPLACE_READY_GATE}]}
        if self.kind == "GameStatefulSet":
            made |= {"hostname": self.pod, "subdomain": self.name}
        annotations = typed["metadata"].get("annotations") or {}
        of = {"name": self.pod, "labels": {"app": self.name, **labels}, "annotations": annotations}
        self.game.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {**of, "ownerReferences": owners}, "spec": made}
        )

    def settle(self):
        """The pod is ready, and the status says what the Go operators would say of it."""
        gate = {"type": keys.INPLACE_READY_GATE, "status": "True", "lastTransitionTime": "2022-10-01T00:00:00Z"}
        body = json.dumps({"status": {"conditions": [gate]}})
        self.game.kubectl("patch", "pod", self.pod, "--subresource=status", "-p", body)
        ready = lambda: board.condition(self.game.get("pod", self.pod), "Ready")["status"] == "True"  # noqa: E731
        self.game.until(f"{self.pod} is ready", ready)
        generation = self.live()["metadata"]["generation"]
        status = {**dict.fromkeys(COUNTS, 1), "observedGeneration": generation, "updateRevision": self.revision}
        status |= {"currentRevision": self.revision, "collisionCount": 0, "labelSelector": f"app={self.name}"}
        self.game.kubectl(
            "patch",
            self.kind.lower(),
            self.name,
            "--subresource=status",
            "--type=merge",
            "-p",
            json.dumps({"status": status}),
        )

    def live(self):
        return self.game.get(self.kind.lower(), self.name)

    def complete(self):
        return any(
            c["type"] == "Complete" and c["status"] == "True" for c in self.live()["status"].get("conditions", ())
        )


def test_pkg_27_public_f1_ordinary_templates_of_charts_are_taken_over_without_a_pod_touched(
    cluster, crds, beside, namespace
):
    beside.stop()
    game = Board(cluster, namespace, "charts")
    charts = [Chart(game, name, number) for number, name in enumerate(helmtemplates.TEMPLATES)]
    assert len(charts) == 10
    for chart, typed in zip(charts, podtypes.typed(c.template for c in charts), strict=True):
        assert "error" not in typed, chart.name
        chart.left_behind(typed)
    running = lambda: all(p["status"]["phase"] == "Running" for p in game.get("pods")["items"])  # noqa: E731
    game.until("the containers run", running, 180)
    for chart in charts:
        chart.settle()

    def stand():
        return {
            (o["kind"], o["metadata"]["name"]): (o["metadata"]["uid"], o["metadata"]["resourceVersion"])
            for o in game.get("pods,controllerrevisions")["items"]
        }

    before = stand()
    assert len(before) == 20
    beside.start()
    for chart in charts:
        game.until(f"{chart.name} is looked after", chart.complete)
    after = stand()
    assert after.keys() == before.keys(), "no revision and no pod was made"
    pods = {key: value for key, value in before.items() if key[0] == "Pod"}
    assert pods.items() <= after.items(), "pods were written to"
    for chart in charts:
        status = chart.live()["status"]
        assert (status["updateRevision"], status["currentRevision"]) == (chart.revision, chart.revision), chart.name
