"""A queue that serves namespaces in equal shares (start-time fair queueing with equal weights).

Each namespace has a virtual time: the service it has received. The namespace with the least is served next, so while k
namespaces wait each gets 1/k, and one that waits alone gets everything. A namespace that comes back begins at the
virtual time of the item served last at the earliest: time without work earns no credit, and what it received beyond
its share still counts against it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")
_DEBTORS, _SLACK = 10_000, 64


@dataclass(frozen=True, slots=True)
class Ticket:
    """Names an item that waits."""

    namespace: str
    number: int


@dataclass(frozen=True, slots=True)
class Served(Generic[Item]):
    """An item that is being served."""

    namespace: str
    item: Item


@dataclass(frozen=True, slots=True)
class Head(Generic[Item]):
    """The item to be served next; ``running`` counts items of its namespace that are being served."""

    ticket: Ticket
    item: Item
    running: int


@dataclass(slots=True)
class _Share(Generic[Item]):
    received: float
    running: int = 0
    entry: int = -1
    waiting: OrderedDict[int, Item] = field(default_factory=OrderedDict)


class FairQueue(Generic[Item]):
    """Items of many namespaces; those of one namespace are served in order.

    Costs may have any unit, and are known only after an item was served. Where several items are served at a time, use
    ``fewest_first``: namespaces with fewer items being served come first, whatever they received. At most ``debtors``
    namespaces without items are remembered, those that received most.

    Each operation takes O(log n) for n namespaces, on average.
    """

    def __init__(self, *, fewest_first: bool = False, debtors: int = _DEBTORS) -> None:
        self._fewest_first, self._most_debtors = fewest_first, debtors
        self._shares: dict[str, _Share[Item]] = {}
        self._order: list[tuple[int, float, int, str]] = []
        self._debtors: list[tuple[float, str]] = []
        self._numbers = count()
        self._virtual_time = 0.0
        self._waiting = self._running = 0

    def __len__(self) -> int:
        """Items that wait."""
        return self._waiting

    @property
    def remembered(self) -> int:
        """Namespaces that take memory."""
        return len(self._shares)

    def running(self, namespace: str) -> int:
        """Items of a namespace that are being served."""
        share = self._shares.get(namespace)
        return share.running if share else 0

    def push(self, namespace: str, item: Item) -> Ticket:
        """Add an item."""
        share = self._shares.get(namespace)
        if share is None:
            share = self._shares[namespace] = _Share(self._virtual_time)
        ticket = Ticket(namespace, next(self._numbers))
        share.waiting[ticket.number] = item
        self._waiting += 1
        if len(share.waiting) == 1:
            self._enter(namespace, share)
        return ticket

    def discard(self, ticket: Ticket) -> bool:
        """Remove an item that still waits; False when it does not."""
        share = self._shares.get(ticket.namespace)
        if share is None or ticket.number not in share.waiting:
            return False
        del share.waiting[ticket.number]
        self._waiting -= 1
        self._leave_if_idle(ticket.namespace, share)
        return True

    def head(self) -> Head[Item]:
        """The item that `pop` would give.

        Raises:
            IndexError: nothing waits.
        """
        namespace, share = self._first()
        number, item = next(iter(share.waiting.items()))
        return Head(Ticket(namespace, number), item, share.running)

    def pop(self) -> Served[Item]:
        """Take the next item to be served; `done` must follow.

        Raises:
            IndexError: nothing waits.
        """
        namespace, share = self._first()
        heapq.heappop(self._order)
        _, item = share.waiting.popitem(last=False)
        self._waiting -= 1
        self._running += 1
        share.running += 1
        self._advance(share.received)
        if share.waiting:
            self._enter(namespace, share)
        return Served(namespace, item)

    def done(self, served: Served[Item], cost: float) -> None:
        """An item was served at this cost."""
        share = self._shares[served.namespace]
        self._running -= 1
        share.running -= 1
        share.received += cost
        if share.waiting:
            self._enter(served.namespace, share)
        else:
            self._leave_if_idle(served.namespace, share)

    def _first(self) -> tuple[str, _Share[Item]]:
        while self._order:
            _, _, entry, namespace = self._order[0]
            share = self._shares.get(namespace)
            if share is not None and share.waiting and share.entry == entry:
                return namespace, share
            heapq.heappop(self._order)
        raise IndexError("nothing waits")

    def _enter(self, namespace: str, share: _Share[Item]) -> None:
        """Put a namespace with waiting items into the order; an earlier entry of it counts no more."""
        share.entry = next(self._numbers)
        running = share.running if self._fewest_first else 0
        heapq.heappush(self._order, (running, share.received, share.entry, namespace))
        if len(self._order) > 2 * len(self._shares) + _SLACK:
            self._order = [entry for entry in self._order if self._is_current(entry)]
            heapq.heapify(self._order)

    def _is_current(self, entry: tuple[int, float, int, str]) -> bool:
        share = self._shares.get(entry[3])
        return share is not None and bool(share.waiting) and share.entry == entry[2]

    def _leave_if_idle(self, namespace: str, share: _Share[Item]) -> None:
        """Forget a namespace without items as soon as it would come back like a new one.

        One that is remembered is always ahead of the virtual time: `_advance` forgets it when that is over.
        """
        if share.waiting or share.running:
            return
        if not (self._waiting or self._running):
            self._shares.clear()
            self._order.clear()
            self._debtors.clear()
            self._virtual_time = 0.0
        elif share.received <= self._virtual_time:
            del self._shares[namespace]
        else:
            heapq.heappush(self._debtors, (share.received, namespace))
            while len(self._debtors) > self._most_debtors:
                self._forget_debtor()

    def _advance(self, virtual_time: float) -> None:
        self._virtual_time = max(self._virtual_time, virtual_time)
        while self._debtors and self._debtors[0][0] <= self._virtual_time:
            self._forget_debtor()

    def _forget_debtor(self) -> None:
        received, namespace = heapq.heappop(self._debtors)
        share = self._shares.get(namespace)
        if share is not None and not (share.waiting or share.running) and share.received <= received:
            del self._shares[namespace]
