"""A GameStatefulSet's life on real containers and volumes: what is repaired, kept, asked about and refused.

Boards that do not disturb each other run side by side.
"""

import json
from datetime import datetime
from pathlib import Path

from tests.e2e.board import HOOK, Watch, condition
from tests.e2e.test_gamestatefulset import SetBoard, stateful, volumes

__all__ = ["volumes"]

ROLLING, IN_PLACE = {"type": "RollingUpdate"}, {"type": "InplaceUpdate"}
#: A version that nobody has, and so nobody can pull.
MISSING = "0.0.9-missing"
CANARY = Path(__file__).parents[2] / "examples" / "canary"


def started(cluster, namespace, name, replicas, strategy, **more):
    board = SetBoard(cluster, namespace, name)
    board.replicas, board.strategy, board.more = replicas, strategy, more
    release(board)
    return board


def release(board, **more):
    board.apply(stateful(board.name, board.replicas, board.strategy, **{**board.more, **more}))


def complete(*boards, image="0.0.1"):
    """Each is complete, by the condition that people wait for."""
    for board in boards:
        board.kubectl("wait", f"gamestatefulset/{board.name}", "--for=condition=Complete", "--timeout=90s")
        board.until("it is", board.complete(image, board.replicas))


def restarts(board):
    return {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["restartCount"] for p in board.pods()}


