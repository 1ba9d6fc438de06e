"""Writes that the API server refused: when they are tried again, and what is said of them meanwhile."""

import pytest

from operators.planning.actions import AnnotatePod, CreatePod, DeletePod, SetGate, UpdatePodInPlace
from operators.planning.refusals import Refusal, pod_refused, refused_again, withhold

NOW = 1000.0


def create(name):
    return CreatePod(name, "gd-a", {})


def series(count, **how):
    """Delays of so many refusals in a row."""
    held, delays = None, []
    for _ in range(count):
        held = refused_again(held, "no", NOW, **how)
        delays.append(held.until - NOW)
    return delays


def test_it_is_tried_later_each_time_within_a_minute():
    assert series(9, lasting=True) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert series(5, lasting=False) == [0.25, 0.5, 1, 2, 4]
    assert series(2000, lasting=True)[-1] == 60, "no number of refusals is too large"
    assert series(2, lasting=True, at_least=7.0) == [7, 7], "what the server asks for counts"


def test_all_creations_share_one_refusal_and_other_writes_have_their_own():
    assert create("a").refusal_key == create("b").refusal_key
    kinds = [SetGate("a", "u", ready=True), UpdatePodInPlace("a", "u", "1", {}), DeletePod("a", "u", "deletePod")]
    assert len({a.refusal_key for a in kinds}) == 3
    assert AnnotatePod("a", "u", {}).refusal_key != AnnotatePod("a", "v", {}).refusal_key


def test_what_was_refused_waits_and_the_rest_goes_on():
    refused = {"CreatePod": Refusal("exceeded quota", NOW + 3)}
    other = SetGate("c", "u", ready=True)
    result = withhold([create("a"), other, create("b")], refused, NOW)
    assert (result.actions, result.waits) == ((other,), (3.0,))
    (blocked,) = result.blocked
    assert (blocked.reason, blocked.message) == ("FailedScale", "2 pods to create are refused: exceeded quota")
    assert not blocked.waiting


def test_when_its_time_has_come_it_is_tried():
    refused = {"CreatePod": Refusal("exceeded quota", NOW)}
    assert withhold([create("a")], refused, NOW).actions == (create("a"),)


@pytest.mark.parametrize(("lasting", "count", "shown"), [(True, 1, True), (False, 2, False), (False, 3, True)])
def test_what_passes_by_itself_is_told_only_when_it_does_not(lasting, count, shown):
    refused = {"DeletePod/u": Refusal("etcd is slow", NOW + 1, count, lasting)}
    result = withhold([DeletePod("a", "u", "rollingUpdate")], refused, NOW)
    assert [b.reason for b in result.blocked] == (["FailedUpdate"] if shown else [])
    assert all(b.waiting != lasting for b in result.blocked)


def test_a_refused_pod_is_known_by_its_uid():
    refused = {"DeletePod/u": Refusal("no", NOW + 1)}
    assert pod_refused(refused, DeletePod, "u", NOW)
    assert not pod_refused(refused, DeletePod, "u", NOW + 1)
    assert not pod_refused(refused, UpdatePodInPlace, "u", NOW)
    assert not pod_refused(refused, DeletePod, "v", NOW)
