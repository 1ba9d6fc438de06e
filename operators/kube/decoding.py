"""JSON of the API server, however deep it is nested.

Where a CRD keeps unknown fields (pod templates, templates of claims) anybody may nest them thousands of levels deep,
which the API server stores. The fast reader stops at 1024 and would refuse the whole page, with every other object on
it; kopf's own reader stops where Python's recursion does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import orjson

#: The API server takes no JSON that is nested deeper than 10,000.
_DEEPEST = 12_000


def read_deep() -> None:
    """Let the readers of this process follow whatever the API server stores; takes about 1 MB of stack, if ever."""
    sys.setrecursionlimit(max(_DEEPEST, sys.getrecursionlimit()))


def decode(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or nested deeper than the recursion limit allows.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if "depth" not in str(error):
            raise
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
