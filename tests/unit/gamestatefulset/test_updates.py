"""Updating pods by ordinal, pass by pass (docs/spec/gamestatefulset.md 9.6 to 9.11)."""

import pytest

from operators.planning import actions as act
from operators.planning.views import READY_DEADLINE
from tests.unit.gamestatefulset.sets import DATA, Set

OLD, NEW = "1", "2"


def made(replicas=3, **more):
    return Set(replicas, **more).settle().forget()


def updated(story):
    """Ordinals in the order in which their update began."""
    return [o for kind, o in story.did("DeletePod", "UpdatePodInPlace")]


def down(story):
    """Replicas that do not serve."""
    wanted = story.cluster.workload["spec"]["replicas"]
    views = [story.cluster.pod(f"gs-{i}") if f"gs-{i}" in story.cluster.pods else None for i in range(wanted)]
    return sum(v is None or not v.ready or v.deleting for v in views)


# ---- 9.6: partition


def test_gss_51_a_partition_keeps_the_lowest_ordinals_and_lets_them_go_later():
    story = made(5, rollingUpdate={"partition": 3}).release(2).settle()
    assert updated(story) == [4, 3]
    assert story.columns() == (5, 3, 2, 2)
    story.strategy(rollingUpdate={"partition": 0}).settle()
    assert updated(story) == [4, 3, 2, 1, 0]
    assert story.columns() == (5, 5, 5, 5)


@pytest.mark.parametrize(
    ("partition", "replicas", "kept"), [("30%", 10, 3), ("30%", 5, 2), ("50%", 3, 2), ("100%", 3, 3)]
)
def test_gss_52_percentages_round_up_but_below_all_one_pod_is_updated(partition, replicas, kept):
    story = made(replicas, policy="Parallel", rollingUpdate={"partition": partition}).release(2).settle()
    assert list(story.versions().values()) == [OLD] * kept + [NEW] * (replicas - kept)


@pytest.mark.parametrize(("value", "replicas", "allowed"), [("25%", 8, 2), ("25%", 5, 1), ("25%", 3, 1), ("25%", 1, 1)])
def test_gss_53_max_unavailable_in_percent(value, replicas, allowed):
    story = made(replicas, policy="Parallel", rollingUpdate={"maxUnavailable": value}).release(2)
    story.one_pass()
    story.one_pass()
    assert down(story) == allowed


def test_gss_54_a_partition_above_all_updates_nothing_and_scales_out_old():
    story = made(3, rollingUpdate={"partition": 9}).release(2).settle()
    assert updated(story) == []
    assert story.scale(5).settle().versions() == dict.fromkeys(range(5), OLD)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_32_a_lost_old_pod_comes_back_old_even_if_it_was_the_last(policy):
    story = made(2, policy=policy, rollingUpdate={"partition": 1}).release(2).settle()
    story.cluster.kill_pod("gs-0")
    assert story.settle().versions() == {0: OLD, 1: NEW}


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_58_and_59_on_delete_only_people_update(policy):
    story = made(3, policy=policy, type="OnDelete").release(2).settle()
    assert updated(story) == []
    story.cluster.delete_pod("gs-0")
    assert story.settle().versions() == {0: NEW, 1: OLD, 2: OLD}


def test_gss_60_in_mid_update_a_lost_pod_comes_back_by_the_policy():
    for policy, version in (("OrderedReady", OLD), ("Parallel", NEW)):
        story = made(5, policy=policy, rollingUpdate={"maxUnavailable": 1}).release(2)
        while story.versions().get(3) != NEW:
            story.kubelets()
            story.one_pass()
        story.cluster.kill_pod("gs-0")
        while 0 not in story.versions():
            story.kubelets()
            story.one_pass()
        assert story.versions()[0] == version
        assert set(story.settle().versions().values()) == {NEW}


# ---- 9.7: rolling updates


def test_gss_61_rolling_updates_replace_and_never_patch():
    story = made(1).release(2).settle()
    assert story.did() == [("DeletePod", 0), ("CreatePod", 0)]


def test_gss_62_one_pod_goes_and_is_no_longer_current():
    story = made(2, rollingUpdate={"partition": 1}).release(2)
    story.one_pass()
    story.one_pass()
    assert story.did() == [("DeletePod", 1)]
    story.one_pass()
    assert story.status["currentReplicas"] == 1


