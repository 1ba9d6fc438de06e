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
    """What happened to an object: added has no old view, deleted no new one; both alike on a resync."""

    old: V | None
    new: V | None


def newer(candidate: str, held: str) -> bool:
    """Whether a resourceVersion is newer; versions are comparable numbers, what is none counts as newer if it differs.

    All collections this is used for live in one etcd, whose revision the version is.
    """
    if candidate.isdigit() and held.isdigit():
        return int(candidate) > int(held)
    return candidate != held


def went_back(version: str, last: str) -> bool:
    """Whether history went back: an etcd restored from a backup hands out numbers that were there before."""
    return version.isdigit() and last.isdigit() and int(version) < int(last)


class Store(Generic[V]):
    """Views by (namespace, name). Used from one event loop only.

    Time never runs backwards in it: an older view does not replace a newer one, a list does not remove what came in
    after it was taken, and what a list no longer held does not come back by a late event. Only a list that is itself
    older than the last one (an etcd that was restored from a backup) is taken as it is.
    """

    def __init__(self, indexers: Mapping[str, Callable[[V], Iterable[Hashable]]] | None = None) -> None:
        self._views: dict[Key, V] = {}
        self._indexers = dict(indexers or {})
        self._indexes: dict[str, dict[Hashable, dict[Key, V]]] = {name: {} for name in self._indexers}
        self._listed = ""
        #: Everything up to this resourceVersion is in the store: set by whoever feeds it in order, "" while unknown.
        self.version = ""

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

    def reached(self, version: str) -> bool:
        """Whether everything up to a resourceVersion is certainly in the store."""
        return bool(version and self.version) and not newer(version, self.version)

    def put(self, view: V) -> Change[V] | None:
        """Take a view; None when it says nothing new."""
        held = self._views.get((view.namespace, view.name))
        known = held.resource_version if held is not None else self._listed
        if known and not newer(view.resource_version, known):
            return None
        return self._set(held, view)

    def remove(self, namespace: str, name: str, uid: str | None = None) -> Change[V] | None:
        """Drop an object; None when another one has taken the name, or it was not there."""
        key = (namespace, name)
        held = self._views.get(key)
        if held is None or (uid is not None and held.uid != uid):
            return None
        self._unlink(key, held)
        del self._views[key]
        return Change(held, None)

    def replace(self, views: Iterable[V], version: str = "", keep: Collection[Key] = ()) -> list[Change[V]]:
        """Take a whole list: what it lacks is deleted, so that no missed deletion survives.

        Args:
            views: The objects of the list.
            version: The list's resourceVersion; what the store holds in a newer version stays.
            keep: Objects the list holds, but that could not be decoded: their old views stay.
        """
        reset = went_back(version, self._listed)
        listed = {(v.namespace, v.name): v for v in views}
        lacking = [
            (key, held)
            for key, held in self._views.items()
            if key not in listed
            and key not in keep
            and (reset or not version or not newer(held.resource_version, version))
        ]
        removed = [self.remove(*key, held.uid) for key, held in lacking]
        taken = [self._take(view, reset=reset) for view in listed.values()]
        self._listed = version
        return [change for change in (*removed, *taken) if change is not None]

    def _take(self, view: V, *, reset: bool) -> Change[V] | None:
        held = self._views.get((view.namespace, view.name))
        if held is not None:
            differs = held.resource_version != view.resource_version or held.uid != view.uid
            if not (differs if reset else newer(view.resource_version, held.resource_version)):
                return None
        return self._set(held, view)

    def _set(self, held: V | None, view: V) -> Change[V]:
        key = (view.namespace, view.name)
        self._unlink(key, held)
        self._views[key] = view
        for name, indexer in self._indexers.items():
            for value in indexer(view):
                self._indexes[name].setdefault(value, {})[key] = view
        return Change(held, view)

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
