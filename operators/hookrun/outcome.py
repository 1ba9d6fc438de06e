"""The phase of a measurement, from the value that was measured (docs/spec/hooks.md 2.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from operators.api.hookphase import HookPhase
from operators.hookrun.conditions.evaluate import ExpressionError, evaluate
from operators.hookrun.providers.base import MeasuredValue

if TYPE_CHECKING:  # the processes that judge would need twice the memory with pydantic
    from operators.api.hooktemplate import Metric

_VALUE_LIMIT, _SHOWN, _ELLIPSIS_BYTES = 1024, 200, 3
#: Characters that are escaped in JSON: by a backslash, or as Go does it by six bytes.
_TWICE, _SIX = '"\\', "<>&\u2028\u2029" + "".join(map(chr, range(0x20)))
_ESCAPED = re.compile(f"[{re.escape(_TWICE + _SIX)}]")
_ASKS_FOR_NAN = re.compile(r"\bisNaN\s*\(")


def measurement_phase(metric: Metric, value: MeasuredValue) -> tuple[HookPhase, str]:
    """Phase and message of a measurement.

    A NaN is inconclusive, whatever the conditions are, unless one of them asks for it (docs/spec/hooks.md 5.2).
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


def clip(text: str | None, most: int = _VALUE_LIMIT) -> str | None:
    """A text as the status keeps it, at most so many bytes of JSON.

    The API server stores JSON as Go writes it, so a control character counts six bytes and a character of an Asian
    script three or four.
    """
    if text is None or (len(text) <= most and json_bytes(text) <= most):
        return text
    fits, too_long = 0, min(len(text), most)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if json_bytes(text[:middle]) <= most - _ELLIPSIS_BYTES:
            fits = middle
        else:
            too_long = middle
    return text[:fits] + "…"


def json_bytes(text: str) -> int:
    """How many bytes a text has in the JSON that the API server stores, without its quotes."""
    plain = len(text.encode(errors="surrogatepass"))
    if _ESCAPED.search(text) is None:
        return plain
    return plain + sum(map(text.count, _TWICE)) + 5 * sum(map(text.count, _SIX))
