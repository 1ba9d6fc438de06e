"""Updates on real containers beyond the quick start: what must not restart, what goes wrong, what heals."""

import json

from tests.e2e.board import IMAGE, Board, Watch, condition, workload

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}


def restarts(pods):
    return {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["restartCount"] for p in pods}


def uids(pods):
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods}


def test_gd_77_labels_and_annotations_change_without_restart_and_without_a_flip(cluster, operators, namespace):
    board = Board(cluster, namespace, "meta")
    board.apply(workload("meta", 2, IN_PLACE, pod={"motd": "hello", "old": "1"}))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before, watch = board.pods(), Watch(cluster, namespace)
    board.apply(workload("meta", 2, IN_PLACE, pod={"motd": "goodbye"}))

    def carried():
        return all(
            p["metadata"]["annotations"].get("motd") == "goodbye" and "old" not in p["metadata"]["annotations"]
            for p in board.pods()
        )

    board.until("both carry the new annotation and not the old one", carried)
    board.until("the rollout is complete", board.complete("0.0.1", 2))
    flipped = [p["metadata"]["name"] for _, p in watch.end() if condition(p, "Ready")["status"] != "True"]
    assert not flipped
    assert uids(board.pods()) == uids(before)
    assert set(restarts(board.pods()).values()) == {0}


def test_gd_76_a_change_that_cannot_go_in_place_touches_nothing_and_says_which(cluster, operators, namespace):
    board = Board(cluster, namespace, "env")
    board.apply(workload("env", 2, IN_PLACE))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before = uids(board.pods())
    board.apply(workload("env", 2, IN_PLACE, image="0.0.2", result="0"))
    wanted = "True InPlaceNotPossible: "
    board.until("Blocked says so", lambda: board.said("Blocked").startswith(wanted))
    assert "/spec/template/spec/containers/0/env/0/value" in board.said("Blocked")
    board.until("an Event says so", lambda: board.events("InPlaceNotPossible"))
    board.kubectl("scale", "gamedeployment", "env", "--replicas=3")
    board.until("scaling goes on", lambda: len(board.pods()) == 3)
    assert before.items() <= uids(board.pods()).items()
    assert restarts(p for p in board.pods() if p["metadata"]["name"] in before) == dict.fromkeys(before, 0)
    board.apply(workload("env", 3, {**IN_PLACE, "type": "RollingUpdate"}, image="0.0.2", result="0"))
    board.until("a switch to RollingUpdate recovers", board.complete("0.0.2", 3))
    board.until("Blocked is over", lambda: board.said("Blocked").startswith("False"))


def test_gd_76_reverting_the_template_clears_the_block(cluster, operators, namespace):
    board = Board(cluster, namespace, "revert")
    board.apply(workload("revert", 1, IN_PLACE))
    board.until("the pod is ready", board.complete("0.0.1", 1))
    before = uids(board.pods())
    board.apply(workload("revert", 1, IN_PLACE, result="0"))
    board.until("Blocked says so", lambda: board.said("Blocked").startswith("True InPlaceNotPossible"))
    board.apply(workload("revert", 1, IN_PLACE))
    board.until("it is complete again", board.complete("0.0.1", 1))
    board.until("Blocked is over", lambda: board.said("Blocked").startswith("False"))
    assert uids(board.pods()) == before
    assert set(restarts(board.pods()).values()) == {0}


def test_gd_79_a_tag_of_the_same_digest_completes_after_the_restart(cluster, operators, namespace):
    board = Board(cluster, namespace, "digest")
    board.apply(workload("digest", 2, IN_PLACE))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before = uids(board.pods())
    board.apply(workload("digest", 2, IN_PLACE, image="0.0.1-same"))
    board.until("both are updated", board.complete("0.0.1-same", 2))
    assert uids(board.pods()) == before
    assert set(restarts(board.pods()).values()) == {1}


def test_gd_80_a_rollback_during_the_grace_period_leaves_the_containers_alone(cluster, operators, namespace):
    board = Board(cluster, namespace, "back")
    strategy = {**IN_PLACE, "inPlaceUpdateStrategy": {"gracePeriodSeconds": 60}}
    board.apply(workload("back", 1, strategy))
    board.until("the pod is ready", board.complete("0.0.1", 1))
    board.apply(workload("back", 1, strategy, image="0.0.2"))
    board.until("its gate is closed", lambda: condition(board.pods()[0], "InPlaceUpdateReady")["status"] == "False")
    assert "grace" in board.said("Progressing")
    board.apply(workload("back", 1, strategy))
    board.until("it is ready long before the grace period ends", board.complete("0.0.1", 1), 30)
    assert set(restarts(board.pods()).values()) == {0}
    assert condition(board.pods()[0], "InPlaceUpdateReady")["status"] == "True"


