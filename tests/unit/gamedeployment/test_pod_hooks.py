"""Hooks that guard a pod.

Rules: docs/spec/gamedeployment.md 5, 10 cases 91 to 106, 148; docs/spec/hooks.md 6, cases 107 to 115.
"""

import pytest

from operators.api import keys
from operators.planning import actions as act
from operators.simulation.cluster import hook_template
from tests.unit.gamedeployment.fleets import Fleet, image
from tests.unit.gamedeployment.observations import (
    NEW,
    NOW,
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
    started,
    told,
    updated,
)

IN_PLACE = {"type": "InplaceUpdate"}
CHECK = {"hook": {"templateName": "check"}}
PRE_DELETE, PRE_INPLACE = {"preDeleteUpdateStrategy": CHECK}, {"preInplaceUpdateStrategy": CHECK}


def fleet_of(replicas, *hooks, **how):
    """A created fleet, updated in place one at a time."""
    return Fleet(replicas, strategy={**IN_PLACE, **how.pop("strategy", {})}, hooks=hooks, **how).created()


def mark(fleet, name):
    return fleet.cluster.pods[name]["metadata"]["annotations"].get(keys.POD_DELETING_ANNOTATION)


def with_args(*args):
    """The HookTemplate ``check``, declaring arguments; a pair has a value."""
    body = hook_template("check")
    declared = [{"name": a} if isinstance(a, str) else {"name": a[0], "value": a[1]} for a in args]
    body["spec"]["args"] = declared
    return body


def subjects(fleet):
    """Kind of hook and name of the pod of every HookRun there is."""
    return sorted((n.partition("-")[0], f"gd-{r.labels['instance-id']}") for n, r in fleet.runs.items())


# ---- which hook guards what


def test_gd_91_hook_108_the_hook_is_asked_before_the_pod_is_touched():
    running, pending = pod("a", OLD), pod("b", OLD, phase="Pending")
    decision = decide([running, pending], {"replicas": 2, **PRE_INPLACE}, strategy={**IN_PLACE, "maxUnavailable": 2})
    assert started(decision) == ["preinplace-gd-old-a-check"]
    assert marked(decision) == ["a"]
    assert updated(decision) == ["b"]
    (run,) = of_type(decision, act.CreateHookRun)
    assert run.labels == {"hookrun-type": "pre-inplace-step", "workload-revision": OLD, "instance-id": "a"}


def test_hook_108_the_condition_is_pending_until_the_hook_has_begun():
    fleet = fleet_of(2, "preInplace").release(2).settle()
    ((_, name),) = subjects(fleet)
    (shown,) = fleet.status["preInplaceHookCondition"]
    assert shown == {"podName": name, "phase": "Pending", "startTime": "1970-01-12T13:46:40Z"}
    assert mark(fleet, name) == "true"
    assert fleet.done(act.UpdatePodInPlace) == []


def test_gd_92_hook_115_a_lone_pre_delete_hook_guards_updates_in_place():
    decision = decide(old("a"), {"replicas": 1, **PRE_DELETE}, strategy=IN_PLACE)
    assert (started(decision), updated(decision)) == (["predelete-gd-old-a-check"], [])


def test_gd_93_with_both_hooks_only_the_one_in_place_is_asked():
    decision = decide(old("a"), {"replicas": 1, **PRE_DELETE, **PRE_INPLACE}, strategy=IN_PLACE)
    assert started(decision) == ["preinplace-gd-old-a-check"]
    scaled = decide(new("a", "b"), {"replicas": 1, **PRE_DELETE, **PRE_INPLACE}, strategy=IN_PLACE)
    assert started(scaled) == ["predelete-gd-new-a-check"], "scaling in deletes"


def test_gd_94_one_hook_at_a_time():
    fleet = fleet_of(2, "preInplace", strategy={"maxUnavailable": "25%"})
    seen = []
    fleet.release(2)
    for _ in range(20):
        fleet.settle(watch=lambda f: seen.append(len(f.runs)))
        fleet.answer_all()
    assert max(seen) == 1
    assert (len(fleet.at(2)), fleet.runs) == (2, {})
    assert [a.kind for a in fleet.done(act.CreateHookRun)] == ["preinplace", "preinplace"]


