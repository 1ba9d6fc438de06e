"""Restarts of real containers, in place: the same pods, the same bits, and never more down than may be."""

import json
import re

import pytest

from devcluster import images
from operators.kube.times import rfc3339, timestamp
from tests.e2e.board import HOOK, Board, Watch, condition, workload
from tests.e2e.registry import registry

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}


@pytest.fixture
def pulled(cluster):
    """A registry that has both versions of the game server."""
    if cluster.kind != "built":
        pytest.skip("the registry is on this machine's loopback address, which the node built here pulls from")
    forget_pulled()
    with registry("games/game-demo") as found:
        for tag in ("0.0.1", "0.0.2"):
            (archive,) = (a for a in images.archives() if re.fullmatch(rf"game-demo-{tag}-[0-9a-f]{{16}}\.tar", a.name))
            found.push(tag, archive)
        yield found
    forget_pulled()


def forget_pulled():
    """Have the node lose images of such registries: it names bits by the first repository it knows them from."""
    held = images.ctr("images", "ls", "-q").stdout.split()
    if left := [name for name in held if re.match(r"127\.0\.0\.1:\d+/games/game-demo[:@]", name)]:
        images.ctr("images", "rm", "--sync", *left)


def facts(board, *fields):
    """Facts of each pod, by its name."""
    found = {}
    for pod in board.pods():
        (status,) = pod["status"]["containerStatuses"]
        known = {"uid": pod["metadata"]["uid"], "ip": pod["status"]["podIP"], "id": status["imageID"],
                 "restarts": status["restartCount"], "image": pod["spec"]["containers"][0]["image"]}  # fmt: skip
        found[pod["metadata"]["name"]] = tuple(known[f] for f in fields)
    return found


def uids(board):
    return {p["metadata"]["uid"] for p in board.pods()}


def restart(board):
    """At the first instant that every container is older than; it may lie a moment ahead."""
    last = max(c["state"]["running"]["startedAt"] for p in board.pods() for c in p["status"]["containerStatuses"])
    board.patch({"restartAt": rfc3339(timestamp(last) + 1)})


def test_ux_28_30_each_pod_restarts_once_in_place_with_the_bits_it_has(cluster, operators, namespace, pulled):
    board = Board(cluster, namespace, "arena")
    board.apply(HOOK)
    body = workload("arena", 3, IN_PLACE, image=f"{pulled.image}:0.0.1", hooks=("preInplace",))
    body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    board.apply(body)
    board.until("three pods are ready", board.complete(f"{pulled.image}:0.0.1", 3))
    before, digest = facts(board, "uid", "ip", "id"), pulled.tags["0.0.1"]
    assert {one[2] for one in before.values()} == {f"{pulled.image}@{digest}"}
    pulled.tags["0.0.1"] = pulled.tags["0.0.2"]  # the tag is moved
    watch = Watch(cluster, namespace)
    restart(board)

    def restarted(times):
        said = board.said("Complete").startswith("True")
        return said and set(facts(board, "restarts").values()) == {(times,)}

    board.until("each has restarted once", lambda: restarted(1), 120)
    assert facts(board, "uid", "ip", "id") == before
    assert set(facts(board, "image").values()) == {(f"{pulled.image}:0.0.1@{digest}",)}
    board.until("hooks were asked", lambda: len(board.events("SuccessfulCreateHookRun")) >= 1)
    ready = {}
    for _, pod in watch.end():
        ready[pod["metadata"]["name"]] = condition(pod, "Ready")["status"] == "True"
        assert len(ready) < 3 or sum(ready.values()) >= 2, "two are down at once"
    restart(board)
    board.until("each has restarted twice", lambda: restarted(2), 120)
    assert facts(board, "uid", "ip", "id") == before
    assert set(facts(board, "image").values()) == {(f"{pulled.image}@{digest}",)}


def test_ux_28_images_that_were_loaded_by_hand_are_told_of_and_recreated(cluster, operators, namespace):
    board = Board(cluster, namespace, "loaded")
    board.apply(workload("loaded", 2, IN_PLACE))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before = uids(board)
    restart(board)
    board.until("Blocked says so", lambda: board.said("Blocked").startswith("True RestartNotPossible: "))
    assert "restartRecreate" in board.said("Blocked")
    board.kubectl("patch", "gamedeployment", "loaded", "--type=merge", "-p", json.dumps(
        {"spec": {"restartRecreate": True}}))  # fmt: skip
    board.until("both are others", lambda: not uids(board) & before)
    board.until("both are ready", board.complete("0.0.1", 2))
