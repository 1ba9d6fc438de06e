"""Measurements under way: bounded, fair, each counted once; and the metrics they leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from operators.api.hookphase import HookPhase
from operators.api.hooktemplate import Metric
from operators.hookrun.assess import MeasurementState, MetricState
from operators.hookrun.metrics import HookMetrics
from operators.hookrun.providers.base import MeasuredValue, ProviderError
from operators.hookrun.tasks import MeasurementTasks, UnsavedMeasurement, with_unsaved
from operators.hookrun.view import RunView, run_view
from operators.hookrun.workers import MeasurementVerdict
from operators.runtime.store import Key
from operators.runtime.workqueue import WorkQueue
from tests.unit.hookrun.runs import T0, measured, metric, result, run, spec

ONE = Metric.model_validate(metric("a"))
OWNER = [{"apiVersion": "v1", "kind": "GameDeployment", "name": "g", "uid": "g", "controller": True}]


def view(name: str = "r", namespace: str = "d", **metadata: Any) -> RunView:
    known = {"namespace": namespace, "name": name, "uid": f"{namespace}/{name}", "resourceVersion": "1"}
    return run_view({"metadata": known | metadata, "spec": {"metrics": [metric("a")]}})


class Endpoint:
    """A measurer that answers when it is told to, and knows who asks."""

    def __init__(self) -> None:
        self.asking: list[str] = []
        self.most = 0
        self.answer = asyncio.Event()
        self.fails: Exception | None = None

    async def measure(self, run_: RunView, metric_: Metric, successes: int) -> MeasuredValue:
        self.asking.append(run_.uid)
        self.most = max(self.most, len(self.asking))
        try:
            await self.answer.wait()
        finally:
            self.asking.remove(run_.uid)
        if self.fails:
            raise self.fails
        return MeasuredValue(str(successes), str(successes))

    async def verdict(self, run_: RunView, metric_: Metric, found: MeasuredValue) -> MeasurementVerdict:
        return MeasurementVerdict(HookPhase.SUCCESSFUL, "", found.text)


class Measuring(MeasurementTasks):
    """Measurements of an endpoint, four at a time; ``taken`` counts those that ended."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.queue: WorkQueue[Key] = WorkQueue()
        self.registry = CollectorRegistry()
        super().__init__(endpoint, self.queue, HookMetrics(self.registry, lambda: T0), lambda: T0, max_concurrent=4)

    def taken(self, phase: str = "Successful") -> int:
        labels = {"provider": "web", "phase": phase}
        return int(self.registry.get_sample_value("bkbcs_hook_measurements_total", labels) or 0)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def measuring(endpoint: Endpoint) -> AsyncIterator[Measuring]:
    found = Measuring(endpoint)
    yield found
    await found.close()
    assert endpoint.asking == []


