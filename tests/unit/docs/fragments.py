"""Parts of manifests in documents, and the whole ones that they become for a test.

A comment right above the block says what it is a part of::

    <!-- fragment of GameDeployment.spec -->
    <!-- fragment of a foreign kind: Application of Argo CD -->
    <!-- foreign kind: ScaledObject of KEDA -->
"""

from __future__ import annotations

import copy
import re
from typing import Any

import yaml

from tests.unit.docs.markdown import ROOT, Block

OURS = ("GameDeployment", "GameStatefulSet", "HookTemplate", "HookRun")
#: A complete object of each kind that has fragments, which a fragment is laid over.
_WHOLE = {
    "GameDeployment": "examples/gamedeployment/typical.yaml",
    "GameStatefulSet": "examples/gamestatefulset/typical.yaml",
}
_MARKER = re.compile(r"fragment of (?P<kind>[A-Z]\w+)\.(?P<path>[\w.]+)")


def parse_marker(marker: str) -> tuple[str, list[str]] | None:
    """Kind and path of a fragment of a kind of ours; None for any other marker."""
    found = _MARKER.fullmatch(marker)
    if found is None or found["kind"] not in _WHOLE:
        return None
    return found["kind"], found["path"].split(".")


def whole(block: Block) -> list[dict[str, Any]]:
    """The objects of a block; those of a fragment are completed from an example.

    Raises:
        ValueError: the fragment is of a kind that is not ours.
    """
    bodies = [body for body in yaml.safe_load_all(block.text) if body]
    if not block.marker:
        return bodies
    place = parse_marker(block.marker)
    if place is None:
        raise ValueError(f"{block}: {block.marker}")
    kind, path = place
    return [_completed(kind, path, body) for body in bodies]


def _completed(kind: str, path: list[str], fragment: Any) -> dict[str, Any]:
    example = (ROOT / _WHOLE[kind]).read_text(encoding="utf-8")
    (body,) = [b for b in yaml.safe_load_all(example) if b and b["kind"] == kind]
    made = copy.deepcopy(body)
    holder = made
    for part in path:
        holder = holder.setdefault(part, {})
    _lay(holder, fragment)
    return made


def _lay(under: dict[str, Any], over: dict[str, Any]) -> None:
    """Lay a fragment over an object: maps are joined, anything else is replaced."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(under.get(key), dict):
            _lay(under[key], value)
        else:
            under[key] = value
