"""Updates within their budget (docs/spec/gamedeployment.md 2.7, 2.8, and 10, cases 46 to 63)."""

import pytest

from operators.planning import actions as act
from operators.planning.budgets import Budget, budget
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.observations import (
    NEW,
    NOW,
    OLD,
    condition,
    created,
    decide,
    deleted,
    marked,
    new,
    of_type,
    old,
    pod,
    started,
    told,
    updated,
)

HOOK = {"preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}
DOWN = {"ready": False}


def replaced(pods, replicas, **strategy):
    """Instances of the pods that a rolling update deletes."""
    decision = decide(pods, {"replicas": replicas}, strategy=strategy)
    assert all(a.why == "rollingUpdate" for a in of_type(decision, act.DeletePod))
    return deleted(decision)


# ---- how many


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "wanted"),
    [
        (8, 2, 0, Budget(2, 0)),
        (3, "20%", 0, Budget(1, 0)),
        (8, "25%", "25%", Budget(2, 2)),
        (2, "25%", "25%", Budget(0, 1)),
        (2, "25%", 0, Budget(1, 0)),
        (10, "25%", 0, Budget(2, 0)),
        (10, "25%", "25%", Budget(2, 3)),
        (4, 0, 2, Budget(0, 2)),
        (3, "0%", 0, Budget(0, 0)),
        (5, "100%", 0, Budget(5, 0)),
    ],
)
def test_gd_46_the_budget_in_pods(replicas, unavailable, surge, wanted):
    """The worked numbers of 2.7; a percentage of maxUnavailable rounds down, but to at least 1 (decision 3)."""
    assert budget(unavailable, surge, replicas) == wanted


def test_gd_46_one_of_three():
    assert replaced(old("a", "b", "c"), 3, maxUnavailable="20%") == ["a"]


@pytest.mark.parametrize("broken", "abc")
def test_gd_47_a_pod_that_is_down_goes_first_and_none_that_serves_beside_it(broken):
    """Wherever it stands: candidates are sorted (2.7), so that the order the Go test walks through cannot come up."""
    pods = [pod(i, OLD, ready=i != broken) for i in "abc"]
    assert replaced(pods, 3, maxUnavailable="20%") == [broken]


def test_gd_48_pods_that_are_down_elsewhere_use_up_the_budget():
    pods = [pod("0", **DOWN), pod("1", OLD, **DOWN), *old(*"23456789")]
    assert replaced(pods, 10, maxUnavailable="20%") == ["1"]


def test_gd_49_a_budget_of_everything():
    pods = [pod("1", OLD, **DOWN), *old("2"), *new("3")]
    assert replaced(pods, 3, maxUnavailable=3) == ["1", "2"]


def test_gd_50_half_of_eight():
    pods = [pod(i, NEW if i == "7" else OLD, ready=i not in "027") for i in "01234567"]
    assert replaced(pods, 8, maxUnavailable="50%") == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "pods", "count"),
    [
        (4, 0, 2, [*old(*"abcd"), *new("x")], 1),
        (4, 1, 2, [*old(*"abcd"), *new("x", "y")], 3),
        (4, 1, 2, new(*"abcd"), 0),
    ],
)
def test_gd_51_surge_that_is_used_may_be_down(replicas, unavailable, surge, pods, count):
    assert len(replaced(pods, replicas, maxUnavailable=unavailable, maxSurge=surge)) == count


def test_gd_52_the_partition_keeps_its_pods():
    """The Go test of this name goes around the partition (R)."""
    assert replaced([*old("a", "b"), *new("c")], 3, partition=2, maxUnavailable=3) == []
    broken = [pod("a", OLD, **DOWN), *old("b"), *new("c")]
    assert replaced(broken, 3, partition=2, maxUnavailable=3) == [], "also one that is down"
    assert replaced([*old("a", "b"), *new("c")], 3, partition=1, maxUnavailable=3) == ["a"]


