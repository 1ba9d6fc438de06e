"""Reviews of HookTemplates: what users wrote is read by a worker under hard limits, never by this process.

What passes a limit is refused with a message that names it. When there is no worker, the HookTemplate is accepted with
a warning (docs/decisions/0006-validation-fails-open.md). Deletions are judged elsewhere and need no worker.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from operators.logs import get_logger
from operators.sandbox.errors import LimitExceeded, SandboxError, WallLimitExceeded
from webhooks.objects import Json, texts
from webhooks.protection import LABEL
from webhooks.validation.limits import HOOK_TEMPLATE, known_part, limit_problems
from webhooks.validation.problems import Problem, new_problems, verdict, warning
from webhooks.verdicts import Verdict

_LOG: Final = get_logger(__name__)
#: Characters of a namespace: workers are shared between namespaces, and a review may name any.
_NAMESPACE: Final = 63


class Caller(Protocol):
    """The part of `operators.sandbox.pool.WorkerPool` that is used here."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any: ...


class HookTemplateValidation:
    """Judges HookTemplates by means of a worker; without one it accepts them with a warning."""

    def __init__(self, pool: Caller | None) -> None:
        self._pool = pool

    async def check(self, namespace: str, old: Json | None, new: Json) -> Verdict:
        """The verdict on a creation, or on an update of ``old``."""
        beyond = limit_problems(HOOK_TEMPLATE, new)
        added = new_problems(lambda o: limit_problems(HOOK_TEMPLATE, o), old, new) if beyond else []
        if added:
            return verdict(added)
        if beyond:  # older than the limits, and as it was
            return verdict([warning("spec", f"not checked, because it is beyond a limit: {beyond[0]}")])
        if old is not None and limit_problems(HOOK_TEMPLATE, old):
            old = None
        return verdict(await self._problems(namespace[:_NAMESPACE], old, new))

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
        label = texts(template, "metadata", "labels").get(LABEL)
        argument = {
            "metadata": {"labels": {} if label is None else {LABEL: label}},
            "spec": known_part({"spec": HOOK_TEMPLATE}, template).get("spec", {}),
        }
        try:
            found = await self._pool.call(namespace, "check_template", argument)
        except WallLimitExceeded as error:  # the worker got too little CPU, which the HookTemplate is no reason for
            raise SandboxError(str(error)) from error
        return [Problem(field, text, fatal) for field, text, fatal in found]
