"""Pods of lost nodes."""

from dataclasses import dataclass

from operators.gamestatefulset.lostnodes import OPT_IN, Delays, lost_node
from tests.unit.gamestatefulset.builders import pod

NOW = 1000.0


@dataclass
class Node:
    ready: bool | None = True
    out_of_service: bool = False


LOST, SICK, WELL = Node(ready=None), Node(ready=False), Node()


def stuck(opt_in="true", *, deleting=True, deletion_timestamp=NOW - 300, **more):
    annotations = {OPT_IN: opt_in} if opt_in else {}
    return pod(
        0, deleting=deleting, node="node-1", deletion_timestamp=deletion_timestamp, annotations=annotations, **more
    )


def decide(pod_, node, **delays):
    return lost_node(pod_, node, Delays(**delays), NOW)


def test_gss_135_without_the_opt_in_or_on_a_node_that_is_well_a_pod_stays():
    assert not decide(stuck(""), LOST).force
    assert not decide(stuck("false"), LOST).force
    assert 'is not "true"' in decide(stuck("false"), LOST).text
    assert not decide(stuck(), WELL).force
    assert decide(stuck(), WELL).text == ""


def test_gss_136_with_the_opt_in_a_pod_of_a_silent_node_goes():
    assert decide(stuck(), LOST).force


def test_gss_137_a_node_that_does_not_exist_any_more_is_lost():
    assert decide(stuck(), None).force


def test_gss_139_a_pod_that_nobody_deletes_is_left_alone():
    assert not decide(stuck(deleting=False), LOST).force


def test_a_sick_kubelet_gets_time_to_end_the_pod_itself():
    early = decide(stuck(deletion_timestamp=NOW - 10), SICK)
    assert not early.force
    assert early.wait == 50
    assert decide(stuck(deletion_timestamp=NOW - 61), SICK).force


def test_the_delay_on_a_silent_node_can_be_set():
    assert decide(stuck(deletion_timestamp=NOW - 10), LOST, silent=30.0).wait == 20
    assert decide(stuck(deletion_timestamp=NOW + 20), LOST).force, "no kubelet, no grace"


def test_a_node_out_of_service_is_lost_at_once_even_if_it_seems_well():
    assert decide(stuck(deletion_timestamp=NOW + 30), Node(ready=True, out_of_service=True)).force


def test_finalizers_are_left_to_their_owners():
    held = decide(stuck(finalizers=("games.test/save",)), LOST)
    assert not held.force
    assert "games.test/save" in held.text


def test_a_pod_that_was_never_scheduled_is_on_no_lost_node():
    assert not lost_node(pod(0, deleting=True), None, Delays(), NOW).force
