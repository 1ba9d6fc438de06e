"""The deletion label (docs/spec/admission.md 6, V19)."""

from __future__ import annotations

from webhooks.objects import Json, texts
from webhooks.protection import ALWAYS, CASCADING, LABEL, LABEL_VALUES
from webhooks.validation.problems import Problem, warning


def label_problems(kind: str, holder: Json) -> list[Problem]:
    """V19: a label that protects more than its author may think."""
    field = f"metadata.labels[{LABEL}]"
    value = texts(holder, "metadata", "labels").get(LABEL)
    if value is None:
        said = f"absent, so this {kind} cannot be deleted; set it to {CASCADING} or {ALWAYS} to allow that"
        return [warning(field, said)]
    if value not in LABEL_VALUES:
        said = f"{value!r} is neither {ALWAYS} nor {CASCADING}, so this {kind} cannot be deleted"
        return [warning(field, said)]
    return []
