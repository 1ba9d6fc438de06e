"""Hooks that guard the pods of a set (docs/spec/gamestatefulset.md 5, and 9.11)."""

import pytest

from operators.api import keys
from operators.planning import actions as act
from tests.unit.gamestatefulset.observations import (
    CHECK,
    condition,
    decide,
    deeds,
    deleted,
    hook_run,
    of_type,
    pod,
    pods,
    revision,
    started,
    template,
    told,
    with_args,
)
from tests.unit.gamestatefulset.sets import Set

PRE_DELETE, PRE_INPLACE = {"preDeleteUpdateStrategy": CHECK}, {"preInplaceUpdateStrategy": CHECK}
POST_INPLACE = {"postInplaceUpdateStrategy": CHECK}
PARALLEL = {"podManagementPolicy": "Parallel"}
IN_PLACE = {"type": "InplaceUpdate", "rollingUpdate": {"maxUnavailable": 1}}
MANAGED = [{}, PARALLEL]
FIELDS = {"predelete": "preDeleteUpdateStrategy", "preinplace": "preInplaceUpdateStrategy"}


def marked(decision):
    """Names of the pods that get the mark of a deletion."""
    wanted = {keys.POD_DELETING_ANNOTATION: "true"}
    return [a.name for a in of_type(decision, act.AnnotatePod) if a.annotations == wanted]


def removed(decision):
    return sorted(a.name for a in of_type(decision, act.DeleteHookRun))


def shown(decision, field):
    return [(c["podName"], c["phase"]) for c in decision.status.dump()[field]]


def in_place(held, spec, **how):
    return decide(held, {"replicas": len(held), **spec}, strategy=IN_PLACE, **how)


# ---- asking


@pytest.mark.parametrize("more", MANAGED)
def test_gss_122_one_pod_is_asked_and_marked_and_nothing_else_is_written(more):
    decision = in_place(pods(2, "B"), {**PRE_INPLACE, **more})
    assert started(decision) == ["preinplace-B-1-check"]
    assert marked(decision) == ["foo-1"]
    assert len(decision.actions) == 2
    asked = in_place(pods(2, "B"), {**PRE_INPLACE, **more}, hook_runs=(hook_run("preinplace", 1, "B"),))
    assert shown(asked, "preInplaceHookCondition") == [("foo-1", "Pending")]
    assert (started(asked), deeds(asked)) == ([], [])


@pytest.mark.parametrize("more", MANAGED)
@pytest.mark.parametrize(("phase", "goes"), [("", 0), ("Running", 0), ("Failed", 0), ("Error", 0), ("Successful", 1)])
def test_gss_125_only_a_yes_lets_a_pod_go(phase, goes, more):
    run = hook_run("predelete", 2, "B", phase)
    decision = decide(pods(3, "B"), {**PRE_DELETE, **more}, hook_runs=(run,))
    assert deeds(decision) == [("DeletePod", "foo-2")] * goes
    condemned = decide(
        pods(3), {"replicas": 2, **PRE_DELETE, **more}, hook_runs=(hook_run("predelete", 2, "D", phase),)
    )
    assert deeds(condemned) == [("DeletePod", "foo-2")] * goes


def test_gss_125_a_refusal_is_named_with_its_pod():
    decision = decide(pods(3, "B"), PRE_DELETE, hook_runs=(hook_run("predelete", 2, "B", "Failed"),))
    assert shown(decision, "preDeleteHookCondition") == [("foo-2", "Failed")]
    assert told(decision, "HookFailed") == ["HookRun predelete-B-2-check of pod foo-2 ended Failed"]
    assert condition(decision, "Blocked")["status"] == "True"


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(hook_run("predelete", 2, "A", "Successful"), id="another revision"),
        pytest.param(hook_run("predelete", 1, "B", "Successful"), id="another ordinal"),
        pytest.param(hook_run("preinplace", 2, "B", "Successful"), id="another kind"),
        pytest.param(hook_run("predelete", 2, "B", "Successful", leaving=True), id="being removed"),
        pytest.param(hook_run("predelete", 2, "B", "Successful", uid="uid-before"), id="an earlier pod"),
        pytest.param(
            hook_run("predelete", 2, "B", "Successful", owner={"kind": "GameStatefulSet", "name": "bar", "uid": "x"}),
            id="another set",
        ),
    ],
)
@pytest.mark.parametrize("more", MANAGED)
def test_gss_132_a_yes_that_was_not_for_this_pod_does_not_let_it_go(run, more):
    assert "foo-2" not in deleted(decide(pods(3, "B"), {**PRE_DELETE, **more}, hook_runs=(run,)))
    scaled = decide(pods(3, "B"), {"replicas": 2, **PRE_DELETE, **more}, hook_runs=(run,), revisions="B", status={})
    assert deeds(scaled) == []


