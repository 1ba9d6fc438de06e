"""The rules of canary steps, one by one (docs/spec/gamedeployment.md 4.1 to 4.5)."""

import json
from dataclasses import replace

import pytest

from operators.api import keys
from operators.api.reasons import PauseReason
from operators.api.strategies import Canary, CanaryStep
from operators.planning.actions import CreateHookRun, DeleteHookRun, TerminateHookRun
from operators.planning.canary.hooks import StepHooks
from operators.planning.canary.state import (
    DesiredRollout,
    PauseMark,
    PodCounts,
    RecordedState,
    canary_state,
    partition_in_force,
    read_pause_mark,
    read_recorded,
)
from operators.planning.canary.stephash import go_step_hash, same_steps, step_hash
from operators.planning.canary.steps import decide
from operators.planning.views import HookRunView, HookTemplateView
from operators.planning.workloadstatus import WorkloadStatus

NOW = 1_000_000.0
WHITE_PAPER = [
    {"partition": 3},
    {"pause": {}},
    {"partition": 2},
    {"pause": {"duration": 60}},
    {"hook": {"templateName": "test"}},
]


def steps(*raw):
    return tuple(CanaryStep.model_validate(r) for r in raw)


def recorded(list_, index, **known):
    """What an object in the middle of a rollout to "new" remembers."""
    given = {"update": "new", "step_hash": step_hash(list_), "index": index, "stable": "old", **known}
    return RecordedState(**given)


def mark(list_, index, reason=PauseReason.PAUSE_STEP, since=NOW, **known):
    return PauseMark(known.pop("revision", "new"), step_hash(list_), index, reason, since, **known)


def canary(list_, known, *, paused=False, replicas=4, update="new", auto=False, partition=None, mixed=True):
    canary = None if list_ is None else Canary(steps=list_, auto_rollback=auto)
    desired = DesiredRollout(canary, partition, paused, replicas)
    return canary_state(desired, replace(known, paused=paused), update, "old", mixed=mixed, known={"old", "new"})


def pods(replicas=4, updated=0, **how):
    counts = {"updated_ready": updated, "ready": replicas, "available": replicas, "stable": replicas - updated, **how}
    return PodCounts(replicas=replicas, outdated=replicas - updated, updated=updated, **counts)


def run(name="canary-new-0-test", phase="", *, revision="new", step=0, message="", terminate=False, deleting=False):
    labels = {"hookrun-type": "canary-step", "workload-revision": revision, "canary-step-index": str(step)}
    return HookRunView(
        "game", name, "uid-" + name, "1", NOW, labels, phase, message, terminate=terminate, deleting=deleting
    )


def template(name="test", args=(), policy=""):
    return HookTemplateView("game", name, "uid", "1", args, ({"name": "m"},), policy)


def move(course_, counts, *runs, templates=(), now=NOW, complete=False, **how):
    hooks = StepHooks(runs, {t.name: t for t in templates}, **how)
    return decide(course_, counts, hooks, now, complete=complete)


# ---- hash of the list


def test_gd_107_hashes_of_the_go_operators():
    assert go_step_hash(None) == "65bb57b6b5"
    assert go_step_hash(steps({"pause": {}})) == "5d9755c8cc"
    assert go_step_hash(steps(*WHITE_PAPER)) == "7f78dff66b"
    args = [{"name": "a", "value": "b c"}, {"name": "d", "value": ""}]
    assert go_step_hash(steps({"hook": {"templateName": "test", "args": args}})) == "5865ff5745"
    assert go_step_hash(()) == "7f95ccdd8b"
    assert go_step_hash(steps({"partition": "50%"})) is None


def test_gd_107_no_canary_is_no_step():
    found = canary(None, RecordedState(update="new", stable="old"))
    assert found.index is None
    assert not found.active


@pytest.mark.parametrize("list_", [steps(*WHITE_PAPER), steps({"pause": {}}), steps({"partition": "50%"}), ()])
def test_a_list_is_the_same_by_our_hash_and_by_theirs(list_):
    assert same_steps(step_hash(list_), list_)
    theirs = go_step_hash(list_)
    assert theirs is None or same_steps(theirs, list_)
    other = (*list_, *steps({"partition": 1}))
    assert not same_steps(step_hash(list_), other)
    assert not same_steps(theirs or "", other)
    assert not same_steps("", list_)