def test_gd_53_batches_of_two_until_the_partition_is_met():
    fleet = Fleet(8, strategy={"maxUnavailable": 2, "partition": 3}).created()
    batches = []
    fleet.release(2)
    for _ in range(20):
        fleet.kubelets()
        before = len(fleet.gone())
        fleet.one_pass()
        assert len(fleet.ready) >= 6
        batches.append(len(fleet.gone()) - before)
    assert [b for b in batches if b] == [2, 2, 1]
    assert (fleet.status["updatedReplicas"], fleet.status["replicas"]) == (5, 8)
    assert (len(fleet.at(1)), len(fleet.at(2))) == (3, 5)
    assert fleet.told("PartitionReached") == [
        f"3 of 8 pods stay at revision {fleet.status['currentRevision']}: partition 3 keeps 3 of 8"
    ]


@pytest.mark.parametrize(
    ("replicas", "partition", "wanted"),
    [
        pytest.param(4, "50%", 2, id="gd_54 half"),
        pytest.param(4, "100%", 0, id="gd_54 none"),
        pytest.param(4, "0%", 4, id="gd_54 all"),
        pytest.param(8, "30%", 5, id="gd_55 rounded up"),
        pytest.param(2, "99%", 1, id="decision 2: at least one"),
        pytest.param(4, 10, 0, id="clamped"),
    ],
)
def test_gd_54_55_a_partition_in_percent(replicas, partition, wanted):
    fleet = Fleet(replicas, strategy={"partition": partition, "maxUnavailable": replicas}).created()
    fleet.release(2).settle()
    assert len(fleet.at(2)) == wanted
    assert fleet.status["updatedReplicas"] == wanted


def test_gd_56_by_default_two_pods_are_never_fewer_than_two():
    fleet = Fleet(2, strategy={"maxUnavailable": None, "maxSurge": None}).created()
    seen = []

    def watch(fleet):
        assert len(fleet.ready) >= 2
        seen.append(len(fleet.names))

    fleet.release(2).settle(watch=watch)
    assert max(seen) == 3
    assert (len(fleet.at(2)), fleet.names) == (2, fleet.at(2))


def test_gd_57_an_empty_type_is_rolling_update():
    """The Go operator ends with "invalid update strategy type" (G); the default is applied in code (R)."""
    for absent in ("", None):
        assert replaced(old("a", "b", "c"), 3, type=absent) == ["a"]


def test_gd_58_budgets_of_nothing_are_said():
    """Refused at admission; an object that is older than that says why nothing happens (9.1 #19)."""
    decision = decide(old("a", "b"), {"replicas": 2}, strategy={"maxUnavailable": 0, "maxSurge": 0})
    assert deleted(decision) == []
    assert condition(decision, "Blocked")["reason"] == "NoBudget"
    assert told(decision, "NoBudget") == ["maxUnavailable and maxSurge are both 0: no pod can ever be updated"]


def test_gd_12_pods_that_could_not_be_replaced_are_not_deleted_to_be_updated():
    """As long as the index range is invalid no pod can be created; updates in place go on."""
    on = {"tkex.bkbcs.tencent.com/gamedeployment-index-on": "true"}
    rolling = decide(old("a", "b"), {"replicas": 2}, annotations=on)
    assert deleted(rolling) == []
    assert told(rolling, "BudgetExhausted") == ["2 pods are not replaced, because no pod can be created now"]
    in_place = decide(old("a", "b"), {"replicas": 2}, strategy={"type": "InplaceUpdate"}, annotations=on)
    assert updated(in_place) == ["a"]


# ---- who first


@pytest.mark.parametrize(
    ("later", "first"),
    [
        pytest.param(pod("a", OLD, phase="Pending"), pod("b", OLD, phase="Pending", node=""), id="not assigned"),
        pytest.param(pod("a", OLD, **DOWN), pod("b", OLD, phase="Pending"), id="Pending"),
        pytest.param(pod("a", OLD, **DOWN), pod("b", OLD, phase="Unknown"), id="Unknown"),
        pytest.param(pod("a", OLD), pod("b", OLD, **DOWN), id="not ready"),
        pytest.param(pod("a", OLD, ready_for=50.0), pod("b", OLD, ready_for=20.0), id="ready most recently"),
        pytest.param(pod("a", OLD), pod("b", OLD, restarts=3), id="restarted more often"),
        pytest.param(pod("a", OLD), pod("b", OLD, age=10.0), id="newer"),
    ],
)
def test_the_least_useful_pod_is_updated_first(later, first):
    """Spec 2.7 step 5; the partition leaves room for one of the two."""
    assert replaced([later, first], 2, partition=1) == ["b"]


