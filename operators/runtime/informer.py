"""Keeps a store in step with a collection: list, watch, resume, list again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import TypeVar

from operators.kube.client import Client
from operators.kube.errors import ApiError, Forbidden, Gone, Unavailable
from operators.kube.resources import Json, Resource
from operators.logs import get_logger
from operators.runtime.cache import Cache
from operators.runtime.store import Identified, Store, went_back
from operators.runtime.watchbackoff import WatchBackoff

V = TypeVar("V", bound=Identified)
log = get_logger(__name__)
#: Seconds. A watch that ends sooner and without an event counts as failed: watching again at once would be a hot loop.
_SHORTEST_WATCH = 1.0
#: After so many failures in a row the collection is listed again: the resourceVersion may be the reason.
_LIST_AGAIN_AFTER = 3
_FORBIDDEN_PAUSE = 300.0


class Informer(Cache[V]):
    """Feeds a store by a list and a watch of its own; subscribers are told of deletions in gaps too.

    ``optional`` is for what is good to have: where it is forbidden, the store counts as filled and stays empty.
    ``silence`` is the time without a byte after which a watch counts as dead.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        decode: Callable[[Json], V],
        store: Store[V] | None = None,
        *,
        namespace: str | None = None,
        silence: float = 90.0,
        optional: bool = False,
    ) -> None:
        super().__init__(client, resource, decode, store, namespace=namespace)
        self._silence, self._optional = silence, optional
        self._version = ""
        self._backoff = WatchBackoff()
        self._refresh_wanted = self._forbidden = False
        self._refreshed = asyncio.Event()
        self._watching: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Run until cancelled; errors are waited out, longer each time."""
        while True:
            try:
                while self._refresh_wanted or not self._version:
                    await self._list()
                await self._watch_until_refresh()
            except ApiError as error:
                await self._wait_out(error)

    async def refresh(self) -> None:
        """List anew; when this returns the store is no older than the call. `run` has to be running.

        What is optional and forbidden is not waited for: a new leader would stand still until it is asked for again.
        """
        self._refresh_wanted = True
        if self._forbidden:
            return
        self._refreshed.clear()
        if self._watching is not None:
            self._watching.reschedule(asyncio.get_running_loop().time())
        await self._refreshed.wait()

    async def _watch_until_refresh(self) -> None:
        try:
            async with asyncio.timeout(None) as self._watching:
                await self._watch()
        except TimeoutError:
            if not self._refresh_wanted:
                raise
        finally:
            self._watching = None

    async def _wait_out(self, error: ApiError) -> None:
        wait = self._backoff.failed(error, random.random())  # noqa: S311 - jitter
        failures = self._backoff.failures
        self._failed(error)
        if isinstance(error, Gone) or (error.status and failures >= _LIST_AGAIN_AFTER):
            self._version = ""
        if self._optional and isinstance(error, Forbidden):
            self._forbidden = True
            self.synced.set()
            self._refreshed.set()
            wait = _FORBIDDEN_PAUSE
        level = logging.INFO if isinstance(error, Gone) or failures == 1 else logging.WARNING
        log.log(level, "list or watch failed", cache=self._name, error=str(error), retry_in=round(wait, 1))
        await asyncio.sleep(wait)

    async def _list(self) -> None:
        wanted, self._refresh_wanted = self._refresh_wanted, False
        try:
            snapshot = await self._snapshot()
        except BaseException:
            self._refresh_wanted |= wanted
            raise
        self._install(snapshot)
        self._advance(snapshot.version)
        self._backoff.listed()
        self._forbidden = False
        self.synced.set()
        if wanted:
            self._refreshed.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        began, heard = loop.time(), False
        events = self._client.watch(
            self.resource, self._namespace, resource_version=self._version, silence=self._silence
        )
        async with contextlib.aclosing(events) as stream:
            async for event in stream:
                self._apply_event(event)
                heard = True
                self._backoff.heard()
        if not heard and loop.time() - began < _SHORTEST_WATCH:
            raise Unavailable(0, "WatchTooShort", f"watch of {self.resource.plural} ended at once, without an event")

    def _apply_event(self, event: Json) -> None:
        body = event["object"]
        version = (body.get("metadata") or {}).get("resourceVersion")
        if not version:
            raise Unavailable(0, "WatchBroken", f"watch of {self.resource.plural}: an event without resourceVersion")
        if went_back(version, self._version):
            raise Gone(410, "Rewound", f"version {version} came after {self._version}: the server's history changed")
        if event["type"] != "BOOKMARK":
            self._apply(event["type"], body)
        self._advance(version)

    def _advance(self, version: str) -> None:
        self._version = self.store.version = version
