"""Removing pods: how many, whose, in which order (docs/spec/gamedeployment.md 6.1 to 6.5, and 10, cases 21 to 45)."""

import pytest

from operators.api import keys
from operators.planning import actions as act
from operators.planning.budgets import Difference, difference
from operators.planning.scalein import choose_victims, cost_order
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.observations import (
    NEW,
    OLD,
    condition,
    created,
    decide,
    deleted,
    hook_run,
    marked,
    new,
    of_type,
    old,
    pod,
    revision,
    started,
    template,
    told,
)

HOOK = {"preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}
DESCENDING = {"io.tencent.bcs.dev/pod-deletion-cost-sort-method": "descend"}
BY_NAME = cost_order({}, descending=False)


def victims(old_, new_, total, from_old, chosen=()):
    """Instances chosen to go, of pods that are equal in all but their names."""
    return [p.instance for p in choose_victims(old_, new_, total, from_old, chosen, BY_NAME)]


def goes_first(*pods, costs=None, annotations=None):
    """Instance of the first pod to go, of new pods at replicas one less."""
    decision = decide(pods, {"replicas": len(pods) - 1}, annotations=annotations, node_costs=costs or {})
    (name,) = deleted(decision)
    return name


# ---- how many, and of which version


def test_gd_21_old_pods_go_first():
    assert deleted(decide([*new("a"), *old("b", "c")], {"replicas": 1})) == ["b", "c"]


@pytest.mark.parametrize(
    ("old_", "new_", "total", "from_old", "chosen"),
    [
        pytest.param("12345", "", 1, 3, ["1"], id="gd_22"),
        pytest.param("1", "", 2, 3, ["1"], id="gd_23"),
        pytest.param("12", "345", 3, 1, ["1", "3", "4"], id="gd_24"),
        pytest.param("12", "345", 1, 0, ["3"], id="gd_25"),
    ],
)
def test_gd_22_to_25_the_groups_are_ranked_on_their_own(old_, new_, total, from_old, chosen):
    assert victims(old(*old_), new(*new_), total, from_old) == chosen


@pytest.mark.parametrize(
    ("replicas", "kept", "total", "outdated", "surge", "wanted"),
    [
        (5, 1, 5, 3, 0, (0, 2)),
        (5, 1, 7, 3, 1, (1, 2)),
        (1, 0, 1, 0, 0, (0, 0)),
    ],
)
def test_gd_26_differences(replicas, kept, total, outdated, surge, wanted):
    assert difference(replicas, kept, total, outdated, surge) == Difference(*wanted)


#: Spec 6.2: N, P, T, NU, maxSurge, total, revDiff, and what the plan does: (old, new) deleted, (old, new) created.
TABLE = [
    (5, 1, 5, 3, 0, 0, 2, (0, 0), (0, 0)),
    (5, 1, 7, 3, 1, 1, 2, (1, 0), (0, 0)),
    (8, 3, 8, 8, 2, -2, 5, (0, 0), (0, 2)),
    (7, 2, 5, 2, 0, -2, 0, (0, 0), (0, 2)),
    (7, 4, 5, 2, 0, -2, -2, (0, 0), (2, 0)),
    (5, 3, 4, 2, 0, -1, -1, (0, 0), (1, 0)),
    (3, 0, 5, 3, 0, 2, 2, (2, 0), (0, 0)),
    (3, 2, 5, 2, 0, 2, 0, (0, 2), (0, 0)),
    (1, 2, 5, 2, 0, 4, 1, (1, 3), (0, 0)),
]


@pytest.mark.parametrize(("replicas", "kept", "total", "outdated", "surge", "too_many", "of_old", "_", "__"), TABLE)
def test_gd_26_the_worked_table_in_numbers(replicas, kept, total, outdated, surge, too_many, of_old, _, __):
    assert difference(replicas, kept, total, outdated, surge) == Difference(too_many, of_old)


@pytest.mark.parametrize(("replicas", "kept", "total", "outdated", "surge", "_", "__", "less", "more"), TABLE)
def test_gd_26_the_worked_table_in_pods(replicas, kept, total, outdated, surge, _, __, less, more):
    """Only scaling is looked at: nothing may be updated, so that no pod is deleted for that."""
    pods = [*old(*(f"o{i}" for i in range(outdated))), *new(*(f"n{i}" for i in range(total - outdated)))]
    strategy = {"partition": kept, "maxSurge": surge, "maxUnavailable": 0}
    decision = decide(pods, {"replicas": replicas}, strategy=strategy)
    gone = [a.name.removeprefix("gd-") for a in of_type(decision, act.DeletePod) if a.why == "deletePod"]
    assert (sum(n[0] == "o" for n in gone), sum(n[0] == "n" for n in gone)) == less
    assert (created(decision).count(OLD), created(decision).count(NEW)) == more


@pytest.mark.parametrize(
    ("replicas", "partition", "pods", "made", "gone"),
    [
        pytest.param(5, 3, [*old("a", "b"), *new("x", "y")], [OLD], [], id="gd_43: an old pod was lost"),
        pytest.param(5, 4, [*old("a", "b"), *new("x", "y", "z")], [], [], id="gd_44: the partition was raised"),
        pytest.param(7, 4, [*old("a", "b"), *new("x", "y", "z")], [OLD, OLD], [], id="gd_45: scaled out"),
    ],
)
def test_gd_43_to_45_the_partition_is_refilled_and_never_shrinks_the_workload(replicas, partition, pods, made, gone):
    decision = decide(pods, {"replicas": replicas}, strategy={"partition": partition})
    assert (created(decision), deleted(decision)) == (made, gone)


def test_gd_21_a_new_pod_that_is_stuck_goes_before_an_old_one_that_serves():
    """Decision 10: a pod that is not ready never outlives a ready one of equal cost."""
    pods = [*old("a", "b"), pod("x", ready=False)]
    assert deleted(decide(pods, {"replicas": 2}, strategy={"maxUnavailable": 0})) == ["x"]


# ---- in which order


def test_gd_27_the_cheaper_node_goes_first():
    pods = [pod("a", node="dear", cost=5), pod("b", node="cheap", cost=5)]
    assert goes_first(*pods, costs={"dear": "20", "cheap": "10"}) == "b"


@pytest.mark.parametrize(
    ("annotations", "costs", "first"),
    [({}, (3, 1), "b"), (DESCENDING, (1, 7), "b"), ({}, (1, 7), "a"), (DESCENDING, (7, 1), "a")],
)
def test_gd_28_pods_of_one_node_go_by_their_cost(annotations, costs, first):
    assert goes_first(pod("a", cost=costs[0]), pod("b", cost=costs[1]), annotations=annotations) == first


def test_gd_29_the_node_counts_before_the_pod():
    pods = [pod("a", node="dear", cost=1), pod("b", node="cheap")]
    assert goes_first(*pods, costs={"dear": "20", "cheap": "10"}) == "b"


@pytest.mark.parametrize("cost", [{}, {"odd": "ff"}, {"odd": ""}])
@pytest.mark.parametrize("annotations", [{}, DESCENDING])
def test_gd_30_a_node_without_a_cost_that_can_be_read_comes_last(cost, annotations):
    pods = [pod("a", node="odd", cost=-8), pod("b", node="dear")]
    assert goes_first(*pods, costs={"dear": "1000000", **cost}, annotations=annotations) == "b"


@pytest.mark.parametrize("cost", ["", "ff", "NaN", "inf"])
@pytest.mark.parametrize("annotations", [{}, DESCENDING])
def test_gd_31_a_pod_cost_that_cannot_be_read_comes_last_both_ways(cost, annotations):
    assert goes_first(pod("a", cost=cost), pod("b", cost=10), annotations=annotations) == "b"


def test_gd_31_a_pod_cost_is_a_number_not_a_text():
    assert goes_first(pod("a", cost=10), pod("b", cost=9)) == "b"
    assert goes_first(pod("a", cost="-1"), pod("b", cost="-1.5")) == "b"


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        pytest.param(pod("a"), pod("b", ready=False), id="not ready before ready"),
        pytest.param(pod("a", phase="Pending"), pod("b", phase="Pending", node=""), id="unscheduled before scheduled"),
        pytest.param(pod("a", ready=False), pod("b", phase="Pending"), id="Pending before Running"),
        pytest.param(pod("a", ready=False), pod("b", phase="Unknown"), id="Unknown before Running"),
        pytest.param(pod("a", age=900.0), pod("b", age=800.0), id="newest first"),
        pytest.param(pod("a", ready_for=50.0), pod("b", ready_for=20.0), id="ready last goes first"),
        pytest.param(pod("a", restarts=1), pod("b", restarts=2), id="more restarts first"),
    ],
)
def test_gd_32_without_costs_the_least_useful_pod_goes_first(stays, goes):
    assert goes_first(stays, goes) == "b"


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        pytest.param(pod("a", cost=-5), pod("b", phase="Pending", node="", cost=9), id="one that is not scheduled"),
        pytest.param(pod("a", cost=-5), pod("b", phase="Pending", cost=9), id="one that has not started"),
        pytest.param(pod("a", ready=False, cost=2), pod("b", cost=1), id="a cheaper one, though it is ready"),
    ],
)
def test_gd_32_costs_count_among_pods_that_have_started(stays, goes):
    assert goes_first(stays, goes) == "b"


