"""Canary steps of a set: which holds, when it is over, what is left of others.

Rules: docs/spec/gamestatefulset.md 4, and 9.10.

The Go operator writes spec and status in one pass; here a pass makes one move, and the object tells at every moment
where the rollout stands.
"""

import json

import pytest

from operators.api import keys
from operators.api.reasons import PauseReason
from operators.api.strategies import CanaryStep
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.canary.state import PauseMark
from operators.planning.canary.stephash import go_step_hash, step_hash
from tests.unit.gamestatefulset.observations import (
    NOW,
    UID,
    created,
    deeds,
    hook_run,
    in_step,
    look,
    of_type,
    pod,
    pods,
    remembered,
    rollout,
    started,
    step_run,
    told,
    with_args,
)
from tests.unit.gamestatefulset.observations import decide as decide_any
from tests.unit.gamestatefulset.sets import Set

PAUSE, HOOK = {"pause": {}}, {"hook": {"templateName": "test"}}
WHITE_PAPER = ({"partition": 3}, PAUSE, {"partition": 2}, {"pause": {"duration": 60}}, HOOK)


def timed(seconds):
    return {"pause": {"duration": seconds}}


def kept_at(*ordinals, count=3, **how):
    """So many pods; those of these ordinals are updated."""
    return [pod(i, "D" if i in ordinals else "B", **how) for i in range(count)]


def at(index, *steps, held=None, paused=False, pauses=(), mark=None, run="", spec=None, numbers=None, **how):
    """A pass in mid-canary. ``mark`` is (reason, since): what the controller noted beside ``paused``."""
    hashed = step_hash(tuple(CanaryStep.model_validate(s) for s in steps))
    noted = {}
    if mark is not None:
        noted[keys.CANARY_PAUSE_ANNOTATION] = PauseMark("D", hashed, index, *mark).dump()
    strategy = {"canary": {"steps": list(steps)}, "paused": paused, "rollingUpdate": numbers}
    held = pods(3, "B") if held is None else held
    status = how.pop("status", None) or in_step(index, *steps, pauses=pauses, run=run)
    return decide_any(
        held, {"replicas": len(held), **(spec or {})}, strategy=strategy, status=status, annotations=noted, **how
    )


def own_pause(reason, since):
    """The controller's pause as it stands on the object: in the spec, with its mark, and in the status."""
    return {"paused": True, "pauses": [(reason, since)], "mark": (reason, since)}


def index(decision):
    return decision.status.dump().get("currentStepIndex")


def reasons(decision):
    return [(c["reason"], c["startTime"]) for c in decision.status.dump()["pauseConditions"]]


def patches(decision):
    return [a.patch for a in of_type(decision, act.PatchSpec)]


# ---- partitions


def kept(spec=None, strategy=None, status=None, **how):
    return rollout(pods(2, "B"), {"replicas": 2, **(spec or {})}, strategy=strategy, status=status, **how).kept


def test_gss_55_the_partition_is_that_of_the_nearest_step():
    steps = [PAUSE, {"partition": 1}]
    canary = {"canary": {"steps": steps}}
    assert kept() == 0
    assert kept(strategy=canary, status=in_step(1, *steps)) == 1
    assert kept(strategy=canary, status=in_step(0, *steps)) == 2
    assert kept(strategy=canary, status=remembered(canary={"revision": "B"})) == 2, "no index yet"


def test_gss_56_after_the_last_step_the_partition_of_the_spec_is_ignored():
    steps = [{"partition": 2}, PAUSE]
    strategy = {"canary": {"steps": steps}, "rollingUpdate": {"partition": 2}}
    assert kept(strategy=strategy, status=in_step(2, *steps)) == 0
    strategy["canary"] = None
    assert kept(strategy=strategy) == 2


def test_gss_57_before_the_first_partition_a_pod_comes_back_old():
    """An empty step is refused at admission (exactly one of partition, pause, hook); stored, it holds."""
    for step in ({}, PAUSE):
        decision = at(0, step, held=[], spec={"replicas": 1})
        assert created(decision) == {"foo-0": "B"}


# ---- which step is in force


def test_gss_100_the_step_in_force():
    for steps, number, active in (((), None, False), ((PAUSE,), 1, False), ((PAUSE, {"partition": 1}), 1, True)):
        strategy = {"canary": {"steps": list(steps)}} if steps else {}
        status = in_step(number, *steps) if steps else None
        canary = rollout(pods(3, "B"), strategy=strategy, status=status).canary
        assert (canary.index, canary.active) == (number, active)
        if active:
            assert canary.label == "canary step 2 of 2 (partition 1)"


# ---- when a step is over


