"""Cases 1 to 71 of docs/spec/hooks.md section 8: what is refused, measured, waited for, and concluded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from operators.api.hookphase import FINAL_PHASES
from operators.hookrun.assess import MetricState, add_measurement, assess, invalid_field, metric_phase
from operators.hookrun.status import dump_status, read_state
from operators.hookrun.view import run_view
from tests.unit.hookrun.runs import T0, WEB, measured, metric, result, run, spec


def stored(obj_spec):
    """The state of a stored object with this spec."""
    metadata = {"namespace": "default", "name": "hr1", "uid": "u", "resourceVersion": "1"}
    return run_view({"metadata": metadata, "spec": obj_spec}).state


def reason(obj_spec) -> str:
    """The reason that a stored object with this spec is refused for."""
    found = assess(stored(obj_spec), T0).state
    prefix = "HookRun: default/hr1, hook spec invalid: "
    assert (found.phase == "Error") == bool(found.message)
    assert found.message == "" or (found.message.startswith(prefix) and found.started is None)
    return found.message.removeprefix(prefix)


def names(assessment) -> list[str]:
    return [m.name for m in assessment.measure]


def phase_of(fields, *phases, terminating=False, **result_fields) -> str:
    one = spec(metric(**fields)).metrics[0]
    return metric_phase(one, result("a", *phases, **result_fields), terminating=terminating)


# Validation


def test_hook_01_no_metrics_is_refused() -> None:
    assert reason({"metrics": []}) == "no metrics specified"


def test_hook_02_duplicate_name() -> None:
    assert reason({"metrics": [metric("a"), metric("a")]}) == "metrics[1]: duplicate name 'a"


def test_hook_03_no_provider() -> None:
    assert reason({"metrics": [{"name": "a", "provider": {}}]}) == "metrics[0]: no provider specified"
    assert reason({"metrics": [{"name": "a"}]}) == "metrics[0]: no provider specified"
    found = assess(stored({"metrics": [{"name": "a", "provider": {}}]}), T0).state
    assert found.phase == "Error"
    assert found.message == "HookRun: default/hr1, hook spec invalid: metrics[0]: no provider specified"
    assert "startedAt" not in dump_status(found, 1)


def test_hook_04_two_providers() -> None:
    both = {**WEB, "prometheus": {"address": "http://p", "query": "up"}}
    assert reason({"metrics": [{"name": "a", "provider": both}]}) == "metrics[0]: multiple providers specified"


def test_hook_05_count_2_needs_an_interval() -> None:
    assert reason({"metrics": [metric(count=2)]}) == "metrics[0]: interval must be specified when count > 1"


def test_hook_06_count_1_needs_none() -> None:
    assert reason({"metrics": [metric(count=1)]}) == ""


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("failureLimit", "count must be >= failureLimit && >= successfulLimit"),
        ("successfulLimit", "count must be >= failureLimit && >= successfulLimit"),
        ("inconclusiveLimit", "count must be >= inconclusiveLimit"),
    ],
)
def test_hook_07_limits_above_count(limit: str, text: str) -> None:
    assert reason({"metrics": [metric(count=2, interval="1s", **{limit: 3})]}) == f"metrics[0]: {text}"
    assert reason({"metrics": [metric(count=2, interval="1s", **{limit: 2})]}) == ""


def test_hook_08_intervals() -> None:
    assert reason({"metrics": [metric(interval="30")]}).startswith("metrics[0]: invalid interval string: ")
    for good in ("30s", "1h30m", "1.5h"):
        assert reason({"metrics": [metric(interval=good)]}) == ""


def test_hook_09_initial_delay_that_cannot_be_read() -> None:
    assert reason({"metrics": [metric(initialDelay="1")]}).startswith("metrics[0]: invalid startDelay string: ")
    running = run(spec(metric("a", initialDelay="1"), metric("b", interval="9s")), result("b", "Failed"))
    found = assess(running, T0 + 1)
    assert names(found) == []
    assert found.wake_after == 8  # of b; nothing is ever due for a


def test_hook_10_least_values_of_limits() -> None:
    assert reason({"metrics": [metric(consecutiveSuccessfulLimit=0)]}) == (
        "metrics[0]: consecutiveSuccessfulLimit must be >= 1"
    )
    assert reason({"metrics": [metric(consecutiveErrorLimit=-1)]}) == "metrics[0]: consecutiveErrorLimit must be >= 0"
    assert reason({"metrics": [metric(failureLimit=-1)]}) == "metrics[0]: failureLimit must be >= 0"
    assert reason({"metrics": [metric(consecutiveSuccessfulLimit=1, consecutiveErrorLimit=0)]}) == ""


def test_hook_11_limits_without_count_are_not_compared() -> None:
    assert reason({"metrics": [metric(count=0, failureLimit=99)]}) == ""


def test_hook_12_policy_is_one_of_two() -> None:
    with pytest.raises(ValidationError):
        spec(metric(), policy="Serial")
    assert invalid_field(("policy",), "not that").startswith("spec.policy: ")


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"function": "delete"}, "function"), ({"fields": []}, "fields"), ({"function": None}, "function")],
)
def test_hook_101_functions_and_fields_of_stored_runs(changes, text: str) -> None:
    provider = {"function": "get", "fields": [{"path": "metadata.annotations.a", "value": "1"}], **changes}
    assert reason({"metrics": [{"name": "a", "provider": {"kubernetes": provider}}]}).startswith(
        f"spec.metrics.0.provider.kubernetes.{text}: "
    )


# Scheduling


def test_hook_13_never_measured_is_due() -> None:
    assert names(assess(run(spec(metric()), started=None), T0)) == ["a"]


def test_hook_14_terminated_is_not() -> None:
    assert names(assess(run(spec(metric(), terminate=True), started=None), T0)) == []


def test_hook_15_16_initial_delay() -> None:
    first = assess(run(spec(metric(initialDelay="1s")), started=None), T0)
    assert (names(first), first.wake_after, first.state.started) == ([], 1.0, T0)
    assert names(assess(run(spec(metric(initialDelay="1h"))), T0 + 1)) == []
    assert names(assess(run(spec(metric(initialDelay="1s"))), T0 + 1)) == ["a"]


def test_hook_17_18_without_interval() -> None:
    assert names(assess(run(spec(metric(), metric("b", interval="1h")), result("a", "Successful")), T0 + 99)) == ["b"]
    late = result("a", "Error", count=0)
    assert names(assess(run(spec(metric()), late), T0 + 3600)) == ["a"]
    assert names(assess(run(spec(metric()), late), T0 + 9)) == []


def test_hook_19_interval() -> None:
    state = run(spec(metric(interval="30s", successfulLimit=2)), result("a", "Successful"))
    assert names(assess(state, T0)) == []
    assert names(assess(state, T0 + 31)) == ["a"]


def test_hook_20_21_unfinished_measurements_are_taken_up_again() -> None:
    under_way = result("a").with_measurement(measured("Running", None))
    later = result("a").with_measurement(measured("Running", None, resume=T0 + 900))
    one = spec(metric(interval="5s"))
    assert names(assess(run(one, under_way), T0 + 1)) == ["a"]
    assert names(assess(run(one, later), T0 + 1)) == []


@pytest.mark.parametrize(
    ("results", "due"),
    [
        ((), ["m0"]),
        ((result("m0", "Failed"),), []),
        ((result("m0", "Successful", phase="Successful"),), ["m1"]),
    ],
)
def test_hook_22_23_24_ordered(results, due) -> None:
    metrics = [metric(f"m{i}", interval="1h", successfulLimit=1) for i in range(3)]
    found = assess(run(spec(*metrics, policy="Ordered"), *results), T0 + 1)
    assert names(found) == due
    assert found.wake_after is None or found.wake_after > 1  # those that wait for another one are not timed


def test_hook_25_parallel() -> None:
    assert names(assess(run(spec(metric("m0"), metric("m1"))), T0)) == ["m0", "m1"]


def test_a_metric_under_way_is_not_started_twice_and_holds_no_other() -> None:
    state = run(spec(metric("m0"), metric("m1", interval="5s", successfulLimit=9)), result("m1", "Successful"))
    found = assess(state, T0 + 2, running={"m0"})
    assert (names(found), found.wake_after) == ([], 3)


# Wake-up


def test_hook_26_27_nothing_to_wait_for() -> None:
    done = result("a", "Successful", phase="Successful")
    assert assess(run(spec(metric()), done), T0).wake_after is None
    assert assess(run(spec(metric())), T0, running={"a"}).wake_after is None


def test_hook_28_29_delay_and_resume() -> None:
    assert assess(run(spec(metric(initialDelay="1s"))), T0).wake_after == 1
    later = result("a").with_measurement(measured("Running", None, resume=T0 + 1))
    assert assess(run(spec(metric(interval="5s")), later), T0).wake_after == 1


def test_hook_30_31_32_33_34_intervals() -> None:
    def wake(fields, *phases, now=T0 + 1, **more):
        others = {"interval": "9h", "successfulLimit": 9}
        state = run(spec(metric(**fields), metric("z", **others)), result("a", *phases, finished=T0 + 1, **more))
        return assess(state, now, running={"z"}).wake_after

    assert wake({"count": 1}, "Successful") is None
    assert wake({"interval": "30s"}, "Failed") == 30
    assert wake({}, "Successful") is None
    assert wake({}, "Error", count=0) == 10
    assert wake({"interval": "often"}, "Failed") is None


def test_hook_35_the_earliest_counts() -> None:
    state = run(
        spec(metric("a", interval="5s"), metric("b", interval="3s")), result("a", "Failed"), result("b", "Failed")
    )
    assert assess(state, T0).wake_after == 3


# Metrics


def test_hook_36_final_stays() -> None:
    assert phase_of({"failureLimit": 0}, "Failed", phase="Successful") == "Successful"


def test_hook_37_38_unmeasured_and_under_way() -> None:
    assert phase_of({}) == "Pending"
    assert phase_of({}, terminating=True) == "Successful"
    assert phase_of({"count": 1}, "Running", count=1) == "Running"


@pytest.mark.parametrize(
    ("number", "fields", "counters", "expected"),
    [
        (39, {"failureLimit": 2}, {"failed": 3}, "Failed"),
        (39, {"failureLimit": 2}, {"failed": 2}, "Running"),
        (40, {"count": 10}, {"failed": 7, "count": 7}, "Running"),
        (41, {"failureLimit": 0}, {"failed": 1}, "Failed"),
        (42, {"successfulLimit": 2}, {"successful": 3}, "Successful"),
        (42, {"successfulLimit": 2}, {"successful": 2}, "Successful"),
        (43, {"inconclusiveLimit": 2}, {"inconclusive": 3}, "Inconclusive"),
        (43, {"inconclusiveLimit": 2}, {"inconclusive": 2}, "Running"),
        (43, {}, {"inconclusive": 1}, "Inconclusive"),
        (44, {"consecutiveErrorLimit": 1}, {"consecutive_error": 4}, "Error"),
        (45, {"consecutiveErrorLimit": 4}, {"consecutive_error": 4}, "Error"),
        (45, {"consecutiveErrorLimit": 4}, {"consecutive_error": 3}, "Running"),
        (46, {}, {"error": 50, "consecutive_error": 50, "count": 50}, "Running"),
        (47, {"consecutiveSuccessfulLimit": 1}, {"consecutive_successful": 4}, "Successful"),
    ],
)
def test_hook_39_40_41_42_43_44_45_46_47_limits(number, fields, counters, expected) -> None:
    counters = {"successful": 0, "consecutive_successful": 0, "count": 0, "error": 0} | counters
    assert phase_of({"interval": "1s", **fields}, "Failed", **{"failed": 0, **counters}) == expected


def history(fields, *phases) -> list[str]:
    """The metric's phase after each of these measurements."""
    state, seen = run(spec(metric(**fields))), []
    for number, phase in enumerate(phases):
        state = add_measurement(state, "a", measured(phase, T0 + number))
        state = assess(state, T0 + number).state
        seen.append(state.results[0].phase)
    return seen


