"""Keeps what was parsed from users' texts, bounded by its weight in bytes and not by its number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_Parsed = TypeVar("_Parsed")


class ParseCache(Generic[_Parsed]):
    """A parser that remembers; what was used least recently is forgotten first.

    ``weigh`` gives the bytes of a text and what was parsed from it; all of them together weigh ``limit`` at most. What
    weighs more than that by itself is not kept, and neither are texts that the parser refuses.
    """

    def __init__(self, parse: Callable[[str], _Parsed], weigh: Callable[[str, _Parsed], int], limit: int) -> None:
        self._parse, self._weigh, self._limit = parse, weigh, limit
        self._kept: OrderedDict[str, tuple[_Parsed, int]] = OrderedDict()
        self.weight = 0

    def __call__(self, text: str) -> _Parsed:
        """What is parsed from the text; errors are the parser's own."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text][0]
        parsed = self._parse(text)
        weight = self._weigh(text, parsed)
        if weight <= self._limit:
            self._kept[text] = (parsed, weight)
            self.weight += weight
            while self.weight > self._limit:
                self.weight -= self._kept.popitem(last=False)[1][1]
        return parsed
