"""What the tests of the operators rely on, shown on the real node: restarts in place, Services, logs, exec."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from devcluster import choose, dns, processes
from devcluster.choose import Cluster

pytestmark = pytest.mark.nodes

DEMO = "hub.bktencent.com/blueking/game-demo"


def _pod(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "game",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "POD_INDEX", "value": "100"}],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "periodSeconds": 1,
        },
    }
    metadata = {"name": name, "labels": {"app": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 30}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text.strip()


def _status(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-n", namespace, "-o", "json"))["status"]
    return status


@pytest.fixture
def game(cluster: Cluster, namespace: str) -> str:
    """A ready pod of version 0.0.1; its address."""
    if cluster.kind != "built":
        pytest.fail("pods are reached by their addresses here, which only the built cluster offers")
    cluster.kubectl(
        "apply",
        "-n",
        namespace,
        "-f",
        "-",
        input=json.dumps(_pod("game", f"{DEMO}:0.0.1")),
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod/game", "-n", namespace, "--timeout=60s")
    return str(_status(cluster, namespace, "game")["podIP"])


def test_image_change_restarts_the_container_in_place(cluster: Cluster, namespace: str, game: str) -> None:
    before = _status(cluster, namespace, "game")
    assert _fetch(f"http://{game}:8080/version") == "0.0.1"
    cluster.kubectl("set", "image", "pod/game", f"game={DEMO}:0.0.2", "-n", namespace)

    def restarted() -> bool:
        return bool(_status(cluster, namespace, "game")["containerStatuses"][0]["restartCount"] == 1)

    assert processes.wait(restarted, 20, 0.2), "the container did not restart within 20 s"
    cluster.kubectl("wait", "--for=condition=Ready", "pod/game", "-n", namespace, "--timeout=30s")
    after = _status(cluster, namespace, "game")
    assert after["podIP"] == before["podIP"]
    assert after["containerStatuses"][0]["imageID"] != before["containerStatuses"][0]["imageID"]
    assert after["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 0
    assert _fetch(f"http://{game}:8080/version") == "0.0.2"


def test_hook_answers_what_it_was_told(game: str) -> None:
    assert json.loads(_fetch(f"http://{game}:8080/hook")) == {"result": 1}
    _fetch(f"http://{game}:8080/hook/set?result=0")
    assert json.loads(_fetch(f"http://{game}:8080/hook")) == {"result": 0}
    assert json.loads(_fetch(f"http://{game}:8080/"))["podIndex"] == "100"


def test_service_address_logs_and_exec(cluster: Cluster, namespace: str, game: str) -> None:
    cluster.kubectl("expose", "pod", "game", "-n", namespace, "--port=80", "--target-port=8080")
    address = cluster.kubectl("get", "service", "game", "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")

    def served() -> bool:
        try:
            return _fetch(f"http://{address}/version") == "0.0.1"
        except OSError:
            return False

    assert processes.wait(served, 20, 0.2), f"the Service address {address} does not answer"
    assert "game-demo 0.0.1" in cluster.kubectl("logs", "game", "-n", namespace)
    assert cluster.kubectl("exec", "game", "-n", namespace, "--", "/game-demo", "version").strip() == "0.0.1"


def test_same_digest_under_two_tags(cluster: Cluster, namespace: str, game: str) -> None:
    before = _status(cluster, namespace, "game")["containerStatuses"][0]["imageID"]
    cluster.kubectl(
        "apply",
        "-n",
        namespace,
        "-f",
        "-",
        input=json.dumps(_pod("twin", f"{DEMO}:0.0.1-same")),
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod/twin", "-n", namespace, "--timeout=60s")
    assert game
    assert _status(cluster, namespace, "twin")["containerStatuses"][0]["imageID"] == before


def test_a_name_service_that_is_gone_comes_back_with_the_next_start(cluster: Cluster) -> None:
    if cluster.kind != "built":
        pytest.fail("only the built cluster has a name service of the project's own")
    cluster.kubectl("-n", "kube-system", "delete", "deployment", "coredns", "--cascade=foreground", "--timeout=60s")
    assert processes.wait(lambda: not dns.answers(), 20, 0.2), "somebody still answers for it"
    choose.up()
    assert dns.answers()
