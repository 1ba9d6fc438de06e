"""All providers.

To add one: its settings in `operators.api.providers`, a field in `MetricProvider`, its class beside this file and in
`PROVIDERS`, and its sections in docs/hooks.md and docs/security.md.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from operators.hookrun.providers.base import (
    Answer,
    Connections,
    MeasuredValue,
    MeasurementRequest,
    Provider,
    ProviderError,
    Reader,
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
    ) -> Answer | MeasuredValue:
        """Take one measurement with the provider that is filled in.

        Raises:
            ProviderError: it could not be taken, or no provider is filled in.
            ValueError: arguments do not fit their places.
        """
        settings = given.given()
        for provider in self.select(settings):
            return await provider.measure(settings[provider.name], request, connections)
        raise ProviderError("no provider specified")

    def read(self, name: str, reading: Mapping[str, Any], body: bytes) -> MeasuredValue:
        """The value in an answer that the provider of this name has brought: see `Reader`."""
        reader = self._providers[name]
        if not isinstance(reader, Reader):
            raise ProviderError(f"answers of provider {name} cannot be read")
        return reader.read(reading, body)


PROVIDERS: Final = ProviderRegistry(Web(), Prometheus(), Kubernetes())
