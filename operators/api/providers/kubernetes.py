"""Settings of the Kubernetes provider."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from operators.api.base import SpecModel
from operators.api.keys import HOOK_TARGET_KINDS as KINDS
from operators.api.providers.base import TEXT, ProviderSettings
from operators.api.rules import QUALIFIED, Schema, add, matching, misplaced, quoted, rule


class KubernetesField(SpecModel):
    """One annotation."""

    path: Annotated[
        str,
        Field(
            min_length=1, max_length=512, description="metadata.annotations.<key>; the key may hold dots and a slash."
        ),
    ]
    value: Annotated[str, Field(max_length=4096, description="Value to expect (get) or to write (patch).")]


class KubernetesProvider(ProviderSettings):
    """Reads or writes annotations of the pod, or of the workload that arguments Group, Version and Kind name."""

    function: Annotated[
        Literal["get", "patch"],
        Field(description="Compare all annotations with their values (get), or write them (patch)."),
    ]
    fields: Annotated[tuple[KubernetesField, ...], Field(min_length=1, max_length=32, description="The annotations.")]

    @classmethod
    def add_rules(cls, schema: Schema, metric: str, name: str) -> None:
        """H10: annotations of pods and of both workloads, nothing else."""
        misplaced(schema, f"{metric}.provider", "function", TEXT, f"provider.{name}.function")
        path = f"{metric}.provider.{name}.fields.[].path"
        key = QUALIFIED.removeprefix("^")
        matching(schema, path, f"^metadata\\.annotations\\.{key}", "path must be metadata.annotations.<key>")
        kinds = ", ".join(quoted(kind) for kind in ("", *KINDS))
        add(
            schema,
            "",
            rule(
                f"!self.metrics.exists(m, has(m.provider.{name})) || !has(self.args) || "
                f"self.args.all(a, a.name != 'Kind' || !has(a.value) || a.value in [{kinds}])",
                f"args.Kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, hooks reach no other objects",
                ", not {self.args.filter(a, a.name == 'Kind' && has(a.value)).map(a, a.value)}",
                field="args",
            ),
        )
