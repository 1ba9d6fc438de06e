"""How soon a hook says yes if every measurement does (docs/spec/hooks.md 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from operators.api.durations import parse_duration

Json = Mapping[str, Any]
#: Seconds between two measurements at least, as the hook controller keeps them.
_SHORTEST = 1.0


def seconds_to_yes(spec: Json) -> float:
    """Seconds from the start of a HookRun to its success; the slowest metric counts.

    Under the policy ``Ordered`` one metric begins when the one before has ended.
    """
    each = [_of_metric(metric) for metric in spec.get("metrics") or ()]
    if spec.get("policy") == "Ordered":
        return sum(each)
    return max(each, default=0.0)


def _of_metric(metric: Json) -> float:
    needed = _measurements(metric)
    return _seconds(metric.get("initialDelay")) + (needed - 1) * max(_SHORTEST, _seconds(metric.get("interval")))


def _measurements(metric: Json) -> int:
    """Successes in a row after which the metric ends well."""
    ends = [int(metric.get(limit) or 0) for limit in ("successfulLimit", "consecutiveSuccessfulLimit", "count")]
    return min((number for number in ends if number > 0), default=1)


def _seconds(text: Any) -> float:
    try:
        return parse_duration(str(text)) if text else 0.0
    except ValueError:
        return 0.0
