"""Regular expressions of conditions (``matches``, docs/spec/hooks.md 2.2): RE2, as in the Go operators.

RE2 moves all possibilities along the text at once, so its time is bounded by text times program, never exponential.
Both are charged to the condition before the work is done: docs/decisions/0032-regular-expressions.md has the figures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import re2

_MAX_LENGTH: Final = 1024
#: Bytes of one compiled pattern, with the states that RE2 makes while it matches.
_MAX_MEMORY: Final = 1 << 20
#: Compiled patterns that one evaluation keeps at a time.
_KEPT: Final = 8
#: Steps of any compilation and of any search, and how much of RE2's work makes one step.
_COMPILE_STEPS, _SEARCH_STEPS = 32, 2
_INSTRUCTIONS_PER_STEP, _MOVES_PER_STEP = 2, 256
_SHOWN: Final = 80
_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class PatternError(ValueError):
    """The pattern is malformed, too long or too large."""


class Pattern:
    """A compiled pattern; ``size`` is the number of its instructions."""

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_LENGTH:
            raise PatternError(f"the pattern has {len(text)} characters, at most {_MAX_LENGTH} are allowed")
        try:
            self._compiled = re2.compile(_utf8(text), _options())
        except re2.error as error:
            raise PatternError(_refusal(text, error)) from error
        finally:
            re2.purge()  # the library keeps 128 patterns whatever they weigh
        self.size = self._compiled.programsize

    def search(self, text: str, spend: Callable[[int], None]) -> bool:
        """Whether the pattern occurs in the text; ``spend`` is told of the steps before, and may raise."""
        data = _utf8(text)
        spend(_SEARCH_STEPS + (len(data) + 1) * self.size // _MOVES_PER_STEP)
        return self._compiled.search(data) is not None


class Patterns:
    """The patterns of one condition, each compiled when it is first met; ``spend`` is told of the steps."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend
        self._kept: OrderedDict[str, Pattern] = OrderedDict()

    def compiled(self, text: str) -> Pattern:
        """The pattern, ready for searches.

        Raises:
            PatternError: see the class.
        """
        known = self._kept.get(text)
        if known is None:
            self._spend(_COMPILE_STEPS)
            known = self._kept[text] = Pattern(text)
            self._spend(known.size // _INSTRUCTIONS_PER_STEP)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return known

    def search(self, pattern: str, text: str) -> bool:
        """Whether the pattern occurs in the text.

        Raises:
            PatternError: the pattern cannot be compiled.
        """
        return self.compiled(pattern).search(text, self._spend)


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False  # they are told to the user, not to stderr
    options.never_capture = True  # only whether it matches is asked, and captures would need a slower search
    return options


def _utf8(text: str) -> bytes:
    """The text for RE2; half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD as in Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.translate(_SURROGATES).encode()


def _refusal(text: str, error: re2.error) -> str:
    reason = error.args[0] if error.args else ""
    said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    shown = repr(text[:_SHOWN])
    if "too large" in said:
        return f"the pattern {shown} is too large: it needs more than {_MAX_MEMORY >> 20} MiB of memory"
    return f"the pattern {shown} is not valid in RE2: {said}"