# ---- partition in force


def test_gd_108_the_nearest_partition_backwards():
    list_ = steps({"pause": {}}, {"partition": 1})
    assert partition_in_force(list_, 1, 4) == 1
    assert partition_in_force(list_, 0, 4) == 4
    assert canary(None, RecordedState(update="new"), partition=1).kept == 1
    assert canary(list_, recorded(list_, None)).kept == 4


def test_gd_109_after_the_last_step_nothing_is_kept():
    list_ = steps(*WHITE_PAPER)
    assert canary(list_, recorded(list_, 5, stable="new"), partition=2).kept == 0


@pytest.mark.parametrize(
    ("partition", "replicas", "kept"),
    [(3, 4, 3), (10, 4, 4), (0, 4, 0), ("50%", 4, 2), ("30%", 8, 3), ("99%", 2, 1), ("100%", 4, 4), ("0%", 4, 0)],
)
def test_gd_122_partitions_are_clamped_and_percentages_round_up(partition, replicas, kept):
    assert partition_in_force(steps({"partition": partition}), 0, replicas) == kept


# ---- where a rollout stands


@pytest.mark.parametrize(
    ("known", "mixed", "index", "stable"),
    [
        (RecordedState(), False, 5, "new"),  # first creation
        (RecordedState(), True, 0, "old"),  # pods of another version, and no history
        (RecordedState(update="old", stable="old"), True, 0, "old"),  # canary and template in one edit (case 121)
        (RecordedState(update="new", stable="new"), False, 5, "new"),  # canary added, nothing to roll out
        (RecordedState(update="new", stable="old"), True, 0, "old"),  # canary added in mid-rollout
    ],
)
def test_gd_110_and_121_where_a_rollout_begins(known, mixed, index, stable):
    found = canary(steps(*WHITE_PAPER), known, mixed=mixed)
    assert (found.index, found.stable, found.begins) == (index, stable, True)
    assert found.held, "nothing is updated before the beginning is on record"


def test_gd_119_the_stable_revision_skips_all_steps():
    list_ = steps(*WHITE_PAPER)
    found = canary(list_, recorded(list_, 1, update="new", stable="old"), update="old")
    assert (found.index, found.kept, found.begins) == (5, 0, True)


def test_gd_120_another_list_starts_over():
    list_ = steps(*WHITE_PAPER)
    assert canary(list_[:3], recorded(list_, 2)).index == 0
    assert canary(list_[:3], recorded(list_, 5, stable="new")).index == 3


def test_a_rollout_goes_on_at_the_recorded_step():
    list_ = steps(*WHITE_PAPER)
    found = canary(list_, recorded(list_, 2))
    assert (found.index, found.kept, found.begins, found.held) == (2, 2, False, False)


# ---- when a step is complete


def test_gd_113_a_partition_is_reached_with_enough_ready_updated_pods():
    list_ = steps({"partition": 1}, {"pause": {}})
    where = canary(list_, recorded(list_, 0), replicas=3)
    assert move(where, pods(3, 2)).canary_status.index == 1
    assert move(where, pods(3, 3)).canary_status.index == 1, "overshot is reached"
    assert move(where, pods(3, 2, updated_ready=1)).canary_status.index == 0
    assert move(where, pods(3, 1)).canary_status.index == 0
    assert move(where, pods(3, 2, available=2)).canary_status.index == 0, "a ready pod is not available yet"
    assert move(where, replace(pods(3, 2), outdated=2)).canary_status.index == 0, "an old pod has still to go"


def test_gd_124_more_replicas_raise_what_a_partition_asks_for():
    list_ = steps({"partition": 3}, {"pause": {}})
    assert move(canary(list_, recorded(list_, 0), replicas=6), pods(6, 1)).canary_status.index == 0
    assert move(canary(list_, recorded(list_, 0), replicas=6), pods(6, 3)).canary_status.index == 1


