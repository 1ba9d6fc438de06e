"""From a measured value to a phase (spec/hooks.md 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from operators.api.hooktemplate import Metric
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate

_VALUE_LIMIT, _SHOWN = 1024, 200
_PASSWORD = re.compile(r"//[^/?#]*@")
_ASKS_FOR_NAN = re.compile(r"\bisNaN\s*\(")


class ProviderError(Exception):
    """The measurement could not be taken; the text goes into the status."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a provider found: ``result`` for conditions, ``text`` for people.

    A given ``phase`` needs no conditions. ``nan`` says that a number is none, which no comparison would notice.
    """

    result: Any
    text: str | None
    phase: str | None = None
    nan: bool = False


def shown_address(url: str, most: int) -> str:
    """A URL for messages, which more people read than may read a HookRun: without the password it may hold."""
    return repr(_PASSWORD.sub("//***@", url)[:most])


def judge(metric: Metric, value: Value) -> tuple[str, str]:
    """Phase and message of a measurement.

    A NaN is inconclusive, whatever the conditions are, unless one of them asks for it (spec/hooks.md 5.2).
    """
    if value.phase is not None:
        return value.phase, ""
    success, failure = metric.success_condition, metric.failure_condition
    if value.nan and not _ASKS_FOR_NAN.search(f"{success} {failure}"):
        return "Inconclusive", f"the value is not a number: {clip(value.text)}"
    try:
        succeeded = evaluate(success, value.result) if success else None
    except ExpressionError as error:
        return "Error", f"successCondition: {error}"
    try:
        failed = evaluate(failure, value.result) if failure else None
    except ExpressionError as error:
        return "Error", f"failureCondition: {error}"
    shown = repr((value.text or "")[:_SHOWN])
    if failed:
        return "Failed", f"failureCondition {(failure or '')[:_SHOWN]!r} holds for {shown}"
    if succeeded or not success:
        return "Successful", ""
    if failed is None:
        return "Failed", f"successCondition {success[:_SHOWN]!r} does not hold for {shown}"
    return "Inconclusive", f"neither condition holds for {shown}"


def clip(text: str | None) -> str | None:
    """A value as the status keeps it."""
    return text if text is None or len(text) <= _VALUE_LIMIT else text[: _VALUE_LIMIT - 1] + "…"
