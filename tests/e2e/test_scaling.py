"""Scaling on the real API server and real pods."""

import json
from datetime import datetime

from tests.e2e.board import HOOK, Board, Watch, workload

ROLLING = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}
INDEX = {
    "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
    "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex":100,"podEndIndex":104}',
}
INDEX_ID = "tkex.bkbcs.tencent.com/gamedeployment-index-id"
DELETING = "io.tencent.bcs.dev/game-pod-deleting"


def named(board):
    return board.get("gamedeployment", board.name)["spec"].get("scaleStrategy", {}).get("podsToDelete", [])


def test_gd_35_to_37_pods_to_delete_go_and_leave_the_list(cluster, operators, namespace):
    board = Board(cluster, namespace, "named")
    board.apply(workload("named", 3, ROLLING))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    first, second, third = sorted(board.names())
    board.patch({"scaleStrategy": {"podsToDelete": [first, "not-mine"]}})
    board.until("the pod is replaced", lambda: first not in board.names() and len(board.names()) == 3)
    board.until("the list is empty", lambda: named(board) == [])
    assert {second, third} < board.names()
    board.until("all are ready again", board.complete("0.0.1", 3))
    others = board.names() - {second}
    board.patch({"replicas": 2, "scaleStrategy": {"podsToDelete": [second]}})
    board.until("only the named pod goes", lambda: board.names() == others)
    board.until("the list is empty", lambda: named(board) == [])


def test_gd_28_the_cheapest_pod_goes_first(cluster, operators, namespace):
    board = Board(cluster, namespace, "cost")
    board.apply(workload("cost", 3, ROLLING))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    dear, cheap, middle = sorted(board.names())
    for pod, cost in ((dear, 9), (cheap, -5), (middle, 3)):
        board.kubectl("annotate", "pod", pod, f"controller.kubernetes.io/pod-deletion-cost={cost}")
    board.kubectl("scale", "gamedeployment", "cost", "--replicas=2")
    board.until("the cheapest is gone", lambda: board.names() == {dear, middle})
    key = "io.tencent.bcs.dev/pod-deletion-cost-sort-method"
    board.kubectl("annotate", "gamedeployment", "cost", f"{key}=descend")
    board.kubectl("scale", "gamedeployment", "cost", "--replicas=1")
    board.until("descending, the dearest is gone", lambda: board.names() == {middle})


def test_gd_40_scaling_back_up_before_the_hook_answers_keeps_the_pod(cluster, operators, namespace):
    board = Board(cluster, namespace, "regret")
    board.apply(HOOK)
    board.apply(workload("regret", 3, ROLLING, hooks=["preDelete"], result="0"))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    before = {p["metadata"]["uid"] for p in board.pods()}
    board.kubectl("scale", "gamedeployment", "regret", "--replicas=2")
    board.until("a hook is asked", lambda: len(board.get("hookruns")["items"]) == 1)
    board.until("its pod is marked", lambda: len(_marked(board)) == 1)
    assert board.status()["replicas"] == 3
    board.kubectl("scale", "gamedeployment", "regret", "--replicas=3")
    board.until("the hook is withdrawn", lambda: not board.get("hookruns")["items"])
    board.until("the mark is taken back", lambda: not _marked(board))
    board.until("all is settled", board.complete("0.0.1", 3))
    assert {p["metadata"]["uid"] for p in board.pods()} == before


def _marked(board):
    return [p for p in board.pods() if p["metadata"].get("annotations", {}).get(DELETING) == "true"]


def test_gd_15_indexes_stay_unique_when_the_range_is_just_large_enough(cluster, operators, namespace):
    board = Board(cluster, namespace, "index")
    board.apply(workload("index", 4, ROLLING, annotations=INDEX))
    board.until("four pods are ready", board.complete("0.0.1", 4))
    watch = Watch(cluster, namespace)
    board.apply(workload("index", 4, ROLLING, image="0.0.2", annotations=INDEX))
    board.until("all are replaced", board.complete("0.0.2", 4), 120)
    living = {}
    for kind, pod in watch.end():
        living[pod["metadata"]["uid"]] = pod["metadata"]["annotations"].get(INDEX_ID)
        if kind == "DELETED" or pod["status"]["phase"] in ("Succeeded", "Failed"):
            del living[pod["metadata"]["uid"]]  # one that has ended for good holds no index
        held = list(living.values())
        assert None not in held
        assert len(set(held)) == len(held), f"an index twice: {sorted(held)}"
        assert set(held) <= {"100", "101", "102", "103"}
    assert {p["metadata"]["annotations"][INDEX_ID] for p in board.pods()} == {"100", "101", "102", "103"}


