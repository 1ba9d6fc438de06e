"""Settings of the Prometheus provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from operators.api.providers.base import HTTP, TEXT, ProviderSettings
from operators.api.rules import Schema, matching, misplaced


class PrometheusProvider(ProviderSettings):
    """Asks Prometheus by an instant query."""

    address: Annotated[
        str, Field(min_length=1, max_length=2048, description="Base URL of the Prometheus server, http or https.")
    ]
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=8192,
            description="PromQL; may hold {{ args.<name> }}. A vector becomes a list of numbers, a scalar a number, a "
            "string a text.",
        ),
    ]

    @classmethod
    def add_rules(cls, schema: Schema, metric: str, name: str) -> None:
        """The form of the address, and fields written a level too high."""
        for key in ("address", "query"):
            misplaced(schema, f"{metric}.provider", key, TEXT, f"provider.{name}.{key}")
        address = f"{metric}.provider.{name}.address"
        matching(schema, address, HTTP, "address must begin with http:// or https://")
