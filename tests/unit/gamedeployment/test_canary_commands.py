"""A person's commands to a canary: one annotation, obeyed once (docs/canary.md, Commands; ux-16 to ux-19)."""

import json

import pytest

from operators.api import keys
from operators.gamedeployment.plan import plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from tests.unit.gamedeployment.rollouts import WHITE_PAPER, Rollout

PAUSE = {"pause": {}}


def released(steps=WHITE_PAPER, **how):
    return Rollout(steps, **how).created().release(2).settle()


def command(rollout, do, **changed):
    """The annotation that ``kubectl game`` writes, as the rollout stands now."""
    status = rollout.status
    body = {
        "do": do,
        "revision": status["updateRevision"],
        "steps": status["currentStepHash"],
        "index": status["currentStepIndex"],
        "by": "ada",
        "at": rfc3339(rollout.cluster.now + 1),
        **changed,
    }
    return json.dumps(body)


def put(rollout, text):
    metadata = rollout.cluster.workload["metadata"]
    metadata["annotations"] = {**metadata["annotations"], keys.CANARY_COMMAND_ANNOTATION: text}
    rollout.cluster._touch(rollout.cluster.workload)
    return rollout


def give(rollout, do, **changed):
    return put(rollout, command(rollout, do, **changed))


def commanded(rollout):
    return keys.CANARY_COMMAND_ANNOTATION in rollout.cluster.workload["metadata"]["annotations"]


def marked(rollout):
    return keys.CANARY_PAUSE_ANNOTATION in rollout.cluster.workload["metadata"]["annotations"]


def place(rollout):
    """Where a rollout rests, without what differs between two equal histories."""
    pauses = rollout.reasons
    return rollout.index, rollout.paused, pauses, rollout.running(1), rollout.running(2), commanded(rollout)


# ---- what each does


def test_a_skip_leaves_a_pause_and_names_what_was_skipped_and_by_whom():
    rollout = give(released(), "skip").settle()
    assert place(rollout) == (3, True, ["PausedByCanaryPauseStep"], 2, 2, False)
    (said,) = rollout.said("CanaryCommandObeyed")
    assert "skipped: canary steps 2 (pause); going on with step 3 of 5 (partition 2) (skip, by ada at" in said


def test_a_skip_leaves_a_partition_that_is_not_reached_and_a_timed_pause():
    rollout = Rollout([{"partition": 0}, PAUSE]).created()
    rollout.release(2).one_pass()
    give(rollout, "skip", to=1).settle()
    assert rollout.index == 1
    rollout = give(give(released(), "skip").settle(), "skip").settle()
    assert rollout.index == 4  # the pause of 60 s is cut short
    assert not marked(rollout)


def test_a_skip_leaves_a_check_that_runs_and_cancels_it():
    rollout = give(released([{"hook": {"templateName": "test"}}, {"partition": 2}, PAUSE]), "skip").settle()
    assert (rollout.index, rollout.running(2)) == (2, 2)
    assert all(run.terminate for run in rollout.runs.values())


def test_ux_21_promote_full_goes_past_all_steps_within_the_budget():
    rollout = give(released(), "promote-full")
    worst = []
    rollout.settle(watch=lambda r: worst.append(4 - len(r.ready)))
    assert place(rollout) == (5, False, [], 0, 4, False)
    assert max(worst) == 1
    assert rollout.stable == rollout.update


@pytest.mark.parametrize(
    "steps",
    [
        [{"partition": 2}, PAUSE],
        [{"partition": 2}, {"pause": {"duration": 600}}],
        [{"partition": 2}, {"hook": {"templateName": "test"}}],
        [{"partition": 2}, {"partition": 1, "pause": {}}],
    ],
)
def test_abort_brings_pods_back_from_each_kind_of_step_and_a_resume_starts_over(steps):
    rollout = give(released(steps), "abort").settle()
    assert place(rollout) == (1, True, ["PausedByCanaryAbort"], 4, 0, False)
    assert rollout.version(rollout.names[0]) == 1
    assert rollout.spec["template"]["spec"]["containers"][0]["image"] == "game:2"
    blocked = rollout.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "CanaryAborted")
    assert "aborted by ada at" in blocked["message"]
    assert "4 of 4 pods are at the stable revision" in blocked["message"]
    assert rollout.condition("Progressing")["reason"] == "CanaryAborted"
    rollout.resume().settle()
    assert (rollout.index, rollout.running(2)) == (1, 4 - steps[-1].get("partition", 2))