def test_numbers_of_what_waits_are_said():
    decision = decide([*old("a", "b", "c"), pod("x", **DOWN)], {"replicas": 4})
    (text,) = told(decision, "BudgetExhausted")
    assert text.startswith("3 of 3 pods wait: 1 of 4 pods are down or being updated, at most 1 may be (")
    assert text.endswith("(maxUnavailable 1, maxSurge 0, replicas 4)")


# ---- hooks


def test_gd_59_within_the_budget_hooks_are_asked_and_nothing_is_deleted():
    decision = decide(old("a", "b", "c"), {"replicas": 3, **HOOK}, strategy={"maxUnavailable": 2})
    assert started(decision) == ["predelete-gd-old-a-check", "predelete-gd-old-b-check"]
    assert marked(decision) == ["a", "b"]
    assert deleted(decision) == []


@pytest.mark.parametrize("phase", ["Pending", "Unknown"])
def test_gd_60_hook_107_a_pod_that_does_not_run_goes_unasked(phase):
    pods = [pod("a", OLD, phase=phase), *new("b")]
    decision = decide(pods, {"replicas": 2, **HOOK})
    assert (deleted(decision), started(decision)) == (["a"], [])
    in_place = decide(pods, {"replicas": 2, **HOOK}, strategy={"type": "InplaceUpdate"})
    assert (updated(in_place), started(in_place)) == (["a"], [])
    scaled = decide([pod("a", phase=phase), *new("b")], {"replicas": 1, **HOOK})
    assert (deleted(scaled), started(scaled)) == (["a"], [])


# ---- time


def test_gd_62_a_young_pod_is_not_available_and_the_next_batch_waits():
    pods = [pod("a", ready_for=10.0), *old("b", "c")]
    decision = decide(pods, {"replicas": 3, "minReadySeconds": 30})
    assert deleted(decision) == []
    assert (decision.status.dump()["readyReplicas"], decision.status.dump()["availableReplicas"]) == (3, 2)
    assert decision.wake_after == 20
    assert told(decision, "MinReadySeconds")[0].startswith(
        "1 of 3 pods are ready for less than minReadySeconds 30; the next is gd-a at "
    )
    later = decide(pods, {"replicas": 3, "minReadySeconds": 30}, now=NOW + decision.wake_after)
    assert (deleted(later), later.status.dump()["availableReplicas"]) == (["b"], 3)


def test_gd_62_without_min_ready_seconds_the_clock_of_a_node_does_not_matter():
    """One that is ahead would leave a ready pod unavailable, and nobody would look again when it is not."""
    decision = decide([pod("a", ready_for=-5.0), *old("b")], {"replicas": 2})
    assert decision.status.dump()["availableReplicas"] == 2
    assert deleted(decision) == ["b"]


def test_gd_62_with_it_a_clock_that_is_ahead_is_waited_for():
    decision = decide([pod("a", ready_for=-5.0)], {"replicas": 1, "minReadySeconds": 10})
    assert (decision.status.dump()["availableReplicas"], decision.wake_after) == (0, 15.0)


def test_gd_63_while_the_workload_is_deleted_nothing_is_done():
    seen = {"replicas": 3, "minReadySeconds": 30}
    fleet = Fleet(**seen).created()
    before = fleet.status
    fleet.cluster.workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    fleet.scale(7).release(2)
    decision = fleet.one_pass()
    assert decision.actions == ()
    assert decision.wake_after is None
    assert fleet.status == before


def test_on_delete_replaces_what_a_person_deletes_and_nothing_else():
    fleet = Fleet(3, strategy={"type": "OnDelete", "maxSurge": 1}).created()
    before = fleet.names
    fleet.release(2).settle()
    assert (fleet.names, fleet.at(2)) == (before, [])
    assert fleet.told("OnDelete") == ["3 pods are updated when somebody deletes them"]
    fleet.cluster.kill_pod(before[0])
    fleet.settle()
    assert (len(fleet.at(2)), fleet.at(1)) == (1, before[1:])


def test_a_surge_pod_is_new_and_goes_when_it_is_needed_no_more():
    decision = decide(old("a", "b"), {"replicas": 2}, strategy={"maxSurge": 1, "maxUnavailable": 0})
    assert (created(decision), deleted(decision)) == ([NEW], [])