def test_gss_101_a_timed_pause_is_over_when_its_time_is():
    assert index(at(0, timed(1), PAUSE, **own_pause(PauseReason.PAUSE_STEP, NOW - 5))) == 1
    late = at(0, timed(10), PAUSE, **own_pause(PauseReason.PAUSE_STEP, NOW - 5))
    assert (index(late), late.wake_after) == (0, pytest.approx(5))


def test_gss_101_a_pause_without_end_is_over_when_somebody_unpauses():
    resumed = at(0, PAUSE, {"partition": 1}, pauses=[(PauseReason.PAUSE_STEP, NOW - 5)])
    assert (index(resumed), reasons(resumed)) == (1, [])
    waits = at(0, PAUSE, {"partition": 1}, **own_pause(PauseReason.PAUSE_STEP, NOW - 5000))
    assert (index(waits), waits.wake_after) == (0, None)


def test_gss_101_a_hook_that_was_not_asked_is_asked_and_nothing_more():
    decision = at(0, HOOK, {"partition": 1})
    assert (index(decision), started(decision), deeds(decision)) == (0, ["canary-D-step0-test"], [])


def test_gss_102_a_partition_is_reached_when_its_pods_are_updated_and_ready():
    assert index(at(0, {"partition": 1}, PAUSE, held=kept_at(1, 2))) == 1
    waits = at(0, {"partition": 1}, PAUSE, held=[pod(0, "B"), pod(1, "D", ready=False), pod(2)])
    assert index(waits) == 0
    assert told(waits, "CanaryStep") == [
        "canary step 1 of 2 (partition 1): 2 of 2 pods updated, waiting for 1 to be ready"
    ]


def test_gss_102_pods_that_the_partition_keeps_do_not_count_for_it():
    """The Go operator counts all updated pods, condemned ones too, and hangs or goes on too early (8.1 B8)."""
    swapped = [pod(0, "D"), pod(1, "D"), pod(2, "B"), pod(3, "D")]
    assert index(at(0, {"partition": 2}, PAUSE, held=swapped)) == 0
    scaled_in = [*kept_at(2), pod(3), pod(4)]
    assert index(at(0, {"partition": 2}, PAUSE, held=scaled_in, spec={"replicas": 3})) == 1


def test_gss_103_a_hook_that_says_yes_ends_its_step():
    run = step_run(0, "D", "Successful")
    assert index(at(0, HOOK, {"partition": 1}, hook_runs=(run,), run=run.name)) == 1
    for phase in ("", "Running", "Failed", "Error", "Inconclusive"):
        assert index(at(0, HOOK, {"partition": 1}, hook_runs=(step_run(0, "D", phase),), run=run.name)) == 0


def test_gss_103_a_failed_hook_is_passed_over_when_somebody_unpauses():
    run = step_run(0, "D", "Failed")
    how = {"hook_runs": (run,), "run": run.name}
    assert index(at(0, HOOK, {"partition": 1}, pauses=[(PauseReason.HOOK_STEP, NOW - 5)], **how)) == 1
    stays = at(0, HOOK, {"partition": 1}, **own_pause(PauseReason.HOOK_STEP, NOW - 5), **how)
    assert index(stays) == 0
    assert run.name in told(stays, "CanaryHookFailed")[0]


def test_gss_103_a_yes_for_another_revision_or_another_step_does_not_count():
    for run in (step_run(0, "B", "Successful"), step_run(1, "D", "Successful")):
        assert index(at(0, HOOK, PAUSE, hook_runs=(run,), run=run.name)) == 0


# ---- pauses: what is recorded, what is patched


def test_gss_104_a_new_reason_is_listed_beside_the_old_one_whose_start_is_kept():
    early, late = NOW - 50, NOW - 5
    decision = at(
        0, PAUSE, PAUSE, paused=True, pauses=[(PauseReason.HOOK_STEP, early)], mark=(PauseReason.PAUSE_STEP, late)
    )
    assert reasons(decision) == [(PauseReason.PAUSE_STEP, rfc3339(late)), (PauseReason.HOOK_STEP, rfc3339(early))]
    again = at(0, PAUSE, PAUSE, **own_pause(PauseReason.PAUSE_STEP, early))
    assert (reasons(again), patches(again)) == ([(PauseReason.PAUSE_STEP, rfc3339(early))], [])
    assert reasons(at(0, {"partition": 1}, PAUSE)) == []


