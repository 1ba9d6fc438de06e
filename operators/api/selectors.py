"""Label selectors (docs/spec/gamedeployment.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from operators.api.base import SpecModel


class Requirement(SpecModel):
    """One condition on a label."""

    key: Annotated[str, Field(min_length=1, max_length=317, description="Label the condition is about.")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"],
        Field(
            description="Whether the label's value is one of values, or none of them, or the label is there, or not."
        ),
    ]
    values: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(max_length=64, description="Values to compare with; only for In and NotIn."),
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels

    def __str__(self) -> str:
        match self.operator:
            case "In":
                return f"{self.key} in ({','.join(sorted(self.values))})"
            case "NotIn":
                return f"{self.key} notin ({','.join(sorted(self.values))})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"


class LabelSelector(SpecModel):
    """Which pods belong to a workload."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=64, description="Labels and the values a pod must carry."),
    ] = Field(default_factory=dict)
    match_expressions: Annotated[
        tuple[Requirement, ...], Field(max_length=32, description="Further conditions; all must hold.")
    ] = ()

    @property
    def is_empty(self) -> bool:
        """No condition at all: it would take every pod of the namespace."""
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels belongs here. An empty selector matches nothing."""
        if self.is_empty:
            return False
        return self.match_labels.items() <= labels.items() and all(r.matches(labels) for r in self.match_expressions)

    def to_string(self) -> str:
        """As the API server prints selectors: sorted by key, joined by commas."""
        parts = [(k, f"{k}={v}") for k, v in self.match_labels.items()]
        parts += [(r.key, str(r)) for r in self.match_expressions]
        return ",".join(text for _, text in sorted(parts))
