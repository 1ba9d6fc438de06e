"""The newest view of every object, with indexes; what passes read instead of asking the API server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Key = tuple[str, str]


class Identified(Protocol):
    """What every view has."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


V = TypeVar("V", bound=Identified)


@dataclass(frozen=True, slots=True)
class Change(Generic[V]):
    """What happened to an object: added has no old view, deleted no new one."""

    old: V | None
    new: V | None


def newer(candidate: str, held: str) -> bool:
    """Whether a resourceVersion is newer; versions of one collection are comparable numbers, others count as newer."""
    if candidate.isdigit() and held.isdigit():
        return int(candidate) > int(held)
    return candidate != held


class Store(Generic[V]):
    """Views by (namespace, name). Used from one event loop only."""

    def __init__(self, indexers: Mapping[str, Callable[[V], Iterable[Hashable]]] | None = None) -> None:
        self._views: dict[Key, V] = {}
        self._indexers = dict(indexers or {})
        self._indexes: dict[str, dict[Hashable, dict[Key, V]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return len(self._views)

    def get(self, namespace: str, name: str) -> V | None:
        """The view of an object, None when it is not there."""
        return self._views.get((namespace, name))

    def by(self, index: str, value: Hashable) -> Collection[V]:
        """All views under a value of an index."""
        return self._indexes[index].get(value, {}).values()

    def values(self) -> list[V]:
        """All views."""
        return list(self._views.values())

    def put(self, view: V) -> Change[V] | None:
        """Take a view; None when it says nothing new."""
        key = (view.namespace, view.name)
        held = self._views.get(key)
        if held is not None and held.uid == view.uid and not newer(view.resource_version, held.resource_version):
            return None
        self._unlink(key, held)
        self._views[key] = view
        for name, indexer in self._indexers.items():
            for value in indexer(view):
                self._indexes[name].setdefault(value, {})[key] = view
        return Change(held, view)

    def remove(self, namespace: str, name: str, uid: str | None = None) -> Change[V] | None:
        """Drop an object; None when another one has taken the name, or it was not there."""
        key = (namespace, name)
        held = self._views.get(key)
        if held is None or (uid is not None and held.uid != uid):
            return None
        self._unlink(key, held)
        del self._views[key]
        return Change(held, None)

    def replace(self, views: Iterable[V]) -> list[Change[V]]:
        """Take a whole list: what it lacks is deleted, so that no missed deletion survives."""
        listed = {(v.namespace, v.name): v for v in views}
        changes = [
            change
            for key, held in list(self._views.items())
            if key not in listed and (change := self.remove(*key, held.uid)) is not None
        ]
        changes += [change for view in listed.values() if (change := self.put(view)) is not None]
        return changes

    def _unlink(self, key: Key, held: V | None) -> None:
        if held is None:
            return
        for name, indexer in self._indexers.items():
            for value in indexer(held):
                bucket = self._indexes[name].get(value)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del self._indexes[name][value]