def test_hook_45_a_success_ends_the_row_of_errors() -> None:
    fields = {"interval": "1s", "consecutiveErrorLimit": 4, "successfulLimit": 5}
    assert history(fields, "Error", "Error", "Error", "Successful", "Error")[-1] == "Running"
    assert history(fields, "Error", "Error", "Error", "Error")[-1] == "Error"


def test_hook_48_successes_in_a_row() -> None:
    fields = {"interval": "1s", "consecutiveSuccessfulLimit": 3}
    seen = history(fields, "Successful", "Successful", "Failed", "Successful", "Successful", "Successful")
    assert seen == ["Running"] * 5 + ["Successful"]


@pytest.mark.parametrize("last", ["Failed", "Error"])
def test_hook_49_50_count_runs_out(last: str) -> None:
    fields = {"interval": "1s", "count": 3}
    assert history(fields, "Failed", "Failed", last) == ["Running", "Running", "Successful"]
    closed = {**fields, "onCountExhausted": "Failed"}
    assert history(closed, "Failed", "Failed", last) == ["Running", "Running", "Failed"]
    assert history(closed, "Failed", last, "Successful") == ["Running", "Running", "Successful"]
    limited = {**closed, "successfulLimit": 2}
    assert history(limited, "Failed", last, "Successful") == ["Running", "Running", "Failed"]
    assert history(limited, "Failed", "Successful", "Successful") == ["Running", "Running", "Successful"]


