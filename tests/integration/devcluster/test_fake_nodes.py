"""The fake kubelet behaves like one where controllers look: start, readiness gates, in-place restarts, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from devcluster import choose, processes
from devcluster.choose import Cluster

pytestmark = pytest.mark.nodes

GATE = "InPlaceUpdateReady"
Pod = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _fake_nodes(cluster: Cluster) -> None:
    listed = cluster.kubectl("get", "nodes", "-l", "type=kwok", "-o", "name").split()
    if not processes.alive("kwok") or len(listed) < 2:
        choose.kwok_up(max(2, len(listed)))


def _manifest(name: str, *, gated: bool) -> Pod:
    spec: Pod = {
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        "containers": [
            {"name": "game", "image": "game:1"},
            {"name": "side", "image": "side:1"},
        ],
    }
    if gated:
        spec["readinessGates"] = [{"conditionType": GATE}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "fake"}},
        "spec": spec,
    }


def _get(cluster: Cluster, namespace: str, name: str = "fake") -> Pod:
    pod: Pod = json.loads(cluster.kubectl("get", "pod", name, "-n", namespace, "-o", "json"))
    return pod


def _conditions(pod: Pod) -> dict[str, str]:
    return {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}


def _container(pod: Pod, name: str) -> Pod:
    found: Pod = next(s for s in pod["status"]["containerStatuses"] if s["name"] == name)
    return found


def _until(cluster: Cluster, namespace: str, holds: Callable[[Pod], bool], what: str) -> Pod:
    seen: list[Pod] = []

    def check() -> bool:
        seen[:] = [_get(cluster, namespace)]
        return holds(seen[0])

    assert processes.wait(check, 15, 0.1), f"not within 15 s: {what}; status {json.dumps(seen[0]['status'], indent=1)}"
    return seen[0]


def _ready_is(status: str) -> Callable[[Pod], bool]:
    return lambda pod: _conditions(pod)["Ready"] == status


def _restarts_are(count: int) -> Callable[[Pod], bool]:
    return lambda pod: bool(_container(pod, "game")["restartCount"] == count)


def _set_gate(cluster: Cluster, namespace: str, status: str) -> None:
    patch = json.dumps({"status": {"conditions": [{"type": GATE, "status": status}]}})
    cluster.kubectl(
        "patch",
        "pod",
        "fake",
        "-n",
        namespace,
        "--subresource=status",
        "--type=strategic",
        "-p",
        patch,
    )


def _create(cluster: Cluster, namespace: str, *, gated: bool) -> Pod:
    cluster.kubectl(
        "create",
        "-n",
        namespace,
        "-f",
        "-",
        input=json.dumps(_manifest("fake", gated=gated)),
    )
    return _until(cluster, namespace, lambda p: p["status"]["phase"] == "Running", "phase Running")


def test_pod_runs_with_address_and_container_ids(cluster: Cluster, namespace: str) -> None:
    pod = _create(cluster, namespace, gated=False)
    assert pod["status"]["podIP"].startswith("10.200.")
    assert _conditions(pod)["Ready"] == _conditions(pod)["ContainersReady"] == "True"
    game, side = _container(pod, "game"), _container(pod, "side")
    assert game["ready"]
    assert game["restartCount"] == 0
    assert game["imageID"] != side["imageID"]
    assert game["containerID"] != side["containerID"]


def test_ready_follows_the_gate_and_the_gate_stays_the_controllers(cluster: Cluster, namespace: str) -> None:
    pod = _create(cluster, namespace, gated=True)
    assert _conditions(pod)["ContainersReady"] == "True"
    assert _conditions(pod)["Ready"] == "False"
    assert GATE not in _conditions(pod)
    for status in ("True", "False", "True"):
        _set_gate(cluster, namespace, status)
        pod = _until(cluster, namespace, _ready_is(status), f"Ready {status}")
        assert _conditions(pod)[GATE] == status


def test_image_change_restarts_only_that_container(cluster: Cluster, namespace: str) -> None:
    before = _create(cluster, namespace, gated=True)
    _set_gate(cluster, namespace, "True")
    _until(cluster, namespace, _ready_is("True"), "Ready True")
    for restarts in (1, 2):
        cluster.kubectl("set", "image", "pod/fake", f"game=game:{restarts + 1}", "-n", namespace)
        after = _until(cluster, namespace, _restarts_are(restarts), f"{restarts} restarts")
        old, new = _container(before, "game"), _container(after, "game")
        assert new["image"] == f"game:{restarts + 1}"
        assert new["imageID"] != old["imageID"]
        assert new["containerID"] != old["containerID"]
        assert new["state"]["running"]["startedAt"] >= old["state"]["running"]["startedAt"]
        assert new["lastState"]["terminated"]["containerID"] == old["containerID"]
        assert _container(after, "side") == _container(before, "side")
        assert _conditions(after)[GATE] == "True"
        before = after
    assert before["status"]["podIP"] == _get(cluster, namespace)["status"]["podIP"]


def test_image_change_while_the_gate_is_shut(cluster: Cluster, namespace: str) -> None:
    """The order of an in-place update: gate False, image, restart, gate True."""
    _create(cluster, namespace, gated=True)
    _set_gate(cluster, namespace, "True")
    _until(cluster, namespace, _ready_is("True"), "Ready True")
    _set_gate(cluster, namespace, "False")
    cluster.kubectl("set", "image", "pod/fake", "game=game:2", "-n", namespace)
    pod = _until(
        cluster,
        namespace,
        _restarts_are(1),
        "1 restart",
    )
    pod = _until(cluster, namespace, _ready_is("False"), "Ready False")
    assert _conditions(pod)[GATE] == "False"
    _set_gate(cluster, namespace, "True")
    _until(
        cluster,
        namespace,
        _ready_is("True"),
        "Ready True again",
    )


def test_deletion_is_quick_and_waits_for_finalizers(cluster: Cluster, namespace: str) -> None:
    _create(cluster, namespace, gated=False)
    held = json.dumps({"metadata": {"finalizers": ["tests.local/hold"]}})
    cluster.kubectl("patch", "pod", "fake", "-n", namespace, "--type=merge", "-p", held)
    cluster.kubectl("delete", "pod", "fake", "-n", namespace, "--wait=false")
    assert _get(cluster, namespace)["metadata"]["deletionTimestamp"]
    cluster.kubectl(
        "patch",
        "pod",
        "fake",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"metadata":{"finalizers":null}}',
    )

    def gone() -> bool:
        return not cluster.kubectl("get", "pods", "-n", namespace, "-o", "name").strip()

    assert processes.wait(gone, 10), "the pod still exists 10 s after its finalizer went"
