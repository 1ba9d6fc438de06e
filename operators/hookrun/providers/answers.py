"""Reading JSON as Go does: what is no text in an answer is replaced, and everything else is read all the same."""

from __future__ import annotations

import re
from typing import Any

import orjson

#: Whole escapes from left to right: a pair of surrogates, one without its other half, anything else.
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
_REPLACEMENT = "\\ufffd"


def read_json(body: bytes) -> Any:
    """The value; bytes that are not UTF-8, and halves of surrogate pairs, are read as U+FFFD.

    Raises:
        ValueError: the body is no JSON.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        text = _ESCAPES.sub(lambda m: _REPLACEMENT if m[1] else m[0], body.decode(errors="replace"))
        return orjson.loads(text)
