"""Keeps a store in step with a collection: list, watch, resume, list again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Generic, TypeVar

from operators.runtime.client import Client
from operators.runtime.errors import ApiError, Gone
from operators.runtime.resources import Json, Resource
from operators.runtime.store import Change, Identified, Store

V = TypeVar("V", bound=Identified)
log = logging.getLogger(__name__)
_BACKOFF_CAP = 30.0


class Informer(Generic[V]):
    """Feeds a store. Handlers are plain functions that only enqueue; they are told of deletions in gaps too."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        decode: Callable[[Json], V],
        store: Store[V] | None = None,
        *,
        namespace: str | None = None,
        silence: float = 90.0,
    ) -> None:
        self.store: Store[V] = store if store is not None else Store()
        self.synced = asyncio.Event()
        self._client, self._resource, self._decode = client, resource, decode
        self._namespace, self._silence = namespace, silence
        self._handlers: list[Callable[[Change[V]], None]] = []
        self._version = ""

    def subscribe(self, handler: Callable[[Change[V]], None]) -> None:
        """Be told of every change."""
        self._handlers.append(handler)

    async def run(self) -> None:
        """Run until cancelled; errors are waited out, longer each time."""
        failures = 0
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                failures = 0
            except Gone:
                self._version = ""
            except ApiError as error:
                failures += 1
                wait = min(0.2 * 2**failures, _BACKOFF_CAP) * (0.5 + random.random() / 2)  # noqa: S311 - jitter
                log.warning("informer of %s: %s; again in %.1f s", self._resource.plural, error, wait)
                await asyncio.sleep(wait)

    async def _list(self) -> None:
        views: list[V] = []
        token, version = "", ""
        while True:
            page = await self._client.list(self._resource, self._namespace, continue_=token)
            views += [self._decode(item) for item in page["items"]]
            version = page["metadata"]["resourceVersion"]
            token = page["metadata"].get("continue") or ""
            if not token:
                break
        for change in self.store.replace(views):
            self._tell(change)
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        events = self._client.watch(
            self._resource, self._namespace, resource_version=self._version, silence=self._silence
        )
        async for event in events:
            body = event["object"]
            version = body["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._apply(event["type"], body)
            self._version = version

    def _apply(self, kind: str, body: Json) -> None:
        if kind == "DELETED":
            metadata = body["metadata"]
            change = self.store.remove(metadata.get("namespace") or "", metadata["name"], metadata["uid"])
        else:
            change = self.store.put(self._decode(body))
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change[V]) -> None:
        for handler in self._handlers:
            handler(change)
