"""Measures by a Prometheus instant query (spec/hooks.md 5.2).

prometheus-api-client makes the request and reads the response, through a session of ours that sends it like every
request of a hook. Its own session would follow redirects, repeat requests on a schedule of its own, and connect to
whatever address a name leads to. The library blocks, so each query has a thread (docs/decisions/0035-prometheus.md).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from operators.hookrun.arguments import query_value, substitute
from operators.hookrun.providers.base import (
    Connections,
    HttpGetter,
    HttpResponse,
    MeasuredValue,
    MeasurementRequest,
    ProviderError,
    redact_url,
)
from operators.hookrun.providers.findings import Finding, RawObject, TemplateArguments, tag_findings, text

if TYPE_CHECKING:
    from operators.api.providers.prometheus import PrometheusProvider

_TIMEOUT = 30
#: A thread waits as long as its query does. With fewer threads than measurements may go on at a time
#: (`HookSettings.max_concurrent`), the slow server of one namespace would hold up the queries of all others.
_THREADS = 500


class Prometheus:
    """The value is a number, a list of numbers or a text, as the type of the query's result has it."""

    name: Final = "prometheus"
    results: Final = ([0.0], 0.0, "")

    def findings(self, settings: RawObject, metric: RawObject, args: TemplateArguments) -> Iterator[Finding]:
        """H8: the arguments of the query are there."""
        del metric
        yield from tag_findings(f"provider.{self.name}.query", text(settings, "query"), args)

    async def measure(
        self, settings: PrometheusProvider, request: MeasurementRequest, connections: Connections
    ) -> MeasuredValue:
        """Send one query.

        Raises:
            ProviderError: no usable answer.
            ValueError: arguments do not fit.
        """
        query = substitute(settings.query, request.args, query_value)
        loop = asyncio.get_running_loop()
        session = _GuardedSession(connections.http, loop)
        try:
            kind, result = await loop.run_in_executor(_threads(), _query, settings.address, query, session)
            return convert(kind, result)
        except (ValueError, LookupError, TypeError) as error:
            raise ProviderError(f"the answer of Prometheus is malformed: {type(error).__name__}") from error
        finally:
            session.close()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "prometheus")


def _query(address: str, query: str, session: _GuardedSession) -> tuple[str, Any]:
    """Type and value of a query's result; blocks."""
    from prometheus_api_client import PrometheusApiClientException, PrometheusConnect

    try:
        server = PrometheusConnect(url=address.rstrip("/"), session=session)
    except ValueError as error:
        raise ProviderError(f"address {redact_url(address, 200)} cannot be read") from error
    try:
        result = server.custom_query(query, timeout=_TIMEOUT)
    except PrometheusApiClientException as error:
        raise ProviderError(session.last.error()) from error
    return session.last.result_type(), result


class _GuardedSession:
    """What `PrometheusConnect` uses of a `requests.Session`, on top of the transport of hooks.

    ``request`` runs in the thread of the query, the exchange in the event loop.
    """

    verify: Final = True
    cert: Final = None

    def __init__(self, http: HttpGetter, loop: asyncio.AbstractEventLoop) -> None:
        self._http, self._loop = http, loop
        self._exchange: Future[HttpResponse] | None = None
        self._closed = False
        self.last = _Response(HttpResponse(0, b""))

    def mount(self, prefix: str, adapter: object) -> None:
        """Ignore the library's adapter, which repeats requests."""

    def request(self, method: str, url: str, params: Mapping[str, str], timeout: float, **_: object) -> _Response:
        """Send a request and wait for its response; redirects are not followed."""
        if method != "GET":
            raise ProviderError(f"hooks send no {method} requests")
        full = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        get = self._http.get(full, {"Accept": "application/json"}, timeout)
        self._exchange = asyncio.run_coroutine_threadsafe(get, self._loop)
        if self._closed:
            self._exchange.cancel()
        self.last = _Response(self._exchange.result(timeout + 5))
        return self.last

    def close(self) -> None:
        """Stop an exchange under way, so that its thread ends."""
        self._closed = True
        if self._exchange is not None:
            self._exchange.cancel()


class _Response:
    """What `PrometheusConnect` reads of a `requests.Response`, and what it leaves unread."""

    def __init__(self, response: HttpResponse) -> None:
        self.status_code, self.content = response.status, response.body

    @cached_property
    def _body(self) -> dict[str, Any]:
        try:
            body = orjson.loads(self.content)
        except ValueError as error:
            raise ProviderError(f"Prometheus answered {self.status_code} and no JSON") from error
        return body if isinstance(body, dict) else {}

    def json(self) -> dict[str, Any]:
        """The body of a successful query."""
        if self._body.get("status") != "success":
            raise ProviderError(self.error())
        return self._body

    def result_type(self) -> str:
        """The type of the result, which decides what its value means."""
        return str(self.json()["data"]["resultType"])

    def error(self) -> str:
        """Why the server refused the query."""
        return f"Prometheus answered {self.status_code}: {str(self._body.get('error', ''))[:300]}"


def convert(kind: str, result: Any) -> MeasuredValue:
    """The value of a result.

    Raises:
        ProviderError: the result is of a type that conditions cannot use.
        ValueError, LookupError, TypeError: it is malformed.
    """
    if kind == "scalar":
        number = float(result[1])
        return MeasuredValue(number, _format(number), nan=math.isnan(number))
    if kind == "vector":
        numbers = [float(sample["value"][1]) for sample in result]
        return MeasuredValue(numbers, f"[{','.join(map(_format, numbers))}]", nan=any(map(math.isnan, numbers)))
    if kind == "string":
        return MeasuredValue(str(result[1]), str(result[1]))
    raise ProviderError("Prometheus metric type not supported")


def _format(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return format(Decimal(repr(number)), "f").removesuffix(".0")