@pytest.mark.parametrize(("passed", "index"), [(5.0, 1), (1.0, 1), (0.5, 0)])
def test_gd_112_a_timed_pause(passed, index):
    list_ = steps({"pause": {"duration": 1}})
    known = recorded(list_, 0, pauses={PauseReason.PAUSE_STEP: NOW - passed}, mark=mark(list_, 0, since=NOW - passed))
    decision = move(canary(list_, known, paused=True), pods())
    assert decision.canary_status.index == index
    assert decision.wait == (None if index else pytest.approx(0.5))


def test_gd_112_a_manual_pause_ends_when_paused_is_false():
    list_ = steps({"pause": {}}, {"partition": 1})
    known = recorded(list_, 0, pauses={PauseReason.PAUSE_STEP: NOW})
    assert move(canary(list_, known), pods()).canary_status.index == 1
    known = replace(known, mark=mark(list_, 0))
    assert move(canary(list_, known, paused=True), pods()).canary_status.index == 0


def test_gd_114_a_hook_step():
    list_ = steps({"hook": {"templateName": "test"}}, {"pause": {}})
    where = canary(list_, recorded(list_, 0))
    assert move(where, pods(), run(phase="Successful")).canary_status.index == 1
    assert move(where, pods(), run(phase="Running")).canary_status.index == 0
    assert move(where, pods(), templates=[template()]).canary_status.index == 0
    failed = recorded(list_, 0, pauses={PauseReason.HOOK_STEP: NOW})
    assert move(canary(list_, failed), pods(), run(phase="Failed")).canary_status.index == 1


# ---- pausing and resuming, one write at a time


def written(decision):
    """The fields of the status in which a decision is recorded."""
    return decision.canary_status.recorded_in(WorkloadStatus(), {}).dump()


def test_gd_115_reasons_of_pauses_are_listed_once_each():
    list_ = steps({"pause": {}})
    known = recorded(list_, 0, pauses={PauseReason.HOOK_STEP: NOW - 9}, mark=mark(list_, 0))
    fields = written(move(canary(list_, known, paused=True), pods()))
    assert [p["reason"] for p in fields["pauseConditions"]] == [PauseReason.PAUSE_STEP, PauseReason.HOOK_STEP]
    assert [p["startTime"] for p in fields["pauseConditions"]] == ["1970-01-12T13:46:40Z", "1970-01-12T13:46:31Z"]
    known = recorded(list_, 0)
    waits = move(canary(list_, known), pods(updated=0, ready=0, available=0))
    assert written(waits)["pauseConditions"] == []


def test_a_pause_is_written_into_the_spec_first_and_only_there():
    list_ = steps({"pause": {}})
    decision = move(canary(list_, recorded(list_, 0)), pods())
    assert decision.canary_status.pauses == {}
    assert decision.patch.patch["spec"] == {"updateStrategy": {"paused": True}}
    text = decision.patch.patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]
    assert read_pause_mark(text) == mark(list_, 0)


def test_a_mark_without_pause_in_the_status_is_copied_there():
    list_ = steps({"pause": {}})
    known = recorded(list_, 0, mark=mark(list_, 0, since=NOW - 3))
    decision = move(canary(list_, known, paused=True), pods())
    assert decision.patch is None
    assert decision.canary_status.pauses == {PauseReason.PAUSE_STEP: NOW - 3}


def test_a_resume_between_the_two_writes_of_a_pause_is_heard():
    list_ = steps({"pause": {}}, {"partition": 1})
    half = recorded(list_, 0, mark=mark(list_, 0))
    assert move(canary(list_, half), pods()).canary_status.pauses == {PauseReason.PAUSE_STEP: NOW}
    noted = replace(half, pauses={PauseReason.PAUSE_STEP: NOW})
    dropped = move(canary(list_, noted), pods())
    assert dropped.patch.patch == {"metadata": {"annotations": {keys.CANARY_PAUSE_ANNOTATION: None}}}
    assert dropped.canary_status.index == 0
    assert move(canary(list_, replace(noted, mark=None)), pods()).canary_status.index == 1


