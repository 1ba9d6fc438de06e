"""Pods as planning sees them: since when one is not ready, and when nobody need wait for it any more."""

import pytest

from operators.kube.times import rfc3339
from operators.planning.views import READY_DEADLINE, pod_view

MADE, TURNED = 1000.0, 2000.0


def pod(*conditions, waiting=None):
    metadata = {"namespace": "default", "name": "foo-0", "uid": "u", "creationTimestamp": rfc3339(MADE)}
    statuses = [{"name": "web", "state": {"waiting": {"reason": waiting}}}] if waiting else []
    status = {"phase": "Running", "conditions": list(conditions), "containerStatuses": statuses}
    return pod_view({"metadata": metadata, "spec": {}, "status": status})


def ready(status):
    return {"type": "Ready", "status": status, "lastTransitionTime": rfc3339(TURNED)}


def test_a_pod_is_ready_or_unready_since_its_condition_turned():
    held = pod(ready("True"))
    assert (held.ready_since, held.unready_since) == (TURNED, None)
    for status in ("False", "Unknown"):
        lost = pod(ready(status))
        assert (lost.ready_since, lost.unready_since) == (None, TURNED)
    assert pod().unready_since == MADE


@pytest.mark.parametrize(("since", "view"), [(TURNED, pod(ready("False"))), (MADE, pod())])
def test_a_pod_that_says_nothing_is_waited_for_a_while(since, view):
    assert not view.stuck(since + READY_DEADLINE - 1)
    assert view.ready_deadline_left(since + READY_DEADLINE - 1) == 1
    assert view.stuck(since + READY_DEADLINE)


def test_one_that_says_what_is_wrong_is_not_waited_for_and_a_ready_one_never_is_hopeless():
    assert pod(ready("False"), waiting="CrashLoopBackOff").stuck(TURNED)
    assert not pod(ready("False"), waiting="ContainerCreating").stuck(TURNED)
    assert not pod(ready("True")).stuck(TURNED + 10 * READY_DEADLINE)
