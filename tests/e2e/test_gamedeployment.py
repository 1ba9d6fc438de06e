"""GameDeployment on real containers: grace, hooks that say no, and an operator that is killed."""

import json
import os
import signal
from datetime import datetime

import pytest

from tests.e2e.board import HOOK, Board, Watch, condition, workload


def test_gd_74_grace_period_cuts_traffic_before_the_restart(cluster, operators, namespace):
    board = Board(cluster, namespace, "grace")
    strategy = {
        "type": "InplaceUpdate",
        "maxUnavailable": 1,
        "maxSurge": 0,
        "inPlaceUpdateStrategy": {"gracePeriodSeconds": 5},
    }
    board.apply(workload("grace", 3, strategy))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = {p["metadata"]["name"]: p for p in board.pods()}
    watch = Watch(cluster, namespace)
    board.apply(workload("grace", 3, strategy, image="0.0.2"))
    board.until("all are updated", board.complete("0.0.2", 3), 120)
    events = watch.end()
    after = {p["metadata"]["name"]: p for p in board.pods()}
    assert {n: p["metadata"]["uid"] for n, p in before.items()} == {n: p["metadata"]["uid"] for n, p in after.items()}
    states = {name: before[name] for name in before}
    closed = {}
    for kind, pod in events:
        assert kind in ("ADDED", "MODIFIED"), f"pod {pod['metadata']['name']} was {kind}"
        name = pod["metadata"]["name"]
        states[name] = pod
        gate = condition(pod, "InPlaceUpdateReady")
        if gate["status"] == "False" and name not in closed:
            closed[name] = gate["lastTransitionTime"]
            # The watch shows the gate closing no later than the image changing.
            assert pod["spec"]["containers"][0]["image"].endswith("0.0.1")
        down = [n for n, p in states.items() if condition(p, "Ready")["status"] != "True"]
        assert len(down) <= 1, f"{down} are down together, maxUnavailable is 1"
    assert set(closed) == set(before)
    for name, pod in after.items():
        started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        waited = datetime.fromisoformat(started) - datetime.fromisoformat(closed[name])
        assert waited.total_seconds() >= 5, f"{name} restarted {waited} after its gate closed"
        assert condition(pod, "InPlaceUpdateReady")["status"] == "True"
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


def test_gd_39_a_hook_that_says_no_holds_the_pod_until_it_flips(cluster, operators, namespace):
    board = Board(cluster, namespace, "busy")
    strategy = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}
    board.apply(HOOK)
    board.apply(workload("busy", 1, strategy, hooks=("preDelete",), result="0"))
    board.until("the pod is ready", board.complete("0.0.1", 1))
    pod = board.pods()[0]
    board.apply(workload("busy", 1, strategy, image="0.0.2", hooks=("preDelete",), result="0"))

    def measured():
        runs = json.loads(board.kubectl("get", "hookruns", "-o", "json"))["items"]
        results = [r for run in runs for r in run.get("status", {}).get("metricResults", ())]
        return bool(results) and results[0]["failed"] >= 4

    board.until("the hook said no four times", measured)
    assert [p["metadata"]["uid"] for p in board.pods()] == [pod["metadata"]["uid"]]
    assert board.pods()[0]["metadata"]["annotations"]["io.tencent.bcs.dev/game-pod-deleting"] == "true"
    progressing = next(c for c in board.status()["conditions"] if c["type"] == "Progressing")
    assert progressing["reason"] == "HookRunning"
    assert pod["metadata"]["name"] in progressing["message"]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:8080/proxy/hook/set?result=1"
    cluster.kubectl("get", "--raw", path)
    board.until("the pod is replaced", board.complete("0.0.2", 1))
    assert pod["metadata"]["uid"] not in [p["metadata"]["uid"] for p in board.pods()]
    board.until("no HookRun is left", lambda: not json.loads(board.kubectl("get", "hookruns", "-o", "json"))["items"])


@pytest.mark.parametrize("kills", [3])
def test_operator_killed_in_mid_rollout_loses_and_doubles_nothing(cluster, beside, operators, namespace, kills):
    board = Board(cluster, namespace, "crash")
    strategy = {"type": "RollingUpdate", "maxUnavailable": 2, "maxSurge": 1}
    board.apply(HOOK)
    board.apply(workload("crash", 10, strategy, hooks=("preDelete",)))
    board.until("ten pods are ready", board.complete("0.0.1", 10), 120)
    old = {p["metadata"]["uid"] for p in board.pods()}
    watch = Watch(cluster, namespace)
    board.apply(workload("crash", 10, strategy, image="0.0.2", hooks=("preDelete",)))
    for round_ in range(kills):
        wanted = 2 + 2 * round_

        def updated(wanted=wanted):
            return board.status().get("updatedReplicas", 0) >= wanted

        board.until(f"{wanted} pods are updated", updated)
        os.kill(operators.pid(), signal.SIGKILL)
        beside.again()
    board.until("all are updated", board.complete("0.0.2", 10), 150)
    events = watch.end()
    final = board.pods()
    assert len(final) == 10
    assert not {p["metadata"]["uid"] for p in final} & old
    created = {p["metadata"]["uid"] for kind, p in events if kind == "ADDED"}
    assert len(created - old) == 10, f"{len(created - old)} new pods were created for 10 replicas"
    living = {}
    for kind, pod in events:
        living[pod["metadata"]["uid"]] = kind != "DELETED" and not pod["metadata"].get("deletionTimestamp")
        assert sum(living.values()) <= 11, "more pods than replicas and maxSurge"
    board.until("no HookRun is left", lambda: not json.loads(board.kubectl("get", "hookruns", "-o", "json"))["items"])
