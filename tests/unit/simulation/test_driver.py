"""Virtual time: how it ends, how far it goes, and what it takes for granted."""

import pytest

from operators.planning import actions as act
from operators.simulation.answers import seconds_to_yes
from operators.simulation.cluster import SimulatedCluster, SimulationError, gamedeployment, hook_template
from operators.simulation.driver import Assumptions
from operators.simulation.forecast import forecast
from operators.simulation.statefulset import SimulatedSet, gamestatefulset
from tests.unit.cli.game.worlds import fleet
from tests.unit.gamestatefulset.sets import DATA, Set


def test_a_world_may_be_called_as_it_likes():
    body = gamedeployment({"replicas": 2}, namespace="eu", name="arena", uid="u-1")
    cluster = SimulatedCluster(body)
    assert forecast(cluster, Assumptions()).ending.state == "complete"
    pods = [p["metadata"] for p in cluster.pods.values()]
    assert {p["namespace"] for p in pods} == {"eu"}
    assert all(p["name"].startswith("arena-") for p in pods)
    owners = [o for p in pods for o in p["ownerReferences"]]
    assert {(o["kind"], o["name"], o["uid"]) for o in owners} == {("GameDeployment", "arena", "u-1")}


def test_a_set_may_be_called_as_it_likes_and_its_claims_are_beside_it():
    body = gamestatefulset({"replicas": 2, "volumeClaimTemplates": [DATA]}, namespace="eu", name="realm", uid="u-2")
    cluster = SimulatedSet(body)
    assert forecast(cluster, Assumptions()).ending.state == "complete"
    assert sorted(cluster.pods) == ["realm-0", "realm-1"]
    assert {c["metadata"]["namespace"] for c in cluster.claims.values()} == {"eu"}


def test_what_no_api_server_would_do_is_an_error_and_no_assertion():
    cluster = SimulatedCluster(gamedeployment({"replicas": 1}))
    forecast(cluster, Assumptions())
    (name,) = cluster.pods
    pod = act.CreatePod(name, "r", {"metadata": {"labels": {}, "annotations": {}}, "spec": {"containers": []}})
    with pytest.raises(SimulationError, match=f"{name} is created twice"):
        cluster.apply(pod)


def test_a_kubelet_sees_a_gate_that_was_opened():
    made = fleet(1)
    (name,) = made.names
    uid = made.cluster.pods[name]["metadata"]["uid"]
    made.cluster.apply(act.SetGate(name, uid, ready=False))
    made.cluster.probe_pod(name)
    assert not made.cluster.pod(name).ready
    made.cluster.apply(act.SetGate(name, uid, ready=True))
    assert not made.cluster.pod(name).ready
    made.cluster.probe_pod(name)
    assert made.cluster.pod(name).ready


def test_time_is_that_of_the_assumptions():
    made = fleet(4, grace=30, unavailable=1).release(2)
    found = forecast(made.cluster, Assumptions(restart=11))
    assert (found.ending.state, found.ending.at) == ("complete", 4 * 41)
    assert (found.restarts, found.created, found.updated) == (4, 0, 4)


def test_a_pod_ends_after_its_own_grace_period_unless_another_time_is_assumed():
    spec = {"containers": [{"name": "web", "image": "game:2"}], "terminationGracePeriodSeconds": 7}
    for end, seconds in ((None, 7), (2, 2)):
        made = fleet(1, type_="RollingUpdate", unavailable=1)
        made.change(template={"spec": {**spec, "containers": [{"name": "web", "image": "game:1"}]}}).settle()
        made.change(template={"spec": spec})
        assert forecast(made.cluster, Assumptions(start=1, end=end)).ending.at == seconds


def test_a_person_goes_on_after_a_while_or_never():
    steps = [{"partition": 6}, {"pause": {}}, {"partition": 0}]
    for resume, state, at in ((60.0, "complete", 80.0), (None, "rests", 5.0)):
        found = forecast(fleet(canary={"steps": steps}).release(2).cluster, Assumptions(restart=5, resume=resume))
        assert (found.ending.state, found.pauses) == (state, 1)
        assert found.ending.at == at
    assert found.ending.reason == "CanaryPaused"


