"""Measures by a Prometheus instant query (spec/hooks.md 5.2)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from operators.api.hooktemplate import PrometheusProvider
from operators.hookrun.arguments import substitute
from operators.hookrun.measurement import ProviderError, Value
from operators.hookrun.providers.guard import resolve

_TIMEOUT = 30


def _text(number: float) -> str:
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return str(int(number)) if number.is_integer() else repr(number)


def convert(data: Mapping[str, Any]) -> Value:
    """The value of an answer's ``data``; a NaN is inconclusive.

    Raises:
        ProviderError: the result is of a kind that conditions cannot use.
    """
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar" and isinstance(result, list):
        numbers, value = [float(result[1])], None
    elif kind == "vector" and isinstance(result, list):
        numbers = [float(sample["value"][1]) for sample in result]
        value = numbers
    elif kind == "string" and isinstance(result, list):
        return Value(str(result[1]), str(result[1]))
    else:
        raise ProviderError("Prometheus metric type not supported")
    shown = _text(numbers[0]) if value is None and not math.isnan(numbers[0]) else None
    if any(math.isnan(n) for n in numbers):
        return Value(None, "NaN" if value is None else str([*map(str, numbers)]), phase="Inconclusive")
    if value is None:
        return Value(numbers[0], shown)
    return Value(value, "[" + ",".join(_text(n) for n in numbers) + "]")


def _query(address: str, query: str) -> Mapping[str, Any]:
    import requests
    from prometheus_api_client import PrometheusConnect

    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    client = PrometheusConnect(url=address, timeout=_TIMEOUT, session=session)
    answer = client._session.get(  # noqa: SLF001 - custom_query drops the result's type, which decides its meaning
        f"{client.url}/api/v1/query", params={"query": query}, timeout=_TIMEOUT, allow_redirects=False
    )
    body: Mapping[str, Any] = answer.json()
    if answer.status_code != 200 or body.get("status") != "success":
        raise ProviderError(f"Prometheus answered {answer.status_code}: {str(body.get('error', ''))[:300]}")
    data: Mapping[str, Any] = body["data"]
    return data


async def measure(prometheus: PrometheusProvider, args: Mapping[str, str], allowed: Sequence[str]) -> Value:
    """Ask once, in a thread: the client library blocks.

    Raises:
        ProviderError: no usable answer.
        ValueError: arguments do not fit.
    """
    query = substitute(prometheus.query, args)
    await resolve(prometheus.address, allowed)
    try:
        async with asyncio.timeout(_TIMEOUT + 1):
            data = await asyncio.to_thread(_query, prometheus.address.rstrip("/"), query)
    except TimeoutError as error:
        raise ProviderError(f"no answer within {_TIMEOUT} s") from error
    except (OSError, KeyError, TypeError) as error:  # requests' errors are OSErrors
        raise ProviderError(f"{type(error).__name__}: {str(error)[:300]}") from error
    return convert(data)
