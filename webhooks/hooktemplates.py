"""Reviews of HookTemplates: what users wrote is read by a worker under hard limits, never by this process.

What passes a limit is refused with a message that names it. When there is no worker, the HookTemplate is accepted with
a warning (docs/decisions/0006-validation-fails-open.md). Deletions are judged elsewhere and need no worker.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from operators.logs import get_logger
from operators.sandbox.errors import LimitExceeded, SandboxError, WallLimitExceeded
from webhooks.judging import TemplateTexts
from webhooks.objects import Json
from webhooks.validation.problems import Problem, verdict, warning
from webhooks.verdicts import Verdict

_LOG: Final = get_logger(__name__)
#: Characters of a namespace: workers are shared between namespaces, and a review may name any.
_NAMESPACE: Final = 63


class Caller(Protocol):
    """The part of `operators.sandbox.pool.WorkerPool` that is used here."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes | bytearray = b"") -> Any: ...


class HookTemplateValidation:
    """Judges HookTemplates by means of a worker; without one it accepts them with a warning."""

    def __init__(self, pool: Caller | None) -> None:
        self._pool = pool

    async def check(self, namespace: str, asked: TemplateTexts) -> Verdict:
        """The verdict on a creation, or on an update of ``asked.old``."""
        return verdict(await self._problems(namespace[:_NAMESPACE], asked.old, asked.new))

    async def _problems(self, namespace: str, old: Json | None, new: Json) -> list[Problem]:
        try:
            found = await self._read(namespace, new)
        except LimitExceeded as error:
            return [Problem("spec", f"cannot be checked: {error}; make its texts shorter or simpler")]
        except SandboxError as error:
            _LOG.warning("HookTemplates are not validated", error=str(error))
            return [warning("spec", f"not checked, because the worker for it is not available: {error}")]
        except TypeError:  # a text that is no UTF-8
            return [Problem("spec", "holds a text that is no valid Unicode")]
        if not found or old is None:
            return found
        try:
            known = set(await self._read(namespace, old))
        except (SandboxError, TypeError):  # nobody can say what was wrong before
            return found
        return [problem for problem in found if problem not in known]

    async def _read(self, namespace: str, template: Json) -> list[Problem]:
        if self._pool is None:
            raise SandboxError("it was not started")
        try:
            found = await self._pool.call(namespace, "check_template", template)
        except WallLimitExceeded as error:  # the worker got too little CPU, which the HookTemplate is no reason for
            raise SandboxError(str(error)) from error
        return [Problem(field, text, fatal) for field, text, fatal in found]