def test_after_an_abort_another_template_starts_a_new_rollout_and_the_old_one_ends_it():
    rollout = give(released(), "abort").settle()
    rollout.release(3).settle()
    assert (rollout.index, rollout.running(3), rollout.paused) == (1, 1, True)
    rollout = give(released(), "abort").settle()
    rollout.release(1).settle()
    assert place(rollout) == (5, False, [], 4, 0, False)


def test_ux_19_abort_in_grace_restarts_no_pod_that_has_not_been_restarted():
    rollout = Rollout([{"partition": 2}, PAUSE], inPlaceUpdateStrategy={"gracePeriodSeconds": 30}).created()
    rollout.release(2).settle()
    give(rollout, "abort").settle()
    rollout.after(60)
    assert rollout.running(1) == 4
    restarts = [c["restartCount"] for p in rollout.cluster.pods.values() for c in p["status"]["containerStatuses"]]
    assert restarts == [0] * 4


def test_retry_goes_back_to_the_step_named_and_asks_its_check_anew():
    rollout = released([{"partition": 3}, {"hook": {"templateName": "test"}}, {"partition": 1}, PAUSE])
    rollout.answer("Failed").settle()
    before = set(rollout.runs)
    rollout.cluster.now += 5
    give(rollout, "retry", to=1).settle()
    assert (rollout.index, rollout.paused, rollout.reasons) == (1, False, [])
    assert not rollout.run.completed
    assert before  # the earlier run is gone, the new one has its name
    rollout.answer("Successful").settle()
    assert rollout.index == 3
    give(rollout, "retry").settle()
    assert rollout.index == 1


def test_retry_after_an_abort():
    rollout = give(released(), "abort").settle()
    rollout.cluster.now += 5
    give(rollout, "retry", to=1).settle()
    assert place(rollout) == (1, True, ["PausedByCanaryPauseStep"], 3, 1, False)


def test_a_users_pause_outlives_a_skip():
    rollout = Rollout([{"partition": 3}, PAUSE, {"partition": 1}], paused=True).created().release(2).settle()
    give(rollout, "skip", to=2).settle()
    assert (rollout.index, rollout.paused, rollout.running(2)) == (2, True, 0)


# ---- what is not obeyed


@pytest.mark.parametrize(
    ("do", "changed", "why"),
    [
        ("skip", {"revision": "game-other"}, "it is for revision game-other"),
        ("skip", {"steps": "v2-0000000000"}, "another list of steps"),
        ("skip", {"index": 0, "to": 4}, "it is for step 1, in force is step 2 of 5"),
        ("skip", {"to": 0}, "a skip goes on to a step from 3 to 6"),
        ("skip", {"to": 9}, "a skip goes on to a step from 3 to 6"),
        ("retry", {"to": 3}, "retry goes back to a step from 1 to 2"),
        ("retry", {"to": 1, "at": "1970-01-01T00:00:00Z"}, "before the pause it would end began"),
        ("abort", {"index": 0}, "it is for step 1"),
        ("dance", {}, "there is no command 'dance'"),
        ("skip", {"index": "1"}, "whole numbers"),
        ("skip", {"at": "soon"}, "it cannot be read"),
    ],
)
def test_ux_17_a_stale_command_is_taken_off_and_does_nothing_but_say_so(do, changed, why):
    rollout = released()
    before = place(rollout)
    give(rollout, do, **changed).settle()
    assert place(rollout) == before
    (said,) = rollout.said("CanaryCommandStale")
    assert why in said


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"do":"skip"}', "9" * 5000, "[" * 100_000])
def test_ux_17_an_unreadable_command_is_taken_off(text):
    rollout = put(released(), text).settle()
    assert not commanded(rollout)
    assert len(rollout.said("CanaryCommandStale")) == 1