@pytest.mark.parametrize("steps", [(), ({"partition": 1},)])
def test_gss_105_only_a_pause_of_the_controllers_own_is_taken_back(steps):
    """The Go operator resets every ``paused`` here; one that a person set is the person's (decision 6)."""
    done = {"steps": list(steps)} if steps else None
    status = in_step(1, *steps, stable="D") if steps else remembered()
    how = {"strategy": {"canary": done, "paused": True, "type": "InplaceUpdate"}}
    assert patches(decide_any(pods(3), status=status, **how)) == []
    left = {**status, "pauseConditions": [{"reason": PauseReason.PAUSE_STEP, "startTime": rfc3339(NOW - 9)}]}
    noted = {keys.CANARY_PAUSE_ANNOTATION: PauseMark("D", "", 0, PauseReason.PAUSE_STEP, NOW - 9).dump()}
    cleared = decide_any(pods(3), status=left, annotations=noted, **how)
    assert cleared.status.dump()["pauseConditions"] == [], "first in the status ..."
    after = decide_any(pods(3), status=cleared.status.dump(), annotations=noted, **how)
    (patch,) = patches(after)
    assert patch["spec"] == {"updateStrategy": {"paused": False}}, "... and then in the spec"


def test_gss_106_a_pause_begins_in_the_spec_and_the_next_pass_records_it():
    steps = (PAUSE, {"partition": 1})
    begun = at(0, *steps)
    (patch,) = patches(begun)
    assert patch["spec"] == {"updateStrategy": {"paused": True}}
    assert reasons(begun) == []
    mark = json.loads(patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION])
    assert (mark["reason"], mark["step"], mark["revision"]) == (PauseReason.PAUSE_STEP, 0, "D")
    recorded = at(0, *steps, paused=True, mark=(PauseReason.PAUSE_STEP, NOW))
    assert (reasons(recorded), patches(recorded), deeds(recorded)) == ([(PauseReason.PAUSE_STEP, rfc3339(NOW))], [], [])


def test_gss_106_a_step_of_two_kinds_is_refused_and_updates_nothing():
    """The Go operator takes whichever member is complete first; here a step is exactly one."""
    decision = at(0, {**PAUSE, **HOOK}, {"partition": 1})
    assert (deeds(decision), index(decision), patches(decision)) == ([], 0, [])
    assert "holds 2" in told(decision, "InvalidCanaryStep")[0]


@pytest.mark.parametrize(
    ("pause", "young", "wanted"),
    [(None, None, None), (None, 1, 1), (1, None, 1), (1, 2, 1), (2, 1, 1)],
)
def test_gss_107_the_earliest_of_several_times_counts(pause, young, wanted):
    """``pause``: seconds left of the step's; ``young``: seconds until a pod has been ready for long enough."""
    step = timed(60) if pause else PAUSE
    held = pods(3, "B", since=NOW - 500 if young is None else NOW - 30 + young)
    how = own_pause(PauseReason.PAUSE_STEP, NOW - 60 + (pause or 0))
    decision = at(0, step, PAUSE, held=held, spec={"minReadySeconds": 30}, **how)
    assert decision.wake_after == (None if wanted is None else pytest.approx(wanted))


def test_gss_120_a_timed_pause_goes_by_the_time_on_the_object():
    """A pass remembers nothing: an operator that was restarted goes on at the same second."""
    how = own_pause(PauseReason.PAUSE_STEP, NOW)
    for now, left in ((NOW + 1, 59), (NOW + 59.5, 0.5)):
        assert at(0, timed(60), PAUSE, now=now, **how).wake_after == pytest.approx(left)
    assert index(at(0, timed(60), PAUSE, now=NOW + 60, **how)) == 1


# ---- a rollout begins


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(in_step(1, {"partition": 1}, PAUSE, hash_="v2-other"), id="other steps"),
        pytest.param(in_step(2, {"partition": 2}, PAUSE, update="B", stable="B"), id="other revision"),
        pytest.param(remembered("B", "B"), id="canary and template at once"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"podManagementPolicy": "Parallel"}])