def test_hook_51_52_failure_limit_comes_first() -> None:
    fields = {"interval": "1s", "count": 3, "failureLimit": 2}
    assert history(fields, "Failed", "Failed", "Failed")[-1] == "Failed"
    both = {"interval": "1s", "failureLimit": 2, "successfulLimit": 1}
    assert phase_of(both, "Failed", failed=3, successful=1) == "Failed"


@pytest.mark.parametrize("phase", ["Failed", "Error", "Successful"])
def test_hook_53_a_single_shot_takes_the_phase_of_its_measurement(phase: str) -> None:
    assert history({}, phase) == [phase]


def test_hook_54_effective_count_not_reached() -> None:
    assert phase_of({}, "Failed", count=0, terminating=True) == "Successful"
    assert phase_of({}, "Failed", count=0) == "Running"


def test_hook_55_interval_only() -> None:
    assert history({"interval": "1s"}, "Error", "Failed", "Successful") == ["Running", "Running", "Successful"]
    assert history({"interval": "1s", "failureCondition": "x"}, "Failed") == ["Failed"]
    tolerant = {"interval": "1s", "failureCondition": "x", "failureLimit": 2}
    assert history(tolerant, "Failed", "Failed", "Failed") == ["Running", "Running", "Failed"]


# Runs


