"""Canary steps of GameDeployment, as a user lives through them (docs/spec/gamedeployment.md 4 and 10)."""

import pytest

from operators.api import keys
from operators.api.reasons import PauseReason
from operators.planning import actions as act
from operators.simulation.cluster import hook_template
from tests.unit.gamedeployment.rollouts import WHITE_PAPER, Rollout

MISSED = "metric m: value 0 did not meet asInt(result) == 1"


def released(steps=WHITE_PAPER, **how):
    """Version 1 is there, version 2 has been released, and everything that can happen by itself has happened."""
    return Rollout(steps, **how).created().release(2).settle()


def at_hook(**how):
    """The white paper's example, waiting for the hook of its last step."""
    rollout = released(**how)
    rollout.resume().settle()
    return rollout.after(61)


# ---- the white paper's example, row by row


def test_gd_110_first_creation_skips_the_steps():
    rollout = Rollout(WHITE_PAPER).created()
    assert (rollout.index, rollout.paused, rollout.running(1)) == (5, False, 4)
    assert rollout.stable == rollout.update
    assert rollout.runs == {}


def test_gd_111_row_2_a_new_image_begins_at_step_0_and_touches_nothing_in_that_pass():
    rollout = Rollout(WHITE_PAPER).created().release(2)
    decision = rollout.one_pass()
    assert not [a for a in decision.actions if isinstance(a, act.UpdatePodInPlace)]
    assert (rollout.index, rollout.paused, rollout.running(2)) == (0, False, 0)
    assert rollout.stable != rollout.update


def test_gd_111_rows_3_and_4_one_pod_then_the_pause():
    rollout = released()
    assert rollout.said("SetStepIndex") == ["Set Step Index to 0", "Set Step Index to 1"]
    assert (rollout.index, rollout.paused, rollout.running(2)) == (1, True, 1)
    assert rollout.reasons == [PauseReason.PAUSE_STEP]
    assert rollout.after(100_000).index == 1


def test_gd_111_rows_5_and_6_resumed_by_the_user():
    rollout = released()
    rollout.resume().settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (3, True, 2)
    assert rollout.said("SetStepIndex")[2:] == ["Set Step Index to 2", "Set Step Index to 3"]


def test_gd_111_row_7_a_timed_pause_ends_by_itself():
    rollout = released()
    rollout.resume().settle()
    assert rollout.after(55).index == 3
    rollout.after(6)
    assert (rollout.index, rollout.paused, rollout.running(2)) == (4, False, 2)
    assert rollout.run.name == f"canary-{rollout.update}-4-test"


def test_gd_111_row_8_a_failed_hook_pauses_and_says_why():
    rollout = at_hook()
    rollout.answer("Failed", MISSED).settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (4, True, 2)
    assert rollout.reasons == [PauseReason.HOOK_STEP]
    blocked = rollout.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "CanaryHookFailed")
    assert "canary step 5 of 5 (hook test)" in blocked["message"]
    assert MISSED in blocked["message"]
    assert rollout.run.name in blocked["message"]
    # An Event follows for what a person has to decide: the controller announces every such entry.
    assert [b.message for b in rollout.blocked if not b.waiting] == [blocked["message"]]


def test_gd_111_row_9_the_user_goes_on_after_a_failed_hook():
    rollout = at_hook()
    rollout.answer("Failed", MISSED).settle()
    rollout.resume().settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (5, False, 4)
    assert rollout.stable == rollout.update
    assert MISSED in rollout.said("CanaryResumed")[-1]


def test_gd_111_row_10_the_user_rolls_back_after_a_failed_hook():
    rollout = at_hook()
    rollout.answer("Failed", MISSED).settle()
    rollout.release(1).settle()
    assert (rollout.index, rollout.paused, rollout.running(1)) == (5, False, 4)
    assert rollout.reasons == []
    assert rollout.condition("Complete")["status"] == "True"


def test_gd_111_a_hook_that_says_yes_completes_the_rollout():
    rollout = at_hook()
    rollout.answer("Successful").settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (5, False, 4)
    assert rollout.stable == rollout.update


# ---- partitions


