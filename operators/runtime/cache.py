"""A store that is filled from raw objects, and the handlers that are called when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from operators.kube.client import Client
from operators.kube.errors import Gone
from operators.kube.resources import Json, Resource
from operators.logs import get_logger
from operators.runtime.metrics import CacheMetrics
from operators.runtime.store import Change, Identified, Key, Store

V = TypeVar("V", bound=Identified)
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[V]):
    """A whole collection at one resourceVersion; ``unreadable`` are the objects that could not be decoded."""

    views: list[V]
    version: str
    unreadable: frozenset[Key]


class Cache(Generic[V]):
    """What informer and feed have in common.

    One bad object never hides the others: an object that cannot be decoded is left out, and its older view, if any,
    stays. A handler that fails on a change does not keep the change from the others. Both are logged and counted.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        decode: Callable[[Json], V],
        store: Store[V] | None = None,
        *,
        namespace: str | None = None,
    ) -> None:
        self.store: Store[V] = store if store is not None else Store()
        self.resource = resource
        self.synced = asyncio.Event()
        self._client, self._decode, self._namespace = client, decode, namespace
        self._handlers: list[Callable[[Change[V]], None]] = []
        self._metrics: CacheMetrics | None = None
        self._name = resource.plural

    async def run(self) -> None:
        """Fill the store and keep it filled, until cancelled."""
        raise NotImplementedError

    def measure(self, metrics: CacheMetrics, name: str) -> None:
        """Count under this name from now on."""
        self._metrics, self._name = metrics, name
        metrics.watch(name, self.store)

    def subscribe(self, handler: Callable[[Change[V]], None]) -> None:
        """Call a plain function, which should only enqueue, at every change."""
        self._handlers.append(handler)

    async def refresh(self) -> None:
        """List anew; when this returns the store is no older than the call."""
        raise NotImplementedError

    async def resync(self, over: float) -> None:
        """Call the handlers with every object as if it had changed, so that nothing depends on one event or timer.

        Spread over so many seconds: what really changes meanwhile must not queue behind thousands of quiet passes.
        """
        keys = [(view.namespace, view.name) for view in self.store.values()]
        for key in keys:
            view = self.store.get(*key)
            if view is not None:
                self._notify(Change(view, view))
            await asyncio.sleep(over / len(keys))

    def _apply(self, event_type: str | None, body: Json) -> None:
        """Take one event of a watch."""
        if event_type == "DELETED":
            change = self.store.remove(*_key(body), body["metadata"].get("uid"))
        else:
            view = self._read(body)
            change = self.store.put(view) if view is not None else None
        if change is not None:
            self._notify(change)

    def _install(self, snapshot: Snapshot[V]) -> None:
        for change in self.store.replace(snapshot.views, snapshot.version, snapshot.unreadable):
            self._notify(change)
        if self._metrics:
            self._metrics.lists.labels(self._name).inc()

    async def _snapshot(self) -> Snapshot[V]:
        """Everything there is, page by page; whole when the pages outlive their snapshot at the server."""
        try:
            return await self._pages(500)
        except Gone:
            log.info("continue token expired, listing again without pages", cache=self._name)
            return await self._pages(0)

    async def _pages(self, limit: int) -> Snapshot[V]:
        views: list[V] = []
        unreadable: set[Key] = set()
        token, version = "", ""
        while True:
            page = await self._client.list(self.resource, self._namespace, limit=limit, continue_=token)
            for item in page["items"]:
                view = self._read(item)
                if view is not None:
                    views.append(view)
                else:
                    unreadable.add(_key(item))
            version = page["metadata"]["resourceVersion"]
            token = page["metadata"].get("continue") or ""
            if not token:
                return Snapshot(views, version, frozenset(unreadable))

    def _read(self, body: Json) -> V | None:
        try:
            return self._decode(body)
        except Exception:  # whatever is odd about one object must not stop the others
            namespace, name = _key(body)
            log.exception(
                "cannot decode object, leaving it out", kind=self.resource.kind, namespace=namespace, name=name
            )
            if self._metrics:
                self._metrics.unreadable.labels(self._name).inc()
            return None

    def _notify(self, change: Change[V]) -> None:
        for handler in self._handlers:
            try:
                handler(change)
            except Exception:  # the others still have to hear of it
                view = change.new or change.old
                about = {"namespace": view.namespace, "name": view.name} if view is not None else {}
                log.exception("handler failed on a change", kind=self.resource.kind, **about)
                if self._metrics:
                    self._metrics.handler_errors.labels(self._name).inc()

    def _failed(self, error: Exception) -> None:
        if self._metrics:
            self._metrics.failures.labels(self._name, getattr(error, "reason", "") or type(error).__name__).inc()


def _key(body: Json) -> Key:
    metadata = body.get("metadata") or {}
    return metadata.get("namespace") or "", metadata.get("name") or ""
