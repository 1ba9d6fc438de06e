"""Creating, scaling and keeping identity, pass by pass (docs/spec/gamestatefulset.md 9.1 to 9.5, 9.12, 9.13)."""

from dataclasses import replace

import pytest

from operators.gamestatefulset.plan import plan
from operators.planning import actions as act
from operators.simulation.cluster import UID
from tests.unit.gamestatefulset.sets import DATA, Set


def made(replicas=3, **more):
    return Set(replicas, **more).settle()


def deeds(decision):
    return [(type(a).__name__, a.name) for a in decision.actions]


# ---- 9.1, 9.3, 9.4: the first pods


def test_gss_1_a_bare_spec_is_ordered_rolling_and_whole():
    found = Set(1).cluster.observe().workload.spec
    assert (found.pod_management_policy, found.revision_history_limit) == ("OrderedReady", 10)
    strategy = found.update_strategy
    assert (strategy.type, strategy.paused) == ("RollingUpdate", False)
    assert (strategy.numbers.partition, strategy.numbers.max_unavailable, strategy.numbers.max_surge) == (
        None,
        "25%",
        0,
    )


def test_gss_2_all_columns_count_a_settled_set():
    assert made(2).columns() == (2, 2, 2, 2)
    assert made(2).condition("Complete")[0]


def test_gss_34_one_revision_then_one_pod_at_a_time():
    story = Set(3)
    assert [k for k, _ in deeds(story.one_pass())] == ["CreateRevision"]
    assert deeds(story.one_pass()) == [("CreatePod", "gs-0")]
    assert "CreatePod" not in [k for k, _ in deeds(story.one_pass())]
    assert "OrderedReady" in story.reasons()
    story.settle()
    assert story.did("CreatePod") == [("CreatePod", 0), ("CreatePod", 1), ("CreatePod", 2)]


def test_gss_43_parallel_creates_all_in_one_pass():
    story = Set(5, policy="Parallel")
    story.one_pass()
    assert [n for _, n in deeds(story.one_pass())] == [f"gs-{i}" for i in range(5)]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_6_a_settled_set_is_not_written(policy):
    story = made(3, policy=policy, claims=[DATA])
    version = story.cluster.workload["metadata"]["resourceVersion"]
    assert not story.one_pass().actions
    assert story.cluster.workload["metadata"]["resourceVersion"] == version


def test_gss_5_and_8_lost_labels_come_back_by_one_write():
    story = made(2).forget()
    labels = story.cluster.pods["gs-1"]["metadata"]["labels"]
    del labels["gamestatefulset.kubernetes.io/pod-ordinal"]
    labels["gamestatefulset.kubernetes.io/pod-name"] = "other-1"
    story.cluster._touch(story.cluster.pods["gs-1"])
    assert deeds(story.one_pass()) == [("AdoptPod", "gs-1")]
    assert labels["gamestatefulset.kubernetes.io/pod-ordinal"] == "1"
    assert labels["gamestatefulset.kubernetes.io/pod-name"] == "gs-1"


def test_gss_12_the_selector_of_the_status_is_sorted_and_stable():
    expression = {"key": "app", "operator": "Exists"}
    selector = {"matchLabels": {"b": "2", "app": "game"}, "matchExpressions": [expression]}
    story = made(1, spec={"selector": selector, "template": {"metadata": {"labels": {"b": "2"}}}})
    text, version = story.status["labelSelector"], story.cluster.workload["metadata"]["resourceVersion"]
    assert "app=game" in text
    assert "b=2" in text
    for _ in range(100):
        story.one_pass()
    assert (story.status["labelSelector"], story.cluster.workload["metadata"]["resourceVersion"]) == (text, version)


def test_gss_33_what_is_not_the_template_makes_no_revision():
    story = made(2)
    story.patch(updateStrategy={"type": "InplaceUpdate"}, preDeleteUpdateStrategy={"hook": {"templateName": "check"}})
    story.settle()
    assert len(story.cluster.revisions) == 1