def test_gd_123_a_leading_pause_updates_nothing_until_resumed():
    rollout = released([{"pause": {}}, {"partition": 1}])
    assert (rollout.index, rollout.paused, rollout.running(2)) == (0, True, 0)
    rollout.resume().settle()
    assert (rollout.index, rollout.running(2)) == (2, 4)


def test_gd_109_after_the_last_step_the_partition_of_the_spec_is_ignored():
    rollout = released([{"partition": 1}], partition=2)
    assert (rollout.index, rollout.running(2)) == (1, 4)


def test_gd_122_a_partition_beyond_the_replicas_updates_nothing_and_is_reached():
    rollout = released([{"partition": 10}, {"pause": {}}])
    assert (rollout.index, rollout.running(2)) == (1, 0)


def test_a_partition_in_percent_keeps_its_share():
    assert released([{"partition": "50%"}, {"pause": {}}]).running(2) == 2


def test_gd_124_scaled_out_in_the_middle_of_a_step():
    rollout = Rollout([{"partition": 3}, {"pause": {}}]).created().release(2)
    rollout.one_pass()
    rollout.scale(6).settle()
    assert (rollout.index, rollout.running(1), rollout.running(2)) == (1, 3, 3)


def test_scaled_out_under_a_canary_pause_keeps_the_old_count():
    rollout = released()
    rollout.scale(6).settle()
    assert (rollout.index, rollout.paused) == (1, True)
    assert (rollout.running(1), rollout.running(2)) == (3, 3)


def test_scaled_in_below_the_partition_the_step_is_reached():
    rollout = Rollout([{"partition": 3}, {"pause": {}}]).created().release(2)
    rollout.one_pass()
    rollout.scale(2).settle()
    assert (rollout.index, rollout.running(1), rollout.running(2)) == (1, 2, 0)


def test_a_larger_partition_later_on_does_not_hang():
    rollout = released([{"partition": 1}, {"partition": 3}, {"pause": {}}])
    assert (rollout.index, rollout.running(2)) == (2, 3)


def test_a_step_waits_for_pods_that_are_really_ready():
    rollout = Rollout([{"partition": 3}, {"pause": {}}]).created().release(2)
    rollout.one_pass()
    rollout.one_pass()
    rollout.one_pass()
    assert rollout.running(2) == 1
    message = rollout.condition("Progressing")["message"]
    assert "canary step 1 of 2 (partition 3): 1 of 1 pods updated, waiting for 1 to be ready" in message
    assert rollout.condition("Progressing")["reason"] == "CanaryStep"


def test_rolling_update_with_surge_waits_for_the_old_pod_to_go():
    rollout = released([{"partition": 3}, {"pause": {}}], type_="RollingUpdate", maxSurge=1, maxUnavailable=0)
    assert (rollout.index, rollout.running(1), rollout.running(2)) == (1, 3, 1)


# ---- pausing and resuming


def test_gd_147_a_manifest_with_paused_false_resumes_and_an_event_names_the_step():
    rollout = released()
    rollout.patch(paused=False, type="InplaceUpdate", canary={"steps": WHITE_PAPER}).settle()
    assert rollout.index == 3
    assert rollout.said("CanaryResumed") == [
        "canary step 2 of 5 (pause) is resumed: updateStrategy.paused is false; going on with step 3 of 5 (partition 2)"
    ]


def test_a_merge_patch_of_null_resumes_too():
    rollout = released()
    rollout.patch(paused=None).settle()
    assert rollout.index == 3


def test_an_early_unpause_does_not_shorten_a_timed_pause_and_is_told_so():
    rollout = released()
    rollout.resume().settle()
    until = rollout.condition("Progressing")["message"]
    rollout.cluster.now += 30
    rollout.resume().settle()
    assert (rollout.index, rollout.paused) == (3, True)
    assert rollout.condition("Progressing")["message"] == until
    assert "does not shorten it" in rollout.said("CanaryPauseKept")[0]
    assert rollout.after(29).index == 3
    assert rollout.after(2).index == 4


def test_the_wake_up_of_a_timed_pause_is_its_rest():
    rollout = released()
    rollout.resume().settle()
    rollout.cluster.now += 20.5
    assert rollout.one_pass().wake_after == pytest.approx(39.5)


