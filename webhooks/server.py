"""The routes of the server that answers reviews."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from operators.api.durations import parse_duration
from operators.logs import get_logger
from operators.runtime.serving import ok
from webhooks.connections import Connections, Request
from webhooks.handlers import ReviewHandlers
from webhooks.judging import CRD, DECODED, SPEC, WORKLOAD_PATH, Options
from webhooks.largereviews import LargeReviews, read_small
from webhooks.load import Load, LoadLimits, Overloaded, Room, weight
from webhooks.metrics import Metrics
from webhooks.protection import KINDS
from webhooks.reviews import CONTENT_TYPE, BadReview, Review, answer
from webhooks.verdicts import Verdict

_LOG: Final = get_logger(__name__)
#: Seconds for a verdict where the caller does not say how long it waits, and what is left of its time for the way.
_LIMIT, _RESERVE = 9.0, 0.5
_OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})

#: Characters of what a caller wrote that go into the log.
_LOGGED, _LOGGED_MESSAGE = 253, 1024
_ON_CONNECTION: Final = web.RequestKey("on_connection", Request)

HandleReview = Callable[[Review], Awaitable[Verdict]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BodyTooLarge(Exception):
    """The body has more bytes than a review may have."""


class Admission:
    """Routes of the TLS server. While ``draining`` each answer ends its connection, so that callers go elsewhere."""

    def __init__(
        self,
        handlers: ReviewHandlers,
        metrics: Metrics,
        limits: LoadLimits | None = None,
        connections: Connections | None = None,
        large: LargeReviews | None = None,
    ) -> None:
        self._metrics, self._handlers = metrics, handlers
        self._large = large or LargeReviews(None, Options())
        self._limits = limits or LoadLimits()
        self._connections = connections
        self.load = Load(self._limits)
        self.draining = False
        self.application = web.Application(middlewares=[self._watch])
        self.application.add_routes(
            [
                web.post(CRD, self._handler(CRD, handlers.validate_crd)),
                web.post(WORKLOAD_PATH, self._handler(WORKLOAD_PATH, handlers.validate_workload)),
                web.post(SPEC, self._handler(SPEC, handlers.validate_spec)),
                web.get("/healthz", ok),
            ]
        )

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Tell the connection where its request stands."""
        if self._connections is None:
            return await handler(request)
        request[_ON_CONNECTION] = on_connection = self._connections.request(request.protocol)
        try:
            return await handler(request)
        finally:
            on_connection.end()

    def _handler(self, path: str, handle: HandleReview) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            with self.load.room() as room:
                response = await self._respond(path, handle, request, room)
            if self.draining or not request.content.at_eof():
                response.force_close()
            return response

        return respond

    async def _respond(self, path: str, handle: HandleReview, request: web.Request, room: Room) -> web.Response:
        try:
            body = await self._body(request, room)
            if len(body) <= DECODED:
                room.take(weight(body))
            with self.load.judging():
                return await self._judge(path, handle, request, body)
        except _BodyTooLarge:
            answered = web.Response(status=413, text=f"a review has at most {self._limits.body_bytes} bytes")
        except TimeoutError:
            reason = f"the body did not arrive within {self._limits.body_seconds:g} s"
            answered = web.Response(status=408, text=reason)
        except Overloaded as error:
            answered = web.Response(status=503, text=str(error))
        except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError, EOFError) as error:
            # The caller is gone, or sends what is no body: nobody reads the answer.
            answered = web.Response(status=400, text="the body did not arrive whole")
            if self._connections is not None:
                self._connections.broken.count(f"in the body with {type(error).__name__}")
        self._metrics.review(path, "", "", "error", 0.0)
        return answered

    async def _body(self, request: web.Request, room: Room) -> bytearray:
        """The body of a request, within the limits.

        Raises:
            TimeoutError: it takes too long, or it was the slowest when others needed its room.
            _BodyTooLarge: it is too large.
            Overloaded: there is no room for it.
        """
        if (request.content_length or 0) > self._limits.body_bytes:
            raise _BodyTooLarge
        body, now = bytearray(), asyncio.get_running_loop().time
        async with asyncio.timeout(self._limits.body_seconds) as limit:
            with self.load.arriving(room, lambda: limit.reschedule(now())):
                async for piece in request.content.iter_any():
                    if len(body) + len(piece) > self._limits.body_bytes:
                        raise _BodyTooLarge
                    room.take(len(piece))
                    body += piece
        on_connection: Request | None = request.get(_ON_CONNECTION)
        if on_connection is not None:
            on_connection.judge()
        return body

    async def _judge(
        self, path: str, handle: HandleReview, request: web.Request, body: bytes | bytearray
    ) -> web.Response:
        began = time.monotonic()
        resource = operation = ""
        outcome, limit = "error", _verdict_timeout(request.query.get("timeout", ""))
        self._metrics.in_flight.inc()
        try:
            content_type = request.headers.get("Content-Type", "")
            async with asyncio.timeout(limit):
                small = read_small(path, body, content_type)
                review, finding = (small, None) if small else await self._large.examine(path, body)
                resource, operation = _metric_labels(review)
                verdict = await (handle(review) if finding is None else self._handlers.decide(review, finding))
            outcome = _outcome(verdict)
            _log_refusal(path, review, verdict)
            return web.Response(body=answer(review, verdict), content_type=CONTENT_TYPE)
        except BadReview as error:
            return web.Response(status=error.status, text=str(error))
        except TimeoutError:
            return web.Response(status=504, text=f"no verdict within {limit:g} s")
        except Exception:  # noqa: BLE001 - the caller's failure policy then decides; one bad review must not end the process
            _LOG.exception("review failed", operation=operation, resource=resource)
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
        _LOG.info(
            "review refused",
            path=path,
            operation=review.operation[:_LOGGED],
            kind=review.kind[:_LOGGED],
            namespace=review.namespace[:_LOGGED],
            name=review.name[:_LOGGED],
            user=review.username[:_LOGGED],
            error=verdict.message[:_LOGGED_MESSAGE],
        )
