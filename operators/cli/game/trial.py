"""One measurement of a HookTemplate from here, by the operators' own providers and conditions (``hook run``).

What differs from the hook controller is the way only: pods and Services are asked through the API server's proxy,
everything else from this machine, and there is no worker process around the conditions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from operators.api.hookphase import HookPhase
from operators.api.hooktemplate import Metric
from operators.cli.game.documents import MetricTrial
from operators.hookrun import isolated
from operators.hookrun.arguments import values_of
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate
from operators.hookrun.providers.base import (
    Answer,
    Connections,
    HttpGetter,
    HttpResponse,
    MeasuredValue,
    MeasurementRequest,
    ProviderError,
)
from operators.hookrun.providers.blocking import ThreadedCalls
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.registry import PROVIDERS
from operators.hookrun.providers.transport import BODY_LIMIT, HttpTransport
from operators.hookrun.workers import HookWorkers, MeasurementVerdict
from operators.kube.client import Client
from operators.kube.errors import ApiError, Forbidden
from operators.planning.views import OwnerView, PodView

#: Bytes of an answer that are shown.
SHOWN: Final = 1024
_SERVICE = re.compile(r"([a-z0-9-]{1,63})\.([a-z0-9-]{1,63})\.svc(?:\.cluster\.local)?\.?", re.IGNORECASE)


class InThisProcess:
    """Does what the hook controller has worker processes do, with the texts of whoever runs the command."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any:
        """See `operators.hookrun.workers.Caller`."""
        del namespace
        return isolated.FUNCTIONS[name](argument, body)


@dataclass(slots=True)
class Exchange:
    """A request as it was sent, and what came back; headers are not kept."""

    url: str
    status: int | None = None
    body: bytes = b""
    seconds: float = 0.0


@dataclass(slots=True)
class Ways:
    """Sends the requests of one metric, and remembers the last exchange."""

    client: Client
    namespace: str
    pod: PodView | None
    direct: HttpGetter
    last: Exchange | None = field(default=None)

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        """See `HttpGetter`.

        Raises:
            Forbidden: the user may not use the proxy.
        """
        self.last = exchange = Exchange(url)
        began = time.monotonic()
        try:
            path = proxy_path(url, self.namespace, self.pod)
            if path is None:
                found = await self.direct.get(url, headers, seconds)
            else:
                status, body = await self.client.through_proxy(path, headers, timeout=seconds, most=BODY_LIMIT)
                found = HttpResponse(status, body)
                if len(body) > BODY_LIMIT:
                    raise ProviderError(f"the answer is larger than {BODY_LIMIT} bytes")
        except Forbidden:
            raise
        except ApiError as error:
            raise ProviderError(f"through the API server: {error}") from error
        finally:
            exchange.seconds = time.monotonic() - began
        exchange.status, exchange.body = found.status, found.body
        return found


