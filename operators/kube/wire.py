"""The wire format of the API server, without a socket: JSON both ways, errors, Retry-After, the lines of a watch.

Nothing here waits or sends, so every rule of the format can be tried on bytes alone.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from operators.kube.errors import ApiError, Conflict, error_for
from operators.kube.resources import Json

JSON, MERGE_PATCH, JSON_PATCH, STRATEGIC_PATCH, APPLY_PATCH = (
    "application/json",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
#: Accepts a list whose items have nothing but metadata.
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
#: The API server takes no JSON that is nested deeper than 10,000.
_DEEPEST = 12_000
_ESCAPED = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def read_deep() -> None:
    """Let the readers of this process follow whatever the API server stores; takes about 1 MB of stack, if ever."""
    sys.setrecursionlimit(max(_DEEPEST, sys.getrecursionlimit()))


def decode(content: bytes) -> Any:
    """The value of a JSON text, however deep it is nested.

    Where a CRD keeps unknown fields (pod templates, templates of claims) anybody may nest them thousands of levels
    deep, and the API server stores them. The fast reader stops at 1024 levels and would refuse the whole page, with
    every other object on it; the slow one stops where Python's recursion does.

    Raises:
        ValueError: the text is not JSON, or is nested deeper than the recursion limit allows.
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


def decode_object(content: bytes) -> Json:
    """The object that a successful answer holds.

    Raises:
        ValueError: the answer is not JSON, or is JSON of another type.
    """
    value = decode(content)
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not a JSON {type(value).__name__}")
    return value


def encode(body: Any) -> bytes:
    """JSON as the API server itself writes it: keys sorted, and no character that HTML could take for a tag.

    The server keeps the data of a ControllerRevision byte by byte. If our spelling differed from its own, it would
    refuse every later patch of the object as a change of that data, even a patch of its owner by the garbage collector.
    """
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPED:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def retry_after(header: str, date: str = "") -> float | None:
    """Seconds a Retry-After header asks to wait; None when it is absent or cannot be read.

    RFC 9110 allows seconds and an HTTP date. A date is compared with the answer's own Date header where there is one,
    so that a wrong clock on this side does not matter.
    """
    text = header.strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            now = parsedate_to_datetime(date) if date else datetime.now(UTC)
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def answer_error(code: int, content: bytes, *, wait: float | None = None) -> ApiError:
    """The error of an answer that did not succeed.

    Args:
        code: HTTP status.
        content: The body: a ``Status`` object, or whatever a proxy on the way wrote.
        wait: Seconds that the headers ask to wait.
    """
    try:
        status = orjson.loads(content)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {"message": content[:500].decode(errors="replace")}
    return status_error(status, code, wait)


def is_status(content: bytes) -> bool:
    """The body is a ``Status`` object of an API server, not the answer of somebody whom it has asked."""
    try:
        found = orjson.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("kind") == "Status" and found.get("status") == "Failure"


def status_error(status: Json, code: int | None = None, wait: float | None = None) -> ApiError:
    """The error of a ``Status`` object; ``code`` and ``wait`` (seconds) of the answer win over the object's own."""
    details = status.get("details")
    if not isinstance(details, dict):
        details = {}
    if wait is None and details.get("retryAfterSeconds"):
        wait = float(details["retryAfterSeconds"])
    number = code if code is not None else int(status.get("code") or 500)
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    causes = tuple(_causes(details))
    if number == 422 and any(field == "metadata.uid" for field, _ in causes):
        # A patch guarded by a UID met another object of that name: the object is new, the patch itself is fine.
        return Conflict(number, reason, message, wait)
    error = error_for(number, reason, message, wait)
    error.causes = causes
    return error


def _causes(details: Json) -> Iterator[tuple[str, str]]:
    """Field and message of each cause that an error names."""
    causes = details.get("causes")
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict):
            yield str(cause.get("field") or ""), str(cause.get("message") or "")


class LineSplitter:
    """Makes lines of the chunks of a stream, whatever the length of either."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without empty ones."""
        *lines, self._rest = (self._rest + chunk if self._rest else chunk).split(b"\n")
        return [line for line in lines if line]

    def end(self) -> list[bytes]:
        """What the end of the stream cut off, as a line that most likely cannot be decoded; empty when nothing was."""
        return [self._rest] if self._rest else []


def watch_event(line: bytes) -> Json:
    """The event of one line of a watch.

    Raises:
        ApiError: the server reports an error; `operators.kube.errors.Gone` for a resourceVersion that is too old.
        ValueError, KeyError, TypeError: the line is not an event.
    """
    event: Json = decode(line)
    if event["type"] == "ERROR":
        raise status_error(event["object"])
    return event


def query(**values: str) -> dict[str, str]:
    """The parameters of a request that have a value."""
    return {name: value for name, value in values.items() if value}


def watch_query(resource_version: str, label_selector: str, seconds: int) -> dict[str, str]:
    """The parameters of a watch that the server ends after so many seconds."""
    return query(
        watch="1",
        allowWatchBookmarks="true",
        resourceVersion=resource_version,
        labelSelector=label_selector,
        timeoutSeconds=str(seconds),
    )


def warnings(headers: Iterable[str]) -> Iterator[str]:
    """The texts of Warning headers (RFC 7234), of which each holds one or more like ``299 - "text"``.

    Quotes inside of a text are escaped by a backslash; what is no warning is passed over.
    """
    for header in headers:
        text: list[str] | None = None
        escaped = False
        for sign in header:
            if text is None:
                text = [] if sign == '"' else None
            elif escaped or sign not in ('"', "\\"):
                text.append(sign)
                escaped = False
            elif sign == "\\":
                escaped = True
            else:
                yield "".join(text)
                text = None
