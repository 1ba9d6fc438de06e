"""What a worker can be asked to do: everything that reads, on behalf of a hook, what users or game servers wrote.

An argument and a result are JSON, a body is bytes. Whatever is wrong with the input of users is a ValueError here, or
a part of the result; anything else is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from operators.hookrun import jsonpath
from operators.hookrun.arguments import header_value, query_value, substitute, url_value, values_of
from operators.hookrun.conditions.parser import ExpressionError, parse
from operators.hookrun.conditions.typecheck import check_condition
from operators.hookrun.outcome import clip, measurement_phase
from operators.hookrun.providers.base import ProviderError
from operators.sandbox.answers import prometheus_value, web_value

_PLACES: Final = {"url": url_value, "header": header_value, "query": query_value}


@dataclass(frozen=True, slots=True)
class _Conditions:
    """The part of a metric that a verdict needs."""

    success_condition: str | None
    failure_condition: str | None


def check_conditions(argument: Any, body: bytes) -> list[str | None]:
    """Why each condition can never hold, None when it may.

    Args:
        argument: For each condition its text, and samples of the results it may meet; without samples it is only
            parsed. It fits if it fits one of them.
        body: Not used.
    """
    del body
    return [_condition_error(text, samples) for text, samples in argument]


def _condition_error(text: str, samples: list[Any]) -> str | None:
    try:
        tree = parse(text)
    except ExpressionError as error:
        return str(error)
    misfits = []
    for sample in samples:
        try:
            check_condition(tree, sample)
        except ExpressionError as error:
            misfits.append(str(error))
        else:
            return None
    return misfits[0] if misfits else None


def check_paths(argument: Any, body: bytes) -> list[str | None]:
    """Why each path template cannot be read, None when it can."""
    del body
    return [_path_error(template) for template in argument]


def _path_error(template: str) -> str | None:
    try:
        jsonpath.check(template)
    except jsonpath.JsonPathError as error:
        return str(error)
    return None


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
        argument: ``success`` and ``failure``, the conditions or None, and what the answer is read with: ``jsonPath``
            for JSON of a web endpoint, ``prometheus`` with the code of the response for that of a query.
        body: The answer.
    """
    metric: Any = _Conditions(argument["success"], argument["failure"])
    try:
        if "jsonPath" in argument:
            value = web_value(body, argument["jsonPath"])
        else:
            value = prometheus_value(argument["prometheus"], body)
    except (ProviderError, ValueError) as error:
        return {"phase": "Error", "message": str(error), "value": None}
    phase, message = measurement_phase(metric, value)
    return {"phase": phase, "message": message, "value": clip(value.text)}


FUNCTIONS: Final[Mapping[str, Callable[[Any, bytes], Any]]] = {
    "check_conditions": check_conditions,
    "check_paths": check_paths,
    "fill": fill,
    "judge_measurement": judge_measurement,
}