def final(name: str, phase: str) -> MetricState:
    return result(name, phase, phase=phase)


@pytest.mark.parametrize(
    ("number", "phases", "expected"),
    [
        (57, ("Successful", "Successful"), "Successful"),
        (58, ("Successful", "Failed"), "Failed"),
        (62, ("Inconclusive", "Error"), "Error"),
        (62, ("Error", "Failed"), "Failed"),
        (62, ("Successful", "Inconclusive"), "Inconclusive"),
    ],
)
def test_hook_57_58_62_worst_of_all(number, phases, expected) -> None:
    results = [final(f"m{i}", phase) for i, phase in enumerate(phases)]
    metrics = [metric(f"m{i}") for i in range(len(phases))]
    assert assess(run(spec(*metrics), *results), T0).state.phase == expected


def test_hook_56_59_running() -> None:
    assert assess(run(spec(metric())), T0).state.phase == "Running"
    state = run(
        spec(metric("m0", interval="1s", count=9), metric("m1")), result("m0", "Error"), result("m1", "Failed", count=1)
    )
    first = assess(state, T0)
    assert [(r.name, r.phase) for r in first.state.results] == [("m0", "Running"), ("m1", "Failed")]
    assert (first.state.phase, names(first)) == ("Running", [])
    second = assess(first.state, T0)
    assert (second.state.phase, second.state.results[0].phase) == ("Failed", "Successful")