def test_gd_126_a_users_pause_is_never_reset_and_does_not_advance_steps():
    rollout = Rollout(WHITE_PAPER).created()
    rollout.patch(paused=True).release(2).settle()
    for _ in range(10):
        rollout.one_pass()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (0, True, 0)
    assert rollout.reasons == []
    assert rollout.condition("Progressing")["reason"] == "Paused"
    rollout.scale(5).settle()
    assert (len(rollout.cluster.pods), rollout.running(2)) == (5, 0)
    rollout.resume().settle()
    assert (rollout.index, rollout.running(2)) == (1, 2)


def test_a_users_pause_in_a_pause_step_is_not_taken_for_the_steps_own():
    rollout = Rollout([{"partition": 3}, {"pause": {"duration": 10}}, {"partition": 0}]).created().release(2)
    while rollout.index != 1:
        rollout.kubelets()
        rollout.one_pass()
    rollout.patch(paused=True).settle()
    assert rollout.after(1000).index == 1
    assert rollout.paused
    rollout.resume().settle()
    assert (rollout.index, rollout.paused) == (1, True), "now the step's own ten seconds begin"
    assert rollout.after(11).index == 3


def test_gd_128_paused_is_cleared_with_the_last_step():
    rollout = released([{"partition": 3}, {"pause": {"duration": 5}}])
    assert rollout.paused
    rollout.after(6)
    assert (rollout.index, rollout.paused, rollout.running(2)) == (2, False, 4)
    assert keys.CANARY_PAUSE_ANNOTATION not in rollout.cluster.workload["metadata"]["annotations"]


def test_gd_139_without_steps_only_the_controllers_own_pause_is_cleared():
    rollout = Rollout(None).created()
    rollout.patch(paused=True).settle()
    assert rollout.paused
    rollout.status["pauseConditions"] = [{"reason": PauseReason.PAUSE_STEP, "startTime": "2025-01-01T00:00:00Z"}]
    rollout.settle()
    assert not rollout.paused
    assert not rollout.status["pauseConditions"]


def test_pods_become_ready_during_a_canary_pause():
    rollout = released()
    rollout.cluster.kill_pod(next(iter(rollout.cluster.pods)))
    rollout.settle()
    assert rollout.status["readyReplicas"] == 4
    assert (rollout.index, rollout.running(1), rollout.running(2)) == (1, 3, 1)


# ---- changes in mid-rollout


@pytest.mark.parametrize("moment", ["partition", "pause", "hook", "failed"])
def test_gd_119_rollback_to_stable_is_direct(moment):
    rollout = Rollout(WHITE_PAPER).created().release(2)
    rollout.one_pass() if moment == "partition" else rollout.settle()
    if moment in ("hook", "failed"):
        rollout.resume().settle()
        rollout.after(61)
    if moment == "failed":
        rollout.answer("Failed").settle()
    rollout.release(1).settle()
    assert (rollout.index, rollout.paused, rollout.running(1)) == (5, False, 4)
    assert rollout.reasons == []
    assert rollout.runs == {}


def test_a_third_template_starts_over_and_the_first_stays_stable():
    rollout = released()
    stable = rollout.stable
    rollout.release(3).settle()
    assert (rollout.index, rollout.paused, rollout.stable) == (1, True, stable)
    assert (rollout.running(1), rollout.running(2), rollout.running(3)) == (2, 1, 1) or rollout.running(3) == 1


def test_hook_113_a_new_revision_ends_and_removes_the_run_of_the_old_one():
    rollout = at_hook()
    rollout.answer("Running")
    name = rollout.run.name
    rollout.release(3).settle()
    about = [type(a).__name__ for a in rollout.cluster.log if getattr(a, "name", "") == name]
    assert about == ["CreateHookRun", "TerminateHookRun", "DeleteHookRun"]
    assert rollout.runs == {}


def test_hook_112_a_failed_run_pauses_and_unpausing_goes_to_the_next_step():
    rollout = released([{"hook": {"templateName": "test"}}, {"partition": 3}, {"pause": {}}])
    rollout.answer("Error", "metric m: no answer").settle()
    assert (rollout.reasons, rollout.paused, rollout.index) == ([PauseReason.HOOK_STEP], True, 0)
    rollout.resume().settle()
    assert (rollout.index, rollout.running(2)) == (2, 1)


