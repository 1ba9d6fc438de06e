"""The condition that repeats what the API server warned of when it created pods (docs/spec/gamedeployment.md 2.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from operators.api.reasons import ConditionReason, ConditionType
from operators.planning.conditions import condition
from operators.planning.workloadstatus import Condition

Json = Mapping[str, Any]


def told_in(status: Json, revision: str) -> Json | None:
    """The condition that speaks of this revision, None when there is none."""
    for entry in status.get("conditions") or ():
        if entry.get("type") == ConditionType.TEMPLATE_WARNING:
            return entry if str(entry.get("message")).startswith(_begin(revision)) else None
    return None


def _begin(revision: str) -> str:
    return f"pods of revision {revision} are created with warnings: "


def template_warning(
    status: Json, revision: str, warnings: Mapping[str, tuple[str, ...]], generation: int
) -> Iterator[Condition | Json]:
    """``TemplateWarning``, present while the version to come is created with warnings.

    What this process has not seen itself stays as it was told: no pod is made only to hear it again.
    """
    found = warnings.get(revision)
    if found is None:
        known = told_in(status, revision)
        if known is not None:
            yield known
    elif found:
        text = _begin(revision) + "; ".join(found)
        yield condition(ConditionType.TEMPLATE_WARNING, ConditionReason.POD_WARNING, text, generation, holds=True)
