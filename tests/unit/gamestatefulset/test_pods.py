"""The body of a pod, and the repair of its labels."""

import pytest

from operators.gamestatefulset.pods import identity_labels, missing_labels, ordinal_pod
from tests.unit.gamestatefulset.builders import pod

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}], "hostname": "theirs"}}


@pytest.mark.parametrize("ordinal", [0, 1, 2])
def test_gss_3_a_pod_carries_its_identity(ordinal):
    body = ordinal_pod("web", TEMPLATE, "web-5d8", ordinal, service="game")
    assert body["metadata"]["name"] == f"web-{ordinal}"
    assert (body["spec"]["hostname"], body["spec"]["subdomain"]) == (f"web-{ordinal}", "game")
    assert body["metadata"]["labels"] == {
        "app": "web",
        "controller-revision-hash": "web-5d8",
        "gamestatefulset.kubernetes.io/pod-name": f"web-{ordinal}",
        "gamestatefulset.kubernetes.io/pod-ordinal": str(ordinal),
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    assert TEMPLATE["spec"]["hostname"] == "theirs", "the template was changed"


def test_gss_87_and_88_the_gate_is_there_unless_it_is_switched_off():
    gates = [{"conditionType": "InPlaceUpdateReady"}]
    assert ordinal_pod("web", TEMPLATE, "r", 0, service="game")["spec"]["readinessGates"] == gates
    assert "readinessGates" not in ordinal_pod("web", TEMPLATE, "r", 0, service="game", gate=False)["spec"]


def test_finalizers_of_the_template_are_on_the_pod():
    template = {"metadata": {"finalizers": ["games.test/save"]}, "spec": {}}
    assert ordinal_pod("web", template, "r", 0, service="game")["metadata"]["finalizers"] == ["games.test/save"]


def test_gss_5_and_8_lost_identity_labels_are_restored():
    assert missing_labels("foo", 1, pod(1, labels={"gamestatefulset.kubernetes.io/pod-name": "bar-1"})) == {
        "gamestatefulset.kubernetes.io/pod-name": "foo-1",
        "apps.kubernetes.io/pod-index": "1",
    }
    assert missing_labels("foo", 1, pod(1, labels={"gamestatefulset.kubernetes.io/pod-ordinal": ""}))


def test_gss_6_and_149_a_pod_of_the_go_operator_is_not_written():
    assert missing_labels("foo", 1, pod(1)) == {}
    assert missing_labels("foo", 1, pod(1, labels=identity_labels("foo", 1))) == {}
