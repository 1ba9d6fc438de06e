"""All providers.

To add one: its settings in `operators.api.providers`, a field in `MetricProvider`, its class beside this file and in
`PROVIDERS`, and its sections in docs/hooks.md and docs/security.md.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any, Final

from operators.hookrun.providers.base import (
    Connections,
    MeasuredValue,
    MeasurementRequest,
    Provider,
    ProviderError,
)
from operators.hookrun.providers.kubernetes import Kubernetes
from operators.hookrun.providers.prometheus import Prometheus
from operators.hookrun.providers.web import Web

if TYPE_CHECKING:
    from operators.api.hooktemplate import MetricProvider


class ProviderRegistry:
    """Providers by name."""

    def __init__(self, *providers: Provider[Any]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    def __iter__(self) -> Iterator[Provider[Any]]:
        return iter(self._providers.values())

    def select(self, names: Container[str]) -> list[Provider[Any]]:
        """The providers of these names, in the order of the registry; other names are left out."""
        return [provider for provider in self if provider.name in names]

    async def measure(
        self, given: MetricProvider, request: MeasurementRequest, connections: Connections
    ) -> MeasuredValue:
        """Take one measurement with the provider that is filled in.

        Raises:
            ProviderError: it could not be taken, or no provider is filled in.
            ValueError: arguments do not fit their places.
        """
        settings = given.given()
        for provider in self.select(settings):
            return await provider.measure(settings[provider.name], request, connections)
        raise ProviderError("no provider specified")


PROVIDERS: Final = ProviderRegistry(Web(), Prometheus(), Kubernetes())
