"""What the pool and its processes say to each other, as bytes.

A request is a header, JSON of the function's name and argument, and a body that is not JSON to us (an answer of a
server). An answer is a header and JSON.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

#: Header of a request: CPU limit in microseconds, bytes of JSON, bytes of the body.
REQUEST: Final = Struct("!III")
#: Header of an answer: `Status`, whether the worker ends now, CPU in microseconds, bytes of JSON.
ANSWER: Final = Struct("!B?II")
#: Bytes of a request, JSON and body together, and of the JSON of an answer. An admission review has 3 MiB.
REQUEST_LIMIT: Final = (3 << 20) + (64 << 10)
ANSWER_LIMIT: Final = REQUEST_LIMIT

#: Messages between pool and zygote: what, number of the worker, and its process id or exit status.
CONTROL: Final = Struct("!cIi")
READY: Final = b"R"
FORK: Final = b"F"
FORKED: Final = b"P"
KILL: Final = b"K"
EXITED: Final = b"X"


class Status(IntEnum):
    """How a call ended. The JSON is the result of one that is OK, else a text."""

    OK = 0
    REFUSED = 1
    DEFECT = 2
    MEMORY = 3
    TOO_LARGE = 4
