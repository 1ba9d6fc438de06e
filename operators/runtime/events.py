"""Events on objects, written in the background.

Core v1 Events are used: ``kubectl describe`` and ``kubectl get events`` show both kinds alike, and only these carry a
count that a patch can raise.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Literal

from operators.kube.client import Client
from operators.kube.errors import AlreadyExists, ApiError, NotFound, Throttled, Unavailable
from operators.kube.resources import EVENTS, Json
from operators.kube.retries import backoff
from operators.logs import get_logger
from operators.runtime.eventseries import CAPACITY, EventCorrelator, ObjectReference, Series
from operators.runtime.metrics import EventMetrics

__all__ = ["EventRecorder", "ObjectReference"]

log = get_logger(__name__)
_ATTEMPTS = 5
_MAX_MESSAGE = 1000


class EventRecorder:
    """Records Events without ever blocking or failing a reconcile.

    What is written, and when, is decided in `operators.runtime.eventseries`. An Event that cannot be written is tried
    again a few times, then dropped; what is dropped is counted, never kept silent.

    Args:
        client: With its own connections, so that Events never wait behind the requests of passes, nor these behind.
        component: Who reports, where ``components`` does not say it by the kind of the object.
        components: Who reports on which kind.
        metrics: Where to count.
        now: Unix time.
    """

    def __init__(
        self,
        client: Client,
        component: str,
        *,
        components: Mapping[str, str] | None = None,
        metrics: EventMetrics | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._component, self._components = client, component, dict(components or {})
        self._metrics, self._now = metrics, now
        self._correlator = EventCorrelator()
        self._due: list[tuple[float, int, Series]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing: Series | None = None
        self._write_now = False
        self._logged_reasons: set[str] = set()
        self.dropped = 0

    def note(self, about: ObjectReference, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Record an Event about an object, without waiting."""
        if len(self._due) >= CAPACITY:
            self._drop(1)
            return
        series = self._correlator.correlate(about, type_, reason, message[:_MAX_MESSAGE], self._now())
        if series is not None:
            self._schedule(series)
        elif self._metrics:
            self._metrics.merged.inc()

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            series = self._writing = await self._next()
            try:
                await self._write(series)
            except ApiError as error:
                self._retry_or_drop(series, error)
            except Exception:  # a defect here must not silence all other Events
                log.exception("cannot write event", **_fields(series))
                self._drop(series.count - series.written)
            self._writing = None
            if not self._due:
                self._idle.set()

    async def flush(self, seconds: float = 3.0) -> None:
        """Write all that waits now, whenever it was due, but take no longer than this; `run` must still be running."""
        self._write_now = True
        self._changed.set()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            waiting = {id(series): series for _, _, series in self._due}
            if self._writing is not None:
                waiting[id(self._writing)] = self._writing
            left = sum(series.count - series.written for series in waiting.values())
            self._drop(left)
            log.warning("events dropped at shutdown", count=left)

    def _schedule(self, series: Series) -> None:
        heapq.heappush(self._due, (series.due or 0.0, next(self._order), series))
        self._idle.clear()
        self._changed.set()

    async def _next(self) -> Series:
        while True:
            self._changed.clear()
            if self._due:
                wait = 0.0 if self._write_now else self._due[0][0] - self._now()
                if wait <= 0:
                    return heapq.heappop(self._due)[2]
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            else:
                await self._changed.wait()

    async def _write(self, series: Series) -> None:
        series.due = None  # a note from now on has to be written again
        count = series.count
        await self._put(series, series.about.namespace or "default", count)
        if self._metrics:
            self._metrics.written.inc()
        series.written, series.attempts = max(series.written, count), 0

    async def _put(self, series: Series, namespace: str, count: int) -> None:
        stamp = _stamp(series.last)
        if series.written:
            patch: Json = {"count": count, "lastTimestamp": stamp, "message": series.message}
            try:
                await self._client.merge_patch(EVENTS, namespace, series.name, patch)
                return
            except NotFound:
                log.debug("event expired, creating it again", **_fields(series))
        try:
            await self._client.create(EVENTS, namespace, self._body(series, namespace, count))
        except AlreadyExists:
            log.debug("event exists, an attempt that seemed to fail has created it", **_fields(series))

    def _body(self, series: Series, namespace: str, count: int) -> Json:
        about = series.about
        component = self._components.get(about.kind, self._component)
        return {
            "metadata": {"name": series.name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about.api_version,
                "kind": about.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "reason": series.reason,
            "message": series.message,
            "type": series.type,
            "count": count,
            "firstTimestamp": _stamp(series.first),
            "lastTimestamp": _stamp(series.last),
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": component,
        }

    def _retry_or_drop(self, series: Series, error: ApiError) -> None:
        """Try later what may succeed later; drop what cannot, as in a namespace that is being deleted."""
        series.attempts += 1
        passing = isinstance(error, Unavailable | Throttled)
        if passing and series.attempts < _ATTEMPTS:
            if series.due is None:  # else a note that came in meanwhile has scheduled it already
                series.due = self._now() + backoff(series.attempts, first=1.0, cap=30.0, chance=0.0)
                self._schedule(series)
            return
        self._drop(series.count - series.written)
        series.written = series.count
        expected = isinstance(error, NotFound) or "being terminated" in error.message
        level = logging.DEBUG if expected or error.reason in self._logged_reasons else logging.WARNING
        if not expected:
            self._logged_reasons.add(error.reason)
        log.log(level, "event dropped", error=str(error), **_fields(series))

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._metrics:
            self._metrics.dropped.inc(count)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _fields(series: Series) -> dict[str, str]:
    """Fields of log lines about an Event: its reason, and the object that it is about."""
    about = series.about
    return {"reason": series.reason, "kind": about.kind, "namespace": about.namespace, "name": about.name}
