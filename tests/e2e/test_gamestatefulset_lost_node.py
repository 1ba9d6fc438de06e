"""A kubelet dies: pods of its node drift where the user has opted in, and stay, visibly, where not (cases 135, 136)."""

import json

import pytest

from devcluster import choose, processes
from tests.e2e.test_gamestatefulset import SetBoard, stateful

OPT_IN = "pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete"


@pytest.fixture
def fake_nodes(cluster):
    """Two fake nodes beside the real one, no more; what kills their kubelet is made good afterwards.

    Where most nodes of a zone are silent the control plane suspects the network, and evicts nobody.
    """
    choose.kwok_up(2)
    yield
    choose.kwok_up(2)


def drifting(name, opt_in):
    """One pod that rather runs on a fake node, but can run on the real one too, and leaves a silent node after 1 s."""
    body = stateful(name, 1, {"type": "RollingUpdate"}, pod={OPT_IN: opt_in})
    body["spec"]["template"]["spec"]["tolerations"] = [
        {"key": "kwok.x-k8s.io/node", "operator": "Exists"},
        *(
            {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
            for state in ("unreachable", "not-ready")
        ),
    ]
    match = {"matchExpressions": [{"key": "type", "operator": "In", "values": ["kwok"]}]}
    preferred = [{"weight": 100, "preference": match}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    body["spec"]["template"]["spec"]["affinity"] = affinity
    return body


def test_gss_135_136_a_kubelet_dies(cluster, operators, namespace, fake_nodes):
    drifts, stays = SetBoard(cluster, namespace, "drifts"), SetBoard(cluster, namespace, "stays")
    for board, opt_in in ((drifts, "true"), (stays, "false")):
        board.apply(drifting(board.name, opt_in))
        board.until("its pod is ready", board.complete("0.0.1", 1))
        (pod,) = board.pods()
        assert pod["spec"]["nodeName"].startswith("kwok-")
    (before,) = drifts.pods()

    processes.stop("kwok")

    def moved():
        new = [p for p in drifts.pods() if p["metadata"]["uid"] != before["metadata"]["uid"]]
        return new and not new[0]["spec"].get("nodeName", "kwok-").startswith("kwok-") and drifts.ready()

    drifts.until("the pod is back under its name on another node", moved, 180)
    assert drifts.names() == {"drifts-0"}
    drifts.until("an Event says so", lambda: drifts.events("ForceDeletedNodeLostPod"))
    stays.until("the other one says why it stays", lambda: "NodeLost" in stays.said("Blocked"), 180)
    assert "stays-0" in stays.said("Blocked")
    listed = json.loads(stays.kubectl("get", "pods", "-l", "app=stays", "-o", "json"))["items"]
    assert [bool(p["metadata"].get("deletionTimestamp")) for p in listed] == [True], "it must still be there, leaving"