def test_a_pause_by_a_person_is_a_leg_of_its_own():
    found = forecast(fleet().patch(paused=True).release(2).cluster, Assumptions(restart=5, resume=30))
    assert (found.ending.state, found.legs) == ("complete", (0.0, 30.0))
    assert [(s.leg, s.person, len(s.updated)) for s in found.stretches if s.updated] == [(2, False, 8)]


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({"metrics": [{}]}, 0),
        ({"metrics": [{"initialDelay": "5s"}]}, 5),
        ({"metrics": [{"interval": "5s", "successfulLimit": 3}]}, 10),
        ({"metrics": [{"interval": "5s", "successfulLimit": 3, "consecutiveSuccessfulLimit": 2}]}, 5),
        ({"metrics": [{"interval": "1m", "count": 10}]}, 540),
        ({"metrics": [{"initialDelay": "5s"}, {"interval": "2s", "count": 2}]}, 5),
        ({"metrics": [{"initialDelay": "5s"}, {"interval": "2s", "count": 2}], "policy": "Ordered"}, 7),
        ({"metrics": [{"interval": "soon", "count": 2}]}, 1),
    ],
)
def test_a_hook_takes_as_many_measurements_as_its_template_asks_for(spec, seconds):
    assert seconds_to_yes(spec) == seconds


def test_hooks_answer_late_or_never():
    late = forecast(fleet(2, hooks=("preInplace",)).release(2).cluster, Assumptions(restart=5, after=20))
    assert (late.ending.state, late.ending.at) == ("complete", 25)
    never = forecast(fleet(2, hooks=("preInplace",)).release(2).cluster, Assumptions(hooks="no"))
    assert (never.ending.state, never.ending.reason, never.restarts) == ("stuck", "HookRunning", 0)
    assert "(and 1 more)" in never.ending.message


def test_a_long_rollout_is_cut_short_by_virtual_time_and_by_work():
    made = fleet(8, unavailable=1).release(2)
    found = forecast(made.cluster, Assumptions(restart=3600, horizon=7200))
    assert (found.ending.state, found.ending.message) == ("limit", "not at its end after 7200 s of virtual time")
    made = fleet(8, unavailable=1).release(2)
    found = forecast(made.cluster, Assumptions(restart=5, most_looks=40))
    assert (found.ending.state, "looks at pods" in found.ending.message) == ("limit", True)


def test_a_planner_that_never_rests_is_said_and_does_not_hang(monkeypatch):
    cluster = SimulatedCluster(gamedeployment({"replicas": 1}))
    nothing = cluster.decide()
    writes = act.Plan((act.PatchSpec({"spec": {}}, "again and again"),), nothing.status)
    monkeypatch.setattr(cluster, "decide", lambda: writes)
    found = forecast(cluster, Assumptions())
    assert (found.ending.state, "still writes" in found.ending.message) == ("limit", True)


def test_a_pod_that_ails_stays_as_it_is():
    made = fleet(3, unavailable=1)
    made.cluster.set_container_waiting(made.names[0], "CrashLoopBackOff")
    found = forecast(made.cluster, Assumptions())
    assert (found.ending.state, found.ending.reason) == ("stuck", "ContainerFailing")


def test_what_is_under_way_goes_on_from_where_it_is():
    made = fleet(4, unavailable=2).release(2)
    made.one_pass()
    made.one_pass()
    made.cluster.now += 4
    found = forecast(made.cluster, Assumptions(restart=10))
    assert [d.at for d in found.deeds if d.action == "UpdatePodInPlace"] == [6.0, 6.0]
    assert found.ending.at == 16


def test_pods_of_others_are_not_counted():
    made = fleet(2)
    stranger = {**made.cluster.pods[made.names[0]], "metadata": {**made.cluster.pods[made.names[0]]["metadata"]}}
    owner = {"kind": "ReplicaSet", "name": "other", "uid": "u-other", "controller": True}
    stranger["metadata"].update(name="stranger", uid="u-stranger", ownerReferences=[owner])
    made.cluster.add_pod(stranger)
    found = forecast(made.release(2).cluster, Assumptions())
    assert "stranger" not in {lane.pod for lane in found.lanes}
    assert max(count for _, count in found.down) == 2


def test_an_ordered_set_goes_from_the_highest_ordinal_down():
    made = Set(3, claims=(DATA,), type="RollingUpdate").settle()
    found = forecast(made.release(2).cluster, Assumptions(start=4, end=1))
    assert [d.pod for d in found.deeds if d.action == "DeletePod"] == ["gs-2", "gs-1", "gs-0"]
    assert found.ending.at == 15


def test_templates_name_what_a_step_waits_for():
    steps = [{"partition": 1}, {"hook": {"templateName": "test"}}]
    made = fleet(2, hooks=("preInplace",), canary={"steps": steps})
    made.cluster.templates["test"] = hook_template("test")
    found = forecast(made.release(2).cluster, Assumptions())
    assert [s.templates for s in found.stretches] == [{"check"}, {"test"}, {"check"}]
    assert found.peaks == {"check": 1}


def test_a_merge_patch_leaves_no_null_where_nothing_was():
    made = fleet(1)
    made.cluster.workload["metadata"]["annotations"] = None
    made.cluster.apply(act.PatchSpec({"metadata": {"annotations": {"a": "1", "b": None}}}, "a test"))
    assert made.cluster.workload["metadata"]["annotations"] == {"a": "1"}
