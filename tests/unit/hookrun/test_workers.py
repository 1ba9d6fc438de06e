"""Hooks' questions, asked of functions in this process and of real workers."""

from typing import Any

import pytest

from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric
from operators.hookrun.providers.base import Answer, MeasuredValue, MeasurementRequest, ProviderError
from operators.hookrun.workers import FUNCTIONS, HookWorkers, MeasurementVerdict
from operators.sandbox.errors import CpuLimitExceeded, Refused
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool
from tests.unit.hookrun.inprocess import InProcess
from tests.unit.hookrun.runs import metric

WEB = {"web": {"url": "http://x", "jsonPath": "{.n}"}}
PROMETHEUS = {"prometheus": {"address": "http://x", "query": "up"}}


class Overloaded:
    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any:
        raise CpuLimitExceeded(0.25)


def asked(**args: str) -> MeasurementRequest:
    return MeasurementRequest(args, "a", "", "u", "m", 0)


def judged_by(provider: dict[str, Any], success: str | None = None, failure: str | None = None) -> Metric:
    given = {"successCondition": success, "failureCondition": failure}
    return Metric.model_validate(metric(provider=provider, **{k: v for k, v in given.items() if v}))


@pytest.fixture(params=["here", "workers"])
async def judge(request):
    if request.param == "here":
        yield HookWorkers(InProcess())
        return
    pool = WorkerPool(FUNCTIONS, limits=Limits(cpu_seconds=5.0, wall_seconds=30.0))
    yield HookWorkers(pool)
    await pool.close()


async def test_a_measurement_takes_a_request_and_a_verdict(judge):
    texts = [("url", "http://{{args.ip}}/"), ("header", "Bearer {{args.token}}"), ("query", 'up{p="{{args.ip}}"}')]
    filled = await judge.fill(asked(ip="10.0.0.1", token="t"), texts)
    assert filled == ["http://10.0.0.1/", "Bearer t", 'up{p="10.0.0.1"}']
    found = await judge.verdict("a", judged_by(WEB, "asInt(result) > 1"), Answer({"jsonPath": "{.n}"}, b'{"n": 2}'))
    assert found == MeasurementVerdict("Successful", "", "2")


async def test_a_query_and_its_verdict(judge):
    body = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[0,"3"]}]}}'
    found = await judge.verdict("a", judged_by(PROMETHEUS, None, "result[0] > 2"), Answer({"status": 200}, body))
    assert found == MeasurementVerdict("Failed", "failureCondition 'result[0] > 2' holds for '[3]'", "[3]")


async def test_arguments_that_do_not_fit_are_refused(judge):
    with pytest.raises(Refused, match=r"failed to resolve \{\{args\.a\}\}"):
        await judge.fill(asked(), [("url", "http://{{args.a}}")])


async def test_a_condition_that_cannot_be_read_is_named_with_its_metric(judge):
    metrics = [metric("good", successCondition="result == '1'"), metric("bad", failureCondition="result ==")]
    found = await judge.unreadable_conditions("a", HookRunSpec.model_validate({"metrics": metrics}))
    assert list(found) == ["bad"]
    assert found["bad"].startswith("failureCondition 'result ==' does not parse: ")


async def test_attack_f1_a_limit_makes_an_error_that_names_it():
    found = await HookWorkers(Overloaded()).verdict("a", judged_by(WEB), Answer({"jsonPath": "{.a}"}, b"{}"))
    assert found == MeasurementVerdict("Error", "the limit of 250 ms of CPU time was exceeded", None)
    with pytest.raises(ProviderError, match="arguments: the limit of 250 ms"):
        await HookWorkers(Overloaded()).fill(asked(a="b"), [("url", "http://{{args.a}}")])
    spec = HookRunSpec.model_validate({"metrics": [metric("m", successCondition="result == '1'")]})
    found = await HookWorkers(Overloaded()).unreadable_conditions("a", spec)
    assert found == {"m": "successCondition: the limit of 250 ms of CPU time was exceeded"}


async def test_texts_without_arguments_need_no_worker():
    assert await HookWorkers(Overloaded()).fill(asked(), [("url", "http://x/")]) == ["http://x/"]


async def test_a_value_that_is_read_already_is_judged_here():
    found = await HookWorkers(Overloaded()).verdict("a", judged_by(WEB, "result == 'x'"), MeasuredValue("x", "x"))
    assert found == MeasurementVerdict("Successful", "", "x")