def test_a_pause_that_is_over_leaves_the_status_first_then_the_spec():
    list_ = steps({"pause": {"duration": 1}}, {"partition": 1})
    known = recorded(list_, 0, pauses={PauseReason.PAUSE_STEP: NOW - 5}, mark=mark(list_, 0, since=NOW - 5))
    decision = move(canary(list_, known, paused=True), pods())
    assert (decision.canary_status.index, decision.canary_status.pauses, decision.patch) == (1, {}, None)
    left = recorded(list_, 1, mark=mark(list_, 0, since=NOW - 5))
    decision = move(canary(list_, left, paused=True), pods())
    assert decision.canary_status.index == 1
    assert decision.patch.patch["spec"] == {"updateStrategy": {"paused": False}}


def test_a_start_time_is_rounded_up():
    list_ = steps({"pause": {"duration": 60}})
    decision = move(canary(list_, recorded(list_, 0)), pods(), now=NOW + 0.25)
    text = decision.patch.patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]
    assert json.loads(text)["since"] == "1970-01-12T13:46:41Z"


def test_two_pauses_in_a_row_are_two_pauses():
    list_ = steps({"pause": {"duration": 1}}, {"pause": {}})
    left = recorded(list_, 1, mark=mark(list_, 0))
    decision = move(canary(list_, left, paused=True), pods())
    text = decision.patch.patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]
    assert read_pause_mark(text).step == 1


@pytest.mark.parametrize(
    "list_", [steps({"partition": 4}), steps({"pause": {}}), steps({"hook": {"templateName": "t"}})]
)
def test_a_users_pause_holds_the_step_and_stays(list_):
    where = canary(list_, recorded(list_, 0), paused=True)
    decision = move(where, pods(), run(phase="Successful"), templates=[template("t")])
    assert (decision.canary_status.index, decision.patch, decision.actions) == (0, None, ())
    assert decision.blocked[0].reason == "Paused"


def test_a_rollout_does_not_begin_while_a_mark_of_nothing_is_left():
    list_ = steps({"partition": 3})
    known = recorded(list_, 1, update="older", mark=mark(list_, 0))
    decision = move(canary(list_, known, paused=True), pods())
    assert decision.canary_status.update == "older"
    assert decision.patch.patch["spec"] == {"updateStrategy": {"paused": False}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"step": "x"}', "null"])
def test_an_unreadable_mark_speaks_for_no_step(text):
    assert read_pause_mark(text).step == -1
    assert read_pause_mark(None) is None


def test_the_object_is_read_as_it_was_written():
    list_ = steps(*WHITE_PAPER)
    known = recorded(
        list_,
        4,
        pauses={PauseReason.HOOK_STEP: NOW},
        mark=mark(list_, 4, PauseReason.HOOK_STEP, message="value 0"),
        paused=True,
    )
    decision = move(canary(list_, known, paused=True), pods(updated=2), run("r", "Failed", step=4))
    annotations = {keys.CANARY_PAUSE_ANNOTATION: known.mark.dump()}
    read = read_recorded(written(decision), annotations, paused=True)
    assert read == replace(known, hook_run="r")


# ---- HookRuns of steps


def test_gd_118_name_labels_and_arguments_of_a_run():
    args = [{"name": "url", "value": "http://x"}, {"name": "unknown", "value": "1"}]
    list_ = steps({"pause": {}}, {"hook": {"templateName": "test", "args": args}})
    declared = template(args=(("url", None), ("limit", "5")), policy="Ordered")
    decision = move(canary(list_, recorded(list_, 1)), pods(), templates=[declared], host_ip="10.0.0.7")
    (made,) = decision.actions
    assert isinstance(made, CreateHookRun)
    assert made.name == "canary-new-1-test"
    assert made.labels == {
        "hookrun-type": "canary-step",
        "workload-revision": "new",
        "canary-step-index": "1",
    }
    assert made.spec["args"] == [
        {"name": "url", "value": "http://x"},
        {"name": "limit", "value": "5"},
        {"name": "HostIP", "value": "10.0.0.7"},
    ]
    assert (made.spec["metrics"], made.spec["policy"]) == ([{"name": "m"}], "Ordered")


