"""Hooks' questions to the worker processes: what `operators.hookrun.isolated` offers, as coroutines.

Whatever reads texts of users or answers of servers goes this way: a limit of time or memory that it exceeds ends a
worker process and becomes an Error of the measurement that caused it, and holds up nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from operators.api.hookphase import HookPhase
from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric
from operators.hookrun.outcome import clip, measurement_phase
from operators.hookrun.providers.base import Answer, MeasuredValue, MeasurementRequest, Place, ProviderError
from operators.sandbox.errors import LimitExceeded

#: The module whose functions the workers run.
FUNCTIONS = "operators.hookrun.isolated"


class Caller(Protocol):
    """The part of `operators.sandbox.pool.WorkerPool` that is used here."""

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any: ...


@dataclass(frozen=True, slots=True)
class MeasurementVerdict:
    """Phase, message and value of a measurement, as the status has them."""

    phase: HookPhase
    message: str
    value: str | None


class HookWorkers:
    """Asks the workers on behalf of hooks. Every method raises `SandboxError` when there are no workers."""

    def __init__(self, workers: Caller) -> None:
        self._workers = workers

    async def fill(self, request: MeasurementRequest, texts: Sequence[tuple[Place, str]]) -> list[str]:
        """See `operators.hookrun.providers.base.TextFiller`."""
        if not any("{{" in text for _, text in texts):
            return [text for _, text in texts]
        argument = {"args": list(request.args.items()), "texts": texts}
        try:
            filled: list[str] = await self._workers.call(request.namespace, "fill", argument)
        except LimitExceeded as error:
            raise ProviderError(f"arguments: {error}") from error
        return filled

    async def verdict(self, namespace: str, metric: Metric, found: Answer | MeasuredValue) -> MeasurementVerdict:
        """The verdict on what a provider has found.

        A provider that returns a value instead of an answer is trusted to have read it within limits.
        """
        if isinstance(found, MeasuredValue):
            phase, message = measurement_phase(metric, found)
            return MeasurementVerdict(phase, message, clip(found.text))
        argument = {
            "provider": next(iter(metric.provider.given())),
            "reading": found.reading,
            "success": metric.success_condition,
            "failure": metric.failure_condition,
        }
        try:
            told = await self._workers.call(namespace, "judge_measurement", argument, found.body)
        except LimitExceeded as error:
            return MeasurementVerdict(HookPhase.ERROR, str(error), None)
        return MeasurementVerdict(HookPhase(told["phase"]), told["message"], told["value"])

    async def unreadable_conditions(self, namespace: str, spec: HookRunSpec) -> dict[str, str]:
        """Why a condition of a metric cannot be read, by the metric's name; only metrics with such a condition."""
        checked = await asyncio.gather(*(self._unreadable(namespace, metric) for metric in spec.metrics))
        return {metric.name: reason for metric, reason in zip(spec.metrics, checked, strict=True) if reason}

    async def _unreadable(self, namespace: str, metric: Metric) -> str:
        conditions = {"successCondition": metric.success_condition, "failureCondition": metric.failure_condition}
        given = {name: text for name, text in conditions.items() if text}
        if not given:
            return ""
        try:
            reasons = await self._workers.call(namespace, "check_conditions", list(given.values()))
        except LimitExceeded as error:
            return f"{next(iter(given))}: {error}"
        found = zip(given.items(), reasons, strict=True)
        return next((f"{name} {text!r} does not parse: {reason}" for (name, text), reason in found if reason), "")
