"""One spelling of an amount: 0.5 and 500m are the same quantity to Kubernetes."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Any

_SCALES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
#: Digits of an amount that anybody means; more are left to the API server to refuse.
_LONGEST = 60
#: Characters of an amount that is read, zeros included: what was read is remembered, and users may write any number.
_LONGEST_TEXT = 3 * _LONGEST
#: Exact for what has so many digits on either side of the point, whatever the suffix.
_EXACT = Context(prec=4 * _LONGEST, rounding=ROUND_UP)
_NANO, _MILLI = Decimal("1e-9"), Decimal("1e-3")
_MOST_BINARY = Decimal(2**63 - 1)
_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)\Z", re.ASCII)


def spelled(value: Any) -> Any:
    """A quantity as plain digits, rounded up to billionths as Kubernetes does; what cannot be read stays as it is."""
    return _read(value, _NANO)


def spelled_resource(value: Any) -> Any:
    """The same for an amount of a resource in limits and requests, which Kubernetes rounds up to thousandths."""
    return _read(value, _MILLI)


def _read(value: Any, unit: Decimal) -> Any:
    if isinstance(value, str):
        return _spelled(value, unit)
    if value is None:  # Go leaves a quantity at its zero value
        return "0"
    return _spelled(str(value), unit) if type(value) in (int, float) else value


def _spelled(text: str, unit: Decimal) -> str:
    return _kept_spelling(text, unit) if len(text) <= _LONGEST_TEXT else text


@lru_cache(4096)
def _kept_spelling(text: str, unit: Decimal) -> str:
    match = _QUANTITY.match(text)
    if match is None:
        return text
    number, exponent, suffix = match.groups()
    try:
        amount = _EXACT.multiply(Decimal(number + (exponent or "")), _SCALES[suffix or ""])
        if abs(amount.adjusted()) > _LONGEST:
            return text
        if suffix is not None and suffix.endswith("i"):
            amount = max(min(amount, _MOST_BINARY), -_MOST_BINARY)
        amount = _EXACT.quantize(amount, unit)
    except ArithmeticError:
        return text
    return format(_EXACT.normalize(amount), "f") if amount else "0"