def test_the_other_kind_of_workload_names_its_runs_with_a_prefix():
    list_ = steps({"hook": {"templateName": "test"}})
    decision = move(canary(list_, recorded(list_, 0)), pods(), templates=[template()], index_prefix="step")
    assert decision.actions[0].name == "canary-new-step0-test"


def test_gd_118_a_missing_template_makes_no_run():
    list_ = steps({"hook": {"templateName": "test"}})
    decision = move(canary(list_, recorded(list_, 0)), pods())
    assert decision.actions == ()
    assert decision.blocked[0].reason == "HookTemplateMissing"
    assert not decision.blocked[0].waiting


def test_gd_116_a_failed_run_pauses_and_no_other_is_made():
    list_ = steps({"hook": {"templateName": "test"}})
    said = "metric m: value 0 did not meet asInt(result) == 1"
    decision = move(
        canary(list_, recorded(list_, 0)), pods(), run(phase="Failed", message=said), templates=[template()]
    )
    assert decision.actions == ()
    text = decision.patch.patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]
    assert (read_pause_mark(text).reason, said in read_pause_mark(text).message) == (PauseReason.HOOK_STEP, True)
    assert said in decision.blocked[0].message


def test_gd_117_other_runs_are_cancelled_and_removed():
    list_ = steps({"hook": {"templateName": "test"}}, {"pause": {}})
    pending, done = run("pending", step=0), run("done", "Successful", step=0)
    foreign, stopped = run("foreign", "Failed", revision="older"), run("stopped", terminate=True)
    decision = move(canary(list_, recorded(list_, 1)), pods(updated=1), pending, done, foreign, stopped)
    assert [a.name for a in decision.actions if isinstance(a, TerminateHookRun)] == ["pending"]
    assert [a.name for a in decision.actions if isinstance(a, DeleteHookRun)] == ["foreign"]


def test_hook_113_a_rollout_begins_when_no_run_of_an_earlier_one_is_left():
    list_ = steps({"hook": {"templateName": "test"}})
    where = canary(list_, recorded(list_, 0, update="older"))
    first = move(where, pods(), run(phase="Running", revision="older"))
    assert isinstance(first.actions[0], TerminateHookRun)
    second = move(where, pods(), run(phase="Running", revision="older", terminate=True))
    assert isinstance(second.actions[0], DeleteHookRun)
    assert (first.canary_status.update, second.canary_status.update) == ("older", "older")
    third = move(where, pods(), run(phase="Running", revision="older", deleting=True))
    assert (third.canary_status.update, third.canary_status.index) == ("new", 0)


def test_a_run_that_is_being_removed_is_waited_for():
    list_ = steps({"hook": {"templateName": "test"}})
    decision = move(canary(list_, recorded(list_, 0)), pods(), run(deleting=True), templates=[template()])
    assert decision.actions == ()
    assert "being removed" in decision.blocked[0].message


# ---- automatic rollback


def failed(list_, **how):
    known = recorded(
        list_,
        0,
        pauses={PauseReason.HOOK_STEP: NOW},
        mark=mark(list_, 0, PauseReason.HOOK_STEP, message="HookRun r ended Failed"),
    )
    return canary(list_, known, auto=True, **how)


def test_auto_rollback_brings_pods_to_the_stable_revision():
    found = failed(steps({"hook": {"templateName": "test"}}), paused=True)
    assert (found.target, found.kept, found.held, found.rolling_back) == ("old", 0, False, True)
    decision = move(found, pods(updated=1))
    assert decision.blocked[0].reason == "CanaryRolledBack"
    assert "3 of 4 pods" in decision.blocked[0].message
    assert "HookRun r ended Failed" in decision.blocked[0].message
    assert decision.actions == ()


def test_auto_rollback_without_its_revision_is_not_possible_and_says_so():
    list_ = steps({"hook": {"templateName": "test"}})
    known = replace(failed(list_, paused=True).recorded, stable="gone")
    found = canary(list_, known, auto=True, paused=True)
    assert (found.target, found.held) == ("new", True)
    assert move(found, pods(updated=1)).blocked[0].reason == "CanaryRollbackNotPossible"


