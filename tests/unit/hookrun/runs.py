"""Short ways to write down HookRuns and what was measured."""

from __future__ import annotations

from typing import Any

from operators.api.hookrun import HookRunSpec
from operators.hookrun.assess import MeasurementState, MetricState, RunState
from operators.hookrun.providers.base import MeasurementRequest
from operators.planning.views import OwnerView

T0 = 1_700_000_000.0
WEB = {"web": {"url": "http://x/", "jsonPath": "{.a}"}}
COUNTED = {"Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive", "Error": "error"}


def metric(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": WEB, **fields}


def spec(*metrics: dict[str, Any], **fields: Any) -> HookRunSpec:
    return HookRunSpec.model_validate({"metrics": list(metrics), **fields})


def measured(phase: str = "Successful", finished: float | None = T0, **fields: Any) -> MeasurementState:
    return MeasurementState(phase, T0 if finished is None else finished, finished, **fields)


def result(name: str = "a", *phases: str, finished: float = T0, phase: str = "Running", **fields: Any) -> MetricState:
    """A result that took these measurements, or has the given counters with one measurement."""
    found = MetricState(name, phase)
    for each in phases:
        found = found.with_measurement(measured(each, finished))
    return MetricState(**{**{f: getattr(found, f) for f in MetricState.__slots__}, **fields})


def run(run_spec: HookRunSpec, *results: MetricState, started: float | None = T0, **fields: Any) -> RunState:
    return RunState(run_spec, phase="Running" if results else "", started=started, results=results, **fields)


def request(
    namespace: str = "d", owner: OwnerView | None = None, run_uid: str = "u", **args: str
) -> MeasurementRequest:
    """The first measurement of a metric."""
    return MeasurementRequest(args, namespace, owner, run_uid, metric="a", successes=0)
