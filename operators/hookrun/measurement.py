"""From a measured value to a phase (spec/hooks.md 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from operators.api.hooktemplate import Metric
from operators.hookrun.expressions import ExpressionError, evaluate

_VALUE_LIMIT = 1024


class ProviderError(Exception):
    """The measurement could not be taken; the text goes into the status."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a provider found: ``result`` for conditions, ``text`` for people. A given phase needs no conditions."""

    result: Any
    text: str | None
    phase: str | None = None


def judge(metric: Metric, value: Value) -> tuple[str, str]:
    """Phase and message of a measurement."""
    if value.phase is not None:
        return value.phase, ""
    success, failure = metric.success_condition, metric.failure_condition
    try:
        succeeded = evaluate(success, value.result) if success else None
    except ExpressionError as error:
        return "Error", f"successCondition: {error}"
    try:
        failed = evaluate(failure, value.result) if failure else None
    except ExpressionError as error:
        return "Error", f"failureCondition: {error}"
    if failed:
        return "Failed", f"failureCondition {failure!r} holds for {clip(value.text)!r}"
    if succeeded or (succeeded is None and failed is not None) or (succeeded is None and failed is None):
        return "Successful", ""
    if failed is None:
        return "Failed", f"successCondition {success!r} does not hold for {clip(value.text)!r}"
    return "Inconclusive", f"neither condition holds for {clip(value.text)!r}"


def clip(text: str | None) -> str | None:
    """A value as the status keeps it."""
    return text if text is None or len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"