# ---- claims


def test_gss_14_the_claim_comes_before_the_pod_and_with_it():
    story = Set(1, claims=[DATA])
    story.one_pass()
    (create,) = story.one_pass().actions
    assert [c["metadata"]["name"] for c in create.claims] == ["data-gs-0"]


def test_gss_15_a_claim_that_exists_is_not_created():
    story = made(1, claims=[DATA])
    story.cluster.kill_pod("gs-0")
    (create,) = story.one_pass().actions
    assert (create.name, create.claims) == ("gs-0", ())


def test_gss_18_claims_outlive_scaling_in_and_are_used_again():
    story = made(3, claims=[DATA])
    before = {n: c["metadata"]["uid"] for n, c in story.cluster.claims.items()}
    story.scale(1).settle()
    assert set(story.cluster.claims) == {"data-gs-0", "data-gs-1", "data-gs-2"}
    story.scale(3).settle()
    assert {n: c["metadata"]["uid"] for n, c in story.cluster.claims.items()} == before


def test_gss_20_a_claim_on_its_way_out_is_waited_for():
    story = made(2, claims=[DATA])
    story.cluster.claims["data-gs-1"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    story.cluster.kill_pod("gs-1")
    assert not story.one_pass().actions
    assert "data-gs-1" in story.said("ClaimTerminating")
    del story.cluster.claims["data-gs-1"]
    story.settle()
    assert set(story.versions()) == {0, 1}


def test_a_pending_pod_whose_claim_is_lost_gets_it_again():
    story = Set(1, claims=[DATA])
    story.one_pass()
    story.one_pass()
    del story.cluster.claims["data-gs-0"]
    story.one_pass()
    assert "data-gs-0" in story.cluster.claims


def test_claims_go_with_scaling_in_where_the_policy_says_so_and_only_then():
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    story = made(3, claims=[DATA], spec=policy, hooks=["preDelete"])
    story.release(2).settle(answer="Successful")
    assert set(story.cluster.claims) == {"data-gs-0", "data-gs-1", "data-gs-2"}, "a replaced pod took its claim along"
    story.scale(1).settle(answer="Successful")
    assert set(story.cluster.claims) == {"data-gs-0"}
    assert not story.cluster.claims["data-gs-0"]["metadata"].get("ownerReferences")


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize("how", ["delete_pod", "fail_pod"])
def test_gss_18_claims_go_by_their_policy_whoever_ends_a_pod_that_scaling_in_takes(policy, how):
    retention = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    story = made(3, claims=[DATA], policy=policy, spec=retention)
    getattr(story.cluster, how)("gs-2")
    story.scale(2).one_pass()  # its kubelet still has to end it
    story.settle()
    assert sorted(story.cluster.claims) == ["data-gs-0", "data-gs-1"]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_20_no_pod_takes_up_a_claim_that_goes_with_the_one_before(policy):
    retention = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    story = made(2, claims=[DATA], policy=policy, spec=retention, hooks=["preDelete"])
    before = story.cluster.claims["data-gs-1"]["metadata"]["uid"]
    story.scale(1).settle()
    story.cluster.kill_pod("gs-1")
    story.scale(2).one_pass()
    assert "gs-1" not in story.cluster.pods
    assert "data-gs-1, which goes with the pod that was there before" in story.said("ClaimTerminating")
    story.settle()
    assert story.versions() == {0: "1", 1: "1"}
    assert story.cluster.claims["data-gs-1"]["metadata"]["uid"] != before


@pytest.mark.parametrize("how", ["delete_pod", "fail_pod"])
def test_gss_18_claims_of_a_replica_stay_whoever_ends_its_pod(how):
    retention = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    story = made(3, claims=[DATA], spec=retention)
    before = {n: c["metadata"]["uid"] for n, c in story.cluster.claims.items()}
    getattr(story.cluster, how)("gs-2")
    story.settle()
    assert {n: c["metadata"]["uid"] for n, c in story.cluster.claims.items()} == before


def test_a_scale_in_that_is_taken_back_keeps_the_claim():
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    story = made(2, claims=[DATA], spec=policy, hooks=["preDelete"])
    story.scale(1).settle()
    assert story.cluster.claims["data-gs-1"]["metadata"]["ownerReferences"][0]["kind"] == "Pod"
    story.scale(2).settle()
    assert not story.cluster.claims["data-gs-1"]["metadata"]["ownerReferences"]


def test_claims_belong_to_the_set_from_the_beginning_where_they_are_to_go_with_it():
    story = Set(2, claims=[DATA], spec={"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}).settle()
    for claim in story.cluster.claims.values():
        assert [o["uid"] for o in claim["metadata"]["ownerReferences"]] == [UID]
    assert not [a for a in story.cluster.log if isinstance(a, act.OwnClaim)], "a write more than needed"
    story.patch(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain"}).settle()
    assert not any(c["metadata"]["ownerReferences"] for c in story.cluster.claims.values())


# ---- scaling


def test_gss_36_scaling_in_takes_the_highest_and_waits_until_it_is_gone():
    story = made(5).forget().scale(2)
    story.one_pass()
    story.one_pass()
    assert story.did() == [("DeletePod", 4)]
    story.settle()
    assert story.did() == [("DeletePod", 4), ("DeletePod", 3), ("DeletePod", 2)]


def test_gss_42_scaling_to_nothing_ends_with_nothing():
    story = made(3).scale(0).settle()
    assert story.versions() == {}
    assert story.columns() == (0, 0, 0, 0)


def test_gss_48_a_scale_in_that_is_taken_back_keeps_the_pod_and_forgets_the_hook():
    story = made(3, hooks=["preDelete"])
    uid = story.uid(2)
    story.scale(2).settle()
    assert story.status["preDeleteHookCondition"][0]["podName"] == "gs-2"
    annotations = story.cluster.pods["gs-2"]["metadata"]["annotations"]
    assert annotations["io.tencent.bcs.dev/game-pod-deleting"] == "true"
    story.scale(3).settle()
    assert story.uid(2) == uid
    assert not story.runs()
    assert not story.status["preDeleteHookCondition"]
    assert annotations["io.tencent.bcs.dev/game-pod-deleting"] == "false"


def test_gss_49_parallel_pods_are_first_created_in_batches():
    story = Set(6, policy="Parallel", spec={"scaleStrategy": {"createBatch": 2}})
    story.one_pass()
    story.one_pass()
    assert story.did("CreatePod") == [("CreatePod", 0), ("CreatePod", 1)]
    story.one_pass()
    assert len(story.did("CreatePod")) == 2
    assert "CreateBatch" in story.reasons()
    assert len(story.settle().versions()) == 6


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_50_reserved_ordinals(policy):
    story = made(3, policy=policy).patch(reserveOrders=[1]).settle()
    assert set(story.versions()) == {0, 2, 3}
    assert set(story.scale(2).settle().versions()) == {0, 2}
    assert set(story.patch(reserveOrders=None).settle().versions()) == {0, 1}


def test_gss_41_a_pod_that_its_node_refuses_comes_back_after_a_rest():
    story = made(2)
    story.cluster.refuse_pod("gs-1")
    story.forget().settle()
    assert story.did() == []
    assert "pod gs-1 failed right after it was created: SysctlForbidden" in story.condition("Blocked")[2]
    story.cluster.now += 10
    story.settle()
    assert story.did() == [("DeletePod", 1), ("CreatePod", 1)]


def test_gss_41_a_completed_pod_is_replaced():
    story = made(2)
    story.cluster.fail_pod("gs-0")
    story.cluster.pods["gs-0"]["status"]["phase"] = "Succeeded"
    story.forget().settle()
    assert story.did() == [("DeletePod", 0), ("CreatePod", 0)]


def test_gss_38_and_124_a_broken_condemned_pod_goes_without_being_asked_where_it_does_not_run():
    story = made(2, hooks=["preDelete"])
    story.cluster.fail_pod("gs-1")
    story.forget().scale(1).settle()
    assert story.did() == [("DeletePod", 1)]
    assert not story.runs()


def test_gss_132_an_answer_of_an_earlier_pod_does_not_count_for_the_next():
    story = made(2, hooks=["preDelete"]).scale(1)
    story.settle()
    story.hooks_say("Successful")
    story.cluster.kill_pod("gs-1")
    story.scale(2)
    story.cluster.apply(act.CreatePod("gs-1", "", story_body(story)))
    story.cluster.start_pod("gs-1")
    story.cluster.apply(act.SetGate("gs-1", story.uid(1), ready=True))
    story.forget().scale(1).one_pass()
    assert story.did("DeletePod") == []
    story.settle()
    assert story.did("DeletePod") == []
    assert story.runs(), "nobody asked the new pod"


def story_body(story):
    """A pod that somebody made of the same revision meanwhile."""
    body = dict(story.cluster.pods["gs-0"])
    metadata = body["metadata"]
    labels = {
        **metadata["labels"],
        "gamestatefulset.kubernetes.io/pod-name": "gs-1",
        "gamestatefulset.kubernetes.io/pod-ordinal": "1",
        "apps.kubernetes.io/pod-index": "1",
    }
    return {"metadata": {"name": "gs-1", "labels": labels, "annotations": {}}, "spec": body["spec"]}


# ---- 9.12, 9.13


def test_gss_142_orphans_of_our_names_are_adopted_and_others_ignored():
    story = made(2)
    pods = story.cluster.pods
    pods["gs-1"]["metadata"]["ownerReferences"] = []
    story.cluster._touch(pods["gs-1"])
    assert ("AdoptPod", "gs-1") in deeds(story.one_pass())
    assert not story.settle().one_pass().actions


@pytest.mark.parametrize("claim", ["data-gs-1", "data-gs-0", None])
def test_gss_142_an_orphan_without_the_claims_of_its_ordinal_is_adopted_and_replaced(claim):
    story = made(2, claims=[DATA])
    body, uid = story.cluster.pods["gs-1"], story.uid(1)
    body["metadata"]["ownerReferences"] = []
    body["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    story.cluster._touch(body)
    story.settle()
    assert (story.uid(1) == uid) == (claim == "data-gs-1")
    (volume,) = story.cluster.pods["gs-1"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "data-gs-1"


@pytest.mark.parametrize("claim", ["data-gs-1", "data-gs-0", None])
def test_public_f2_an_orphan_with_another_image_is_updated_in_place_if_it_has_its_claims(claim):
    story = made(2, claims=[DATA], type="InplaceUpdate")
    body, uid = story.cluster.pods["gs-1"], story.uid(1)
    body["metadata"]["ownerReferences"] = []
    body["metadata"]["labels"].pop("controller-revision-hash")
    body["spec"]["containers"][0]["image"] = "game:9"
    body["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    story.cluster._touch(body)
    story.settle()
    assert (story.uid(1) == uid) == (claim == "data-gs-1")
    assert (
        story.cluster.pods["gs-1"]["spec"]["containers"][0]["image"]
        == story.cluster.pods["gs-0"]["spec"]["containers"][0]["image"]
    )
    (volume,) = story.cluster.pods["gs-1"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "data-gs-1"


def test_a_pod_that_lost_our_labels_is_released_and_its_name_is_missed():
    story = made(2)
    story.cluster.pods["gs-1"]["metadata"]["labels"]["app"] = "other"
    story.cluster._touch(story.cluster.pods["gs-1"])
    assert deeds(story.one_pass()) == [("ReleasePod", "gs-1")]
    assert 0 < story.one_pass().wake_after <= 10
    assert "gs-1 cannot be created" in story.said("NameTaken")
    assert story.condition("Blocked")[0]


def test_gss_143_a_set_that_is_being_deleted_is_left_alone():
    story = made(2)
    story.cluster.workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    before = dict(story.status)
    assert not story.one_pass().actions
    assert story.status == before
    story.cluster.kill_pod("gs-0")
    assert not story.one_pass().actions
    assert (story.status["replicas"], story.columns()) == (1, (1, 1, 1, 1))


def lost(opt_in="true", ready="Unknown", policy="OrderedReady"):
    annotations = {"pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete": opt_in}
    story = made(2, policy=policy, spec={"template": {"metadata": {"annotations": annotations}}})
    story.cluster.add_node("node", ready)
    story.cluster.delete_pod("gs-1")
    return story.forget()


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_136_a_pod_of_a_lost_node_drifts(policy):
    story = lost(policy=policy)
    story.one_pass()
    assert story.did() == [("ForceDeletePod", 1)]
    story.settle()
    assert story.did() == [("ForceDeletePod", 1), ("CreatePod", 1)]


def test_gss_135_without_opt_in_it_stays_and_that_is_said():
    story = lost(opt_in="false")
    assert not story.one_pass().actions
    assert "gs-1" in story.said("NodeLost")
    assert not lost(ready="True").one_pass().actions


def test_gss_140_a_condemned_pod_of_a_lost_node_lets_scaling_in_end():
    story = lost()
    story.scale(1)
    story.one_pass()
    story.one_pass()
    assert set(story.versions()) == {0}
    assert story.condition("Complete")[0]


def test_gss_31_and_149_a_set_of_the_go_operator_is_taken_over_without_touching_a_pod():
    story = made(2)
    (revision,) = story.cluster.revisions.values()
    revision["data"]["spec"]["template"]["metadata"]["creationTimestamp"] = None
    for pod in story.cluster.pods.values():
        del pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"]
        story.cluster._touch(pod)
    status = story.cluster.workload["status"]
    for field in ("conditions", "availableReplicas", "canary", "currentStepHash"):
        status.pop(field, None)
    story.cluster._touch(story.cluster.workload)
    assert not story.one_pass().actions
    assert not story.one_pass().actions


def test_gss_138_parallel_moves_on_with_what_may_move():
    story = made(3, policy="Parallel").forget()
    story.cluster.add_node("node", "Unknown")
    for ordinal, opt_in in ((0, "true"), (1, "false")):
        annotations = story.cluster.pods[f"gs-{ordinal}"]["metadata"]["annotations"]
        annotations["pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete"] = opt_in
        story.cluster.delete_pod(f"gs-{ordinal}")
    story.cluster.fail_pod("gs-2")
    story.one_pass()
    assert sorted(story.did()) == [("DeletePod", 2), ("ForceDeletePod", 0)]
    del story.cluster.pods["gs-2"]
    story.one_pass()
    assert story.did("CreatePod") == [("CreatePod", 0), ("CreatePod", 2)]
    assert story.versions().keys() == {0, 2}


def test_gss_11_a_pod_that_two_sets_could_take_goes_to_the_older():
    story = made(1)
    pod = story.cluster.pods["gs-0"]
    pod["metadata"]["ownerReferences"] = []
    story.cluster._touch(pod)
    observed = story.cluster.observe()
    older = replace(observed.workload, name="g", uid="uid-older", created=observed.workload.created - 1)
    younger = replace(older, uid="uid-younger", created=observed.workload.created + 1)
    assert not any(isinstance(a, act.AdoptPod) for a in plan(replace(observed, overlapping=(older,)), 0.0).actions)
    assert any(isinstance(a, act.AdoptPod) for a in plan(replace(observed, overlapping=(younger,)), 0.0).actions)