async def settle() -> None:
    """Let all tasks go as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_namespace_that_comes_later_finds_a_slot(measuring: Measuring, endpoint: Endpoint) -> None:
    for number in range(6):
        measuring.start(view(f"r{number}", "greedy"), ONE, None)
    measuring.start(view("r", "modest"), ONE, None)
    await settle()
    assert endpoint.asking == ["greedy/r0", "greedy/r1", "greedy/r2", "modest/r"]
    endpoint.answer.set()
    await settle()
    assert (measuring.taken(), endpoint.most, len(measuring.queue)) == (7, 4, 7)


async def test_a_metric_is_not_measured_twice_at_once(measuring: Measuring, endpoint: Endpoint) -> None:
    for _ in range(3):
        measuring.start(view(), ONE, None)
    await settle()
    assert (endpoint.asking, measuring.running("d/r")) == (["d/r"], {"a"})
    endpoint.answer.set()
    await settle()
    measuring.start(view(), ONE, None)  # its result is not written yet
    await settle()
    assert (measuring.taken(), measuring.running("d/r"), len(measuring.unsaved("d/r"))) == (1, frozenset(), 1)
    assert await measuring.queue.get() == ("d", "r"), "the run is looked at again"


async def test_results_stay_until_they_are_saved(measuring: Measuring, endpoint: Endpoint) -> None:
    endpoint.answer.set()
    measuring.start(view(), ONE, result("a", "Successful", "Failed"))
    await settle()
    unsaved = measuring.unsaved("d/r")
    assert unsaved == (UnsavedMeasurement("a", 2, MeasurementState("Successful", T0, T0, "1")),)
    measuring.mark_saved("d/r", ())
    assert measuring.unsaved("d/r") == unsaved
    measuring.mark_saved("d/r", unsaved)
    assert measuring.unsaved("d/r") == ()


async def test_a_forgotten_run_is_not_heard_of_again(measuring: Measuring, endpoint: Endpoint) -> None:
    measuring.start(view(), ONE, None)
    await settle()
    measuring.forget("d/r")
    endpoint.answer.set()
    await settle()
    assert (measuring.taken(), measuring.unsaved("d/r"), measuring.running("d/r")) == (0, (), frozenset())
    assert len(measuring.queue) == 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ProviderError("no answer"), "no answer"),
        (ValueError("bad argument"), "bad argument"),
        (RuntimeError("secret"), "internal error: RuntimeError"),
        (ProviderError("x" * 5000), "x" * 1024),
    ],
)
async def test_every_failure_is_a_measurement(
    measuring: Measuring, endpoint: Endpoint, error: Exception, message: str
) -> None:
    endpoint.fails = error
    endpoint.answer.set()
    measuring.start(view(), ONE, None)
    await settle()
    (unsaved,) = measuring.unsaved("d/r")
    assert (unsaved.state.phase, unsaved.state.message) == ("Error", message)
    assert measuring.taken("Error") == 1


def test_what_an_earlier_write_brought_in_is_not_counted_again() -> None:
    state = run(spec(metric("a", interval="1s")), result("a", "Failed"))
    again = UnsavedMeasurement("a", 0, measured("Failed"))
    following = UnsavedMeasurement("a", 1, measured("Successful"))
    assert with_unsaved(state, (again,)) == state
    found = with_unsaved(state, (again, following)).result("a")
    assert isinstance(found, MetricState)
    assert (found.count, found.failed, found.successful) == (2, 1, 1)


# Metrics


class Told:
    def __init__(self) -> None:
        self.registry, self.now = CollectorRegistry(), 0.0
        self.metrics = HookMetrics(self.registry, lambda: self.now)

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"bkbcs_hook_{name}", labels)


def test_metrics_have_the_names_and_labels_that_dashboards_know() -> None:
    told, one = Told(), view(ownerReferences=OWNER)
    who = {"namespace": "d", "owner": "GameDeployment|g"}
    told.metrics.observe_pass(one, 0.2, good=True)
    told.metrics.observe_validation(one, 0.0, good=True)
    told.metrics.observe_measurement(one, ONE, "Error", 3.0)
    told.metrics.observe_measurement(one, ONE, "Successful", 1.0)
    told.metrics.observe_measurement(one, ONE, "Successful", 2.0)
    told.metrics.observe_end(one, "Successful", 9.0)
    told.metrics.set_age(one, "Running", 5.0)
    told.metrics.set_age(one, "Successful", 9.0)
    assert told.value("reconcile_duration_seconds_count", **who, status="success") == 1
    assert told.value("hookrun_survive_time_seconds", **who, name="r", phase="Running") is None
    assert told.value("hookrun_survive_time_seconds", **who, name="r", phase="Successful") == 9
    good = {**who, "metric": "a", "phase": "Successful"}
    assert told.value("metric_exec_duration_seconds_sum", **good) == 3
    assert told.value("metric_exec_duration_seconds_max", **good) == 2
    assert told.value("metric_exec_duration_seconds_min", **good) == 1
    done = {**who, "action": "executeHookRun"}
    assert told.value("hookrun_exec_duration_seconds_count", **done, status="success", uid="") == 2
    assert told.value("hookrun_exec_duration_seconds_max", **done, status="error") == 3
    assert told.value("hookrun_duration_seconds_sum", **who, phase="Successful") == 9
    assert told.value("measurements_total", provider="web", phase="Error") == 1
    versions = [s.labels["name"] for f in told.registry.collect() for s in f.samples if "operator_version" in s.name]
    assert versions == ["Hook"]


def test_series_of_owners_without_runs_go_after_an_hour() -> None:
    told, one, other = Told(), view(ownerReferences=OWNER), view("s", "e")
    for each in (one, other):
        told.metrics.observe_measurement(each, ONE, "Successful", 1.0)
        told.metrics.set_age(each, "Successful", 1.0)

    def series() -> set[str]:
        names = ("bkbcs_hook_metric_exec_duration_seconds_count", "bkbcs_hook_metric_exec_duration_seconds_max")
        return {s.labels["namespace"] for f in told.registry.collect() for s in f.samples if s.name in names}

    told.metrics.forget(one.uid)
    told.now = 3000.0
    told.metrics.forget("nobody")
    assert series() == {"d", "e"}
    told.now = 3700.0
    told.metrics.forget("nobody")
    assert series() == {"e"}, "that of an owner with a run stays"