def seconds_between(began, ended):
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def unanswered(body):
    """Its probe asks where nobody answers, and never passes."""
    body["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] = 8081
    return body


def nowhere(body):
    """No node fits."""
    body["spec"]["template"]["spec"]["nodeSelector"] = {"example.org/none": "such"}
    return body


def test_gss_66_67_however_a_version_is_broken_the_next_one_replaces_it_in_order(cluster, operators, namespace):
    boards = [started(cluster, namespace, name, 2, ROLLING) for name in ("pull", "probe", "place")]
    pull, probe, place = boards
    complete(*boards)
    before = {b.name: b.uids() for b in boards}
    release(pull, image=MISSING)
    probe.apply(unanswered(stateful("probe", 2, ROLLING, image="0.0.2")))
    place.apply(nowhere(stateful("place", 2, ROLLING, image="0.0.2")))
    pull.until("it cannot be pulled", lambda: "ImagePullFailing" in pull.said("Blocked"))
    place.until("it fits no node", lambda: "PodUnschedulable" in place.said("Blocked"))
    waits = "pod probe-1 of the newest version is not ready"
    probe.until("its probe does not pass", lambda: waits in probe.said("Progressing"))
    for board, version in ((pull, MISSING), (probe, "0.0.2"), (place, "0.0.2")):
        assert board.versions() == {f"{board.name}-0": "0.0.1", f"{board.name}-1": version}
        assert board.ready() == {f"{board.name}-0"}, "the healthy one was taken too"
        assert board.uids()[f"{board.name}-0"] == before[board.name][f"{board.name}-0"]
    for board in boards:
        release(board, image="0.0.2")
    complete(*boards, image="0.0.2")
    for board in boards:
        assert board.said("Blocked").startswith("False")
        assert not set(before[board.name].values()) & set(board.uids().values())


def test_gss_18_77_claims_go_by_their_policy_and_those_of_surge_pods_with_them(cluster, operators, namespace, volumes):
    storage, _ = volumes
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"}}
    shed = started(cluster, namespace, "shed", 2, ROLLING, storage=storage, **policy)
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    spill = started(cluster, namespace, "spill", 1, surge, storage=storage, podManagementPolicy="Parallel")
    complete(shed, spill)
    kept, first = shed.claims()["data-shed-0"], spill.uids()
    own = spill.claims()["data-spill-0"]

    shed.kubectl("scale", "gamestatefulset", "shed", "--replicas=1")
    release(spill, image="0.0.2")
    marked = lambda: [  # noqa: E731
        c["metadata"]["name"]
        for c in spill.get("pvc")["items"]
        if "tkex.tencent.com/surge-claim" in c["metadata"].get("annotations", {})
    ]
    spill.until("the surge pod has a claim of its own", lambda: marked() == ["data-spill-1"])
    complete(spill, image="0.0.2")
    assert spill.names() == {"spill-0"}
    assert not set(first.values()) & set(spill.uids().values())
    shed.until("the claim has gone with its pod", lambda: "data-shed-1" not in shed.claims())
    spill.until("the surge pod's claim is gone", lambda: "data-spill-1" not in spill.claims())
    assert (shed.claims()["data-shed-0"], spill.claims()["data-spill-0"]) == (kept, own)

    shed.replicas = 1
    shed.kubectl("delete", "pod", "shed-0")
    shed.until("the pod is back", shed.complete("0.0.1", 1))
    assert shed.claims()["data-shed-0"] == kept, "a pod that was merely replaced took its claim along"
    shed.kubectl("delete", "gamestatefulset", "shed")
    shed.until("the claim goes with the set", lambda: "data-shed-0" not in shed.claims())


def test_gss_58_85_89_on_delete_waits_for_people_grace_for_time_and_a_change_of_more_than_images_for_its_end(
    cluster, operators, namespace
):
    hands = started(cluster, namespace, "hands", 2, {"type": "OnDelete"})
    grace = started(cluster, namespace, "grace", 1, {**IN_PLACE, "inPlaceUpdateStrategy": {"gracePeriodSeconds": 4}})
    stuck = started(cluster, namespace, "stuck", 2, IN_PLACE)
    complete(hands, grace, stuck)
    before, watch = stuck.uids(), Watch(cluster, namespace)
    for board in (hands, grace):
        release(board, image="0.0.2")
    release(stuck, image="0.0.2", result="0")
    stuck.until("it says what is not possible", lambda: "InPlaceNotPossible" in stuck.said("Blocked"))
    assert "/spec/template/spec/containers/0/env/0/value" in stuck.said("Blocked")
    assert (stuck.status()["replicas"], stuck.status()["readyReplicas"]) == (2, 2)
    hands.until("it waits for somebody", lambda: "OnDelete" in hands.said("Progressing"))
    hands.kubectl("delete", "pod", "hands-0")
    wanted = {"hands-0": "0.0.2", "hands-1": "0.0.1"}
    hands.until("the pod that was deleted is new", lambda: hands.versions() == wanted)
    release(stuck)
    complete(stuck)
    assert stuck.uids() == before
    assert set(restarts(stuck).values()) == {0}
    complete(grace, image="0.0.2")
    assert restarts(grace) == {"grace-0": 1}
    out = [p for _, p in watch.end() if p["metadata"]["name"] == "grace-0"]
    waiting = [p for p in out if p["spec"]["containers"][0]["image"].endswith(":0.0.1")]
    unready = [p for p in waiting if condition(p, "Ready")["status"] == "False"]
    assert unready, "it was in its Services until its container changed"
    changed = next(p for p in out if p["spec"]["containers"][0]["image"].endswith(":0.0.2"))
    state = json.loads(changed["metadata"]["annotations"]["inplace-update-state"])
    assert seconds_between(state["updateTimestamp"], state["lastContainerStatuses"]["web"]["patchedAt"]) >= 4


def test_gss_142_a_set_that_is_made_anew_takes_its_pods_and_revisions_back(cluster, operators, namespace):
    board = started(cluster, namespace, "again", 2, IN_PLACE)
    complete(board)
    before, revisions = board.uids(), board.get("controllerrevisions")["items"]
    board.kubectl("delete", "gamestatefulset", "again", "--cascade=orphan")
    board.until("the pods are nobody's", lambda: not any(p["metadata"].get("ownerReferences") for p in board.pods()))
    assert board.uids() == before
    release(board)
    complete(board)
    (uid,) = {o["uid"] for p in board.pods() for o in p["metadata"]["ownerReferences"]}
    assert uid == board.get("gamestatefulset", "again")["metadata"]["uid"]
    assert board.uids() == before
    names = lambda items: {r["metadata"]["name"] for r in items}  # noqa: E731
    assert names(board.get("controllerrevisions")["items"]) == names(revisions)
    release(board, image="0.0.2")
    complete(board, image="0.0.2")
    assert board.uids() == before
    assert set(restarts(board).values()) == {1}


def test_gss_108_121_canary_steps_and_pod_hooks_on_ordinals(cluster, operators, namespace):
    board = SetBoard(cluster, namespace, "steps")
    board.kubectl("apply", "-f", "-", data=HOOK)
    board.kubectl("apply", "-f", "-", data=(CANARY / "hooktemplate.yaml").read_text(encoding="utf-8"))
    board = started(cluster, namespace, "steps", 3, IN_PLACE, hooks=["preInplace"])
    complete(board)
    before, old = board.uids(), board.status()["updateRevision"]
    judge = next(p["status"]["podIP"] for p in board.pods() if p["metadata"]["name"] == "steps-0")
    check = {"templateName": "test", "args": [{"name": "url", "value": f"http://{judge}:8080/hook"}]}
    board.strategy = {**IN_PLACE, "canary": {"steps": [{"partition": 2}, {"hook": check}, {"pause": {}}]}}
    release(board, image="0.0.2")
    board.until("the pause after the check", lambda: "PausedByCanaryPauseStep" in str(board.status()))
    assert board.versions() == {"steps-0": "0.0.1", "steps-1": "0.0.1", "steps-2": "0.0.2"}
    assert board.status()["currentStepIndex"] == 2
    new = board.status()["updateRevision"]
    (run,) = [r["metadata"]["name"] for r in board.get("hookruns")["items"]]
    assert run == f"canary-{new}-step1-test"
    board.patch({"updateStrategy": {"paused": False}})
    complete(board, image="0.0.2")
    assert board.status()["currentStepIndex"] == 3
    asked = sorted(m.split()[4] for m in board.events("SuccessfulCreateHookRun") if "preinplace" in m)
    assert asked == [f"preinplace-{old}-{o}-players" for o in (0, 1, 2)]
    assert board.uids() == before
    assert restarts(board) == dict.fromkeys(before, 1)
    key = "io.tencent.bcs.dev/game-pod-deleting"
    marks = lambda: {p["metadata"]["annotations"].get(key) for p in board.pods()}  # noqa: E731
    board.until("the mark of the hook is taken back", lambda: marks() == {"false"})
