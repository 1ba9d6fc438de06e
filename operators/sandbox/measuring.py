"""Hooks' questions to the workers, with types: what `operators.sandbox.functions` offers, as coroutines.

A measurement takes two calls: the texts of its request before it is sent, and the verdict on the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from operators.sandbox.errors import LimitExceeded

#: Arguments of a run: name and value, None when none was given.
Arguments = Sequence[tuple[str, str | None]]


class Caller(Protocol):
    """The part of `operators.sandbox.pool.WorkerPool` that is used here."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Phase, message and value of a measurement, as the status has them."""

    phase: str
    message: str
    value: str | None


class Judge:
    """Asks the workers on behalf of hooks; ``namespace`` is always that of the hook.

    Every method raises `SandboxError` when there is no result; those that say so handle limits themselves.
    """

    def __init__(self, pool: Caller) -> None:
        self._pool = pool

    async def web_request(
        self, namespace: str, args: Arguments, url: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[str, Mapping[str, str]]:
        """Address and headers of a request, with their arguments filled in.

        Raises:
            Refused: an argument has no value or does not fit.
        """
        texts = [("url", url), *(("header", text) for _, text in headers)]
        filled, *values = await self._pool.call(namespace, "fill", {"args": args, "texts": texts})
        return filled, {key: value for (key, _), value in zip(headers, values, strict=True)}

    async def query(self, namespace: str, args: Arguments, query: str) -> str:
        """A PromQL query with its arguments filled in.

        Raises:
            Refused: an argument has no value or does not fit.
        """
        filled: list[str] = await self._pool.call(namespace, "fill", {"args": args, "texts": [("query", query)]})
        return filled[0]

    async def web_verdict(
        self, namespace: str, conditions: tuple[str | None, str | None], json_path: str, body: bytes
    ) -> Verdict:
        """The verdict on the answer of a web endpoint; a limit that was exceeded makes it an Error.

        Args:
            namespace: Of the hook.
            conditions: The metric's successCondition and failureCondition.
            json_path: Where the result is in the answer.
            body: The answer.
        """
        return await self._verdict(namespace, conditions, {"jsonPath": json_path}, body)

    async def prometheus_verdict(
        self, namespace: str, conditions: tuple[str | None, str | None], status: int, body: bytes
    ) -> Verdict:
        """The verdict on a response of Prometheus; a limit that was exceeded makes it an Error."""
        return await self._verdict(namespace, conditions, {"prometheus": status}, body)

    async def _verdict(
        self, namespace: str, conditions: tuple[str | None, str | None], answer: dict[str, Any], body: bytes
    ) -> Verdict:
        success, failure = conditions
        argument = {"success": success, "failure": failure, **answer}
        try:
            found = await self._pool.call(namespace, "judge_measurement", argument, body)
        except LimitExceeded as error:
            return Verdict("Error", str(error), None)
        return Verdict(found["phase"], found["message"], found["value"])

    async def condition_errors(
        self, namespace: str, conditions: Sequence[tuple[str, Sequence[Any]]]
    ) -> list[str | None]:
        """Why each condition can never hold, None when it may.

        Each comes with samples of the results it may meet: "", 0.0 or [0.0]; without samples it is only parsed.
        """
        errors: list[str | None] = await self._pool.call(namespace, "check_conditions", conditions)
        return errors

    async def path_errors(self, namespace: str, templates: Sequence[str]) -> list[str | None]:
        """Why each path template cannot be read, None when it can."""
        errors: list[str | None] = await self._pool.call(namespace, "check_paths", templates)
        return errors
