"""What the settings of all providers have in common."""

from __future__ import annotations

from typing import Final

from operators.api.base import SpecModel
from operators.api.rules import Schema

TEXT: Final[Schema] = {"type": "string", "maxLength": 8192}
INT_OR_STRING: Final[Schema] = {"x-kubernetes-int-or-string": True, "maxLength": 64}
#: How the address of a server begins.
HTTP: Final = "^(?i:https?)://."


class ProviderSettings(SpecModel):
    """The settings of one provider; a field of `MetricProvider` holds them under the provider's name."""

    @classmethod
    def add_rules(cls, schema: Schema, metric: str, name: str) -> None:
        """Add the CEL rules of this provider.

        Args:
            schema: The schema of the whole spec; rules that need more than the provider go to its top.
            metric: The path of a metric in it.
            name: The provider's name, its field in ``<metric>.provider``.
        """