def test_gss_110_the_beginning_is_put_on_record_before_any_pod_is_updated(status, more):
    decision = at(0, {"partition": 2}, PAUSE, spec=more, status=status)
    assert (deeds(decision), index(decision)) == ([], 0)
    counts = [decision.status.dump()[f] for f in ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")]
    assert counts == [3, 3, 3, 0], "the Go operator writes zeros here (8.1 B2)"
    assert decision.status.dump()["updateRevision"] == "D"


def test_gss_114_steps_that_ask_for_less_than_is_there_are_reached():
    """The Go operator compares for equality, and hangs."""
    decision = at(0, {"partition": 2}, PAUSE, held=kept_at(1, 2))
    assert (index(decision), deeds(decision)) == (1, [])
    story = Set(4, policy="Parallel", steps=[{"partition": 1}, PAUSE]).settle().release(2).settle()
    assert story.status["currentStepIndex"] == 1
    story.strategy(canary={"steps": [{"partition": 3}, PAUSE]}).settle()
    assert (story.status["currentStepIndex"], sum(v == "2" for v in story.versions().values())) == (1, 3)


@pytest.mark.parametrize(("partition", "updated"), [(6, 2), (3, 3), (0, 6)])
def test_gss_115_without_its_canary_the_rollout_goes_on_to_the_partition(partition, updated):
    steps = [{"partition": 4}, HOOK, PAUSE]
    numbers = {"partition": partition}
    story = Set(6, policy="Parallel", steps=steps, rollingUpdate=numbers).settle().release(2).settle()
    assert [r for r in story.runs() if r.startswith("canary-")]
    story.strategy(canary=None).settle()
    assert sum(v == "2" for v in story.versions().values()) == updated
    assert not story.runs()
    assert "currentStepHash" not in story.status
    assert "currentStepIndex" not in story.status


def test_gss_115_a_hook_that_still_runs_is_ended_first():
    run = step_run(0, "D", "Running")
    status = in_step(0, HOOK, run=run.name)
    decision = decide_any(kept_at(2), status=status, hook_runs=(run,), strategy={"type": "OnDelete"})
    assert [a.name for a in of_type(decision, act.TerminateHookRun)] == [run.name]
    ended = step_run(0, "D", "Failed", terminate=True)
    decision = decide_any(kept_at(2), status=status, hook_runs=(ended,), strategy={"type": "OnDelete"})
    assert [a.name for a in of_type(decision, act.DeleteHookRun)] == [run.name]


# ---- HookRuns of steps


def test_gss_117_name_labels_and_arguments_of_a_steps_run():
    hook = {"hook": {"templateName": "hr", "args": [{"name": "url", "value": "http://x"}]}}
    template = with_args("url", ("limit", "5"), name="hr")
    decision = at(1, {"partition": 3}, hook, templates=(template,), host_ip="10.9.9.9")
    (run,) = of_type(decision, act.CreateHookRun)
    assert run.name == "canary-D-step1-hr"
    assert run.labels == {"hookrun-type": "canary-step", "workload-revision": "D", "canary-step-index": "1"}
    values = {a["name"]: a["value"] for a in run.spec["args"]}
    assert values == {"url": "http://x", "limit": "5", "HostIP": "10.9.9.9"}


def test_gss_117_without_its_template_nothing_is_created_and_that_is_said():
    decision = at(0, HOOK, PAUSE, templates=())
    assert (started(decision), index(decision)) == ([], 0)
    assert told(decision, "HookTemplateMissing") == [
        "HookTemplate 'test' of the canary step 1 of 2 (hook test) does not exist"
    ]


def test_gss_118_a_run_that_no_step_waits_for_is_ended():
    pending = step_run(0, "D", "Pending", name="hr1")
    decision = at(1, HOOK, {"partition": 2}, hook_runs=(pending,), run="hr1")
    assert [a.name for a in of_type(decision, act.TerminateHookRun)] == ["hr1"]
    again = step_run(0, "D", "Pending", name="hr1", terminate=True)
    assert not of_type(at(1, HOOK, {"partition": 2}, hook_runs=(again,), run="hr1"), act.TerminateHookRun)


def test_gss_118_a_finished_run_of_another_revision_goes_and_a_failed_one_of_this_step_stays():
    foreign, own = step_run(0, "B", "Failed"), step_run(0, "D", "Failed")
    decision = at(0, HOOK, PAUSE, hook_runs=(foreign, own), run=own.name, **own_pause(PauseReason.HOOK_STEP, NOW - 5))
    assert [a.name for a in of_type(decision, act.DeleteHookRun)] == [foreign.name]
    assert of_type(decision, act.TerminateHookRun) == []


def test_gss_118_runs_of_pods_and_of_other_sets_are_none_of_a_steps():
    other = {"kind": "GameStatefulSet", "name": "other", "uid": "uid-other", "controller": True}
    yes = step_run(0, "D", "Successful", owner=other)
    decision = at(0, HOOK, PAUSE, hook_runs=(yes, hook_run("predelete", 2, "B", "Successful")))
    assert (index(decision), started(decision)) == (0, ["canary-D-step0-test"])
    assert yes.owner.uid != UID
    assert look(hook_runs=(yes,)).hook_runs


# ---- taken over from the Go operator


@pytest.mark.parametrize("where", [0, 2, 4])
def test_gss_119_a_rollout_of_the_go_operator_goes_on_where_it_stands(where):
    steps = tuple(CanaryStep.model_validate(s) for s in WHITE_PAPER)
    status = in_step(where, *WHITE_PAPER, hash_=go_step_hash(steps))
    decision = at(where, *WHITE_PAPER, held=kept_at(3, count=4), status=status)
    assert index(decision) in (where, where + 1)
    assert decision.status.dump()["currentStepHash"] == step_hash(steps)
    started_over = at(where, *WHITE_PAPER, held=kept_at(3, count=4), status={**status, "currentStepHash": "65bb57b6b5"})
    assert index(started_over) == 0, "the hash of other steps"