def test_auto_rollback_resumed_starts_over_when_its_run_is_gone():
    list_ = steps({"partition": 3}, {"hook": {"templateName": "test"}})
    known = recorded(list_, 1, pauses={PauseReason.HOOK_STEP: NOW})
    found = canary(list_, known, auto=True)
    assert (found.target, found.held) == ("new", True)
    swept = move(found, pods(), run(phase="Failed", step=1))
    assert isinstance(swept.actions[0], DeleteHookRun)
    assert swept.canary_status.index == 1
    assert move(found, pods()).canary_status.index == 0


# ---- what is said


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (pods(4, 0), "canary step 1 of 5 (partition 3): 0 of 1 pods updated"),
        (
            pods(4, 1, updated_ready=0),
            "canary step 1 of 5 (partition 3): 1 of 1 pods updated, waiting for 1 to be ready",
        ),
        (
            pods(4, 1, available=3),
            "canary step 1 of 5 (partition 3): 1 of 1 pods updated, waiting for 1 ready pods to become available",
        ),
        (
            replace(pods(4, 1), outdated=4),
            "canary step 1 of 5 (partition 3): 1 of 1 pods updated, waiting for 1 old pods to go",
        ),
    ],
)
def test_a_partition_step_says_what_it_waits_for(counts, text):
    list_ = steps(*WHITE_PAPER)
    (blocked,) = move(canary(list_, recorded(list_, 0)), counts).blocked
    assert (blocked.reason, blocked.message, blocked.waiting) == ("CanaryStep", text, True)


def test_pauses_say_until_when_or_for_whom():
    list_ = steps({"pause": {}}, {"pause": {"duration": 60}})
    known = recorded(list_, 0, pauses={PauseReason.PAUSE_STEP: NOW}, mark=mark(list_, 0))
    (blocked,) = move(canary(list_, known, paused=True), pods()).blocked
    assert blocked.message == (
        "canary step 1 of 2 (pause): waits since 1970-01-12T13:46:40Z "
        "for a person to set updateStrategy.paused to false"
    )
    known = recorded(list_, 1, pauses={PauseReason.PAUSE_STEP: NOW}, mark=mark(list_, 1))
    (blocked,) = move(canary(list_, known, paused=True), pods()).blocked
    assert blocked.message == (
        "canary step 2 of 2 (pause 60 s): waits from 1970-01-12T13:46:40Z until 1970-01-12T13:47:40Z"
    )


@pytest.mark.parametrize("raw", [{}, {"partition": 1, "pause": {}}])
def test_a_step_must_be_exactly_one_thing(raw):
    list_ = steps(raw)
    decision = move(canary(list_, recorded(list_, 0)), pods(4, 4))
    assert decision.blocked[0].reason == "InvalidCanaryStep"
    assert decision.canary_status.index == 0


# ---- without steps


def test_the_stable_revision_is_kept_without_canary():
    known = RecordedState(update="new", stable="old")
    assert move(canary(None, known), pods(4, 2)).canary_status.stable == "old"
    assert move(canary(None, known), pods(4, 4), complete=True).canary_status.stable == "new"


def test_gd_139_without_steps_a_pause_of_the_user_is_left_alone():
    own = canary(None, RecordedState(update="new", stable="new"), paused=True)
    assert move(own, pods(), complete=True).patch is None
    held = canary(None, RecordedState(update="new", stable="new", pauses={PauseReason.PAUSE_STEP: NOW}), paused=True)
    marked = move(held, pods())
    known = read_recorded(
        written(marked),
        {keys.CANARY_PAUSE_ANNOTATION: marked.patch.patch["metadata"]["annotations"][keys.CANARY_PAUSE_ANNOTATION]},
        paused=True,
    )
    cleared = move(canary(None, known, paused=True), pods())
    assert (cleared.canary_status.pauses, cleared.patch) == ({}, None)
    known = replace(known, pauses={})
    assert move(canary(None, known, paused=True), pods()).patch.patch["spec"] == {"updateStrategy": {"paused": False}}
