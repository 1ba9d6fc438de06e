"""The API server is killed or stands still in the middle of a rollout, and comes back (attack F-11)."""

import time

import pytest

pytestmark = pytest.mark.alone

REPLICAS = 12
_GROUP = "/apis/tkex.tencent.com/v1alpha1/namespaces/default/gamedeployments"
#: Seconds from the return of the API server until a workload made then is ready: both caches are current.
CURRENT_WITHIN = 2.0
#: The same for a standby: the Lease has to be seen unchanged for its duration (4 s here) first.
TAKEN_OVER_WITHIN = 4.0 + 2 * CURRENT_WITHIN


def workload(name, replicas):
    labels = {"app": name}
    container = {"name": "game", "image": "game:1"}
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "GameDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "minReadySeconds": 1,
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def wait(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return time.monotonic()


def images(readiness):
    """Image of each pod of the workload that lives."""
    pods = (p for p in readiness.pods if p["metadata"].get("labels", {}).get("app") == "lobby")
    return [p["spec"]["containers"][0]["image"] for p in pods]


@pytest.fixture
def rollout(api_server, readiness, operators):
    """A rollout that has replaced some of its pods, not all."""
    return under_way(api_server, readiness, operators)


def under_way(api_server, readiness, operators):
    api_server.request("POST", _GROUP, workload("lobby", REPLICAS))
    # A pod that is not ready yet may be replaced at once, whatever the budget.
    operators.until("all pods are ready", lambda: ready_replicas(api_server, "lobby") == REPLICAS, 40)
    template = {"spec": {"template": {"spec": {"containers": [{"name": "game", "image": "game:2"}]}}}}
    api_server.request("PATCH", f"{_GROUP}/lobby", template, "application/merge-patch+json")
    operators.until("the rollout is under way", lambda: images(readiness).count("game:2") >= 2, 40)
    assert "game:1" in images(readiness)
    return readiness


def lists(operators, cache):
    return operators.value(f'game_operators_cache_lists_total{{cache="{cache}"}}')


def current(api_server, operators, back):
    """Change something in two caches; seconds from ``back`` until the operators have acted on it.

    A workload without a status of its own shows the feed, the pod that it gets the passes, and the status of that pod,
    counted as ready, the informer of pods.
    """
    api_server.request("POST", _GROUP, workload("later", 1))
    seen = wait("the new workload has its pod, ready", lambda: ready_replicas(api_server, "later"), 60)
    assert operators.process.poll() is None
    return seen - back


def ready_replicas(api_server, name):
    """What the operators say in its status."""
    return api_server.request("GET", f"{_GROUP}/{name}").get("status", {}).get("readyReplicas", 0)


def finishes(operators, rollout):
    done = ["game:2"] * REPLICAS
    operators.until("the rollout ends", lambda: images(rollout) == done, 60)
    ours = [name for name in rollout.seen.values() if name.startswith("lobby")]
    assert len(ours) == 2 * REPLICAS, "each pod was made once, and replaced once"
    assert rollout.most <= REPLICAS + 1, "never more pods than replicas, and that of the other workload"
    assert not [r for r in operators.log if "exc" in r]


def test_attack_f11_an_api_server_killed_in_mid_rollout_is_seen_at_once_when_it_is_back(api_server, operators, rollout):
    before = lists(operators, "pods")
    api_server.kill()
    api_server.expire_versions()
    wait_out(14)  # a wait that doubles from 0.4 s is at its sixth, of about ten seconds, when the server is back
    assert operators.process.poll() is None
    back = api_server.start()
    took = current(api_server, operators, back)
    assert took <= CURRENT_WITHIN, f"caches were current {took:.2f} s after the API server was back"
    assert lists(operators, "pods") > before, "the version had expired (410), so the pods were listed again"
    finishes(operators, rollout)


def test_attack_f11_an_api_server_that_stood_still_in_mid_rollout_is_seen_at_once(api_server, operators, rollout):
    api_server.pause()
    try:
        wait_out(8)
    finally:
        back = api_server.resume()
    took = current(api_server, operators, back)
    assert took <= CURRENT_WITHIN, f"caches were current {took:.2f} s after the API server went on"
    finishes(operators, rollout)


def test_attack_f11_a_standby_leads_after_an_outage_and_plans_on_what_is_there_then(api_server, readiness, replicas):
    leader, standby = replicas
    rollout = under_way(api_server, readiness, leader)
    api_server.kill()
    api_server.expire_versions()
    leader.wait()
    back = api_server.start()
    took = current(api_server, standby, back)
    assert standby.leads
    assert took <= TAKEN_OVER_WITHIN, f"it worked {took:.2f} s after the API server was back"
    finishes(standby, rollout)


def wait_out(seconds):
    """The outage itself lasts a time; there is no condition to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
