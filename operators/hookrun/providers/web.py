"""Measures by an HTTP GET that answers JSON (docs/spec/hooks.md 5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from operators.hookrun import jsonpath
from operators.hookrun.providers.answers import read_json
from operators.hookrun.providers.base import (
    Answer,
    Connections,
    MeasuredValue,
    MeasurementRequest,
    Place,
    ProviderError,
)
from operators.hookrun.providers.findings import (
    Finding,
    RawObject,
    TemplateArguments,
    address_findings,
    entries,
    header_findings,
    text,
)

if TYPE_CHECKING:
    from operators.api.providers.web import WebProvider

_DEFAULT_TIMEOUT, _LONGEST_TIMEOUT = 10, 300


class Web:
    """The value is the text that the path finds in the answer."""

    name: Final = "web"
    results: Final = ("",)

    def findings(self, settings: RawObject, metric: RawObject, args: TemplateArguments) -> Iterator[Finding]:
        """H7 to H9: the path can be read, arguments are there, and the address is one."""
        del metric
        if not settings:
            return
        field, path = f"provider.{self.name}", text(settings, "jsonPath")
        try:
            jsonpath.check(path)
        except jsonpath.JsonPathError as error:
            yield Finding(f"{field}.jsonPath", str(error))
        if path and "{" not in path:
            reason = f"{path!r} is a text, not a path: write {{{path}}} to read from the answer"
            yield Finding(f"{field}.jsonPath", reason, fatal=False)
        yield from header_findings(f"{field}.headers", entries(settings, "headers"), args)
        yield from address_findings(f"{field}.url", text(settings, "url"), args)

    async def measure(self, settings: WebProvider, request: MeasurementRequest, connections: Connections) -> Answer:
        """Send one request.

        Raises:
            ProviderError: no usable answer.
            ValueError: arguments do not fit.
        """
        headers = [h for h in settings.headers if h.key.lower() != "host"]
        texts: list[tuple[Place, str]] = [("url", settings.url), *(("header", h.value) for h in headers)]
        url, *values = await connections.texts.fill(request, texts)
        filled = {header.key: value for header, value in zip(headers, values, strict=True)}
        response = await connections.http.get(url, filled, _seconds(settings.timeout_seconds))
        if not 200 <= response.status < 300:
            raise ProviderError(f"received non 2xx response code: {response.status}")
        return Answer({"jsonPath": settings.json_path}, response.body)

    def read(self, reading: Mapping[str, Any], body: bytes) -> MeasuredValue:
        """What the path finds in the answer.

        Raises:
            ProviderError: the answer is no JSON.
            JsonPathError: the path finds nothing.
        """
        try:
            parsed = read_json(body)
        except ValueError as error:
            raise ProviderError(f"Could not parse JSON body: {error}") from error
        found = jsonpath.extract(reading["jsonPath"], parsed)
        return MeasuredValue(found, found)


def _seconds(timeout: int) -> int:
    return min(timeout, _LONGEST_TIMEOUT) if timeout > 0 else _DEFAULT_TIMEOUT
