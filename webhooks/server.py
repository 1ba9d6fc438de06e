"""The routes of the server that answers reviews."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from operators.api.durations import parse_duration
from operators.runtime.serving import ok
from webhooks.handlers import ReviewHandlers
from webhooks.metrics import Metrics
from webhooks.protection import KINDS
from webhooks.reviews import BODY_LIMIT, CONTENT_TYPE, BadReview, Review, answer, read
from webhooks.verdicts import Verdict

_LOG: Final = logging.getLogger(__name__)
#: Seconds for a verdict where the caller does not say how long it waits, and what is left of its time for the way.
_LIMIT, _RESERVE = 9.0, 0.5
_OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})

HandleReview = Callable[[Review], Awaitable[Verdict]]


class Admission:
    """Routes of the TLS server. While ``draining`` each answer ends its connection, so that callers go elsewhere."""

    def __init__(self, handlers: ReviewHandlers, metrics: Metrics) -> None:
        self._metrics = metrics
        self.draining = False
        self.application = web.Application(client_max_size=BODY_LIMIT)
        self.application.add_routes(
            [
                web.post("/validate-crd", self._handler("/validate-crd", handlers.validate_crd)),
                web.post("/validate-workload", self._handler("/validate-workload", handlers.validate_workload)),
                web.post("/validate-spec", self._handler("/validate-spec", handlers.validate_spec)),
                web.get("/healthz", ok),
            ]
        )

    def _handler(self, path: str, handle: HandleReview) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            response = await self._respond(path, handle, request)
            if self.draining:
                response.force_close()
            return response

        return respond

    async def _respond(self, path: str, handle: HandleReview, request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            self._metrics.review(path, "", "", "error", 0.0)
            return web.Response(status=413, text=f"a review has at most {BODY_LIMIT} bytes")
        began = time.monotonic()
        resource = operation = ""
        outcome, limit = "error", _verdict_timeout(request.query.get("timeout", ""))
        self._metrics.in_flight.inc()
        try:
            review = read(body, request.headers.get("Content-Type", ""))
            resource, operation = _metric_labels(review)
            async with asyncio.timeout(limit):
                verdict = await handle(review)
            outcome = _outcome(verdict)
            _log_refusal(path, review, verdict)
            return web.Response(body=answer(review, verdict), content_type=CONTENT_TYPE)
        except BadReview as error:
            return web.Response(status=error.status, text=str(error))
        except TimeoutError:
            return web.Response(status=504, text=f"no verdict within {limit:g} s")
        except Exception:  # noqa: BLE001 - the caller's failure policy then decides; one bad review must not end the process
            _LOG.exception("review of %s %s failed", operation, resource)
            return web.Response(status=500, text="the review could not be judged; the webhook's log says why")
        finally:
            self._metrics.in_flight.dec()
            self._metrics.review(path, resource, operation, outcome, time.monotonic() - began)


def _verdict_timeout(timeout: str) -> float:
    """Seconds for a verdict. API servers say in the query how long they wait; a later answer is lost."""
    try:
        waits = parse_duration(timeout)
    except ValueError:
        return _LIMIT
    return min(_LIMIT, max(waits - _RESERVE, waits / 2))


def _metric_labels(review: Review) -> tuple[str, str]:
    """Resource and operation for metrics: what is not ours counts as one."""
    known = review.resource.resource in KINDS or review.resource.resource == "customresourcedefinitions"
    resource = review.resource.resource if known else "other"
    return resource, review.operation if review.operation in _OPERATIONS else "other"


def _outcome(verdict: Verdict) -> str:
    if not verdict.allowed:
        return "denied"
    return "warned" if verdict.warnings else "allowed"


def _log_refusal(path: str, review: Review, verdict: Verdict) -> None:
    """Refusals are logged for the administrator who is asked about them; what is in the objects is not."""
    if not verdict.allowed:
        where = "/".join(part for part in (review.namespace, review.name) if part)
        _LOG.info(
            "%s: %s of %s %s by %s refused: %s",
            path,
            review.operation,
            review.kind,
            where,
            review.username,
            verdict.message,
        )