def test_gss_63_in_order_nothing_else_happens_while_a_pod_leaves():
    story = made(3)
    story.cluster.delete_pod("gs-1")
    story.release(2)
    story.one_pass()
    story.one_pass()
    assert story.did() == []


def test_gss_64_parallel_takes_batches_from_the_top_within_the_budget():
    story = made(8, policy="Parallel", rollingUpdate={"maxUnavailable": 2}).release(2)
    for _ in range(60):
        story.kubelets()
        story.one_pass()
        assert down(story) <= 2
    assert updated(story) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert set(story.versions().values()) == {NEW}


def test_gss_65_in_order_the_budget_is_one_whatever_the_numbers_say():
    story = made(8, rollingUpdate={"maxUnavailable": 4}).release(2)
    for _ in range(60):
        story.kubelets()
        story.one_pass()
        assert down(story) <= 1
    assert updated(story) == [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("victim", [3, 1, 0])
def test_gss_66_a_crash_looping_old_pod_is_repaired_first(victim):
    story = made(4, policy="Parallel")
    story.cluster.set_container_ready(f"gs-{victim}", ready=False)
    story.release(2)
    story.one_pass()
    story.one_pass()
    assert updated(story) == [victim]
    assert down(story) == 1
    story.settle()
    assert updated(story) == [victim, *(i for i in (3, 2, 1, 0) if i != victim)]


@pytest.mark.parametrize("victim", [3, 1, 0])
def test_gss_66_in_order_a_crash_looping_old_pod_holds_up_nobody_and_is_repaired_in_its_turn(victim):
    story = made(4)
    story.broken = {"9"}
    story.cluster.pods[f"gs-{victim}"]["spec"]["containers"][0]["image"] = "game:9"
    story.cluster.set_container_ready(f"gs-{victim}", ready=False)
    story.release(2)
    for _ in range(60):
        story.kubelets()
        story.one_pass()
        assert down(story) <= 2, "the broken one, and one of ours"
    assert updated(story) == [3, 2, 1, 0]
    assert story.condition("Complete")[0]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_a_broken_version_stops_at_one_pod_and_the_next_one_replaces_it(policy):
    story = made(3, policy=policy, rollingUpdate={"maxUnavailable": 1})
    story.broken = {NEW}
    story.release(2)
    for _ in range(10):
        story.kubelets()
        story.one_pass()
    assert story.versions() == {0: OLD, 1: OLD, 2: NEW}
    story.release(3).settle()
    assert set(story.versions().values()) == {"3"}
    assert updated(story) == [2, 2, 1, 0]


def of_peers(story, first="gs-0"):
    """Pods of the new version get ready only when the first pod of theirs is: they look for each other."""
    story.kubelets()
    image = lambda name: story.cluster.pods[name]["spec"]["containers"][0]["image"]  # noqa: E731
    found = first in story.cluster.pods and story.cluster.pod(first).ready and image(first) == f"game:{NEW}"
    for name in story.cluster.pods:
        if name != first and image(name) == f"game:{NEW}":
            story.cluster.set_container_ready(name, ready=found)


@pytest.mark.parametrize("says_why", [True, False])
def test_gss_66_in_order_a_broken_pod_is_repaired_although_its_repair_is_what_the_others_wait_for(says_why):
    story = Set(3)
    story.broken = {OLD}
    for _ in range(4):
        story.kubelets()
        story.one_pass()
    story.release(2)
    for _ in range(10):
        of_peers(story)
        if says_why and story.versions().get(0) == OLD:
            story.cluster.set_container_waiting("gs-0", "CrashLoopBackOff")
        decision = story.one_pass()
    if not says_why:
        assert story.versions() == {0: OLD, 1: NEW}
        assert 0 < decision.wake_after <= READY_DEADLINE
        story.cluster.now += decision.wake_after
    for _ in range(20):
        of_peers(story)
        story.one_pass()
    assert story.versions() == {0: NEW, 1: NEW, 2: NEW}
    assert story.condition("Complete")[0]


def test_gss_66_in_order_a_moment_of_unreadiness_brings_no_broken_version_to_a_second_pod():
    story = made(3)
    story.broken = {NEW}
    story.release(2)
    for _ in range(6):
        story.kubelets()
        story.one_pass()
    story.cluster.set_container_ready("gs-1", ready=False)
    for _ in range(3):
        story.one_pass()
    assert story.versions() == {0: OLD, 1: OLD, 2: NEW}


TROUBLES = {"crash": "CrashLoopBackOff", "pull": "ImagePullBackOff", "probe": None, "place": "Unschedulable"}


def break_down(story, how):
    """What the kubelet and the scheduler make of pods of the new version."""
    story.cluster.remove_terminating()
    for name, body in story.cluster.pods.items():
        broken = body["spec"]["containers"][0]["image"] == f"game:{NEW}"
        if broken and how == "place":
            said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node fits"}
            body["status"]["conditions"] = [said]
            story.cluster._touch(body)
            continue
        story.cluster.start_pod(name)
        story.cluster.restart_containers(name)
        story.cluster.set_container_ready(name, ready=not broken)
        if broken and TROUBLES[how]:
            story.cluster.set_container_waiting(name, TROUBLES[how])


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize(
    ("type_", "how"),
    [("RollingUpdate", how) for how in TROUBLES] + [("InplaceUpdate", how) for how in ("crash", "pull", "probe")],
)
def test_gss_66_67_however_a_version_is_broken_the_next_replaces_it_and_healthy_pods_are_spared(type_, policy, how):
    story = made(4, policy=policy, type=type_, rollingUpdate={"maxUnavailable": 1}).release(2)
    for _ in range(12):
        break_down(story, how)
        story.one_pass()
    assert story.versions() == {0: OLD, 1: OLD, 2: OLD, 3: NEW}
    assert not story.cluster.pod("gs-3").ready
    story.release(3)
    for _ in range(60):
        break_down(story, how)
        serving = sum(p.ready and not p.deleting for p in map(story.cluster.pod, story.cluster.pods))
        assert serving >= 3, "the broken pod is the one that may be down"
        story.one_pass()
    assert story.versions() == dict.fromkeys(range(4), "3")
    assert updated(story) == [3, 3, 2, 1, 0]
    assert story.condition("Complete")[0]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_gss_67_going_back_from_a_broken_version_is_immediate(policy):
    story = made(4, policy=policy, rollingUpdate={"maxUnavailable": 1})
    story.broken = {NEW}
    story.release(2)
    for _ in range(10):
        story.kubelets()
        story.one_pass()
    assert updated(story) == [3]
    story.release(1).settle()
    assert updated(story) == [3, 3]
    assert story.condition("Complete")[0]


def test_a_first_version_that_never_starts_is_replaced_by_the_next():
    story = Set(3)
    story.broken = {OLD}
    for _ in range(6):
        story.kubelets()
        story.one_pass()
    assert story.versions() == {0: OLD}
    assert set(story.release(2).settle().versions().values()) == {NEW}


def test_gss_68_with_no_pod_to_spare_the_update_lives_on_surge():
    numbers = {"maxUnavailable": 0, "maxSurge": 1}
    story = made(3, policy="Parallel", rollingUpdate=numbers).release(2)
    for _ in range(60):
        story.kubelets()
        ready = sum(story.cluster.pod(n).ready and not story.cluster.pod(n).deleting for n in story.cluster.pods)
        story.one_pass()
        assert ready >= 2
    assert story.versions() == {0: NEW, 1: NEW, 2: NEW}


def test_gss_69_a_pause_of_the_user_stays_and_only_stops_updates():
    story = made(3, paused=True).release(2).settle()
    assert updated(story) == []
    story.scale(5).settle()
    assert story.versions() == dict.fromkeys(range(5), OLD)
    assert set(story.scale(2).settle().versions()) == {0, 1}
    assert story.cluster.workload["spec"]["updateStrategy"]["paused"] is True
    assert "Paused" in story.reasons()
    assert set(story.strategy(paused=False).settle().versions().values()) == {NEW}


def test_gss_70_scaling_comes_before_updating():
    story = made(2).release(2, replicas=3).settle()
    assert story.did()[0] == ("CreatePod", 2)
    assert story.versions() == {0: NEW, 1: NEW, 2: NEW}


# ---- 9.8: surge


def test_gss_71_and_72_surge_pods_come_first_and_leave_last():
    story = made(8, policy="Parallel", rollingUpdate={"maxUnavailable": 2, "maxSurge": 2}).release(2)
    for _ in range(60):
        story.kubelets()
        over = story.versions() == dict.fromkeys(range(8), NEW)
        assert over or not story.condition("Complete")[0] or not updated(story), "surge pods are no replicas"
        began = bool(updated(story))
        ready = sum(story.cluster.pod(n).ready and not story.cluster.pod(n).deleting for n in story.cluster.pods)
        assert not began or ready >= 8
        story.one_pass()
    deeds = story.did("CreatePod", "DeletePod")
    assert deeds[:2] == [("CreatePod", 8), ("CreatePod", 9)]
    assert [o for k, o in deeds if k == "DeletePod"] == [7, 6, 5, 4, 3, 2, 1, 0, 9, 8]
    assert story.versions() == dict.fromkeys(range(8), NEW)


@pytest.mark.parametrize(("partition", "surge"), [(6, {8, 9}), (8, set())])
def test_gss_74_surge_is_never_more_than_what_is_left_to_update(partition, surge):
    numbers = {"partition": partition, "maxSurge": 4, "maxUnavailable": 1}
    story = made(8, policy="Parallel", rollingUpdate=numbers).release(2)
    story.one_pass()
    story.one_pass()
    assert {o for k, o in story.did("CreatePod")} == surge


@pytest.mark.parametrize("more", [{"policy": "OrderedReady"}, {"policy": "Parallel", "type": "OnDelete"}])
def test_gss_75_no_surge_in_order_or_on_delete(more):
    numbers = {} if more.get("type") else {"rollingUpdate": {"maxSurge": 2}}
    story = made(3, **numbers, **more).release(2).settle()
    assert all(o < 3 for _, o in story.did())


def test_gss_76_no_surge_before_a_canary_step_lets_pods_be_updated():
    steps = [{"pause": {}}, {"partition": 3}, {"pause": {}}]
    story = made(4, policy="Parallel", steps=steps, rollingUpdate={"maxSurge": 2}).release(2).settle()
    assert story.did("CreatePod") == []
    story.strategy(paused=False).settle()
    assert story.versions() == {0: OLD, 1: OLD, 2: OLD, 3: NEW}
    assert story.status["currentStepIndex"] == 2


def test_gss_77_claims_of_surge_pods_go_with_them_and_others_stay():
    story = made(2, policy="Parallel", claims=[DATA], rollingUpdate={"maxSurge": 1})
    story.release(2).settle()
    assert set(story.cluster.claims) == {"data-gs-0", "data-gs-1"}
    story.scale(3).settle()
    story.scale(2).settle()
    story.release(3).settle()
    assert set(story.cluster.claims) == {"data-gs-0", "data-gs-1", "data-gs-2"}, "a claim that was there is gone"


def test_gss_78_a_surge_pod_is_asked_before_it_goes():
    story = made(2, policy="Parallel", hooks=["preDelete"], rollingUpdate={"maxSurge": 1}).release(2)
    story.settle(answer="Successful")
    asked = [a.pod for a in story.cluster.log if isinstance(a, act.CreateHookRun)]
    assert "gs-2" in asked
    assert story.versions() == {0: NEW, 1: NEW}


# ---- 9.9: in place


def test_gss_79_in_place_keeps_the_pod():
    story = made(1, type="InplaceUpdate")
    uid = story.uid(0)
    story.release(2).settle()
    assert (story.uid(0), updated(story)) == (uid, [0])
    assert story.did("DeletePod") == []


def test_gss_80_and_121_in_place_goes_from_the_top_and_keeps_the_partition():
    story = made(3, type="InplaceUpdate", rollingUpdate={"partition": 1}).release(2).settle()
    assert updated(story) == [2, 1]
    assert story.versions() == {0: OLD, 1: NEW, 2: NEW}


def test_gss_85_and_86_a_change_that_is_not_possible_in_place_blocks_visibly_and_scaling_goes_on():
    story = made(3, type="InplaceUpdate")
    env = [{"name": "MODE", "value": "x"}]
    story.patch(template={"spec": {"containers": [{"name": "web", "image": "game:1", "env": env}]}}).settle()
    assert updated(story) == []
    assert story.columns()[0] == 3
    blocked, reason, text = story.condition("Blocked")
    assert (blocked, reason) == (True, "InPlaceNotPossible")
    assert "/spec/template/spec/containers/0/env" in text
    assert len(story.scale(4).settle().versions()) == 4
    story.strategy(type="RollingUpdate").settle()
    assert story.condition("Complete")[0]


def test_gss_91_going_back_during_grace_changes_no_image():
    story = made(1, type="InplaceUpdate", inPlaceUpdateStrategy={"gracePeriodSeconds": 30}).release(2).settle()
    assert not story.cluster.pod("gs-0").ready
    story.release(1).settle()
    assert story.cluster.pod("gs-0").ready
    assert not any(getattr(a, "images", None) for a in story.cluster.log)


def test_gss_89_grace_ends_by_time_alone():
    story = made(1, type="InplaceUpdate", inPlaceUpdateStrategy={"gracePeriodSeconds": 30}).release(2).settle()
    assert story.versions() == {0: OLD}
    assert story.after(29).versions() == {0: OLD}
    assert story.after(2).versions() == {0: NEW}
    assert story.cluster.pod("gs-0").ready


def test_gss_99_a_gate_opens_although_a_lower_pod_is_broken():
    story = made(3, type="InplaceUpdate").release(2)
    while not updated(story):
        story.one_pass()
    story.cluster.set_container_ready("gs-0", ready=False)
    story.cluster.restart_containers("gs-2")
    for _ in range(2):
        story.one_pass()
    assert story.cluster.pod("gs-2").gate is True


# ---- 9.10: canary


STEPS = [
    {"partition": 3},
    {"pause": {}},
    {"partition": 2},
    {"pause": {"duration": 60}},
    {"hook": {"templateName": "test"}},
]


def canary(story):
    return sum(v == NEW for v in story.versions().values()), story.status["currentStepIndex"]


def test_gss_108_the_white_papers_example_end_to_end():
    story = made(4, type="InplaceUpdate", steps=STEPS).release(2).settle()
    assert canary(story) == (1, 1)
    assert story.versions()[3] == NEW
    assert story.cluster.workload["spec"]["updateStrategy"]["paused"] is True
    story.strategy(paused=False).settle()
    assert canary(story) == (2, 3)
    assert canary(story.after(61)) == (2, 4)
    (run,) = story.runs()
    assert run == f"canary-{story.status['updateRevision']}-step4-test"
    story.cluster.answer_hook(run, "Successful")
    assert canary(story.settle()) == (4, 5)


def test_gss_109_a_failed_canary_hook_stops_there_and_going_back_runs_no_steps():
    story = made(4, type="InplaceUpdate", steps=STEPS).release(2).settle()
    story.strategy(paused=False).settle()
    story.after(61)
    story.cluster.answer_hook(story.runs()[0], "Failed")
    assert canary(story.settle()) == (2, 4)
    assert story.status["pauseConditions"][0]["reason"] == "PausedByStepBasedHook"
    story.release(1, updateStrategy={"paused": False}).settle()
    assert canary(story) == (0, 5)


def test_gss_111_the_first_creation_skips_the_steps():
    story = made(3, steps=STEPS)
    assert story.status["currentStepIndex"] == 5
    assert not story.runs()


def test_gss_112_a_canary_that_comes_with_the_first_new_image_runs_its_steps():
    story = made(4).release(2, updateStrategy={"canary": {"steps": STEPS}}).settle()
    assert canary(story) == (1, 1)


def test_gss_113_a_third_version_in_mid_canary_starts_over_from_the_stable_one():
    story = made(4, steps=STEPS).release(2).settle()
    story.release(3).settle()
    assert story.status["currentStepIndex"] in (0, 1)
    story.cluster.kill_pod("gs-0")
    assert story.settle().versions()[0] == OLD


def test_gss_116_scaling_in_mid_canary_keeps_the_partition():
    story = made(6, policy="Parallel", steps=[{"partition": 3}, {"pause": {}}]).release(2).settle()
    assert story.versions() == {0: OLD, 1: OLD, 2: OLD, 3: NEW, 4: NEW, 5: NEW}
    assert story.scale(8).settle().versions()[7] == NEW
    assert story.scale(2).settle().versions() == {0: OLD, 1: OLD}


# ---- 9.11: hooks of pods


def test_gss_121_a_hook_before_each_pod_in_order_and_the_pod_carries_its_mark():
    story = made(2, type="InplaceUpdate", hooks=["preInplace"])
    old = story.status["updateRevision"]
    story.release(2).settle()
    assert story.runs() == [f"preinplace-{old}-1-check"]
    run = story.cluster.hook_runs[story.runs()[0]]["metadata"]["labels"]
    assert (run["instance-id"], run["pod-uid"]) == ("1", story.uid(1))
    assert story.cluster.pods["gs-1"]["metadata"]["annotations"]["io.tencent.bcs.dev/game-pod-deleting"] == "true"
    (waiting,) = story.status["preInplaceHookCondition"]
    assert (waiting["podName"], waiting["phase"]) == ("gs-1", "Pending")
    assert updated(story) == []
    story.settle(answer="Successful")
    assert updated(story) == [1, 0]
    assert not story.runs()


@pytest.mark.parametrize(("hooks", "mark"), [(["preInplace"], "false"), (["preInplace", "postInplace"], "true")])
def test_gss_121_the_mark_goes_when_the_update_is_over_unless_a_hook_after_it_has_the_say(hooks, mark):
    story = made(1, type="InplaceUpdate", hooks=hooks).release(2)
    marks = []
    for _ in range(12):
        story.kubelets()
        story.hooks_say()
        story.one_pass()
        pod = story.cluster.pods["gs-0"]
        marks.append(pod["metadata"]["annotations"].get("io.tencent.bcs.dev/game-pod-deleting"))
        over = story.versions() == {0: NEW} and story.cluster.pod("gs-0").ready
        assert over or marks[-1] in (None, "true"), "it was taken back before the update was over"
    assert marks[-1] == mark
    assert "true" in marks


def test_gss_122_parallel_asks_as_many_as_may_be_down():
    story = made(4, policy="Parallel", type="InplaceUpdate", hooks=["preInplace"], rollingUpdate={"maxUnavailable": 2})
    story.release(2).settle()
    assert [r.split("-")[-2] for r in story.runs()] == ["2", "3"]


def test_gss_123_a_lone_pre_delete_hook_guards_updates_in_place():
    story = made(1, type="InplaceUpdate", hooks=["preDelete"]).release(2).settle()
    assert [r.split("-")[0] for r in story.runs()] == ["predelete"]
    assert updated(story) == []


def test_gss_124_who_ended_or_does_not_run_is_not_asked():
    story = made(2, hooks=["preDelete"])
    story.cluster.fail_pod("gs-0")
    story.settle()
    assert not story.runs()
    assert story.did("DeletePod") == [("DeletePod", 0)]


def test_gss_125_a_failed_hook_holds_the_pod_until_retry():
    story = made(2, hooks=["preDelete"]).release(2).settle()
    story.hooks_say("Failed")
    story.settle()
    assert updated(story) == []
    assert story.status["preDeleteHookCondition"][0]["phase"] == "Failed"
    assert story.condition("Blocked")[1] == "HookFailed"
    story.patch(preDeleteUpdateStrategy={"retry": True}).settle()
    assert not story.cluster.workload["spec"]["preDeleteUpdateStrategy"].get("retry")
    story.settle(answer="Successful")
    assert updated(story) == [1, 0]


def test_gss_131_the_hook_after_an_update_holds_the_next_pod():
    story = made(2, type="InplaceUpdate", hooks=["postInplace"]).release(2).settle()
    assert updated(story) == [1]
    assert [r.split("-")[0] for r in story.runs()] == ["postinplace"]
    assert story.cluster.pod("gs-1").gate is True
    story.settle(answer="Successful")
    assert updated(story) == [1, 0]
    assert not story.runs()


def test_a_hook_that_is_being_asked_outlives_a_moment_of_unreadiness():
    story = made(3, hooks=["preDelete"]).release(2)
    story.settle(answer="Successful")
    story.release(3).settle()
    (run,) = story.runs()
    uid = story.cluster.hook_runs[run]["metadata"]["uid"]
    story.cluster.set_container_ready("gs-0", ready=False)
    story.one_pass()
    assert story.cluster.hook_runs[run]["metadata"]["uid"] == uid


def test_gss_45_parallel_repairs_first_and_updates_when_the_budget_allows():
    story = made(3, policy="Parallel", rollingUpdate={"maxUnavailable": 1})
    story.cluster.fail_pod("gs-0")
    story.cluster.fail_pod("gs-2")
    story.release(2)
    story.one_pass()
    story.one_pass()
    assert sorted(story.did()) == [("DeletePod", 0), ("DeletePod", 2)]
    assert story.versions()[1] == OLD
    story.settle()
    assert set(story.versions().values()) == {NEW}
    assert updated(story)[-1] == 1


def test_gss_98_hot_patches_are_not_enabled_and_that_is_said():
    story = made(2, type="HotPatchUpdate").release(2).settle()
    assert updated(story) == []
    assert story.condition("Blocked")[1] == "HotPatchNotEnabled"
