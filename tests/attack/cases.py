"""The inputs of the attack log that stopped the operators once, as they were; `generators` makes others like them."""

from __future__ import annotations

import json
from typing import Final

from tests.attack.generators import METRICS, Answer, Attack, Json, metric, result


def _runs(count: int, metrics: int, make: Json, **fields: object) -> tuple[Json, ...]:
    """So many runs of so many metrics, all alike."""
    return tuple(
        {"metrics": [{**make, "name": f"m{number}"} for number in range(metrics)], **fields} for _ in range(count)
    )


def _asks(path: str = "{.result}", seconds: int = 5, **fields: object) -> Json:
    made = metric(0, path, **fields)
    made["provider"]["web"]["timeoutSeconds"] = seconds
    return made


_LONG = "[" + ",".join(["[]"] * 1100) + "] == []"
_STEPS = "all(0..220, {all(0..220, {# >= 0})})"
_TAGS = "{{args.a}}" * 400
_VALUE = [{"name": "a", "value": "a" * 4096}]
_QUERY = {"name": "m0", "provider": {"prometheus": {"address": "http://GAMESERVER", "query": _TAGS}}}
_SLICES = 'count(0..2500, {"x" matches result[#:#+390]}) >= 0'
_LETTERS = "".join("abcdefghij"[(n * n + n // 7) % 10] for n in range(3000))

CASES: Final[dict[str, Attack]] = {
    "F1": Attack("F1", _runs(1, 1, _asks(successCondition="asFloat(result) < 0.5")), result("9" * 60_000 + "x")),
    "F1 1 MiB": Attack("F1", _runs(1, 1, _asks(successCondition="asFloat(result) > 0")), result("9" * 1_000_000 + "x")),
    "F2 filter": Attack("F2", _runs(1, 8, _asks("{[?(@" + ".a" * 490 + ")]}")), Answer(json.dumps([{}] * 19_000))),
    "F2 tags": Attack("F2", _runs(1, 1, _QUERY, args=_VALUE), result(1)),
    "F2 patterns": Attack(
        "F2", _runs(1, 8, _asks(successCondition=_SLICES, failureCondition=_SLICES)), result(_LETTERS)
    ),
    "F2 url": Attack("F2", _runs(1, 1, _asks(url=("http://GAMESERVER/" + _TAGS)[:4090]), args=_VALUE), result(1)),
    "F3 steps": Attack("F3", _runs(10, METRICS, _asks(successCondition=_STEPS)), result(1)),
    "F3 parsed": Attack(
        "F3",
        _runs(62, METRICS, _asks(successCondition=_LONG, failureCondition=_LONG + " ", initialDelay="1h")),
        result(1),
    ),
    "F7": Attack("F7", _runs(18, 28, _asks(seconds=300)), Answer(None)),
    "F7 names": Attack(
        "F7", _runs(8, METRICS, _asks(url="http://nobody.knows.this.invalid/", interval="1s")), result(1)
    ),
    "F10": Attack(
        "F10",
        _runs(1, METRICS, _asks(interval="1s", count=15, successCondition='result == "1"')),
        result("\U0001f3ae" * 1024),
    ),
}
