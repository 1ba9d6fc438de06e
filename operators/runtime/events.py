"""Events on objects, written in the background.

Core v1 Events are used: ``kubectl describe`` and ``kubectl get events`` show both kinds alike, and only these carry a
count that a patch can raise. The same message on the same object within ten minutes raises the count.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Literal

from operators.runtime.client import Client
from operators.runtime.errors import ApiError, NotFound
from operators.runtime.resources import EVENTS, Json

log = logging.getLogger(__name__)
_WINDOW, _BURST, _REFILL = 600.0, 25, 10.0


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """What an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class _Known:
    name: str
    count: int
    first: float


class EventRecorder:
    """Takes notes without ever blocking or failing a pass; more than a burst on one object is dropped and counted."""

    def __init__(self, client: Client, component: str) -> None:
        self._client, self._component = client, component
        self._queue: asyncio.Queue[tuple[ObjectReference, str, str, str]] = asyncio.Queue(maxsize=2000)
        self._known: dict[str, _Known] = {}
        self._tokens: dict[str, tuple[float, float]] = {}
        self.dropped = 0

    def note(self, about: ObjectReference, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Say something about an object."""
        now = time.monotonic()
        tokens, last = self._tokens.get(about.uid, (float(_BURST), now))
        tokens = min(float(_BURST), tokens + (now - last) / _REFILL)
        if tokens < 1 or self._queue.full():
            self.dropped += 1
            self._tokens[about.uid] = (tokens, now)
            return
        self._tokens[about.uid] = (tokens - 1, now)
        self._queue.put_nowait((about, type_, reason, message[:1000]))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            note = await self._queue.get()
            try:
                await self._write(*note)
            except ApiError as error:
                self.dropped += 1
                log.debug("event not written: %s", error)
            finally:
                self._queue.task_done()

    async def flush(self, seconds: float = 3.0) -> None:
        """Wait until all notes are written, but not longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            self.dropped += self._queue.qsize()

    async def _write(self, about: ObjectReference, type_: str, reason: str, message: str) -> None:
        digest = hashlib.sha256(f"{about.uid}/{type_}/{reason}/{message}".encode()).hexdigest()
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        known = self._known.get(digest)
        if known is not None and now - known.first < _WINDOW:
            known.count += 1
            try:
                patch: Json = {"count": known.count, "lastTimestamp": stamp}
                await self._client.merge_patch(EVENTS, about.namespace, known.name, patch)
                return
            except NotFound:
                pass
        name = f"{about.name}.{digest[:10]}{int(now * 1000) & 0xFFFFFF:x}"
        body: Json = {
            "metadata": {"name": name, "namespace": about.namespace},
            "involvedObject": {
                "apiVersion": about.api_version,
                "kind": about.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "reason": reason,
            "message": message,
            "type": type_,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._component,
        }
        await self._client.create(EVENTS, about.namespace, body)
        if len(self._known) > 5000:
            self._known.clear()
        self._known[digest] = _Known(name, 1, now)
