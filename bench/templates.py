"""What it costs to tell what a pod template means: ``python -m bench.templates``.

Microseconds of CPU, the best of 15 rounds, for the example's template and for one of 237 KiB.
"""

from __future__ import annotations

import copy
import json
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from operators.planning import templates

_EXAMPLE = Path(__file__).parent.parent / "examples" / "gamedeployment" / "typical.yaml"
_LARGE = 237 * 1024


def _example() -> dict[str, Any]:
    objects = yaml.safe_load_all(_EXAMPLE.read_text())
    return next(o for o in objects if o["kind"] == "GameDeployment")["spec"]["template"]


def _large(template: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(template)
    env = made["spec"]["containers"][0].setdefault("env", [])
    size = len(json.dumps({"name": "VARIABLE_0000", "value": "x" * 40}))
    env += [{"name": f"VARIABLE_{n:04}", "value": "x" * 40} for n in range(_LARGE // (size + 2))]
    return made


def _cost(call: Callable[[], object], number: int) -> float:
    return min(timeit.repeat(call, number=number, repeat=15, timer=time.process_time)) / number * 1e6


def _costs(template: dict[str, Any], number: int) -> dict[str, float]:
    labels, spec = template["metadata"]["labels"], template["spec"]
    return {
        "digest": _cost(lambda: templates._digest(template), number),
        "digest, known bytes": _cost(lambda: templates.template_digest(template), number),
        "produces": _cost(lambda: templates.produces(template, labels, {}, spec), number),
    }


def main() -> None:
    example = _example()
    for name, template, number in (("example", example, 2000), ("237 KiB", _large(example), 20)):
        costs = _costs(template, number).items()
        print(f"{name}: " + "; ".join(f"{what} {cost:.1f} µs" for what, cost in costs))


if __name__ == "__main__":
    main()
