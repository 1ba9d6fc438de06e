"""Numbers that may also be written as a percentage."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_PERCENT = re.compile(r"([0-9]{1,3})%\Z")


def parse_int_or_percent(value: Any) -> int | str:
    """A non-negative integer, or a percentage between 0% and 100%.

    Raises:
        ValueError: anything else; the text names the value.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"must be an integer or a percentage like 25%, not {value!r}")
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"must not be negative: {value}")
        return value
    match = _PERCENT.match(value)
    if match is None or int(match.group(1)) > 100:
        raise ValueError(f"must be a percentage between 0% and 100%, not {value!r}")
    return value


IntOrPercent = Annotated[
    int | str,
    BeforeValidator(parse_int_or_percent),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
]
