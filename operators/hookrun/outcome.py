"""The phase of a measurement, from the value that was measured (spec/hooks.md 2.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operators.api.hookphase import HookPhase
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate
from operators.hookrun.providers.base import MeasuredValue

if TYPE_CHECKING:  # the processes that judge would need twice the memory with pydantic
    from operators.api.hooktemplate import Metric

_VALUE_LIMIT, _SHOWN = 1024, 200
_ASKS_FOR_NAN = re.compile(r"\bisNaN\s*\(")


def measurement_phase(metric: Metric, value: MeasuredValue) -> tuple[HookPhase, str]:
    """Phase and message of a measurement.

    A NaN is inconclusive, whatever the conditions are, unless one of them asks for it (spec/hooks.md 5.2).
    """
    if value.phase is not None:
        return value.phase, ""
    success, failure = metric.success_condition, metric.failure_condition
    if value.nan and not _ASKS_FOR_NAN.search(f"{success} {failure}"):
        return HookPhase.INCONCLUSIVE, f"the value is not a number: {clip(value.text)}"
    try:
        succeeded = evaluate(success, value.result) if success else None
    except ExpressionError as error:
        return HookPhase.ERROR, f"successCondition: {error}"
    try:
        failed = evaluate(failure, value.result) if failure else None
    except ExpressionError as error:
        return HookPhase.ERROR, f"failureCondition: {error}"
    shown = repr((value.text or "")[:_SHOWN])
    if failed:
        return HookPhase.FAILED, f"failureCondition {(failure or '')[:_SHOWN]!r} holds for {shown}"
    if succeeded or not success:
        return HookPhase.SUCCESSFUL, ""
    if failed is None:
        return HookPhase.FAILED, f"successCondition {success[:_SHOWN]!r} does not hold for {shown}"
    return HookPhase.INCONCLUSIVE, f"neither condition holds for {shown}"


def clip(text: str | None) -> str | None:
    """A value as the status keeps it."""
    return text if text is None or len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"