def proxy_path(url: str, namespace: str, pod: PodView | None) -> str | None:
    """The path at the API server that leads to the pod, or to a Service by its full name; None for other hosts."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return None
    if parts.scheme not in ("http", "https"):
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    prefix = "https:" if parts.scheme == "https" else ""
    rest = parts.raw_path.decode()
    if pod is not None and pod.pod_ip and parts.host == pod.pod_ip:
        return f"/api/v1/namespaces/{namespace}/pods/{prefix}{pod.name}:{port}/proxy{rest}"
    service = _SERVICE.fullmatch(parts.host)
    if service is None:
        return None
    return f"/api/v1/namespaces/{service[2]}/services/{prefix}{service[1]}:{port}/proxy{rest}"


@dataclass(frozen=True, slots=True)
class Trial:
    """Measures metrics for one pod, or for a canary step where there is none.

    ``address`` takes the place of Prometheus' own; ``may_write`` lets `patch` be done.
    """

    client: Client
    namespace: str
    pod: PodView | None
    args: tuple[tuple[str, str | None], ...]
    address: str | None = None
    may_write: bool = False

    async def measure(self, metric: Metric) -> tuple[MetricTrial, MeasurementVerdict]:
        """One measurement, and what it means."""
        given = metric.provider.given()
        name = next(iter(given), "")
        settings: Any = given.get(name)
        if name == "kubernetes" and settings.function == "patch" and not self.may_write:
            return self._not_done(metric, settings)
        if name == "prometheus" and self.address is not None:
            settings = settings.model_copy(update={"address": self.address})
            metric = metric.model_copy(update={"provider": metric.provider.model_copy(update={"prometheus": settings})})
        direct = HttpTransport(EgressPolicy(("0.0.0.0/0", "::/0")))
        ways = Ways(self.client, self.namespace, self.pod, direct)
        workers = HookWorkers(InThisProcess())
        connections = Connections(ways, self.client, workers, ThreadedCalls(ways, 1))
        began, found = time.monotonic(), None
        try:
            found = await PROVIDERS.measure(metric.provider, self._request(metric), connections)
            verdict = await workers.verdict(self.namespace, metric, found)
        except (ProviderError, ValueError) as error:
            verdict = MeasurementVerdict(HookPhase.ERROR, str(error), None)
        finally:
            await direct.close()
        seconds = ways.last.seconds if ways.last is not None else time.monotonic() - began
        return self._told(metric, name, settings, ways.last, found, verdict, seconds), verdict

    def _request(self, metric: Metric) -> MeasurementRequest:
        owner: OwnerView | None = self.pod.owner if self.pod is not None else None
        uid = f"kubectl-game-{self.pod.uid if self.pod is not None else ''}-{time.time_ns()}"
        return MeasurementRequest(values_of(self.args), self.namespace, owner, uid, metric.name, 0)

    def _not_done(self, metric: Metric, settings: Any) -> tuple[MetricTrial, MeasurementVerdict]:
        verdict = MeasurementVerdict(HookPhase.PENDING, "not written: add --write", None)
        return self._told(metric, "kubernetes", settings, None, None, verdict, 0.0), verdict

    def _told(
        self,
        metric: Metric,
        name: str,
        settings: Any,
        exchange: Exchange | None,
        found: Answer | MeasuredValue | None,
        verdict: MeasurementVerdict,
        seconds: float,
    ) -> MetricTrial:
        return MetricTrial(
            name=metric.name,
            provider=name,
            request=_shown_request(name, settings, exchange),
            status=exchange.status if exchange is not None else None,
            seconds=round(seconds, 3),
            answer=exchange.body[:SHOWN].decode(errors="replace") if exchange is not None else "",
            path=settings.json_path if name == "web" else "",
            value=verdict.value,
            conditions=_conditions(metric, name, found),
            phase=str(verdict.phase),
            message=verdict.message,
        )


def _shown_request(name: str, settings: Any, exchange: Exchange | None) -> str:
    if name == "kubernetes":
        fields = ", ".join(f"{f.path.removeprefix('metadata.annotations.')}={f.value}" for f in settings.fields)
        return f"{settings.function} annotations {fields}"
    if name == "prometheus":
        return f"query {settings.query} at {settings.address}"
    return f"GET {exchange.url}" if exchange is not None else f"GET {settings.url}"


def _conditions(metric: Metric, name: str, found: Answer | MeasuredValue | None) -> dict[str, str]:
    """Each condition, and whether it is true of what was measured."""
    given = {"successCondition": metric.success_condition, "failureCondition": metric.failure_condition}
    if not isinstance(found, Answer):
        return {}
    try:
        value = PROVIDERS.read(name, found.reading, found.body)
    except (ProviderError, ValueError):
        return {}
    return {f"{field_} {text}": _holds(text, value) for field_, text in given.items() if text}


def _holds(text: str, value: MeasuredValue) -> str:
    try:
        return "true" if evaluate(text, value.result) else "false"
    except ExpressionError as error:
        return f"error: {error}"
