"""A hook that gets no answer needs a person, and is asked anew when its template is mended (docs/spec/hooks.md 6.6)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hookrun.assess import MeasurementState, RunState, add_measurement
from operators.hookrun.status import dump_status
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.hooks.measured import measured
from operators.planning.views import hookrun_view
from operators.workload.controller import _standing
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamestatefulset.sets import Set
from tests.unit.hookrun.runs import T0, metric, spec

SAID = "$.count is not in the answer"


def status_of(*phases, gap=10.0, kept=10, **more):
    """The status of a run that has measured so, every ``gap`` seconds."""
    state = RunState(spec(metric("m", interval="10s")), phase="Running", started=T0)
    for number, phase in enumerate(phases):
        at = T0 + number * gap
        state = add_measurement(state, "m", MeasurementState(phase, at, at, message=SAID))
    return {**dump_status(state, 1), **more}


@settings(max_examples=300, deadline=None)
@given(
    phases=st.lists(st.sampled_from(["Error"] * 8 + ["Failed", "Inconclusive"]), max_size=30),
    gap=st.sampled_from([1.0, 5.0, 10.0, 20.0, 40.0, 120.0]),
)
def test_ux_32_hook_116_errors_alone_three_times_and_for_a_minute_need_a_person(phases, gap):
    found = measured({"metrics": [{"name": "m"}]}, status_of(*phases, gap=gap))
    nothing_else = bool(phases) and set(phases) == {"Error"}
    assert found.unanswered == nothing_else
    lasted = (len(phases) - 1) * gap
    assert bool(found.failing) == (nothing_else and len(phases) >= 3 and lasted >= 60)
    if found.failing:
        assert found.failing == f"metric m: {SAID}"
        assert found.since == T0


def test_ux_32_what_a_run_is_told_of_turns_with_the_object_and_not_with_the_clock():
    """The workload is looked at when its hook begins to fail, though its message stays."""
    body = {"metadata": {"name": "r", "namespace": "game"}, "spec": {}, "status": status_of(*["Error"] * 6)}
    later = {**body, "status": status_of(*["Error"] * 7)}
    before, after = hookrun_view(body), hookrun_view(later)
    assert before.message == after.message
    assert _standing(before) != _standing(after)


@pytest.mark.parametrize("said", ["Get failed. Path: metadata.annotations.ready, want: true, now: false",
                                  "Path: metadata.annotations.ready is not exist"])  # fmt: skip
def test_ux_32_an_annotation_that_is_not_as_wanted_yet_is_an_answer(said):
    found = status_of(*["Error"] * 9)
    for measurement in found["metricResults"][0]["measurements"]:
        measurement["message"] = said
    assert measured({"metrics": [{"name": "m"}]}, found) == measured({}, {})


def test_ux_32_one_metric_that_gets_no_answer_is_enough_but_the_run_was_answered():
    found = status_of(*["Error"] * 9)
    other = {"name": "n", "phase": "Running", "count": 9, "measurements": [{"phase": "Failed", "value": "3"}]}
    found["metricResults"].insert(0, other)
    told = measured({"metrics": [{"name": "n"}, {"name": "m"}]}, found)
    assert (told.failing, told.unanswered) == (f"metric m: {SAID}", False)


def test_a_metric_that_waits_its_turn_is_not_counted_from_the_start_of_the_run():
    """Ten errors in ten seconds, after another metric has taken its time."""
    found = status_of(*["Error"] * 12, gap=1.0)
    turn = rfc3339(T0 + 600)
    for measurement in found["metricResults"][0]["measurements"]:
        measurement.update(startedAt=turn, finishedAt=turn)
    first = {"name": "n", "phase": "Successful", "count": 1, "measurements": [{"phase": "Successful",
             "startedAt": turn, "finishedAt": turn}]}  # fmt: skip
    found["metricResults"].insert(0, first)
    ordered = {"policy": "Ordered", "metrics": [{"name": "n"}, {"name": "m"}]}
    assert measured(ordered, found).failing == ""
    assert measured(ordered | {"policy": "Parallel"}, found).failing


def test_an_initial_delay_is_not_counted():
    found = status_of(*["Error"] * 12, gap=1.0)
    for measurement in found["metricResults"][0]["measurements"]:
        measurement.update(startedAt=rfc3339(T0 + 600), finishedAt=rfc3339(T0 + 600))
    assert measured({"metrics": [{"name": "m", "initialDelay": "10m"}]}, found).failing == ""


# ---- workloads


def erring(world, name, **more):
    """A run of the world has had seven errors, ten seconds apart."""
    run = world.cluster.hook_runs[name]
    run["status"] = status_of(*["Error"] * 7, **more)
    run["metadata"]["resourceVersion"] += "1"


def mend(world, **change):
    template = world.cluster.templates["check"]
    template["spec"].update(change or {"metrics": [{"name": "m", "interval": "10s", "provider": {}}]})


def waiting(kind):
    """A workload whose hook before an update in place is being asked, and the name of that run."""
    world = Fleet(2, strategy={"type": "InplaceUpdate"}, hooks=("preInplace",)) if kind == "gd" else Set(
        2, type="InplaceUpdate", hooks=("preInplace",), rollingUpdate={"maxUnavailable": 1})  # fmt: skip
    world.settle().release(2).settle()
    (name,) = world.cluster.hook_runs
    return world, name


def conditions(world):
    return {c["type"]: (c["status"], c["reason"]) for c in world.status["conditions"]}


@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_32_hook_116_a_hook_that_errs_needs_a_person_until_its_first_answer(kind):
    world, name = waiting(kind)
    assert conditions(world)["Blocked"] == ("False", "NotBlocked")
    erring(world, name)
    world.one_pass()
    for type_ in ("Blocked", "Stalled"):
        assert conditions(world)[type_] == ("True", "HookErrors")
    (told,) = [b for b in world.blocked if b.reason == "HookErrors"]
    assert told.pod in told.message
    assert f"HookRun {name} of pod {told.pod} has measured nothing but errors since " in told.message
    assert told.message.endswith(f": metric m: {SAID}")
    world.cluster.hook_runs[name]["status"] = status_of(*["Error"] * 7, "Failed")
    world.one_pass()
    assert conditions(world)["Blocked"] == ("False", "NotBlocked")
    assert conditions(world)["Progressing"] == ("True", "HookRunning")


@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_33_hook_117_a_run_that_got_no_answer_is_made_anew_when_the_template_is_mended(kind):
    world, name = waiting(kind)
    erring(world, name)
    before = world.cluster.hook_runs[name]["metadata"]["uid"]
    world.one_pass()
    assert world.cluster.hook_runs[name]["metadata"]["uid"] == before
    mend(world)
    world.one_pass()
    assert name not in world.cluster.hook_runs
    world.settle()
    run = world.cluster.hook_runs[name]
    assert run["metadata"]["uid"] != before
    assert run["spec"]["metrics"] == world.cluster.templates["check"]["spec"]["metrics"]
    assert [reason for reason, _ in world.events].count("HookRunRenewed") == 1
    assert not any(isinstance(a, act.UpdatePodInPlace | act.DeletePod) for a in world.cluster.log)


@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_33_an_argument_with_a_new_value_is_a_new_template(kind):
    world, name = waiting(kind)
    erring(world, name)
    mend(world, args=[{"name": "port", "value": "8080"}])
    world.one_pass()
    assert name not in world.cluster.hook_runs


@pytest.mark.parametrize(
    "status",
    [{}, status_of(*["Error"] * 7, "Failed"), status_of("Failed", phase="Failed"), status_of(*["Failed"] * 7)],
    ids=["not measured yet", "answered at last", "ended with an answer", "says no"],
)
@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_33_hook_117_a_run_that_was_answered_keeps_asking(kind, status):
    world, name = waiting(kind)
    world.cluster.hook_runs[name]["status"] = status
    mend(world)
    for _ in range(3):
        world.one_pass()
    assert not world.cluster.log or not any(isinstance(a, act.DeleteHookRun) for a in world.cluster.log)


@pytest.mark.parametrize(
    "status",
    [status_of(*["Error"] * 7, phase="Error"), {"phase": "Error", "message": "hook spec invalid"}],
    ids=["errors to the limit", "could not be executed"],
)
@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_33_one_that_ended_without_an_answer_is_made_anew_too(kind, status):
    world, name = waiting(kind)
    world.cluster.hook_runs[name]["status"] = status
    world.settle()
    assert conditions(world)["Blocked"] == ("True", "HookFailed")
    mend(world)
    world.settle()
    assert "phase" not in world.cluster.hook_runs[name].get("status", {})
    assert conditions(world)["Blocked"] == ("False", "NotBlocked")


def test_a_run_of_an_earlier_version_of_the_operators_is_compared_by_what_it_asks():
    world, name = waiting("gd")
    erring(world, name)
    del world.cluster.hook_runs[name]["metadata"]["annotations"]
    world.one_pass()
    assert name in world.cluster.hook_runs
    mend(world)
    world.one_pass()
    assert name not in world.cluster.hook_runs


def test_a_template_that_is_gone_renews_nothing():
    world, name = waiting("gd")
    erring(world, name)
    del world.cluster.templates["check"]
    world.settle()
    assert name in world.cluster.hook_runs


# ---- canary steps


def at_step(kind):
    steps = [{"partition": 1}, {"hook": {"templateName": "check"}}, {"partition": 0}]
    world = Fleet(2, strategy={"canary": {"steps": steps}}) if kind == "gd" else Set(2, steps=steps)
    world.settle().release(2).settle()
    (name,) = world.cluster.hook_runs
    return world, name


@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_ux_32_33_hook_116_117_the_hook_of_a_step_that_errs_needs_a_person_and_is_made_anew(kind):
    world, name = at_step(kind)
    before = world.cluster.hook_runs[name]["metadata"]["uid"]
    erring(world, name)
    world.one_pass()
    assert conditions(world)["Blocked"] == ("True", "HookErrors")
    mend(world)
    world.settle()
    assert world.cluster.hook_runs[name]["metadata"]["uid"] != before
    assert conditions(world)["Blocked"] == ("False", "NotBlocked")


@pytest.mark.parametrize("kind", ["gd", "gsts"])
def test_a_step_whose_hook_has_ended_stays_for_a_person_whatever_the_template_says(kind):
    world, name = at_step(kind)
    world.cluster.hook_runs[name]["status"] = status_of(*["Error"] * 7, phase="Error")
    world.settle()
    assert conditions(world)["Blocked"] == ("True", "CanaryHookFailed")
    mend(world)
    world.settle()
    assert name in world.cluster.hook_runs
    assert conditions(world)["Blocked"] == ("True", "CanaryHookFailed")