@pytest.mark.parametrize("more", MANAGED)
def test_gss_124_128_a_pod_that_does_not_run_goes_unasked_and_once(more):
    pending = [*pods(2), pod(2, phase="Pending")]
    decision = decide(pending, {"replicas": 2, **PRE_DELETE, **more})
    assert [(type(a), a.name) for a in decision.actions] == [(act.DeletePod, "foo-2")]
    leaving = [*pods(2), pod(2, leaving=True)]
    assert decide(leaving, {"replicas": 2, **PRE_DELETE, **more}).actions == ()
    assert deeds(decide(pods(2), {"replicas": 2, **PRE_DELETE, **more})) == [], "and one that is gone is not deleted"


def test_gss_123_with_both_hooks_the_one_in_place_guards_updates_and_the_other_scaling_in():
    both = {**PRE_DELETE, **PRE_INPLACE}
    assert started(in_place(pods(2, "B"), both)) == ["preinplace-B-1-check"]
    assert started(decide(pods(3), {"replicas": 2, **both}, strategy=IN_PLACE)) == ["predelete-D-2-check"]


# ---- answers that are asked once more, or that nobody waits for


@pytest.mark.parametrize("kind", ["predelete", "preinplace"])
def test_gss_126_retry_removes_refusals_and_leaves_those_that_are_being_removed(kind):
    held, spec = pods(3, "B"), {FIELDS[kind]: {**CHECK, "retry": True}, **PARALLEL}
    strategy = {**IN_PLACE, "rollingUpdate": {"maxUnavailable": 3}} if kind == "preinplace" else {}
    runs = (hook_run(kind, 2, "B", "Failed"), hook_run(kind, 1, "B", "Failed", leaving=True), hook_run(kind, 0, "B"))
    decision = decide(held, spec, strategy=strategy or {"rollingUpdate": {"maxUnavailable": 3}}, hook_runs=runs)
    assert removed(decision) == [f"{kind}-B-2-check"]
    assert of_type(decision, act.PatchSpec) == [], "the switch goes off when no refusal is left"
    after = decide(held, spec, strategy=strategy, hook_runs=(runs[2],))
    assert [a.patch for a in of_type(after, act.PatchSpec)] == [{"spec": {FIELDS[kind]: {"retry": None}}}]


def test_gss_126_both_switches_work_at_once():
    """In the Go operator the second one is lost (spec 5.2)."""
    spec = {name: {**CHECK, "retry": True} for name in FIELDS.values()}
    runs = (hook_run("preinplace", 1, "B", "Failed"), hook_run("predelete", 2, "B", "Error"))
    decision = decide(pods(3, "B"), {"replicas": 2, **spec}, strategy=IN_PLACE, hook_runs=runs)
    assert removed(decision) == ["predelete-B-2-check", "preinplace-B-1-check"]


def test_gss_127_runs_of_pods_that_are_asked_stay_and_others_go():
    runs = (hook_run("predelete", 2, "B", "Running"), hook_run("predelete", 7, "B", "Running"))
    decision = decide(pods(3, "B"), PRE_DELETE, hook_runs=runs)
    assert removed(decision) == ["predelete-B-7-check"]


def test_gss_127_conditions_are_those_of_pods_that_exist():
    """The Go operator keeps the order in which they were asked (G); here they are in that of their names."""
    runs = tuple(hook_run("predelete", i, "B", "Running") for i in (1, 0, 2))
    spec = {"replicas": 2, **PRE_DELETE, **PARALLEL}
    decision = decide(pods(2, "B"), spec, strategy={"rollingUpdate": {"maxUnavailable": 2}}, hook_runs=runs)
    assert shown(decision, "preDeleteHookCondition") == [("foo-0", "Running"), ("foo-1", "Running")]
    assert removed(decision) == ["predelete-B-2-check"]


@pytest.mark.parametrize("more", MANAGED)
def test_gss_48_a_scale_in_that_is_taken_back_takes_back_the_question_and_the_mark(more):
    mark = {keys.POD_DELETING_ANNOTATION: "true"}
    held = [*pods(2), pod(2, annotations=mark)]
    for phase in ("Running", "Successful", "Failed"):
        decision = decide(held, {**PRE_DELETE, **more}, hook_runs=(hook_run("predelete", 2, "D", phase),))
        assert removed(decision) == ["predelete-D-2-check"]
        (back,) = of_type(decision, act.AnnotatePod)
        assert (back.name, back.annotations) == ("foo-2", {keys.POD_DELETING_ANNOTATION: "false"})
        assert deeds(decision) == []