@pytest.mark.parametrize("do", ["skip", "promote-full", "abort"])
def test_ux_17_a_command_that_arrives_twice_is_obeyed_once(do):
    rollout = released()
    text = command(rollout, do)
    put(rollout, text).settle()
    before = place(rollout)
    put(rollout, text).settle()
    after = place(rollout)
    assert after[0] == before[0]
    assert after[3:] == before[3:]


def test_ux_17_a_command_for_a_rollout_that_is_done_or_without_steps():
    done = give(give(released(), "promote-full").settle(), "abort").settle()
    assert "all steps are done" in done.said("CanaryCommandStale")[0]
    plain = Rollout(None).created()
    put(plain, command(give(released(), "skip"), "skip", revision=plain.update)).settle()
    assert "there are no canary steps" in plain.said("CanaryCommandStale")[0]


def test_ux_17_a_retry_from_a_step_that_there_is_not_is_stale_also_when_all_are_done():
    done = give(released(), "promote-full").settle()
    give(done, "retry", to=len(done.cluster.workload["spec"]["updateStrategy"]["canary"]["steps"])).settle()
    assert "all steps are done" in done.said("CanaryCommandStale")[0]


# ---- an operator that dies


def _live(rollout, dies_before):
    """Passes until nothing moves; the operator dies before its write of that number. How many writes there were."""
    writes = 0
    for _ in range(60):
        rollout.kubelets()
        decision = plan(rollout.cluster.observe(), rollout.cluster.now)
        moves = [*((rollout.cluster.apply, a) for a in decision.actions), (rollout.cluster.write_status, decision)]
        moved = False
        for write, what in moves:
            if writes == dies_before:
                dies_before, moved = -1, True
                break
            changed = write(what)
            moved = moved or changed
            writes += changed
        if not moved:
            return writes
    raise AssertionError("does not settle")


def _scene(name):
    if name == "skip":
        return give(released(), "skip")
    if name == "skip far":
        return give(released(), "skip", to=4)
    if name == "promote-full":
        return give(released(), "promote-full")
    if name == "abort":
        return give(released(), "abort")
    if name == "resumed":
        return give(released(), "skip", to=2).resume()
    aborted = give(released(), "abort").settle()
    aborted.cluster.now += 5
    if name == "retry of the same":
        return give(aborted, "retry", to=1)
    failed = released([{"partition": 3}, {"hook": {"templateName": "test"}}]).answer("Failed").settle()
    failed.cluster.now += 5
    return give(failed, "retry", to=0 if name == "retry" else 1)


@pytest.mark.parametrize(
    "name",
    ["skip", "skip far", "promote-full", "abort", "resumed", "retry", "retry of a check", "retry of the same"],
)
def test_ux_18_killed_before_any_write_the_end_is_the_same(name):
    usual = _scene(name)
    count = _live(usual, -1)
    assert count >= 2
    assert not commanded(usual)
    for number in range(count):
        killed = _scene(name)
        _live(killed, number)
        assert place(killed) == place(usual), f"killed before write {number}"


def test_ux_18_a_command_that_can_not_be_taken_off_is_not_obeyed_again():
    rollout = give(released([{"partition": 3}, PAUSE, {"partition": 2}, PAUSE]), "skip")
    for _ in range(20):
        rollout.kubelets()
        decision = plan(rollout.cluster.observe(), rollout.cluster.now)
        for action in decision.actions:
            if not isinstance(action, act.PatchSpec):
                rollout.cluster.apply(action)
        rollout.cluster.write_status(decision)
    assert rollout.index == 2
