"""What the controllers say about a manifest, told by the pure functions they decide with."""

import asyncio

from operators.hookrun.assess import MeasurementState, add_measurement, assess
from operators.hookrun.outcome import measurement_phase
from operators.hookrun.providers.base import MeasuredValue
from operators.hookrun.view import run_view
from operators.hookrun.workers import HookWorkers
from operators.planning.actions import Blocked
from operators.simulation.cluster import UID, SimulatedCluster
from tests.integration.api.broken import Shown, changed
from tests.unit.hookrun.inprocess import InProcess

_STORED = {"namespace": "game", "uid": UID, "resourceVersion": "1", "generation": 1}


def said(case: Shown) -> tuple[str, str]:
    """Reason and message that the case leads to."""
    return _run(case) if case.kind == "HookRun" else _workload(case)


def _workload(case: Shown) -> tuple[str, str]:
    """Until nothing moves, change, until nothing moves again: what the condition Blocked says then."""
    body = case.manifest()
    body["metadata"].update(_STORED)
    body["status"] = {}
    body["spec"].setdefault("replicas", 1)
    templates = {name: _template(name, args) for name, args in case.templates.items()}
    cluster = SimulatedCluster(body, templates)
    blocked = _settle(cluster)
    if case.then:
        assert not blocked, f"blocked before the change: {blocked}"
        changed(cluster.workload, case.then)
        cluster.patch_spec({})
        blocked = _settle(cluster)
    condition = next(c for c in cluster.workload["status"]["conditions"] if c["type"] == "Blocked")
    assert condition["status"] == "True", condition
    return condition["reason"], condition["message"]


def _settle(cluster: SimulatedCluster) -> tuple[Blocked, ...]:
    for _ in range(10):
        cluster.remove_terminating()
        for name in list(cluster.pods):
            cluster.start_pod(name)
            cluster.restart_containers(name)
        plan = cluster.reconcile()
    assert not plan.actions, f"still moving: {plan.actions}"
    return tuple(b for b in plan.blocked if not b.waiting)


def _template(name: str, args: object) -> dict[str, object]:
    metric = {"name": "m", "provider": {"web": {"url": "http://x", "jsonPath": "{$.r}"}}}
    metadata = {"namespace": "game", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"metrics": [metric], "args": args}}


def _run(case: Shown) -> tuple[str, str]:
    """A run whose endpoint answers 1: its phase, and its message or that of its metric."""
    body = case.manifest()
    body["metadata"].update(_STORED)
    body["status"] = {}
    state = run_view(body).state
    unreadable = asyncio.run(HookWorkers(InProcess()).unreadable_conditions("game", state.spec))
    assessment = assess(state, 0.0, unreadable=unreadable)
    for metric in assessment.measure:
        phase, message = measurement_phase(metric, MeasuredValue("1", "1"))
        state = add_measurement(assessment.state, metric.name, MeasurementState(phase, 0.0, 1.0, "1", message))
        assessment = assess(state, 1.0)
    state = assessment.state
    return state.phase, state.message or state.results[0].message
