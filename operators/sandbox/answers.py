"""The value of a server's answer (spec/hooks.md 5.1, 5.2). Pure: the answer's bytes in."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import orjson

from operators.hookrun import jsonpath
from operators.hookrun.providers.base import MeasuredValue, ProviderError

_REASON = 300


def web_value(body: bytes, json_path: str) -> MeasuredValue:
    """What a path finds in the answer of a web endpoint.

    Raises:
        ProviderError: the answer is no JSON.
        JsonPathError: the path finds nothing.
    """
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        raise ProviderError(f"Could not parse JSON body: {error}") from error
    text = jsonpath.extract(json_path, answer)
    return MeasuredValue(text, text)


def prometheus_value(status: int, body: bytes) -> MeasuredValue:
    """The result of an instant query.

    Raises:
        ProviderError: the query was refused, or its result is malformed or of a type that conditions cannot use.
    """
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        raise ProviderError(f"Prometheus answered {status} and no JSON") from error
    if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
        reason = str(answer.get("error", ""))[:_REASON] if isinstance(answer, dict) else ""
        raise ProviderError(f"Prometheus answered {status}: {reason}")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ProviderError("the answer of Prometheus holds no data")
    try:
        return _converted(str(data.get("resultType", "")), data["result"])
    except (ValueError, LookupError, TypeError) as error:
        raise ProviderError(f"the answer of Prometheus is malformed: {type(error).__name__}") from error


def _converted(kind: str, result: Any) -> MeasuredValue:
    if kind == "scalar":
        number = float(result[1])
        return MeasuredValue(number, _shown(number), nan=math.isnan(number))
    if kind == "vector":
        numbers = [float(sample["value"][1]) for sample in result]
        return MeasuredValue(numbers, f"[{','.join(map(_shown, numbers))}]", nan=any(map(math.isnan, numbers)))
    if kind == "string":
        return MeasuredValue(str(result[1]), str(result[1]))
    raise ProviderError("Prometheus metric type not supported")


def _shown(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return format(Decimal(repr(number)), "f").removesuffix(".0")
