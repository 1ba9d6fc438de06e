"""Pods that ``podsToDelete`` names, where a replaced pod comes back under the same name."""

import pytest

from operators.planning import actions as act
from tests.unit.gamestatefulset.observations import (
    CHECK,
    created,
    decide,
    deeds,
    hook_run,
    of_type,
    pod,
    pods,
    remembered,
    started,
)
from tests.unit.gamestatefulset.sets import Set

PARALLEL = {"podManagementPolicy": "Parallel"}
MANAGED = [{}, PARALLEL]
SETTLED = remembered(current="D")


def naming(*names, **more):
    return {"scaleStrategy": {"podsToDelete": list(names)}, **more}


@pytest.mark.parametrize(("more", "gone"), [({}, ["foo-2"]), (PARALLEL, ["foo-2", "foo-0"])])
def test_named_pods_are_replaced_in_order_one_after_the_other(more, gone):
    decision = decide(pods(3), naming("foo-0", "foo-2", **more), status=SETTLED)
    assert deeds(decision) == [("DeletePod", n) for n in gone]


@pytest.mark.parametrize("more", MANAGED)
def test_the_name_goes_off_the_list_before_the_pod_comes_back(more):
    """Otherwise an operator that dies in between, or whose patch is refused, deletes the new pod too."""
    missing = [pod(0), pod(2)]
    decision = decide(missing, naming("foo-1", **more), status=SETTLED)
    assert created(decision) == {}
    assert [a.patch for a in of_type(decision, act.PatchSpec)] == [{"spec": {"scaleStrategy": {"podsToDelete": None}}}]
    assert created(decide(missing, more, status=SETTLED)) == {"foo-1": "D"}


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_every_named_pod_is_replaced_exactly_once(policy):
    story = Set(3, policy=policy).settle().forget()
    before = [story.uid(i) for i in range(3)]
    story.patch(scaleStrategy={"podsToDelete": ["gs-1", "gs-2"]}).settle()
    assert sorted(story.did("DeletePod")) == [("DeletePod", 1), ("DeletePod", 2)]
    assert [story.uid(i) == before[i] for i in range(3)] == [True, False, False]
    assert not story.cluster.workload["spec"]["scaleStrategy"].get("podsToDelete")


@pytest.mark.parametrize("more", MANAGED)
def test_a_named_pod_is_asked_first(more):
    spec = naming("foo-1", preDeleteUpdateStrategy=CHECK, **more)
    asked = decide(pods(3), spec, status=SETTLED)
    assert (deeds(asked), started(asked)) == ([], ["predelete-D-1-check"])
    answered = decide(pods(3), spec, status=SETTLED, hook_runs=(hook_run("predelete", 1, "D", "Successful"),))
    assert deeds(answered) == [("DeletePod", "foo-1")]


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_in_order_the_broken_pod_that_all_wait_for_can_be_named(broken):
    held = [pod(i, ready=i != broken) for i in range(3)]
    assert deeds(decide(held, naming(f"foo-{broken}"), status=SETTLED)) == [("DeletePod", f"foo-{broken}")]
    other = (broken + 1) % 3
    waits = decide(held, naming(f"foo-{other}"), status=SETTLED)
    assert deeds(waits) == [], "one that serves waits for its turn"


@pytest.mark.parametrize("more", MANAGED)
def test_pods_of_others_are_not_deleted_by_name(more):
    theirs = pod(7, owner={"kind": "ReplicaSet", "name": "x", "uid": "uid-x", "controller": True}, name="x-7")
    decision = decide([*pods(3), theirs], naming("x-7", **more), status=SETTLED)
    assert deeds(decision) == []
    assert "PodsToDeleteForeign" in {b.reason for b in decision.blocked}
