"""``why`` about pods, HookRuns and namespaces."""

import pytest

from operators.api import keys
from operators.cli.game.partcauses import explain_namespace, explain_pod, explain_run, gone
from operators.kube.times import rfc3339
from tests.unit.cli.game import worlds
from tests.unit.cli.game.golden import around
from tests.unit.cli.game.worlds import fleet, subject


def of(found, name):
    pod = next(p for p in found.observed.pods if p.name == name)
    return explain_pod(found, pod, around(found))


def outdated(found):
    rollout = found.standing.rollout
    return [p.name for p in rollout.pods if p.revision != rollout.canary.target]


def test_a_pod_with_players_inside_says_what_its_hook_answered():
    found = worlds.waiting()
    told = of(found, min(outdated(found)))
    assert [f.cause for f in told.findings] == ["HookRunning"]
    assert told.findings[0].text == (
        "Its preinplace hook check says no for 12m, asked 144 times: players 37, wants asInt(result) == 0."
    )


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (worlds.user_pause, "Paused"),
        (worlds.canary_pause, "CanaryPaused"),
        (worlds.partition, "PartitionReached"),
        (worlds.on_delete, "OnDelete"),
        (worlds.refused, "InPlaceNotPossible"),
        (worlds.grace, "BudgetExhausted"),
        (worlds.ordered_set, "OrderedReady"),
    ],
)
def test_an_old_pod_says_what_keeps_it_old(make, cause):
    found = make()
    causes = [f.cause for f in of(found, outdated(found)[0]).findings]
    assert cause in causes


def test_a_pod_below_the_partition_of_a_step_says_that_it_is_kept():
    world = fleet(canary={"steps": [{"partition": 6}, {"partition": 0}]}).release(2)
    for _ in range(2):
        world.one_pass()
    found = subject(world)
    told = of(found, outdated(found)[-1])
    assert [f.cause for f in told.findings] == ["PartitionReached"]
    assert "6 pods of 8 are kept there" in told.findings[0].text


def test_a_pod_that_fails_says_so_in_the_kubelets_words():
    found = worlds.failing()
    name = next(p.name for p in found.observed.pods if p.problem)
    told = of(found, name)
    assert told.findings[0].cause in ("ContainerFailing", "InPlaceUpdating")
    assert any("CrashLoopBackOff" in f.text for f in told.findings)


def test_a_pod_that_does_not_leave_names_its_finalizers():
    world = fleet(type_="RollingUpdate").release(2)
    world.one_pass()
    world.one_pass()
    name = next(n for n, p in world.cluster.pods.items() if p["metadata"].get("deletionTimestamp"))
    world.cluster.pods[name]["metadata"].update(finalizers=["game/drain"], resourceVersion="99999")
    world.cluster.now += 300
    told = of(subject(world), name)
    assert told.findings[0].cause == "Leaving"
    assert "its time was over 4m30s ago; finalizers game/drain hold it" in told.findings[0].text


def test_a_pod_that_is_well_says_so_with_its_version():
    found = worlds.complete()
    told = of(found, found.observed.pods[0].name)
    assert told.healthy
    assert told.verdict.endswith("ready, at the newest version, for 60m.")


def test_a_hookrun_says_its_last_answer_and_that_it_asks_in_the_old_way():
    found = worlds.errors()
    run = next(r.name for r in found.observed.hook_runs)
    told = explain_run(found, run, around(found))
    assert not told.healthy
    assert "the template has changed since" in told.verdict


def test_a_namespace_that_hangs_names_each_protected_workload_with_the_label_to_set():
    found = worlds.complete()
    told = explain_namespace("game", "Terminating", [found], found.now)
    assert [f.cause for f in told.findings] == ["DeletionProtected"]
    assert told.findings[0].look == f"kubectl -n game label gd arena {keys.DELETION_ALLOW_LABEL}=Always"
    allowed = worlds.complete()
    allowed.body["metadata"]["labels"] = {keys.DELETION_ALLOW_LABEL: "Always"}
    assert explain_namespace("game", "Terminating", [allowed], found.now).healthy


def test_a_namespace_names_the_workloads_that_need_a_person():
    told = explain_namespace("game", "Active", [worlds.complete(), worlds.refused()], 0.0)
    assert [f.cause for f in told.findings] == ["InPlaceNotPossible"]
    assert told.findings[0].look == "kubectl game why arena"


def test_a_pod_that_is_gone_is_told_of_by_its_events():
    event = {
        "reason": "SuccessfulDelete",
        "message": "deleted pod arena-x",
        "lastTimestamp": rfc3339(100.0),
        "involvedObject": {"name": "arena"},
    }
    told = gone("Pod", "arena-x", [event], 160.0)
    assert told.verdict == "Pod arena-x is not there; Events that tell of it: 1."
    assert told.findings[1].text == "SuccessfulDelete of arena, 60s ago: deleted pod arena-x."
    assert "no Event tells of it any more" in gone("Pod", "arena-x", [], 160.0).verdict