def test_gd_11_an_index_range_that_cannot_be_used_is_said_and_healed(cluster, operators, namespace):
    board = Board(cluster, namespace, "range")
    broken = {**INDEX, "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex":3,"podEndIndex":2}'}
    board.apply(workload("range", 1, ROLLING, annotations=broken))
    board.until("Blocked says so", lambda: "invalid index range" in board.said("Blocked"))
    assert not board.pods()
    board.apply(workload("range", 1, ROLLING, annotations=INDEX))
    board.until("a good range heals it", board.complete("0.0.1", 1))


def test_gd_20_the_first_creation_goes_in_batches(cluster, operators, namespace):
    board = Board(cluster, namespace, "batch")
    watch = Watch(cluster, namespace)
    board.apply(workload("batch", 4, ROLLING, scaleStrategy={"createBatch": "50%"}))
    board.until("all are ready", board.complete("0.0.1", 4))
    seen, ready = set(), set()
    for _, pod in watch.end():
        name = pod["metadata"]["name"]
        held = {c["type"]: c["status"] for c in pod["status"].get("conditions", ())}
        if held.get("Ready") == "True":
            ready.add(name)
        if name not in seen and len(seen) >= 2:
            assert len(ready) >= 2, f"{name} was created when only {sorted(ready)} were ready"
        seen.add(name)
    assert len(seen) == 4


def test_a_quota_that_refuses_pods_is_said_with_its_numbers_and_heals(cluster, operators, namespace):
    board = Board(cluster, namespace, "quota")
    board.kubectl("create", "quota", "few", "--hard=pods=1")
    board.until("the quota counts", lambda: board.get("quota", "few").get("status", {}).get("used"))
    board.apply(workload("quota", 3, ROLLING))
    board.until("one pod is there", lambda: len(board.pods()) == 1)
    board.until("the condition says why", lambda: "exceeded quota" in board.said("FailedScale"))
    board.until("an Event says why", lambda: any("exceeded quota" in m for m in board.events("FailedCreate")))
    board.kubectl("delete", "quota", "few")
    board.until("lifting the quota heals", board.complete("0.0.1", 3), 120)
    board.until("the condition is gone", lambda: not board.said("FailedScale").startswith("True"))


def test_gd_135_a_horizontal_pod_autoscaler_scales_through_the_subresource(cluster, operators, namespace):
    board = Board(cluster, namespace, "elastic")
    body = workload("elastic", 1, ROLLING)
    body["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["elastic"]}]}
    board.apply(body)
    board.until("one pod is ready", board.complete("0.0.1", 1))
    assert board.status()["labelSelector"] == "app in (elastic)"
    target = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": "elastic"}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "elastic"},
        "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 4, "metrics": [metric]},
    }
    board.apply(autoscaler)
    board.until("it scales out to its minimum", board.complete("0.0.1", 3), 120)
    held = {c["type"]: c for c in board.get("hpa", "elastic")["status"]["conditions"]}
    assert held["AbleToScale"]["status"] == "True", held
    scale = json.loads(
        cluster.kubectl(
            "get", "--raw", f"/apis/tkex.tencent.com/v1alpha1/namespaces/{namespace}/gamedeployments/elastic/scale"
        )
    )
    assert scale["status"] == {"replicas": 3, "selector": "app in (elastic)"}
    board.apply({**autoscaler, "spec": {**autoscaler["spec"], "minReplicas": 1, "maxReplicas": 2}})
    board.until("it scales in to its maximum", board.complete("0.0.1", 2), 120)


def test_pods_that_their_node_refuses_rest_and_say_why(cluster, operators, namespace):
    board = Board(cluster, namespace, "sysctl")
    forbidden = workload("sysctl", 2, ROLLING)
    sysctls = [{"name": "net.core.somaxconn", "value": "1024"}]
    forbidden["spec"]["template"]["spec"]["securityContext"] = {"sysctls": sysctls}
    watch = Watch(cluster, namespace)
    board.apply(forbidden)
    board.until("Blocked says why", lambda: "PodFailing" in board.said("Blocked"))
    assert "SysctlForbidden" in board.said("Blocked")
    assert "net.core.somaxconn" in board.said("Blocked")
    board.until(
        "they are made once more", lambda: any("SysctlForbidden" in m for m in board.events("SuccessfulDelete"))
    )
    made = {p["metadata"]["uid"]: datetime.fromisoformat(p["metadata"]["creationTimestamp"]) for _, p in watch.end()}
    rounds = (max(made.values()) - min(made.values())).total_seconds() / 10 + 1
    assert len(made) <= 2 * rounds, f"{len(made)} pods in {rounds:.0f} rounds"
    board.apply(workload("sysctl", 2, ROLLING))
    board.until("a template that can run heals", board.complete("0.0.1", 2), 60)
    board.until("Blocked is over", lambda: board.said("Blocked").startswith("False"))
