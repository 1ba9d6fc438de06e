"""What workers can be asked to do, in this process."""

import json

import orjson
import pytest

from operators.api.hooktemplate import Metric
from operators.hookrun import jsonpath
from operators.hookrun.arguments import ArgumentError
from operators.hookrun.isolated import FUNCTIONS
from operators.hookrun.outcome import measurement_phase
from operators.hookrun.providers.base import MeasuredValue, ProviderError
from operators.hookrun.providers.prometheus import Prometheus, convert
from operators.hookrun.providers.web import Web
from operators.sandbox.protocol import Status
from operators.sandbox.worker import call


def ask(name, argument, body=b""):
    """A result, through JSON both ways."""
    status, answer = call(FUNCTIONS, orjson.dumps([name, argument]), body)
    assert status is Status.OK, answer
    return orjson.loads(answer)


def refused(name, argument, body=b""):
    status, answer = call(FUNCTIONS, orjson.dumps([name, argument]), body)
    assert status is Status.REFUSED
    return orjson.loads(answer)


def verdict(body, *, success=None, failure=None, path="{$.n}"):
    argument = {"provider": "web", "reading": {"jsonPath": path}, "success": success, "failure": failure}
    return ask("judge_measurement", argument, body)


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        ("asInt(result) == 3", None, "Successful"),
        ("asInt(result) == 4", None, "Failed"),
        (None, "asInt(result) == 3", "Failed"),
        ("asInt(result) == 4", "asInt(result) == 5", "Inconclusive"),
        (None, None, "Successful"),
        ("asInt(", None, "Error"),
    ],
)
def test_a_web_answer_is_judged_as_in_the_operators(success, failure, phase):
    found = verdict(b'{"n": 3}', success=success, failure=failure)
    raw = {"name": "m", "successCondition": success, "failureCondition": failure, "provider": {}}
    metric = Metric.model_validate({key: value for key, value in raw.items() if value is not None})
    assert (found["phase"], found["message"]) == measurement_phase(metric, MeasuredValue("3", "3"))
    assert (found["phase"], found["value"]) == (phase, "3")


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b"{", "{$.n}", "Could not parse JSON body: "),
        (b"\xff", "{$.n}", "Could not parse JSON body: "),
        (b"{}", "{$.n}", "n is not found"),
        (b"{}", "{$.n", "is not closed"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_measurement(body, path, message):
    found = verdict(body, path=path)
    assert found["phase"] == "Error"
    assert message in found["message"]
    assert found["value"] is None


def test_a_long_value_is_clipped():
    assert len(verdict(json.dumps({"n": "ü" * 5000}).encode())["value"].encode()) == 1023, "510 characters and …"


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("scalar", [0, "1.50"]),
        ("scalar", [0, "+Inf"]),
        ("vector", [{"metric": {}, "value": [0, "3"]}, {"metric": {}, "value": [0, "1e3"]}]),
        ("vector", []),
        ("string", [0, "text"]),
    ],
)
def test_a_result_of_prometheus_is_what_the_provider_makes_of_it(kind, result):
    body = orjson.dumps({"status": "success", "data": {"resultType": kind, "result": result}})
    assert Prometheus().read({"status": 200}, body) == convert(kind, result)


def test_a_nan_of_prometheus_is_inconclusive():
    body = orjson.dumps({"status": "success", "data": {"resultType": "scalar", "result": [0, "NaN"]}})
    argument = {"provider": "prometheus", "reading": {"status": 200}, "success": "result > 1", "failure": None}
    found = ask("judge_measurement", argument, body)
    assert found == {"phase": "Inconclusive", "message": "the value is not a number: NaN", "value": "NaN"}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (502, b"<html>", "Prometheus answered 502 and no JSON"),
        (400, b'{"status":"error","error":"parse error"}', "Prometheus answered 400: parse error"),
        (400, b"[]", "Prometheus answered 400: "),
        (200, b'{"status":"success"}', "malformed: KeyError"),
        (200, b'{"status":"success","data":{"resultType":"scalar"}}', "malformed: KeyError"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":["x"]}}', "malformed: IndexError"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "metric type not supported"),
    ],
)
def test_a_response_of_prometheus_without_a_usable_result(status, body, message):
    with pytest.raises(ProviderError) as caught:
        Prometheus().read({"status": status}, body)
    assert message in str(caught.value)


def test_web_values_are_what_the_path_gives():
    assert Web().read({"jsonPath": "{.a[1].b}-{.a[0]}"}, b'{"a": [1, {"b": "x"}]}') == MeasuredValue("x-1", "x-1")
    with pytest.raises(jsonpath.JsonPathError):
        Web().read({"jsonPath": "{.a}"}, b"[]")


def test_conditions_are_checked_one_by_one():
    good, bad = ask("check_conditions", ["result == 1", "result =="])
    assert good == ""
    assert bad


def test_texts_of_a_request_are_filled_by_their_places():
    found = ask(
        "fill",
        {
            "args": [["ip", "fd00::1"], ["q", 'a"b']],
            "texts": [
                ["url", "http://{{ args.ip }}/?q={{args.q}}"],
                ["header", "x {{args.q}}"],
                ["query", 'up{a="{{args.q}}"}'],
            ],
        },
    )
    assert found == ["http://[fd00::1]/?q=a%22b", 'x a"b', 'up{a="a\\"b"}']


@pytest.mark.parametrize(
    ("args", "texts"),
    [
        ([["a", None]], []),
        ([], [["url", "http://{{args.a}}"]]),
        ([["a", "\n"]], [["header", "{{args.a}}"]]),
    ],
)
def test_texts_that_cannot_be_filled_are_refused(args, texts):
    argument = {"args": args, "texts": texts}
    with pytest.raises(ArgumentError) as caught:
        FUNCTIONS["fill"](argument, b"")
    assert refused("fill", argument) == str(caught.value)


def test_a_message_with_half_a_character_can_be_sent():
    assert call({"f": fail_with_half_a_character}, b'["f", null]', b"") == (Status.REFUSED, b'"\\\\udcff"')


def fail_with_half_a_character(argument, body):
    raise ValueError("\udcff")
