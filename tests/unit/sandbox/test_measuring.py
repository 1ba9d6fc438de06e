"""Hooks' questions, asked of functions in this process and of real workers."""

import pytest

from operators.sandbox.errors import CpuLimitExceeded, Refused
from operators.sandbox.functions import FUNCTIONS
from operators.sandbox.limits import Limits
from operators.sandbox.measuring import Judge, Verdict
from operators.sandbox.pool import WorkerPool


class Here:
    """Calls a function in this process."""

    async def call(self, namespace, name, argument, body=b""):
        try:
            return FUNCTIONS[name](argument, body)
        except ValueError as error:
            raise Refused(str(error)) from error


class Overloaded:
    async def call(self, namespace, name, argument, body=b""):
        raise CpuLimitExceeded(0.25)


@pytest.fixture(params=["here", "workers"])
async def judge(request):
    if request.param == "here":
        yield Judge(Here())
        return
    pool = WorkerPool(limits=Limits(cpu_seconds=5.0, wall_seconds=30.0))
    yield Judge(pool)
    await pool.close()


async def test_a_measurement_takes_a_request_and_a_verdict(judge):
    args = [("ip", "10.0.0.1"), ("token", "t")]
    headers = [("Authorization", "Bearer {{args.token}}"), ("X", "y")]
    url, filled = await judge.web_request("a", args, "http://{{args.ip}}/", headers)
    assert (url, filled) == ("http://10.0.0.1/", {"Authorization": "Bearer t", "X": "y"})
    found = await judge.web_verdict("a", ("asInt(result) > 1", None), "{.n}", b'{"n": 2}')
    assert found == Verdict("Successful", "", "2")


async def test_a_query_and_its_verdict(judge):
    assert await judge.query("a", [("p", "x")], 'up{p="{{args.p}}"}') == 'up{p="x"}'
    body = b'{"status":"success","data":{"resultType":"vector","result":[{"value":[0,"3"]}]}}'
    found = await judge.prometheus_verdict("a", (None, "result[0] > 2"), 200, body)
    assert found == Verdict("Failed", "failureCondition 'result[0] > 2' holds for '[3]'", "[3]")


async def test_arguments_that_do_not_fit_are_refused(judge):
    with pytest.raises(Refused, match='argument "a" was not supplied'):
        await judge.web_request("a", [("a", None)], "http://x", [])


async def test_what_is_checked_ahead(judge):
    good, bad = await judge.condition_errors("a", [("result == 1", [0.0]), ("result ==", ())])
    assert good is None
    assert bad
    good, bad = await judge.path_errors("a", ["{.a}", "{.a"])
    assert good is None
    assert "not closed" in bad


async def test_a_limit_makes_an_error_that_names_it():
    found = await Judge(Overloaded()).web_verdict("a", (None, None), "{.a}", b"{}")
    assert found == Verdict("Error", "the limit of 250 ms of CPU time was exceeded", None)