def test_gd_120_steps_edited_in_mid_rollout_start_over():
    rollout = released()
    rollout.patch(canary={"steps": [{"partition": 2}, {"pause": {}}]}).settle()
    assert (rollout.index, rollout.reasons, rollout.running(2)) == (1, [PauseReason.PAUSE_STEP], 2)
    assert "Set Step Index to 0" in rollout.said("SetStepIndex")[2:]


def test_gd_120_steps_edited_when_stable_have_nothing_to_do():
    rollout = Rollout(WHITE_PAPER).created()
    rollout.patch(canary={"steps": [{"pause": {}}]}).settle()
    assert (rollout.index, rollout.paused) == (1, False)


def test_a_finished_answer_does_not_speak_for_an_edited_list():
    steps = [{"partition": 3}, {"hook": {"templateName": "test"}}, {"pause": {}}]
    rollout = released(steps)
    rollout.answer("Successful").settle()
    assert rollout.index == 2
    rollout.patch(canary={"steps": [*steps, {"partition": 1}]}).settle()
    assert rollout.index == 1, "the hook is asked anew"
    assert rollout.run.phase == ""


def test_gd_121_canary_and_image_in_one_edit_respect_step_0():
    rollout = Rollout(None).created()
    rollout.release(2, canary={"steps": WHITE_PAPER}).settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (1, True, 1)


def test_canary_added_without_a_new_template_does_nothing():
    rollout = Rollout(None).created()
    rollout.patch(canary={"steps": WHITE_PAPER}).settle()
    assert (rollout.index, rollout.paused, rollout.running(1)) == (5, False, 4)


def test_canary_removed_in_mid_rollout_lets_the_partition_rule():
    rollout = released(partition=2)
    rollout.patch(canary=None).settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (None, False, 2)
    assert "currentStepHash" not in rollout.status
    rollout.patch(partition=0).settle()
    assert rollout.running(2) == 4
    assert rollout.stable == rollout.update


def test_canary_removed_and_given_back_in_mid_rollout_skips_no_step():
    rollout = released(partition=4)
    rollout.patch(canary=None).settle()
    rollout.patch(canary={"steps": WHITE_PAPER}).settle()
    assert (rollout.index, rollout.running(2)) == (1, 1)


def test_canary_removed_while_its_hook_runs_ends_the_run():
    rollout = at_hook()
    rollout.patch(canary=None).settle()
    assert rollout.runs == {}
    assert rollout.running(2) == 4


# ---- hook steps


def test_gd_118_the_run_of_a_step_has_name_labels_and_arguments():
    rollout = Rollout(
        [{"hook": {"templateName": "test", "args": [{"name": "url", "value": "http://x"}]}}], templates=()
    )
    template = hook_template("test")
    template["spec"]["args"] = [{"name": "url"}, {"name": "limit", "value": "5"}]
    template["spec"]["policy"] = "Ordered"
    rollout.cluster.templates["test"] = template
    rollout.created().release(2).settle()
    run = rollout.run
    assert run.name == f"canary-{rollout.update}-0-test"
    assert run.labels == {
        "hookrun-type": "canary-step",
        "workload-revision": rollout.update,
        "canary-step-index": "0",
    }
    spec = rollout.cluster.hook_runs[run.name]["spec"]
    assert spec["args"] == [
        {"name": "url", "value": "http://x"},
        {"name": "limit", "value": "5"},
        {"name": "HostIP", "value": ""},
    ]
    assert spec["policy"] == "Ordered"


def test_gd_118_a_missing_template_is_shown_and_scaling_goes_on():
    rollout = released([{"partition": 3}, {"hook": {"templateName": "nobody"}}])
    blocked = rollout.condition("Blocked")
    assert blocked["reason"] == "HookTemplateMissing"
    assert "'nobody'" in blocked["message"]
    assert "canary step 2 of 2" in blocked["message"]
    rollout.scale(6).settle()
    assert len(rollout.cluster.pods) == 6
    rollout.cluster.templates["nobody"] = hook_template("nobody")
    rollout.settle()
    rollout.answer("Successful").settle()
    assert rollout.index == 2


