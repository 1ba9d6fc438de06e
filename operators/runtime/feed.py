"""A store fed by the events that kopf brings, and by lists of our own so that a missed deletion cannot survive."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import TypeVar

from operators.kube.client import Client
from operators.kube.errors import ApiError
from operators.kube.resources import Json, Resource
from operators.logs import get_logger
from operators.runtime.cache import Cache
from operators.runtime.store import Identified, Store
from operators.runtime.watchbackoff import WatchBackoff

V = TypeVar("V", bound=Identified)
log = get_logger(__name__)
#: Seconds that the events of a list of kopf get to come in before we list too.
_LIST_DELAY = 2.0


class Feed(Cache[V]):
    """Like an informer, without a watch of its own.

    Kopf tells nothing of objects deleted while its watch was down; but after such a gap it lists, and the events of a
    list are without a type. They make the feed list too, so that a deletion in a gap is seen within seconds; one that
    left no object to be listed is seen at the next ``resync``.
    """

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
        super().__init__(client, resource, decode, store, namespace=namespace)
        self._resync = resync
        self._relisted = asyncio.Event()
        self._deleted_during_list: set[str] | None = None
        self._listing = asyncio.Lock()

    def observe(self, event_type: str | None, body: Json) -> None:
        """Take one event; ``event_type`` is None when kopf lists."""
        if event_type is None:
            self._relisted.set()
        if event_type == "DELETED" and self._deleted_during_list is not None:
            self._deleted_during_list.add(body["metadata"]["uid"])
        self._apply(event_type, body)

    async def run(self) -> None:
        """List at once, after gaps and every ``resync`` seconds, until cancelled."""
        while True:
            await self.refresh()
            self.synced.set()
            await self._pause()

    async def refresh(self) -> None:
        """List until that succeeds; when this returns the store is no older than the call."""
        waits = WatchBackoff()
        while True:
            try:
                async with self._listing:
                    await self._list()
            except ApiError as error:
                self._failed(error)
                wait = waits.failed(error, random.random())  # noqa: S311 - jitter
                log.warning("list failed", cache=self._name, error=str(error), retry_in=round(wait, 1))
                await asyncio.sleep(wait)
            else:
                return

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._resync):
                await self._relisted.wait()
                await asyncio.sleep(_LIST_DELAY)
        self._relisted.clear()

    async def _list(self) -> None:
        """List; what kopf reports meanwhile is newer and wins (see `Store.replace`), deletions included."""
        self._deleted_during_list = set()
        try:
            snapshot = await self._snapshot()
            snapshot.views[:] = [view for view in snapshot.views if view.uid not in self._deleted_during_list]
            self._install(snapshot)
        finally:
            self._deleted_during_list = None