def test_gd_95_hook_114_the_post_hook_comes_after_the_restart_and_goes_when_it_has_succeeded():
    fleet = fleet_of(1, "postInplace")
    (name,) = fleet.names
    fleet.release(2)
    fleet.one_pass()
    fleet.one_pass()
    assert (fleet.at(2), fleet.runs) == ([name], {}), "its container has not restarted yet"
    fleet.settle()
    assert list(fleet.runs) == [f"postinplace-{fleet.update}-{name.removeprefix('gd-')}-check"]
    assert fleet.ready == [name], "the gate opens before the hook answers (decision 9)"
    fleet.answer_all().settle()
    assert fleet.runs == {}
    assert fleet.status["postInplaceHookCondition"] == []
    assert fleet.condition("Complete")["status"] == "True"


def test_gd_95_hook_114_a_failed_post_hook_stays_and_holds_up_the_next_pod():
    """Decision 9: visible, and run again by ``retry``."""
    fleet = fleet_of(2, "postInplace").release(2).settle()
    ((_, name),) = subjects(fleet)
    (run,) = fleet.runs
    fleet.answer_all("Failed", "no players").settle()
    assert (list(fleet.runs), len(fleet.at(2)), len(fleet.ready)) == ([run], 1, 2)
    (shown,) = fleet.status["postInplaceHookCondition"]
    assert (shown["podName"], shown["phase"]) == (name, "Failed")
    text = f"HookRun {run} of pod {name} ended Failed: no players; set postInplaceUpdateStrategy.retry to run it again"
    assert (fleet.condition("Blocked")["reason"], fleet.condition("Blocked")["message"]) == (
        "PostInplaceHookFailed",
        text,
    )
    fleet.change(postInplaceUpdateStrategy={"retry": True}).settle()
    assert subjects(fleet) == [("postinplace", name)]
    assert not fleet.spec["postInplaceUpdateStrategy"].get("retry")
    for _ in range(4):
        fleet.answer_all().settle()
    assert (len(fleet.at(2)), fleet.runs) == (2, {})


def test_gd_96_a_pod_that_somebody_deletes_is_not_asked_for():
    fleet = fleet_of(2, "preDelete", "preInplace")
    victim = fleet.names[0]
    fleet.cluster.pods[victim]["metadata"]["deletionTimestamp"] = "1970-01-12T13:47:00Z"
    fleet.cluster._touch(fleet.cluster.pods[victim])
    fleet.one_pass()
    fleet.cluster.remove_terminating()
    fleet.settle()
    assert fleet.done(act.CreateHookRun) == []
    assert len(fleet.ready) == 2


# ---- what the answers do


def test_hook_109_an_answer_of_yes_lets_the_pod_go_and_is_cleared_away():
    fleet = fleet_of(1, "preInplace").release(2).settle()
    (name,) = fleet.names
    assert fleet.status["preInplaceHookCondition"][0]["podName"] == name
    fleet.answer_all().settle()
    assert (fleet.at(2), fleet.runs, fleet.status["preInplaceHookCondition"]) == ([name], {}, [])


def test_hook_109_the_condition_goes_with_the_answer_also_while_the_budget_holds_the_pod():
    asked, broken = pod("a", OLD), pod("x", ready=False)
    runs = (hook_run("preinplace", asked, "Successful"),)
    decision = decide([asked, broken], {"replicas": 2, **PRE_INPLACE}, strategy=IN_PLACE, hook_runs=runs)
    assert (updated(decision), decision.status.dump()["preInplaceHookCondition"]) == ([], [])
    assert of_type(decision, act.DeleteHookRun) == [], "its answer still counts"


