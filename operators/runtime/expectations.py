"""Own writes that the cache must show before the next pass plans anything.

A pass on a cache that has not seen the last pass's writes would do them twice. The check is lazy: expectations are
functions of the store, looked at when a pass begins and dropped from the front while they are met.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from operators.logs import get_logger
from operators.runtime.store import Store, newer

log = get_logger(__name__)
TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something the cache has to show. ``describe`` is for logs."""

    describe: str
    fulfilled: Callable[[], bool]


class Expectations:
    """Expectations by key; one that is not met within five minutes is given up, so that no lost event freezes a key."""

    def __init__(self) -> None:
        self._open: dict[Hashable, deque[tuple[float, Expectation]]] = {}

    def expect(self, key: Hashable, expectation: Expectation, now: float) -> None:
        """Wait for something from ``now`` (monotonic seconds) on."""
        self._open.setdefault(key, deque()).append((now + TIMEOUT, expectation))

    def pending(self, key: Hashable, now: float) -> Expectation | None:
        """The first expectation not met yet, None when the cache has caught up."""
        queue = self._open.get(key)
        while queue:
            deadline, expectation = queue[0]
            if not expectation.fulfilled():
                if now < deadline:
                    return expectation
                log.warning(
                    "cache did not show a write in time, reconciling without it",
                    key=str(key),
                    expected=expectation.describe,
                    seconds=TIMEOUT,
                )
            queue.popleft()
        self._open.pop(key, None)
        return None

    def forget(self, key: Hashable) -> None:
        """The key is gone."""
        self._open.pop(key, None)


def created(store: Store[Any], namespace: str, name: str, resource_version: str = "") -> Expectation:
    """The object is there, or was: with the version of its creation, one that came and went at once is not waited for.

    ``resource_version`` is what the API server answered; "" when the outcome is unknown.
    """

    def fulfilled() -> bool:
        return store.get(namespace, name) is not None or store.reached(resource_version)

    return Expectation(f"creation of {name}", fulfilled)


def deleted(store: Store[Any], namespace: str, name: str, uid: str) -> Expectation:
    """The object is gone, replaced, or on its way out."""

    def fulfilled() -> bool:
        held = store.get(namespace, name)
        return held is None or held.uid != uid or bool(held.deleting)

    return Expectation(f"deletion of {name}", fulfilled)


def written(store: Store[Any], namespace: str, name: str, uid: str, resource_version: str) -> Expectation:
    """The object is at least as new as what was written, or gone."""

    def fulfilled() -> bool:
        held = store.get(namespace, name)
        return held is None or held.uid != uid or not newer(resource_version, held.resource_version)

    return Expectation(f"write of {name}", fulfilled)