# ---- arguments


def arguments(decision):
    (run,) = of_type(decision, act.CreateHookRun)
    return {a["name"]: a["value"] for a in run.spec["args"]}


def asking(*args):
    return {"preDeleteUpdateStrategy": {"hook": {**CHECK["hook"], "args": [{"name": n, "value": v} for n, v in args]}}}


def test_gss_129_arguments_come_from_the_template_the_set_and_the_pod():
    declared = with_args("svc", "PodIP")
    decision = decide(pods(3, "B"), asking(("svc", "x"), ("foo", "y"), ("PodName", "mine")), templates=(declared,))
    assert arguments(decision) == {
        "svc": "x",
        "PodIP": "10.0.0.1",
        "PodName": "foo-2",
        "PodNamespace": "default",
        "HostIP": "10.1.0.1",
        "PodContainer[0]": "nginx",
    }


def test_gss_129_an_argument_without_a_value_blocks_and_is_named():
    decision = decide(pods(3, "B"), asking(), templates=(with_args("svc"),))
    assert (started(decision), deeds(decision)) == ([], [])
    assert told(decision, "HookArgumentMissing") == [
        "predelete hook of pod foo-2 with HookTemplate 'check': args.svc was not resolved"
    ]


def test_gss_130_only_containers_whose_image_changes_are_told_of():
    old, new = (template(v, containers=("first", "second")) for v in ("B", "D"))
    new["spec"]["containers"][0]["image"] = "nginx:B"
    held = pods(1, "B", images={"first": "nginx:B", "second": "nginx:B"})
    decision = in_place(
        held, {"template": new, **PRE_INPLACE}, revisions=[revision("B", 1, old), revision("D", 2, new)]
    )
    found = {k: v for k, v in arguments(decision).items() if "Container" in k}
    assert found == {"PodContainer[0]": "first", "PodContainer[1]": "second", "ModifiedContainer[0]": "second"}


# ---- templates


@pytest.mark.parametrize("more", MANAGED)
def test_gss_134_without_its_template_a_hook_blocks_and_that_is_said(more):
    decision = decide(pods(3, "B"), {**PRE_DELETE, **more}, templates=())
    assert (started(decision), deeds(decision)) == ([], [])
    assert told(decision, "HookTemplateMissing") == [
        "HookTemplate 'check' of the predelete hook of pod foo-2 does not exist"
    ]
    blocked = condition(decision, "Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "HookTemplateMissing")
    assert started(decide(pods(3, "B"), {**PRE_DELETE, **more})) == ["predelete-B-2-check"]


# ---- after the update


def test_gss_131_the_hook_after_an_update_is_asked_when_the_container_is_up_and_the_gate_open():
    story = Set(2, type="InplaceUpdate", hooks=["postInplace"]).settle().release(2)
    story.one_pass()
    story.one_pass()
    story.one_pass()
    assert (story.versions()[1], story.runs()) == ("2", []), "its container has not restarted"
    story.settle()
    assert story.runs() == [f"postinplace-{story.status['updateRevision']}-1-check"]
    assert story.cluster.pod("gs-1").ready, "the gate opens before the hook answers (decision 9)"


def test_gss_131_a_failed_one_holds_the_next_pods_and_retry_asks_it_again():
    """In the Go operator other pods go on, and there is no retry (5.1); decision 9 holds them."""
    story = Set(2, type="InplaceUpdate", hooks=["postInplace"]).settle().release(2).settle()
    story.hooks_say("Failed")
    story.settle()
    assert story.versions() == {0: "1", 1: "2"}
    assert story.condition("Blocked")[1] == "PostInplaceHookFailed"
    assert [c["phase"] for c in story.status["postInplaceHookCondition"]] == ["Failed"]
    story.patch(postInplaceUpdateStrategy={"retry": True}).settle(answer="Successful")
    assert story.versions() == {0: "2", 1: "2"}
    assert (story.runs(), story.status["postInplaceHookCondition"]) == ([], [])
    assert story.condition("Complete")[0]


def test_a_broken_pod_behind_a_failed_hook_can_still_be_repaired():
    """Nobody plays on a pod that is down; the hook that refused speaks of one that ran."""
    story = Set(2, policy="Parallel", type="InplaceUpdate", hooks=["postInplace"]).settle()
    story.broken = {"2"}
    story.release(2)
    for _ in range(8):
        story.kubelets()
        story.one_pass()
    assert story.versions() == {0: "1", 1: "2"}
    story.release(3).settle(answer="Successful")
    assert story.versions() == {0: "3", 1: "3"}
