"""What is said of a pod that should have been gone long ago: only what is known of it."""

import pytest

from tests.unit.gamestatefulset.observations import NOW, decide, pod, pod_view, raw_pod, told


def late(**more):
    body = raw_pod(1, leaving=True)
    body["metadata"] |= more.pop("metadata", {})
    body["spec"] |= more
    return pod_view(body)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"nodeName": "node-7"}, "node node-7 has not confirmed that it ended"),
        ({"nodeName": None}, "it is on no node, and the API server has not removed it"),
        ({"nodeName": None, "metadata": {"finalizers": ["a/b", "c/d"]}}, "its finalizers a/b, c/d hold it"),
    ],
)
def test_why_a_pod_does_not_go(how, why):
    (said,) = told(decide([pod(0), late(**how), pod(2)]), "PodStuckTerminating")
    assert said.startswith("pod foo-1 has not ended, its grace period was over at ")
    assert said.endswith(f": {why}")


def test_a_pod_that_is_only_a_little_late_is_waited_for():
    decision = decide([pod(0), late(), pod(2)], now=NOW - 80)
    assert not told(decision, "PodStuckTerminating")
    assert decision.wake_after == 10