def test_hook_60_61_limits_reached() -> None:
    done = final("m1", "Successful")
    good = run(
        spec(metric("m0", interval="1s", successfulLimit=2), metric("m1")), result("m0", *["Successful"] * 2), done
    )
    assert assess(good, T0).state.phase == "Successful"
    bad = run(spec(metric("m0", interval="1s", failureLimit=1), metric("m1")), result("m0", *["Failed"] * 2), done)
    assert assess(bad, T0).state.phase == "Failed"


def test_hook_63_ordered_failure_ends_the_run() -> None:
    state = run(spec(metric("m0"), metric("m1"), policy="Ordered"), result("m0", "Failed"))
    found = assess(state, T0)
    assert (found.state.phase, names(found), [r.name for r in found.state.results]) == ("Failed", [], ["m0"])


def test_hook_64_terminated_before_the_first_measurement() -> None:
    found = assess(run(spec(metric(initialDelay="1h"), terminate=True), started=None), T0)
    assert found.state.phase == "Successful"
    assert [(r.phase, r.message) for r in found.state.results] == [("Successful", "Run Terminated")]


def test_hook_65_terminated_while_polling() -> None:
    state = run(spec(metric(interval="5s", successfulLimit=9), terminate=True), result("a", "Successful"))
    found = assess(state, T0 + 60)
    assert (found.state.phase, names(found)) == ("Successful", [])


def test_hook_66_a_final_run_is_left_alone() -> None:
    state = run(spec(metric()), final("a", "Failed"))
    over = assess(state, T0).state
    assert assess(over, T0 + 99).state is over


def test_hook_70_terminating_an_unfinished_measurement() -> None:
    under_way = result("a").with_measurement(measured("Running", None))
    under_way = MetricState("a", measurements=under_way.measurements)
    found = assess(run(spec(metric(interval="5s"), terminate=True), under_way), T0 + 1).state
    assert found.phase == "Successful"
    only = found.results[0]
    assert (only.count, only.successful, only.consecutive_successful) == (1, 1, 1)
    assert [m.message for m in only.measurements] == ["metric terminated"]


def test_hook_71_ten_measurements_are_kept() -> None:
    state = run(spec(metric(interval="1s", count=50)))
    for number in range(12):
        state = add_measurement(state, "a", measured("Failed", T0 + number))
    kept = state.results[0]
    assert (kept.count, len(kept.measurements), kept.measurements[0].finished) == (12, 10, T0 + 2)


# What is written is what was assessed

PHASES = st.sampled_from(["Successful", "Failed", "Error", "Inconclusive"])
METRICS = st.fixed_dictionaries(
    {},
    optional={
        "interval": st.sampled_from(["1s", "30s"]),
        "failureLimit": st.integers(0, 3),
        "successfulLimit": st.integers(0, 3),
        "inconclusiveLimit": st.integers(0, 3),
        "consecutiveErrorLimit": st.integers(0, 3),
        "consecutiveSuccessfulLimit": st.integers(1, 3),
    },
)


@given(st.lists(METRICS, min_size=1, max_size=3), st.lists(PHASES, max_size=40), st.booleans(), st.data())
def test_a_run_survives_a_restart_at_any_moment_and_ends(metrics, phases, ordered, data) -> None:
    one = spec(
        *(metric(f"m{i}", **fields) for i, fields in enumerate(metrics)), policy="Ordered" if ordered else "Parallel"
    )
    state, now = run(one, started=None), T0
    for phase in phases:
        found = assess(state, now)
        assert assess(read_state(one, dump_status(found.state, 1)), now) == assess(found.state, now)
        if found.state.phase in FINAL_PHASES:
            assert assess(found.state, now).measure == ()
            return
        assert found.measure or found.wake_after is not None, "nothing would ever happen to this run again"
        now += found.wake_after or 1.0
        state = found.state
        if found.measure:
            state = add_measurement(state, data.draw(st.sampled_from(found.measure)).name, measured(phase, now))
    over = assess(assess(run(one.model_copy(update={"terminate": True}), *state.results), now).state, now).state
    assert over.phase in FINAL_PHASES
