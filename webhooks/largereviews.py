"""Reviews that cost too much for the server's own process: a worker under hard limits decodes and judges them.

What passes a limit is refused with a message that names it. Without a worker a change of a spec is accepted with a
warning, as validation fails open, and a deletion is refused, as protection fails closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from operators.logs import get_logger
from operators.sandbox.errors import FunctionDefect, LimitExceeded, Refused, SandboxError, WallLimitExceeded
from webhooks.hooktemplates import Caller
from webhooks.judging import COMPARED, DECODED, SPEC, Finding, Options, finding_from_json, options_to_json, takes_long
from webhooks.load import weight
from webhooks.reviews import BadReview, Resource, Review, check_content_type, head, read
from webhooks.verdicts import FORBIDDEN, INVALID, allow, refuse

_LOG: Final = get_logger(__name__)
#: Bytes that what is read from a body may take, as `webhooks.load.weight` counts them; a worker has twice that.
WEIGHT_LIMIT: Final = 64 << 20


def read_small(path: str, body: bytes | bytearray, content_type: str) -> Review | None:
    """The review, if decoding and judging it costs this process little, else None.

    Raises:
        BadReview: it is none, as far as was read.
    """
    check_content_type(content_type)
    if len(body) > DECODED:
        return None
    review = read(body, content_type)
    return None if len(body) > COMPARED and takes_long(path, review) else review


class LargeReviews:
    """Asks a worker about whole bodies."""

    def __init__(self, pool: Caller | None, options: Options) -> None:
        self._pool, self._options = pool, options_to_json(options)

    async def examine(self, path: str, body: bytes | bytearray) -> tuple[Review, Finding]:
        """The review without its objects, and what it comes to.

        Raises:
            BadReview: it is none; or it cannot be judged, and does not begin as those of API servers do (503).
        """
        first = head(body)
        namespace = first.namespace if first is not None else ""
        try:
            if self._pool is None:
                raise SandboxError("it was not started")
            if (found := weight(body)) > WEIGHT_LIMIT:
                raise _TooHeavy(found)
            told = await self._pool.call(namespace, "judge_review", {"path": path, "options": self._options}, body)
        except Refused as error:
            raise BadReview(400, str(error)) from error
        except SandboxError as error:
            if first is None:
                raise BadReview(503, f"the review could not be judged: {error}") from error
            return first, _without_answer(path, error)
        return _review(told["review"]), finding_from_json(told["finding"])


class _TooHeavy(LimitExceeded):
    """The body holds more values than a worker may read."""

    def __init__(self, size: int) -> None:
        super().__init__(f"its values may take {size >> 20} MiB of memory, and the limit is {WEIGHT_LIMIT >> 20} MiB")


def _without_answer(path: str, error: SandboxError) -> Finding:
    how = INVALID if path == SPEC else FORBIDDEN
    if isinstance(error, LimitExceeded) and not isinstance(error, WallLimitExceeded):
        return refuse(f"the review cannot be judged: {error}; make the object smaller", how)
    details = {"details": error.details} if isinstance(error, FunctionDefect) else {}
    _LOG.warning("large reviews are not judged", path=path, error=str(error), **details)
    if path == SPEC:
        return allow(f"spec: not checked, because the worker for it is not available: {error}")
    return refuse(f"the review cannot be judged, because the worker for it is not available: {error}; try again", how)


def _review(told: Mapping[str, Any]) -> Review:
    return Review(**{**told, "resource": Resource(**told["resource"])})