@pytest.mark.parametrize(("age", "counts"), [(59, True), (60, True), (61, False), (3600, False)])
def test_a_yes_that_could_not_be_acted_on_for_a_minute_lets_nothing_through(age, counts):
    """The budget was closed, or no operator ran: meanwhile players may have come in."""
    spec = {"replicas": 0, "preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}
    going = pod("a", NEW)
    runs = (hook_run("predelete", going, "Successful", ended=NOW - age),)
    decision = decide([going], spec, hook_runs=runs)
    dropped = [(a.name, a.reason) for a in of_type(decision, act.DeleteHookRun)]
    assert [a.name for a in of_type(decision, act.DeletePod)] == (["gd-a"] if counts else [])
    assert dropped == ([] if counts else [(runs[0].name, "too old")])
    said = [b.message for b in decision.blocked]
    assert said == (
        [] if counts else [f"HookRun {runs[0].name} of pod gd-a succeeded more than 60 s ago; the hook is asked again"]
    )


def test_a_yes_that_is_too_old_is_asked_for_anew_and_the_pod_is_in_use_until_then():
    fleet = fleet_of(2, "preDelete", strategy={"type": "RollingUpdate"}).release(2).settle().answer_all().settle()
    ((name, first),), (asked,), (updated_,) = fleet.runs.items(), fleet.at(1), fleet.at(2)
    fleet.cluster.set_container_ready(updated_, ready=False)
    fleet.answer_all().one_pass()
    assert asked in fleet.names, "the other one is down: nobody else may be"
    fleet.cluster.now += 61
    fleet.one_pass()
    assert (fleet.runs, mark(fleet, asked)) == ({}, "false")
    fleet.cluster.set_container_ready(updated_, ready=True)
    fleet.settle()
    ((again, second),) = fleet.runs.items()
    assert (again == name, second.uid == first.uid, second.phase) == (True, False, "")
    assert asked in fleet.names
    fleet.answer_all().settle()
    assert asked not in fleet.names


def test_a_pod_whose_hook_run_somebody_removed_is_in_use_again_when_it_stays():
    fleet = fleet_of(2, "preDelete", strategy={"type": "RollingUpdate"}).release(2).settle()
    ((name, _),) = fleet.runs.items()
    (asked,) = [pod for pod in fleet.names if mark(fleet, pod) == "true"]
    del fleet.cluster.hook_runs[name]
    fleet.release(1).settle()
    assert (fleet.runs, mark(fleet, asked)) == ({}, "false")


def test_what_was_said_after_an_update_does_not_grow_old():
    done = pod("a", NEW)
    runs = (hook_run("postinplace", done, "Successful", ended=NOW - 3600),)
    decision = decide([done], {"replicas": 1}, strategy=IN_PLACE, hook_runs=runs)
    assert "too old" not in {a.reason for a in of_type(decision, act.DeleteHookRun)}


@pytest.mark.parametrize("phase", ["Failed", "Error", "Inconclusive"])
def test_gd_97_hook_110_an_answer_of_no_holds_the_pod_and_nothing_else(phase):
    fleet = fleet_of(3, "preInplace", strategy={"maxUnavailable": 2}).release(2).settle()
    first, second = [n for _, n in subjects(fleet)]
    runs = {f"gd-{r.labels['instance-id']}": n for n, r in fleet.runs.items()}
    fleet.cluster.answer_hook(runs[first], phase, "a match is on")
    fleet.cluster.answer_hook(runs[second], "Successful")
    fleet.settle()
    assert (first in fleet.at(1), second in fleet.at(2)) == (True, True)
    held = [c for c in fleet.status["preInplaceHookCondition"] if c["podName"] == first]
    assert [c["phase"] for c in held] == [phase]
    assert fleet.condition("Blocked")["message"] == f"HookRun {runs[first]} of pod {first} ended {phase}: a match is on"
    fleet.scale(5).settle()
    assert len(fleet.ready) == 5, "scaling goes on"


def test_gd_98_hook_110_retry_asks_again():
    fleet = fleet_of(1, "preInplace").release(2).settle()
    (name,) = fleet.names
    fleet.answer_all("Failed").settle()
    ((run, before),) = fleet.runs.items()
    fleet.change(preInplaceUpdateStrategy={"retry": True})
    fleet.settle()
    assert not fleet.spec["preInplaceUpdateStrategy"].get("retry")
    ((again, after),) = fleet.runs.items()
    assert (again, after.uid == before.uid, after.phase) == (run, False, "")
    assert fleet.at(1) == [name]
    fleet.answer_all().settle()
    assert fleet.at(2) == [name]


def test_gd_98_answers_that_are_being_removed_already_are_left_alone():
    first, second = old("a", "b")
    runs = (hook_run("preinplace", first, "Failed", leaving=True), hook_run("preinplace", second, "Failed"))
    spec = {"replicas": 2, "preInplaceUpdateStrategy": {**CHECK, "retry": True}}
    decision = decide([first, second], spec, strategy={**IN_PLACE, "maxUnavailable": 2}, hook_runs=runs)
    assert [a.name for a in of_type(decision, act.DeleteHookRun)] == ["preinplace-gd-old-b-check"]
    assert of_type(decision, act.PatchSpec) == [], "the switch goes off when none is left"
    done = decide([first, second], spec, strategy=IN_PLACE)
    (patch,) = of_type(done, act.PatchSpec)
    assert patch.patch == {"spec": {"preInplaceUpdateStrategy": {"retry": None}}}


def test_gd_98_hooks_that_are_still_running_are_not_asked_again():
    waiting = pod("a", OLD)
    runs = (hook_run("preinplace", waiting, "Running"),)
    spec = {"replicas": 1, "preInplaceUpdateStrategy": {**CHECK, "retry": True}}
    decision = decide([waiting], spec, strategy=IN_PLACE, hook_runs=runs)
    assert of_type(decision, act.DeleteHookRun) == []


def test_gd_99_both_switches_are_carried_out():
    fleet = fleet_of(3, "preDelete", "preInplace").release(2)
    fleet.settle()
    fleet.scale(2).settle()
    assert {k for k, _ in subjects(fleet)} == {"predelete", "preinplace"}
    fleet.answer_all("Failed").settle()
    failed = {n: r.uid for n, r in fleet.runs.items()}
    fleet.change(preDeleteUpdateStrategy={"retry": True}, preInplaceUpdateStrategy={"retry": True}).settle()
    assert set(fleet.runs) == set(failed)
    assert all(r.phase == "" and r.uid != failed[n] for n, r in fleet.runs.items())
    assert not any(fleet.spec[f"{h}UpdateStrategy"].get("retry") for h in ("preDelete", "preInplace"))


def test_gd_100_an_answer_for_nobody_goes_one_for_somebody_stays():
    waiting = pod("a", OLD)
    runs = (
        hook_run("preinplace", waiting, "Running"),
        hook_run("preinplace", pod("gone", OLD), "Running"),
        hook_run("predelete", pod("a", "gd-older"), "Successful"),
        hook_run("postinplace", pod("gone", NEW), "Failed"),
    )
    decision = decide([waiting], {"replicas": 1, **PRE_INPLACE}, strategy=IN_PLACE, hook_runs=runs)
    assert sorted(a.name for a in of_type(decision, act.DeleteHookRun)) == [
        "postinplace-gd-new-gone-check",
        "predelete-gd-older-a-check",
        "preinplace-gd-old-gone-check",
    ]


def test_gd_104_a_hook_run_deleted_by_hand_is_made_again():
    fleet = fleet_of(1, "preInplace").release(2).settle()
    ((run, before),) = fleet.runs.items()
    del fleet.cluster.hook_runs[run]
    fleet.settle()
    ((again, after),) = fleet.runs.items()
    assert (again, after.uid == before.uid, fleet.running(1)) == (run, False, 1)


def test_gd_104_a_hook_run_terminated_by_hand_counts_when_it_has_become_successful():
    fleet = fleet_of(1, "preInplace").release(2).settle()
    (run,) = fleet.runs
    fleet.cluster.hook_runs[run]["spec"]["terminate"] = True
    fleet.cluster.answer_hook(run, "Running")
    fleet.settle()
    assert (list(fleet.runs), fleet.running(2)) == ([run], 0)
    fleet.cluster.answer_hook(run, "Successful")
    fleet.settle()
    assert (fleet.runs, fleet.running(2)) == ({}, 1)


@pytest.mark.parametrize("phase", ["Running", "Successful", "Failed"])
def test_gd_105_an_answer_to_a_cancelled_update_is_not_used_for_the_next(phase):
    """Nor is the next blocked at once by a failed one (5.4)."""
    fleet = fleet_of(1, "preInplace").release(2).settle()
    (name,) = fleet.names
    ((run, before),) = fleet.runs.items()
    fleet.release(1)
    fleet.cluster.answer_hook(run, phase)
    fleet.settle()
    assert (fleet.runs, mark(fleet, name), fleet.status["preInplaceHookCondition"]) == ({}, "false", [])
    fleet.release(2).settle()
    ((again, after),) = fleet.runs.items()
    assert (again, after.uid == before.uid, after.phase) == (run, False, "")
    assert (fleet.running(1), mark(fleet, name)) == (1, "true")


@pytest.mark.parametrize(("canary", "fresh"), [(None, 2), ({"steps": [{"hook": {"templateName": "nowhere"}}]}, 0)])
def test_gd_106_without_its_template_the_hook_is_named_and_scaling_goes_on(canary, fresh):
    """Also that of a canary step, which keeps all pods old."""
    fleet = Fleet(2, strategy={**IN_PLACE, "canary": canary}, hooks=["preInplace"], templates=()).created()
    fleet.release(2).settle()
    blocked = fleet.condition("Blocked")
    name = "nowhere" if canary else "check"
    assert blocked["reason"] == "HookTemplateMissing"
    assert blocked["message"].startswith(f"HookTemplate '{name}' of the ")
    assert [b.message for b in fleet.blocked if not b.waiting] == [blocked["message"]], "an Event says the same"
    fleet.scale(4).settle()
    assert (len(fleet.ready), fleet.running(2)) == (4, fresh)


def test_gd_106_the_template_that_comes_later_is_used():
    fleet = Fleet(1, strategy=IN_PLACE, hooks=["preInplace"], templates=()).created().release(2).settle()
    fleet.cluster.templates["check"] = hook_template("check")
    fleet.settle()
    assert len(fleet.runs) == 1
    assert fleet.condition("Blocked")["status"] == "False"


@pytest.mark.parametrize(("hooks", "touched"), [((), 3), (("preInplace",), 1), (("postInplace",), 1)])
def test_a_change_of_labels_alone_is_free_but_for_its_hooks(hooks, touched):
    """It disturbs nobody and is made at once; a hook does disturb, and asks within the budget."""
    fleet = fleet_of(3, *hooks)
    fleet.change(template={"metadata": {"labels": {"season": "2"}}})
    fleet.one_pass()
    fleet.one_pass()
    begun = [a for a in fleet.done(act.UpdatePodInPlace) if a.begins] + fleet.done(act.CreateHookRun)
    assert len(begun) == touched


# ---- the mark on the pod


def test_a_mark_that_is_missing_while_a_hook_runs_is_set():
    """Spec 5.3 [REQ]: also when the write after the creation of the HookRun failed."""
    waiting = pod("a", OLD)
    runs = (hook_run("preinplace", waiting, "Running"),)
    decision = decide([waiting], {"replicas": 1, **PRE_INPLACE}, strategy=IN_PLACE, hook_runs=runs)
    assert marked(decision) == ["a"]


# ---- arguments


def arguments(decision):
    (run,) = of_type(decision, act.CreateHookRun)
    return [(a["name"], a["value"]) for a in run.spec["args"]]


def test_gd_101_what_every_hook_is_told():
    fleet = Fleet(
        1,
        strategy=IN_PLACE,
        hooks=["preInplace"],
        template={"spec": {"containers": [image(1), image(1, "side")]}},
    ).created()
    (name,) = fleet.names
    fleet.change(template={"spec": {"containers": [image(1), image(2, "side")]}}).settle()
    (run,) = fleet.done(act.CreateHookRun)
    assert [(a["name"], a["value"]) for a in run.spec["args"]] == [
        ("PodName", name),
        ("PodNamespace", "game"),
        ("PodIP", "10.0.0.1"),
        ("HostIP", "10.1.0.1"),
        ("PodContainer[0]", "web"),
        ("PodContainer[1]", "side"),
        ("ModifiedContainer[0]", "side"),
    ]


def test_gd_101_only_the_hook_before_an_update_is_told_what_changes():
    decision = decide(new("a", "b"), {"replicas": 1, **PRE_DELETE})
    assert [n for n, _ in arguments(decision)] == ["PodName", "PodNamespace", "PodIP", "HostIP", "PodContainer[0]"]


def test_gd_102_an_argument_that_nobody_gives_is_an_error():
    spec = {"replicas": 1, **PRE_INPLACE}
    decision = decide(old("a"), spec, strategy=IN_PLACE, templates=[with_args("service-name")])
    assert (started(decision), updated(decision), marked(decision)) == ([], [], [])
    assert told(decision, "HookArgumentMissing") == [
        "preinplace hook of pod gd-a with HookTemplate 'check': args.service-name was not resolved"
    ]
    assert condition(decision, "Blocked")["reason"] == "HookArgumentMissing"


def test_gd_102_a_given_argument_has_its_value():
    given = {"hook": {"templateName": "check", "args": [{"name": "service-name", "value": "lobby"}]}}
    spec = {"replicas": 1, "preInplaceUpdateStrategy": given}
    templates = [with_args("service-name", ("port", "80"))]
    found = arguments(decide(old("a"), spec, strategy=IN_PLACE, templates=templates))
    assert found[:2] == [("service-name", "lobby"), ("port", "80")]


def test_gd_103_what_the_template_does_not_declare_is_dropped_but_for_what_is_built_in():
    given = [
        {"name": "foo", "value": "x"},
        {"name": "PodContainer[1]", "value": "y"},
        {"name": "PodName", "value": "z"},
    ]
    spec = {"replicas": 1, "preInplaceUpdateStrategy": {"hook": {"templateName": "check", "args": given}}}
    decision = decide(old("a"), spec, strategy=IN_PLACE)
    found = dict(arguments(decision))
    assert "foo" not in found
    assert [a.dropped for a in of_type(decision, act.CreateHookRun)] == [("foo",)]
    assert found["PodContainer[1]"] == "y"
    assert found["PodName"] == "gd-a", "what the controller knows wins"


# ---- the budget


def test_gd_148_a_pod_that_is_asked_for_is_not_pushed_out_by_one_that_turns_unready():
    asked, other, broken = pod("b", OLD), pod("c", OLD), pod("a", OLD, ready=False)
    runs = (hook_run("preinplace", asked, "Running"),)
    decision = decide([asked, other, broken], {"replicas": 3, **PRE_INPLACE}, strategy=IN_PLACE, hook_runs=runs)
    assert started(decision) == []
    assert of_type(decision, act.DeleteHookRun) == []


def test_gd_148_who_is_asked_stays_chosen_where_the_partition_has_room_for_one():
    """Also before a pod that would be chosen first if nobody had been asked yet."""
    asked, expendable = pod("b", OLD), pod("a", OLD, restarts=9)
    runs = (hook_run("preinplace", asked, "Running"),)
    spec = {"replicas": 2, **PRE_INPLACE}
    decision = decide([asked, expendable], spec, strategy={**IN_PLACE, "partition": 1}, hook_runs=runs)
    assert (started(decision), of_type(decision, act.DeleteHookRun)) == ([], [])
    first = decide([asked, expendable], spec, strategy={**IN_PLACE, "partition": 1})
    assert started(first) == ["preinplace-gd-old-a-check"]


def test_gd_148_nor_is_it_where_the_partition_has_room_for_one():
    asked, other, broken = pod("b", OLD), pod("c", OLD), pod("a", OLD, ready=False)
    spec, strategy = {"replicas": 3, **PRE_INPLACE}, {**IN_PLACE, "partition": 2}
    running = (hook_run("preinplace", asked, "Running"),)
    before = decide([asked, other, broken], spec, strategy=strategy, hook_runs=running)
    assert (started(before), of_type(before, act.DeleteHookRun), marked(before)) == ([], [], ["b"])
    answered = (hook_run("preinplace", asked, "Successful"),)
    after = decide([asked, other, broken], spec, strategy=strategy, hook_runs=answered)
    assert started(after) == ["preinplace-gd-old-a-check"], "the budget waits for the one that is down: it goes first"


@pytest.mark.parametrize(("unavailable", "surge"), [(1, 0), (2, 0), (1, 1), (0, 1), (2, 2)])
def test_gd_148_never_more_open_hooks_than_the_budget(unavailable, surge):
    budget = {"maxUnavailable": unavailable, "maxSurge": surge}
    fleet = fleet_of(4, "preInplace", strategy=budget).release(2)
    most = 0
    for turn in range(60):
        fleet.turns(1)
        waiting = {f"gd-{r.labels['instance-id']}" for r in fleet.runs.values() if not r.completed}
        used = len(fleet.names) - 4
        assert len(waiting) <= unavailable + max(0, used)
        most = max(most, len(waiting))
        name = fleet.names[turn % len(fleet.names)]
        fleet.cluster.set_container_ready(name, ready=turn % 2 == 0)
        if turn % 5 == 4:
            for each in fleet.names:
                fleet.cluster.set_container_ready(each, ready=True)
            fleet.answer_all()
    assert most == unavailable + surge
    fleet.settle()
    while fleet.runs:
        fleet.answer_all().settle()
    assert (len(fleet.at(2)), len(fleet.ready)) == (4, 4)


def test_a_failed_answer_keeps_its_place_in_the_budget():
    """A pod whose hook has said no stays chosen: not even one after the other are all pods asked for (5.8)."""
    refused, other = pod("a", OLD), pod("b", OLD)
    runs = (hook_run("preinplace", refused, "Failed"),)
    decision = decide([refused, other], {"replicas": 2, **PRE_INPLACE}, strategy=IN_PLACE, hook_runs=runs)
    assert (started(decision), updated(decision)) == ([], [])


def test_no_hook_is_asked_where_the_pod_could_not_be_replaced():
    """With surge alone as budget the hook is asked when the surge pod is there."""
    strategy = {"maxUnavailable": 0, "maxSurge": 1}
    before = decide(old("a", "b"), {"replicas": 2, **PRE_DELETE}, strategy=strategy)
    assert (created(before), started(before), deleted(before)) == ([NEW], [], [])
    after = decide([*old("a", "b"), *new("x")], {"replicas": 2, **PRE_DELETE}, strategy=strategy)
    assert started(after) == ["predelete-gd-old-a-check"]


# ---- a HookTemplate that changes while it is in use


def test_a_template_deleted_while_its_hook_runs_changes_nothing_for_that_pod():
    """A HookRun holds what it asks; the next pod is not asked, and so not touched, until the template is back."""
    fleet = fleet_of(2, "preInplace").release(2).settle()
    del fleet.cluster.templates["check"]
    fleet.settle()
    assert len(fleet.runs) == 1
    fleet.answer_all().settle()
    assert (len(fleet.at(2)), fleet.runs) == (1, {})
    assert "HookTemplate 'check'" in fleet.told("HookTemplateMissing")[0]
    fleet.cluster.templates["check"] = hook_template("check")
    fleet.settle().answer_all().settle()
    assert len(fleet.at(2)) == 2


def test_a_template_changed_while_its_hook_runs_counts_from_the_next_question_on():
    fleet = fleet_of(1, "preInplace").release(2).settle()
    ((name, _),) = fleet.runs.items()
    asked = fleet.cluster.hook_runs[name]["spec"]
    changed = hook_template("check")
    changed["spec"]["metrics"][0]["provider"]["web"]["url"] = "http://elsewhere"
    fleet.cluster.templates["check"] = changed
    fleet.settle()
    assert fleet.cluster.hook_runs[name]["spec"] == asked
    fleet.answer_all("Failed").settle()
    fleet.change(preInplaceUpdateStrategy={"retry": True}).settle()
    assert fleet.cluster.hook_runs[name]["spec"]["metrics"] == changed["spec"]["metrics"]
    fleet.answer_all().settle()
    assert len(fleet.at(2)) == 1