def test_an_argument_without_value_is_shown():
    rollout = Rollout([{"hook": {"templateName": "test"}}])
    rollout.cluster.templates["test"]["spec"]["args"] = [{"name": "service"}]
    rollout.created().release(2).settle()
    assert rollout.condition("Blocked")["reason"] == "HookArgumentMissing"
    assert "args.service was not resolved" in rollout.condition("Blocked")["message"]


@pytest.mark.parametrize("phase", ["Failed", "Error", "Inconclusive"])
def test_gd_116_a_failed_run_adds_the_pause_reason_and_no_new_run(phase):
    rollout = at_hook()
    rollout.answer(phase).settle()
    assert rollout.reasons == [PauseReason.HOOK_STEP]
    assert len(rollout.runs) == 1
    made = [a for a in rollout.cluster.log if isinstance(a, act.CreateHookRun)]
    assert len(made) == 1


def test_a_run_deleted_by_hand_while_running_is_asked_again():
    rollout = at_hook()
    rollout.cluster.hook_runs.clear()
    rollout.settle()
    assert rollout.run.name == f"canary-{rollout.update}-4-test"


def test_a_failed_run_deleted_by_hand_is_asked_again_under_the_same_pause():
    rollout = at_hook()
    rollout.answer("Failed", MISSED).settle()
    rollout.cluster.hook_runs.clear()
    rollout.settle()
    assert (rollout.index, rollout.paused, rollout.run.phase) == (4, True, "")
    rollout.answer("Failed", MISSED).settle()
    assert (rollout.index, rollout.paused) == (4, True)
    rollout.cluster.hook_runs.clear()
    rollout.settle()
    rollout.answer("Successful").settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (5, False, 4)


def test_gd_117_a_run_that_no_longer_matters_is_cancelled():
    rollout = at_hook()
    rollout.answer("Failed").settle()
    rollout.cluster.hook_runs.clear()
    rollout.settle()  # asked once more, and while that runs ...
    name = rollout.run.name
    rollout.resume().settle()  # ... the user goes on
    assert rollout.index == 5
    assert rollout.runs[name].terminate


def test_gd_117_a_run_of_another_revision_is_removed():
    rollout = at_hook()
    name = rollout.run.name
    rollout.cluster.hook_runs[name]["metadata"]["labels"]["workload-revision"] = "gd-other"
    rollout.cluster.answer_hook(name, "Successful")
    decision = rollout.one_pass()
    assert [a.name for a in decision.actions if isinstance(a, act.DeleteHookRun)] == [name]
    assert rollout.index == 4


def test_pods_may_be_scaled_while_a_hook_runs():
    rollout = at_hook()
    rollout.scale(5).settle()
    assert (rollout.running(1), rollout.running(2), rollout.index) == (2, 3, 4)


# ---- automatic rollback


def rolled_back(type_="InplaceUpdate"):
    rollout = at_hook(type_=type_, canary={"autoRollback": True})
    rollout.before = set(rollout.cluster.pods)
    rollout.answer("Failed", MISSED).settle()
    return rollout


def test_auto_rollback_returns_all_pods_in_place_although_the_template_stays_new():
    rollout = rolled_back()
    assert (rollout.running(1), rollout.running(2)) == (4, 0)
    assert set(rollout.cluster.pods) == rollout.before
    assert (rollout.index, rollout.paused, rollout.reasons) == (4, True, [PauseReason.HOOK_STEP])
    assert rollout.update != rollout.stable
    assert rollout.status["updatedReplicas"] == 0
    blocked = rollout.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "CanaryRolledBack")
    assert rollout.run.name in blocked["message"]
    assert MISSED in blocked["message"]
    assert "4 of 4 pods are at the stable revision" in blocked["message"]
    assert rollout.condition("Progressing")["status"] == "False"
    assert rollout.condition("Progressing")["reason"] == "CanaryRolledBack"
    assert rollout.condition("Complete")["status"] == "False"


def test_auto_rollback_keeps_within_the_budget():
    rollout = at_hook(canary={"autoRollback": True})
    rollout.answer("Failed")
    for _ in range(8):
        decision = rollout.one_pass()
        assert len([a for a in decision.actions if isinstance(a, act.UpdatePodInPlace)]) <= 1
        assert sum(p["status"]["conditions"][-1]["status"] != "True" for p in rollout.cluster.pods.values()) <= 1
        rollout.kubelets()


