"""What runs in worker processes: everything that reads, on behalf of a hook, what users or game servers wrote.

An argument and a result are JSON, a body is bytes. Whatever is wrong with the input of users is a ValueError here, or
a part of the result; anything else is a defect. Nothing here does input or output (`operators.sandbox.pool`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operators.hookrun.arguments import header_value, query_value, substitute, url_value, values_of
from operators.hookrun.conditions.parser import ExpressionError, parse
from operators.hookrun.outcome import clip, measurement_phase
from operators.hookrun.providers.base import ProviderError
from operators.hookrun.providers.registry import PROVIDERS

_PLACES: Final = {"url": url_value, "header": header_value, "query": query_value}


@dataclass(frozen=True, slots=True)
class _Conditions:
    """The part of a metric that a verdict needs."""

    success_condition: str | None
    failure_condition: str | None


def check_conditions(argument: Any, body: bytes) -> list[str]:
    """Why each condition cannot be read, "" when it can; ``argument`` is a list of texts, ``body`` is not used."""
    del body
    return [_condition_error(text) for text in argument]


def _condition_error(text: str) -> str:
    try:
        parse(text)
    except ExpressionError as error:
        return str(error)
    return ""


def fill(argument: Any, body: bytes) -> list[str]:
    """Texts with their tags filled in: all that a request to a server needs, in one call.

    Args:
        argument: ``args``, pairs of name and value, and ``texts``, pairs of a place (``url``, ``header``, ``query``)
            and a text.
        body: Not used.

    Raises:
        ArgumentError: an argument has no value, or a text cannot be filled.
    """
    del body
    values = values_of(tuple((name, value) for name, value in argument["args"]))
    return [substitute(text, values, _PLACES[place]) for place, text in argument["texts"]]


def judge_measurement(argument: Any, body: bytes) -> dict[str, str | None]:
    """Phase, message and value of a measurement, from the answer of a server to the verdict.

    Args:
        argument: ``success`` and ``failure``, the conditions or None; ``provider`` and ``reading`` say how to read.
        body: The answer.
    """
    metric: Any = _Conditions(argument["success"], argument["failure"])
    try:
        value = PROVIDERS.read(argument["provider"], argument["reading"], body)
    except (ProviderError, ValueError) as error:
        return {"phase": "Error", "message": str(error), "value": None}
    phase, message = measurement_phase(metric, value)
    return {"phase": phase, "message": message, "value": clip(value.text)}


FUNCTIONS: Final[Mapping[str, Callable[[Any, bytes], Any]]] = {
    "check_conditions": check_conditions,
    "fill": fill,
    "judge_measurement": judge_measurement,
}
