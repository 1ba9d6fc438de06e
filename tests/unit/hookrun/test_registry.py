"""One more provider in the registry: the controller measures with it, rules, metrics and validation know it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from prometheus_client import CollectorRegistry

from operators.api.hookrules import hook
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric, MetricProvider
from operators.api.providers import kubernetes as kubernetes_settings
from operators.api.providers import prometheus as prometheus_settings
from operators.api.providers import web as web_settings
from operators.api.providers.base import ProviderSettings
from operators.api.rules import Schema, add, at, rule
from operators.api.schema import structural
from operators.hookrun.assess import refusal
from operators.hookrun.controller import HookRunController
from operators.hookrun.providers.base import Connections, MeasuredValue, MeasurementRequest, ProviderError
from operators.hookrun.providers.findings import Finding
from operators.hookrun.providers.registry import PROVIDERS, ProviderRegistry
from operators.hookrun.settings import HookSettings
from operators.hookrun.view import RunView, run_view
from operators.kube.resources import HOOK_RUNS
from operators.runtime.store import Change, Store
from tests.unit.hookrun.inprocess import connections
from tests.unit.hookrun.runs import WEB, metric, request
from webhooks.validation.templates import template_problems

# A fourth provider: its settings, its field, its class, its place in a registry.


class DiceSettings(ProviderSettings):
    """Settings of a provider that throws a die."""

    sides: int

    @classmethod
    def add_rules(cls, schema: Schema, metric: str, name: str) -> None:
        add(schema, f"{metric}.provider.{name}.sides", rule("self > 0", "sides must be positive"))


class FourProviders(MetricProvider):
    dice: DiceSettings | None = None


class Dice:
    """Always throws its highest number."""

    name = "dice"
    results = (1.0,)

    def findings(self, settings: Any, metric: Any, args: Any) -> Iterator[Finding]:
        if settings.get("sides") == 1:
            yield Finding(f"provider.{self.name}.sides", "a die of one side", fatal=False)

    async def measure(
        self, settings: DiceSettings, request: MeasurementRequest, connections: Connections
    ) -> MeasuredValue:
        if settings.sides > 99:
            raise ProviderError("it rolls away")
        return MeasuredValue(float(settings.sides), str(settings.sides))


class FourMetric(Metric):
    provider: FourProviders


class FourSpec(HookRunSpec):
    metrics: tuple[FourMetric, ...]


FOUR = ProviderRegistry(*PROVIDERS, Dice())


def throw(sides: int, **fields: Any) -> dict[str, Any]:
    return metric(provider={"dice": {"sides": sides}}, **fields)


class Api:
    """An API server that takes every patch."""

    def __init__(self) -> None:
        self.credentials = SimpleNamespace(server="https://10.96.0.1")
        self.written: dict[str, Any] = {}
        self.asked = asyncio.Event()

    async def merge_patch(self, resource: Any, namespace: str, name: str, body: Any, **_: Any) -> Any:
        assert resource is HOOK_RUNS
        self.written |= body["status"]
        self.asked.set()
        return {"metadata": {"resourceVersion": "2"}}


def stored(spec: HookRunSpec) -> RunView:
    """The view of a new run with this spec."""
    metadata = {"namespace": "d", "name": "r", "uid": "u", "resourceVersion": "1"}
    seen = run_view({"metadata": metadata, "spec": {"metrics": [metric()]}})
    return replace(seen, state=replace(seen.state, spec=spec))


@pytest.mark.parametrize(
    ("sides", "phase", "message"),
    [
        (6, "Successful", ""),
        (5, "Failed", "successCondition 'result == 6' does not hold for '5'"),
        (100, "Error", "it rolls away"),
    ],
)
async def test_the_controller_measures_with_a_provider_that_is_added(sides: int, phase: str, message: str) -> None:
    api, store, registry = Api(), Store[RunView](), CollectorRegistry()
    events = SimpleNamespace(note=lambda *_: None)
    controller = HookRunController(api, store, events, registry, HookSettings(), providers=FOUR, workers=1)
    view = stored(FourSpec.model_validate({"metrics": [throw(sides, successCondition="result == 6")]}))
    working = asyncio.create_task(controller.run())
    store.put(view)
    controller.on_change(Change(None, view))
    async with asyncio.timeout(5):
        await api.asked.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    (found,) = api.written["metricResults"]
    assert (api.written["phase"], found.get("message", "")) == (phase, message)
    assert registry.get_sample_value("bkbcs_hook_measurements_total", {"provider": "dice", "phase": phase}) == 1


def test_exactly_one_counts_a_provider_that_is_added() -> None:
    both = {"provider": {**WEB, "dice": {"sides": 6}}}
    assert refusal(FourSpec.model_validate({"metrics": [throw(6)]})) == ""
    reason = "metrics[0]: multiple providers specified"
    assert refusal(FourSpec.model_validate({"metrics": [metric(**both)]})) == reason


def test_the_definition_has_the_rules_of_a_provider_that_is_added() -> None:
    schema = structural(FourSpec)
    hook(schema, FourProviders)
    provider = at(schema, "metrics.[].provider")
    (one,) = (r for r in provider["x-kubernetes-validations"] if "exactly one" in r["message"])
    assert one["message"] == "provider must have exactly one of web, prometheus, kubernetes and dice"
    assert "(has(self.dice) ? 1 : 0)" in one["rule"]
    assert at(provider, "dice.sides")["x-kubernetes-validations"][0]["message"] == "sides must be positive"


def test_templates_are_checked_by_a_provider_that_is_added() -> None:
    def problems(*metrics: dict[str, Any]) -> list[str]:
        found = template_problems({"spec": {"metrics": list(metrics)}}, FOUR)
        return [str(problem) for problem in found if problem.field.startswith("spec.")]

    assert problems(throw(6, successCondition="result > 1")) == []
    assert problems(throw(1)) == ["spec.metrics[a].provider.dice.sides: a die of one side"]
    (misfit,) = problems(throw(6, successCondition="'6' in result"))
    assert "does not compile" in misfit


def test_every_provider_of_the_api_is_measured_with_and_no_other() -> None:
    modules = {**vars(kubernetes_settings), **vars(prometheus_settings), **vars(web_settings)}
    measured = {each.name: get_type_hints(each.measure, localns=modules)["settings"] for each in PROVIDERS}
    assert measured == MetricProvider.settings()


async def test_without_a_provider_nothing_is_measured() -> None:
    with pytest.raises(ProviderError, match="no provider specified"):
        await PROVIDERS.measure(MetricProvider(), request(), connections())


def test_the_registry_loads_no_client_and_no_model() -> None:
    """The webhooks read it, and have to stay small."""
    heavy = ["pydantic", "httpx", "aiohttp", "requests", "prometheus_api_client", "kubernetes"]
    code = f"import sys, operators.hookrun.providers.registry; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
