"""How much the server takes on at a time: reviews that are judged, and bytes of bodies and of what was read from them.

Whoever reaches the port can send reviews, so neither their number nor their size is trusted. What is beyond the limits
is refused at once; the caller's failure policy then decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Bytes that an object, and any other value, takes in memory beyond its text, and that a character of text takes.
_OBJECT_BYTES, _VALUE_BYTES, _CHARACTER_BYTES = 240, 64, 4


class Overloaded(Exception):
    """There is no room for this review now."""


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """Limits of the server.

    ``body_bytes`` and ``body_seconds`` are those of one body. ``memory_bytes`` are those of all bodies, arriving or
    read, and of the objects in them; ``reviews`` are judged at a time. ``connections`` are open at a time; one that
    sends no whole request within ``header_seconds``, its handshake included, is closed, and so is one that is idle for
    ``idle_seconds`` after a request. API servers close idle connections after 90 s: closing earlier could meet a review
    that is just being sent.
    """

    body_bytes: int = 3 << 20
    body_seconds: float = 5.0
    memory_bytes: int = 64 << 20
    reviews: int = 128
    connections: int = 256
    header_seconds: float = 10.0
    idle_seconds: float = 120.0


class Load:
    """What is under way."""

    def __init__(self, limits: LoadLimits) -> None:
        self._limits = limits
        self._arriving: dict[Room, Callable[[], None]] = {}
        self.memory_bytes = self.reviews = 0

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Room for one request, given back at the end."""
        room = Room(self)
        try:
            yield room
        finally:
            self._free(room)

    @contextmanager
    def arriving(self, room: Room, give_up: Callable[[], None]) -> Iterator[None]:
        """While the body arrives; ``give_up`` is called when its room is given to a body that began later."""
        self._arriving[room] = give_up
        try:
            yield
        finally:
            self._arriving.pop(room, None)

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Hold a place among the reviews that are judged.

        Raises:
            Overloaded: there is none left.
        """
        if self.reviews >= self._limits.reviews:
            raise Overloaded(f"{self._limits.reviews} reviews are judged already")
        self.reviews += 1
        try:
            yield
        finally:
            self.reviews -= 1

    def take(self, room: Room, size: int) -> None:
        """Take so many bytes more for a room; those that arrive slowest give theirs up.

        One request that is alone may take any number.

        Raises:
            Overloaded: others have them.
        """
        if room.given_up:
            raise Overloaded("its room was given to others")
        while self.memory_bytes + size > self._limits.memory_bytes and self.memory_bytes > room.taken:
            slowest = next(iter(self._arriving), room)
            if slowest is room:
                raise Overloaded("too many bytes of reviews are held already")
            self._arriving.pop(slowest)()
            self._free(slowest)
            slowest.given_up = True
        room.taken += size
        self.memory_bytes += size

    def _free(self, room: Room) -> None:
        self.memory_bytes -= room.taken
        room.taken = 0


@dataclass(slots=True, eq=False)
class Room:
    """The memory of one request."""

    _load: Load
    taken: int = 0
    given_up: bool = False

    def take(self, size: int) -> None:
        """Take so many bytes more.

        Raises:
            Overloaded: others have them.
        """
        self._load.take(self, size)


def weight(body: bytes | bytearray) -> int:
    """Bytes that what is read from a body may take, at most."""
    values = body.count(b"[") + body.count(b",")
    return _CHARACTER_BYTES * len(body) + _OBJECT_BYTES * (1 + body.count(b"{")) + _VALUE_BYTES * values
