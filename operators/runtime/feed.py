"""A store fed by the events that kopf brings, and by a periodic list so that a missed deletion cannot survive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from operators.runtime.client import Client
from operators.runtime.errors import ApiError
from operators.runtime.resources import Json, Resource
from operators.runtime.store import Change, Identified, Store

V = TypeVar("V", bound=Identified)
log = logging.getLogger(__name__)


class Feed(Generic[V]):
    """Like an informer, without a watch of its own."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        decode: Callable[[Json], V],
        store: Store[V] | None = None,
        *,
        namespace: str | None = None,
        resync: float = 300.0,
    ) -> None:
        self.store: Store[V] = store if store is not None else Store()
        self.synced = asyncio.Event()
        self._client, self._resource, self._decode = client, resource, decode
        self._namespace, self._resync = namespace, resync
        self._handlers: list[Callable[[Change[V]], None]] = []

    def subscribe(self, handler: Callable[[Change[V]], None]) -> None:
        """Be told of every change."""
        self._handlers.append(handler)

    def observe(self, event_type: str | None, body: Json) -> None:
        """Take one event."""
        if event_type == "DELETED":
            metadata = body["metadata"]
            change = self.store.remove(metadata.get("namespace") or "", metadata["name"], metadata["uid"])
        else:
            change = self.store.put(self._decode(body))
        self._tell(change)

    async def run(self) -> None:
        """List at once and every ``resync`` seconds, until cancelled."""
        while True:
            try:
                await self._list()
                self.synced.set()
                await asyncio.sleep(self._resync)
            except ApiError as error:
                log.warning("list of %s: %s", self._resource.plural, error)
                await asyncio.sleep(2.0)

    async def _list(self) -> None:
        views: list[V] = []
        token = ""
        while True:
            page = await self._client.list(self._resource, self._namespace, continue_=token)
            views += [self._decode(item) for item in page["items"]]
            token = page["metadata"].get("continue") or ""
            if not token:
                break
        for change in self.store.replace(views):
            self._tell(change)

    def _tell(self, change: Change[V] | None) -> None:
        if change is not None:
            for handler in self._handlers:
                handler(change)