@pytest.mark.parametrize(
    ("own", "first"), [({}, "b"), ({"io.tencent.bcs.dev/pod-deletion-cost-sort-method": "ascend"}, "a")]
)
def test_gd_33_the_sort_method_may_stand_on_the_template_and_the_workloads_own_comes_first(own, first):
    sorted_by = template(2, annotations=DESCENDING)
    seen = {"revisions": [revision(NEW, 1, sorted_by)]}
    pods = [pod("a", cost=1), pod("b", cost=7)]
    assert deleted(decide(pods, {"replicas": 1, "template": sorted_by}, annotations=own, **seen)) == [first]


# ---- named pods


def test_gd_34_named_pods_go_in_one_pass():
    pods = [pod("1"), pod("2", phase="Failed"), pod("3")]
    decision = decide(pods, {"replicas": 3, "scaleStrategy": {"podsToDelete": ["gd-1", "gd-2"]}})
    assert deleted(decision) == ["1", "2"]


def test_gd_35_a_named_pod_is_replaced_and_the_list_is_cleaned():
    fleet = Fleet(3).created()
    before = fleet.names
    fleet.change(scaleStrategy={"podsToDelete": [before[1]]})
    fleet.one_pass()
    assert fleet.gone() == [before[1]]
    assert fleet.spec["scaleStrategy"] == {"podsToDelete": [before[1]]}, "a terminating pod still exists"
    fleet.settle()
    assert len(fleet.names) == 3
    assert set(before) - set(fleet.names) == {before[1]}
    assert fleet.spec["scaleStrategy"] == {}


