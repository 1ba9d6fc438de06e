"""Kubernetes' own view of pods, by a Go program built from its sources: `binaries/podtypes`.

``python -m devcluster.podtypes`` writes ``operators/planning/podfields.json`` anew.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devcluster import choose
from devcluster.programs import program

FIELDS = Path(__file__).parent.parent / "operators" / "planning" / "podfields.json"


def _run(mode: str, data: str = "") -> str:
    if not program("podtypes").exists():
        choose.build_programs(["podtypes"])
    command = [str(program("podtypes")), mode]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=True, timeout=120).stdout


def _answers(mode: str, templates: Iterable[Any]) -> list[Any]:
    lines = "".join(json.dumps(t) + "\n" for t in templates)
    return [json.loads(line) for line in _run(mode, lines).splitlines()]


def typed(templates: Iterable[Any]) -> list[Any]:
    """What a typed client writes back for each pod template; ``{"error": …}`` where it cannot read one."""
    return _answers("typed", templates)


def pods(templates: Iterable[Any]) -> list[Any]:
    """The pod that the API server stores for each template, before admission; ``{"error": …}`` as above."""
    return _answers("pods", templates)


def _field(found: dict[str, Any], known: Iterable[str]) -> Any:
    """``kind`` or ``[kind, default]``; ``*`` marks what may be zero or empty and yet not absent."""
    kind = {"object": found.get("type"), "objects": f"[]{found.get('type')}"}.get(found["kind"], found["kind"])
    if kind.removeprefix("[]") != found["kind"] and found.get("type") not in known:
        kind = "any"
    kind = f"*{kind}" if found.get("pointer") else kind
    return [kind, found["default"]] if "default" in found else kind


def fields() -> str:
    """The content of the file: one type a line, its fields by name."""
    shapes = json.loads(_run("shapes"))
    lines = []
    for name in sorted(shapes):
        known = {key: _field(found, shapes) for key, found in sorted(shapes[name].items())}
        lines.append(f"{json.dumps(name)}: {json.dumps(known)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FIELDS.write_text(fields())
