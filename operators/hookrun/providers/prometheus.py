"""Measures by a Prometheus instant query (spec/hooks.md 5.2).

The request is made and the answer read by prometheus-api-client. What goes over the network in between is ours: the
library would block the operator, retry on a schedule of its own, follow redirects, and connect wherever a name leads.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import BaseAdapter

from operators.api.hooktemplate import PrometheusProvider
from operators.hookrun.arguments import query_value, substitute
from operators.hookrun.providers.egress import Reach
from operators.hookrun.providers.http import Answer, fetch
from operators.hookrun.verdict import ProviderError, Value, shown_address

_TIMEOUT = 30


class _Caught(Exception):
    """The library's request is known now."""


class _Exchange(BaseAdapter):
    """The network as the library sees it: its first request is caught, the second is given the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.answer: Answer | None = None

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Catch the request, or answer it."""
        if self.answer is None:
            self.url = request.url or ""
            raise _Caught
        response = requests.Response()
        response.status_code, response.raw = self.answer.status, io.BytesIO(self.answer.body)
        response.request, response.url = request, self.url
        return response

    def close(self) -> None:
        """Nothing is open."""


async def measure(prometheus: PrometheusProvider, args: Mapping[str, str], reach: Reach) -> Value:
    """Ask once.

    Raises:
        ProviderError: no usable answer.
        ValueError: arguments do not fit.
    """
    query = substitute(prometheus.query, args, query_value)
    with requests.Session() as session:
        session.trust_env = False  # neither proxies nor passwords of our own environment
        exchange = _Exchange()
        client = _client(prometheus.address, session, exchange)
        try:
            client.custom_query(query)
        except _Caught:
            pass
        except requests.RequestException as error:
            shown = shown_address(prometheus.address, 200)
            raise ProviderError(f"address {shown}: {type(error).__name__}") from error
        exchange.answer = await fetch(exchange.url, {"Accept": "application/json"}, reach, _TIMEOUT)
        kind = _result_type(exchange.answer)
        try:
            return convert(kind, client.custom_query(query))
        except (ValueError, LookupError, TypeError) as error:
            raise ProviderError(f"the answer of Prometheus is malformed: {type(error).__name__}") from error


def _client(address: str, session: requests.Session, exchange: _Exchange) -> PrometheusConnect:
    try:
        client = PrometheusConnect(url=address.rstrip("/"), session=session)
    except ValueError as error:
        raise ProviderError(f"address {shown_address(address, 200)} cannot be read") from error
    session.adapters.clear()  # the library's own, and those for any other address
    session.mount("http", exchange)
    return client


def _result_type(answer: Answer) -> str:
    """The result's type, which the library drops although it decides what the result means."""
    try:
        body = orjson.loads(answer.body)
    except ValueError as error:
        raise ProviderError(f"Prometheus answered {answer.status} and no JSON") from error
    if answer.status != 200 or not isinstance(body, dict) or body.get("status") != "success":
        reason = str(body.get("error", ""))[:300] if isinstance(body, dict) else ""
        raise ProviderError(f"Prometheus answered {answer.status}: {reason}")
    data = body.get("data")
    if not isinstance(data, dict):
        raise ProviderError("the answer of Prometheus holds no data")
    return str(data.get("resultType", ""))


def convert(kind: str, result: Any) -> Value:
    """The value of a result.

    Raises:
        ProviderError: the result is of a kind that conditions cannot use.
    """
    if kind == "scalar":
        number = float(result[1])
        return Value(number, _text(number), nan=math.isnan(number))
    if kind == "vector":
        numbers = [float(sample["value"][1]) for sample in result]
        return Value(numbers, f"[{','.join(map(_text, numbers))}]", nan=any(map(math.isnan, numbers)))
    if kind == "string":
        return Value(str(result[1]), str(result[1]))
    raise ProviderError("Prometheus metric type not supported")


def _text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return format(Decimal(repr(number)), "f").removesuffix(".0")