def test_a_second_change_during_the_first_ends_at_the_newest(cluster, operators, namespace):
    board = Board(cluster, namespace, "twice")
    board.apply(workload("twice", 4, IN_PLACE))
    board.until("four pods are ready", board.complete("0.0.1", 4))
    before = uids(board.pods())
    board.apply(workload("twice", 4, IN_PLACE, image="0.0.2"))
    board.until("one is at 0.0.2", lambda: board.status().get("updatedReadyReplicas", 0) == 1)
    board.apply(workload("twice", 4, IN_PLACE, image="0.0.1-same"))
    board.until("all are at the newest", board.complete("0.0.1-same", 4))
    assert uids(board.pods()) == before


def test_an_image_that_cannot_be_pulled_holds_the_budget_and_going_back_heals(cluster, operators, namespace):
    board = Board(cluster, namespace, "pull")
    board.apply(workload("pull", 3, IN_PLACE))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = uids(board.pods())
    board.apply(workload("pull", 3, IN_PLACE, image="game-operators.invalid/no-such:1"))
    board.until("Blocked names the trouble", lambda: "Pull" in board.said("Blocked"))
    down = [p for p in board.pods() if condition(p, "Ready")["status"] != "True"]
    assert len(down) == 1
    assert down[0]["metadata"]["name"] in board.said("Blocked")
    board.patch({"replicas": 2})
    board.until("scale-in takes the broken pod first", lambda: len(board.pods()) == 2)
    board.until("and keeps those that serve", lambda: board.status().get("readyReplicas") in (1, 2))
    assert down[0]["metadata"]["name"] not in board.names()
    board.apply(workload("pull", 2, IN_PLACE))
    board.until("going back heals", board.complete("0.0.1", 2))
    assert uids(board.pods()).items() <= before.items()


def test_a_version_that_crashes_stops_at_the_budget(cluster, operators, namespace):
    board = Board(cluster, namespace, "crashing")
    strategy = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}
    board.apply(workload("crashing", 3, strategy))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = board.names()
    board.apply(workload("crashing", 3, strategy, image="0.0.3-broken"))
    board.until("Blocked names the crash", lambda: "CrashLoopBackOff" in board.said("Blocked"))
    assert board.status()["readyReplicas"] == 2
    assert len(board.names() & before) == 2
    board.apply(workload("crashing", 3, strategy))
    board.until("going back heals", board.complete("0.0.1", 3))
    assert len(board.names() & before) == 2


def test_on_delete_leaves_the_moment_to_the_user(cluster, operators, namespace):
    board = Board(cluster, namespace, "manual")
    strategy = {"type": "OnDelete"}
    board.apply(workload("manual", 2, strategy))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    before = board.names()
    board.apply(workload("manual", 2, strategy, image="0.0.2"))
    board.until("the status knows the new version", lambda: board.status().get("updatedReplicas") == 0)
    board.until("and says what it waits for", lambda: "OnDelete" in board.said("Progressing"))
    assert board.names() == before
    victim = min(before)
    board.kubectl("delete", "pod", victim)
    board.until("its replacement is new", lambda: board.status().get("updatedReadyReplicas") == 1)
    assert victim not in board.names()
    assert len(board.names() & before) == 1


def test_gd_87_without_the_readiness_gate_in_place_updates_respect_the_budget(cluster, operators, namespace):
    board = Board(cluster, namespace, "nogate")
    board.apply(workload("nogate", 3, IN_PLACE, disableReadinessGate=True))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = board.pods()
    assert not any(p["spec"].get("readinessGates") for p in before)
    states = {p["metadata"]["name"]: p for p in before}
    watch = Watch(cluster, namespace)
    board.apply(workload("nogate", 3, IN_PLACE, image="0.0.2", disableReadinessGate=True))
    board.until("all are updated", board.complete("0.0.2", 3))
    for _, pod in watch.end():
        states[pod["metadata"]["name"]] = pod
        started = [p for p in states.values() if p["spec"]["containers"][0]["image"].endswith("0.0.2")]
        unfinished = [p for p in started if not served(p, "0.0.2")]
        assert len(unfinished) <= 1, [p["metadata"]["name"] for p in unfinished]
    assert uids(board.pods()) == uids(before)


def served(pod, tag):
    """The container of a pod runs this tag and is ready."""
    status = pod["status"]["containerStatuses"][0]
    return status["ready"] and status["image"] == f"{IMAGE}:{tag}"


def test_wait_for_conditions_is_truthful(cluster, operators, namespace):
    board = Board(cluster, namespace, "await")
    board.apply(workload("await", 2, IN_PLACE))
    board.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "gamedeployment/await")
    board.kubectl("wait", "--for=condition=Available", "--timeout=60s", "gamedeployment/await")
    board.kubectl("patch", "gamedeployment", "await", "--type=json", "-p", _image_patch("0.0.2"))
    held = board.status()
    done = next(c for c in held["conditions"] if c["type"] == "Complete")
    generation = board.get("gamedeployment", "await")["metadata"]["generation"]
    assert done["status"] != "True" or done["observedGeneration"] < generation
    board.until("the new version is complete", board.complete("0.0.2", 2))
    assert board.status()["observedGeneration"] == generation


def _image_patch(tag):
    path = "/spec/template/spec/containers/0/image"
    return json.dumps([{"op": "replace", "path": path, "value": f"{IMAGE}:{tag}"}])
