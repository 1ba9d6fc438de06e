"""What a provider is, what it is asked, what it measures with, and what it finds.

Nothing here or in the providers themselves opens a connection or loads a model: the admission webhooks read the static
half of each provider, and have to stay small. What does is handed in as `Connections`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from operators.api.hookphase import HookPhase
from operators.hookrun.providers.findings import Finding, RawObject, TemplateArguments
from operators.kube.resources import Json, Resource
from operators.planning.views import OwnerView

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://")
S_contra = TypeVar("S_contra", contravariant=True)
T = TypeVar("T")


class ProviderError(Exception):
    """The measurement could not be taken; the text goes into the status."""


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """What a provider found: ``result`` for conditions, ``text`` for people.

    A provider that decides by itself gives a ``phase``, and no condition is evaluated. ``nan`` tells that the result
    is or holds NaN, which no comparison would notice.
    """

    result: Any
    text: str | None
    phase: HookPhase | None = None
    nan: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, not read yet: that is done where it can hold up nothing else.

    ``reading`` is JSON that tells `Provider.read` how to read the body.
    """

    reading: Mapping[str, Any]
    body: bytes


#: Where a text with arguments stands, which decides how their values are escaped.
Place = Literal["url", "header", "query"]


@dataclass(frozen=True, slots=True)
class MeasurementRequest:
    """One measurement of one metric.

    ``args`` are the arguments of the run, all with values. ``namespace`` is that of the run. ``owner`` is what
    controls the run, of whatever kind. ``successes`` are the successful measurements so far: with
    the UID of the run and the name of the metric they identify this measurement, also after a restart.
    """

    args: Mapping[str, str]
    namespace: str
    owner: OwnerView | None
    run_uid: str
    metric: str
    successes: int


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Status code and body of an HTTP response."""

    status: int
    body: bytes


class HttpGetter(Protocol):
    """Sends HTTP requests for hooks, within their limits: see `operators.hookrun.providers.transport`."""

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> HttpResponse:
        """Send one GET; ``seconds`` cover the whole exchange.

        Raises:
            ProviderError: refused by policy, no answer in time, or one that is too large.
        """


class ObjectClient(Protocol):
    """The part of `operators.kube.client.Client` that providers use."""

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json: ...
    async def merge_patch(self, resource: Resource, namespace: str | None, name: str, patch: Json) -> Json: ...


class TextFiller(Protocol):
    """Fills arguments into texts, where the work can hold up nothing else."""

    async def fill(self, request: MeasurementRequest, texts: Sequence[tuple[Place, str]]) -> list[str]:
        """The texts with the arguments of the request in place of their tags.

        Raises:
            ValueError: an argument is missing or does not fit its place.
            ProviderError: the work exceeded a limit.
        """


class Session(Protocol):
    """What libraries use of a ``requests.Session``; its requests are sent like every request of a hook."""

    last: HttpResponse


class BlockingCalls(Protocol):
    """Runs libraries that block, each call in a thread."""

    async def run(self, call: Callable[[Session], T]) -> T:
        """The result of ``call``, which gets a session. Cancelling the wait ends the request under way."""


@dataclass(frozen=True, slots=True)
class Connections:
    """What a provider may use to measure."""

    http: HttpGetter
    objects: ObjectClient
    texts: TextFiller
    blocking: BlockingCalls


class Provider(Protocol[S_contra]):
    """A way to measure a metric; the type parameter is the model of its settings in `operators.api.providers`."""

    @property
    def name(self) -> str:
        """The field of `MetricProvider` that holds the settings, and the label of metrics."""

    @property
    def results(self) -> Sequence[Any]:
        """One sample of each type of result that conditions may see; empty when no condition is evaluated."""

    def findings(self, settings: RawObject, metric: RawObject, args: TemplateArguments) -> Iterator[Finding]:
        """What is wrong with a metric of a HookTemplate that the schema cannot tell.

        ``settings`` and ``metric`` are raw, and may be older than the schema.
        """

    async def measure(
        self, settings: S_contra, request: MeasurementRequest, connections: Connections
    ) -> Answer | MeasuredValue:
        """Take one measurement; the caller limits neither its time nor its size.

        What has to be read with a path or a condition is returned unread: see `read`.

        Raises:
            ProviderError: it could not be taken.
            ValueError: arguments do not fit their places.
        """


@runtime_checkable
class Reader(Protocol):
    """The pure half of a provider whose measurements are answers of servers."""

    @property
    def name(self) -> str:
        """See `Provider`."""

    def read(self, reading: Mapping[str, Any], body: bytes) -> MeasuredValue:
        """The value in an answer; pure, and run under limits of time and memory.

        Raises:
            ProviderError: there is no usable value.
            ValueError: the path does not fit.
        """


def redact_url(url: str, most: int) -> str:
    """A URL for messages: its scheme alone, at most so many characters.

    More people read messages than HookTemplates, and of a URL that cannot be read nobody knows what is a password.
    """
    scheme = _SCHEME.match(url)
    return repr(f"{scheme.group() if scheme else ''}…"[:most])
