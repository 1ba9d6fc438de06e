"""Templates of which the API server makes no pod: what runs goes on running, and the object says why."""

import json

import pytest

from tests.e2e.board import Board, workload

ROLLING = {"type": "RollingUpdate", "maxUnavailable": "50%", "maxSurge": 0}
#: What is wrong, as a patch of the container, and a piece of what the API server says of it.
BROKEN = {
    "quantity": ({"resources": {"limits": {"cpu": "abc"}}}, "quantities must match"),
    "port": ({"ports": [{"containerPort": 70000}]}, "must be between 1 and 65535"),
    "type": ({"env": [{"name": "A", "value": 1}]}, "cannot unmarshal number"),
    "volume": ({"volumeMounts": [{"name": "no", "mountPath": "/no"}]}, "volumeMounts[0].name: Not found"),
}


def broken(board, how):
    body = board.get(board.kind, board.name)
    body["spec"]["template"]["spec"]["containers"][0].update(BROKEN[how][0])
    board.kubectl("replace", "-f", "-", data=json.dumps(body))


def mended(board, how):
    fields = dict.fromkeys(BROKEN[how][0])
    (container,) = board.get(board.kind, board.name)["spec"]["template"]["spec"]["containers"]
    left = {k: v for k, v in container.items() if k not in fields} | {"image": f"{board.image}:0.0.2"}
    patch = {"spec": {"template": {"spec": {"containers": [left]}}}}
    board.kubectl("patch", board.kind, board.name, "--type=merge", "-p", json.dumps(patch))


class AnyBoard(Board):
    image = "hub.bktencent.com/blueking/game-demo"

    def __init__(self, cluster, namespace, name, kind):
        super().__init__(cluster, namespace, name)
        self.kind = kind

    def status(self):
        return self.get(self.kind, self.name).get("status", {})

    def uids(self):
        return {p["metadata"]["uid"] for p in self.pods()}


def manifest(kind, name):
    body = workload(name, 2, ROLLING)
    if kind == "gamestatefulset":
        body["kind"] = "GameStatefulSet"
        body["spec"] |= {"serviceName": name, "updateStrategy": {"type": "RollingUpdate"}}
    return body


@pytest.mark.parametrize("kind", ["gamedeployment", "gamestatefulset"])
def test_public_f3_f4_no_running_pod_goes_for_one_that_cannot_be_made(cluster, operators, namespace, kind):
    boards = {how: AnyBoard(cluster, namespace, how, kind) for how in BROKEN}
    for how, board in boards.items():
        board.apply(manifest(kind, how))
    for board in boards.values():
        board.until("two pods are ready", lambda b=board: b.status().get("updatedReadyReplicas") == 2)
    before = {how: board.uids() for how, board in boards.items()}
    for how, board in boards.items():
        broken(board, how)
    for how, board in boards.items():
        board.until("it says so", lambda b=board: b.said("Blocked").startswith("True FailedScale"), 30)
        assert BROKEN[how][1] in board.said("Blocked")
        assert board.uids() == before[how]
    for how, board in boards.items():
        mended(board, how)
    for how, board in boards.items():
        board.until("it goes on", lambda b=board: b.status().get("updatedReadyReplicas") == 2, 60)
        board.until("nothing is blocked", lambda b=board: b.said("Blocked").startswith("False"), 30)
        assert not board.uids() & before[how]


@pytest.mark.parametrize("kind", ["gamedeployment", "gamestatefulset"])
def test_public_f4_a_new_workload_without_possible_pods_is_blocked(cluster, operators, namespace, kind):
    board = AnyBoard(cluster, namespace, "new", kind)
    body = manifest(kind, "new")
    body["spec"]["template"]["spec"]["containers"][0].update(BROKEN["type"][0])
    board.apply(body)
    board.until("it says so", lambda: board.said("Blocked").startswith("True FailedScale"), 30)
    assert BROKEN["type"][1] in board.said("Blocked")
