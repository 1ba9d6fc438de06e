"""Settings of the web provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from operators.api.base import SpecModel
from operators.api.providers.base import HTTP, INT_OR_STRING, TEXT, ProviderSettings
from operators.api.rules import Schema, add, matching, misplaced, required, rule


class Header(SpecModel):
    """A request header."""

    key: Annotated[str, Field(min_length=1, max_length=256, description="Name of the header.")]
    value: Annotated[str, Field(max_length=4096, description="Value; may hold {{ args.<name> }}.")]


class WebProvider(ProviderSettings):
    """Asks an HTTP endpoint that answers JSON, by GET."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=4096, description="Address, http or https; may hold {{ args.<name> }}."),
    ]
    headers: Annotated[tuple[Header, ...], Field(max_length=64, description="Request headers.")] = ()
    timeout_seconds: Annotated[
        int, Field(le=2_147_483_647, description="Seconds for the whole exchange; 10 when absent or not positive.")
    ] = 10
    json_path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Which part of the JSON answer becomes the result, a text: {$.result} or ${.result}.",
        ),
    ]

    @classmethod
    def add_rules(cls, schema: Schema, metric: str, name: str) -> None:
        """H9, headers that would break a request, and fields written a level or two too high."""
        provider, own = f"{metric}.provider", f"{metric}.provider.{name}"
        for where in (metric, provider):
            misplaced(schema, where, "jsonPath", TEXT, f"provider.{name}.jsonPath")
            misplaced(schema, where, "timeoutSeconds", INT_OR_STRING, f"provider.{name}.timeoutSeconds")
        misplaced(schema, provider, "url", TEXT, f"provider.{name}.url")
        # As a rule, so that a jsonPath in the wrong place is named in the same answer.
        required(schema, own, "jsonPath", "jsonPath must say which part of the answer is the result")
        matching(schema, f"{own}.url", HTTP + r"|^\{\{", "url must begin with http:// or https://")
        header = f"{own}.headers.[]"
        matching(schema, f"{header}.key", "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$", "key must be the name of a header")
        add(schema, f"{header}.value", rule(r"!self.matches('[\\r\\n]')", "value must not hold a line break"))