def test_auto_rollback_of_a_rolling_update_replaces_pods():
    rollout = rolled_back(type_="RollingUpdate")
    assert (rollout.running(1), len(set(rollout.cluster.pods) & rollout.before)) == (4, 2)


def test_auto_rollback_is_level_triggered():
    rollout = rolled_back()
    rollout.cluster.kill_pod(next(iter(rollout.cluster.pods)))
    rollout.scale(6).settle()
    assert rollout.running(1) == 6
    rollout.cluster.hook_runs.clear()
    rollout.settle()
    assert rollout.running(1) == 6
    assert MISSED in rollout.condition("Blocked")["message"], "what failed is known without the HookRun"


def test_auto_rollback_ends_with_a_new_template():
    rollout = rolled_back()
    rollout.release(3).settle()
    assert (rollout.index, rollout.running(3), rollout.running(1)) == (1, 1, 3)
    assert rollout.condition("Blocked")["status"] == "False"


def test_auto_rollback_ends_with_the_old_template():
    rollout = rolled_back()
    rollout.release(1).settle()
    assert (rollout.index, rollout.paused, rollout.running(1)) == (5, False, 4)
    assert rollout.condition("Complete")["status"] == "True"


def test_auto_rollback_resumed_by_the_user_starts_the_steps_over():
    rollout = rolled_back()
    rollout.resume().settle()
    assert (rollout.index, rollout.reasons, rollout.running(2)) == (1, [PauseReason.PAUSE_STEP], 1)
    assert "start over" in rollout.said("CanaryResumed")[-1]
    assert rollout.runs == {}


def test_auto_rollback_switched_on_after_the_failure_acts_and_off_stops():
    rollout = at_hook()
    rollout.answer("Failed", MISSED).settle()
    rollout.patch(canary={"steps": WHITE_PAPER, "autoRollback": True}).settle()
    assert rollout.running(1) == 4


def test_paused_false_is_heard_even_in_the_pass_that_stores_a_revision():
    rollout = Rollout([{"pause": {}}], replicas=1).created().release(2)
    rollout.one_pass()
    rollout.one_pass()
    assert (rollout.paused, rollout.reasons) == (True, []), "in the spec, not yet in the status"
    rollout.release(1, paused=False)
    rollout.one_pass()
    rollout.patch(paused=True).settle()
    assert rollout.paused, "set by a user, and nobody else"


# ---- what other operators leave behind


def test_gd_107_a_rollout_of_the_go_operators_goes_on_where_it_stands():
    rollout = released()
    rollout.resume().settle()
    assert rollout.index == 3
    # As the Go operators leave it: their hash, a pause in status and spec, no mark.
    rollout.status["currentStepHash"] = "7f78dff66b"
    del rollout.cluster.workload["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]
    rollout.settle()
    assert (rollout.index, rollout.paused, rollout.reasons) == (3, True, [PauseReason.PAUSE_STEP])
    assert rollout.status["currentStepHash"].startswith("v2-")
    rollout.after(61)
    assert (rollout.index, rollout.paused) == (4, False)


def test_an_unreadable_mark_is_taken_back():
    rollout = Rollout(WHITE_PAPER).created()
    rollout.cluster.workload["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION] = "{"
    rollout.release(2).settle()
    assert (rollout.index, rollout.reasons) == (1, [PauseReason.PAUSE_STEP])


def test_a_step_that_is_none_is_shown():
    rollout = released([{"partition": 3}, {}])
    assert (rollout.index, rollout.running(2)) == (1, 1)
    assert rollout.condition("Blocked")["reason"] == "InvalidCanaryStep"


def test_gd_125_status_counts():
    rollout = Rollout(None, replicas=2, partition=1).created()
    rollout.release(2).settle()
    status = rollout.status
    assert (status["readyReplicas"], status["availableReplicas"]) == (2, 2)
    assert (status["updatedReplicas"], status["updatedReadyReplicas"]) == (1, 1)


def test_settled_in_every_phase_nothing_is_written():
    rollout = at_hook()
    for _ in range(3):
        version = rollout.cluster.workload["metadata"]["resourceVersion"]
        assert not rollout.one_pass().actions
        assert rollout.cluster.workload["metadata"]["resourceVersion"] == version
        rollout.cluster.now += 5