def test_gd_36_a_named_pod_is_the_one_that_scaling_in_takes():
    fleet = Fleet(3).created()
    before = fleet.names
    fleet.change(replicas=2, scaleStrategy={"podsToDelete": [before[2]]}).settle()
    assert fleet.names == before[:2]
    assert fleet.gone() == [before[2]]


def test_gd_36_a_named_old_pod_counts_as_one_of_the_old_ones_to_go():
    """The partition keeps two: one old pod is too many, and that is the named one."""
    pods = [*old("a", "b", "c"), *new("x", "y")]
    spec = {"replicas": 3, "scaleStrategy": {"podsToDelete": ["gd-a"]}}
    assert deleted(decide(pods, spec, strategy={"partition": 2})) == ["a", "x"]


def test_gd_37_names_that_are_not_ours():
    stranger = pod("x", owner={"kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True})
    named = ["gd-x", "gd-nobody"]
    decision = decide([*new("a"), stranger], {"replicas": 1, "scaleStrategy": {"podsToDelete": named}})
    assert deleted(decision) == []
    (patch,) = of_type(decision, act.PatchSpec)
    assert patch.patch == {"spec": {"scaleStrategy": {"podsToDelete": ["gd-x"]}}}
    assert told(decision, "PodsToDeleteForeign") == [
        "scaleStrategy.podsToDelete names pods that belong to others; they are left alone: gd-x"
    ]


# ---- pods that wait for their hook


def test_gd_38_without_its_template_nothing_is_deleted_and_that_is_said():
    spec = {"replicas": 2, "scaleStrategy": {"podsToDelete": ["gd-a"]}, **HOOK}
    decision = decide(new("a", "b"), spec, templates=())
    assert deleted(decision) == started(decision) == []
    text = "HookTemplate 'check' of the predelete hook of pod gd-a does not exist"
    assert told(decision, "HookTemplateMissing") == [text]
    assert condition(decision, "Blocked")["message"] == text


def test_gd_39_the_hook_is_asked_and_the_pod_annotated_but_not_deleted():
    decision = decide(new("a", "b"), {"replicas": 2, "scaleStrategy": {"podsToDelete": ["gd-a"]}, **HOOK})
    assert started(decision) == ["predelete-gd-new-a-check"]
    assert marked(decision) == ["a"]
    assert deleted(decision) == []


def test_gd_40_scaled_out_again_before_the_answer_the_pod_stays():
    fleet = Fleet(6, hooks=["preDelete"]).created()
    before = fleet.names
    fleet.scale(5).settle()
    (run,) = fleet.runs
    fleet.scale(6).settle()
    assert fleet.names == before
    assert fleet.gone() == []
    assert run not in fleet.runs
    marks = {p["metadata"]["annotations"].get(keys.POD_DELETING_ANNOTATION) for p in fleet.cluster.pods.values()}
    assert marks == {None, "false"}
    assert fleet.status["preDeleteHookCondition"] == []


def test_gd_41_the_choice_survives_a_restart_and_another_that_looks_better():
    """Nothing is remembered between passes: what was chosen is told by the HookRun."""
    chosen, cheaper = pod("a", cost=5), pod("b", cost=1)
    running = decide([chosen, cheaper], {"replicas": 1, **HOOK}, hook_runs=(hook_run("predelete", chosen, "Running"),))
    assert (deleted(running), started(running)) == ([], [])
    answered = decide(
        [chosen, cheaper], {"replicas": 1, **HOOK}, hook_runs=(hook_run("predelete", chosen, "Successful"),)
    )
    assert (deleted(answered), started(answered)) == (["a"], [])


def test_gd_42_until_its_hook_succeeds_a_pod_counts():
    fleet = Fleet(6, hooks=["preDelete"]).created()
    fleet.scale(5).settle()
    ((name, run),) = fleet.runs.items()
    assert (fleet.spec["replicas"], fleet.status["replicas"]) == (5, 6)
    (shown,) = fleet.status["preDeleteHookCondition"]
    assert shown["podName"] == f"gd-{run.labels['instance-id']}"
    assert shown["phase"] == "Pending"
    fleet.cluster.answer_hook(name, "Successful")
    fleet.settle()
    assert fleet.gone() == [shown["podName"]]
    assert (fleet.status["replicas"], fleet.runs, fleet.status["preDeleteHookCondition"]) == (5, {}, [])


def test_all_victims_are_asked_at_once():
    decision = decide(new("a", "b", "c", "d"), {"replicas": 1, **HOOK})
    assert started(decision) == [f"predelete-gd-new-{i}-check" for i in "abc"]


def test_a_pod_that_waits_for_its_hook_is_not_updated():
    """Spec 2.6: it is left out of the working set."""
    victim = pod("a", OLD, cost=1)
    pods = [victim, *old("b", "c")]
    runs = (hook_run("predelete", victim, "Running"),)
    decision = decide(pods, {"replicas": 2, **HOOK}, strategy={"type": "InplaceUpdate"}, hook_runs=runs)
    assert started(decision) == ["predelete-gd-old-b-check"], "the one pod that the update may take"
