"""Measures by a Prometheus instant query (docs/spec/hooks.md 5.2).

prometheus-api-client makes the request and judges its status, through a session of ours that sends it like every
request of a hook. Its own session would follow redirects, repeat requests on a schedule of its own, and connect to
whatever address a name leads to. The library blocks, so each query has a thread; the body is read later, under limits
(docs/decisions/0035-prometheus.md).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from operators.hookrun.providers.answers import read_json
from operators.hookrun.providers.base import (
    Answer,
    Connections,
    HttpResponse,
    MeasuredValue,
    MeasurementRequest,
    ProviderError,
    Session,
    redact_url,
)
from operators.hookrun.providers.findings import Finding, RawObject, TemplateArguments, tag_findings, text

if TYPE_CHECKING:
    from operators.api.providers.prometheus import PrometheusProvider

_TIMEOUT, _OK = 30, 200


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
    ) -> Answer:
        """Send one query.

        Raises:
            ProviderError: no answer.
            ValueError: arguments do not fit.
        """
        (query,) = await connections.texts.fill(request, [("query", settings.query)])
        response = await connections.blocking.run(lambda session: _query(settings.address, query, session))
        return Answer({"status": response.status}, response.body)

    def read(self, reading: Mapping[str, Any], body: bytes) -> MeasuredValue:
        """The result of the query.

        Raises:
            ProviderError: it was refused, or its result is malformed or of a type that conditions cannot use.
        """
        status = reading["status"]
        try:
            answer = read_json(body)
        except ValueError as error:
            raise ProviderError(f"Prometheus answered {status} and no JSON") from error
        answer = answer if isinstance(answer, dict) else {}
        if status != _OK or answer.get("status") != "success":
            raise ProviderError(f"Prometheus answered {status}: {str(answer.get('error', ''))[:300]}")
        try:
            return convert(str(answer["data"]["resultType"]), answer["data"]["result"])
        except (ValueError, LookupError, TypeError) as error:
            raise ProviderError(f"the answer of Prometheus is malformed: {type(error).__name__}") from error


def _query(address: str, query: str, session: Session) -> HttpResponse:
    """Send a query by the library, and return the response unread; blocks."""
    from prometheus_api_client import PrometheusApiClientException, PrometheusConnect

    try:
        server = PrometheusConnect(url=address.rstrip("/"), session=session)
    except ValueError as error:
        raise ProviderError(f"address {redact_url(address, 200)} cannot be read") from error
    # An error of the server is in the body, which `Prometheus.read` reads.
    with contextlib.suppress(PrometheusApiClientException):
        server.custom_query(query, timeout=_TIMEOUT)
    return session.last


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
