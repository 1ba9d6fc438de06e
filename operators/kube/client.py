"""Requests to the API server.

Bodies are plain dicts, because typed models lose unknown fields of pod templates and cost many times the time
(docs/decisions/0002-client.md). Where the server is and who we are comes from `operators.kube.credentials`; what bytes
mean is in `operators.kube.wire`; here is what needs a socket.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from yarl import URL

from operators.kube import wire
from operators.kube.credentials import Credentials, NoCredentials
from operators.kube.errors import ApiError, NotLeading, Unauthorized, Unavailable
from operators.kube.metrics import RestMetrics
from operators.kube.resources import Json, Resource
from operators.kube.retries import ATTEMPTS, wait_before_repeat

FieldValidation = Literal["Strict", "Warn", "Ignore"]
_PAGE = 500
#: An event of a watch can be longer than aiohttp's own buffer.
_READ_BUFFER = 2**21


@dataclass(frozen=True, slots=True)
class _Request:
    """One request. ``route`` is the path with placeholders, for metrics; ``timeout`` in seconds.

    ``warn`` is told of the warnings that come with its answer.
    """

    method: str
    path: str
    route: str
    timeout: float
    data: bytes | None = None
    content_type: str = wire.JSON
    accept: str = wire.JSON
    params: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    warn: Callable[[str], None] | None = None


class Client:
    """Verbs over plain dicts. Every call has a time-out and raises errors of `operators.kube.errors`.

    `operators.kube.retries` says what is repeated. A write whose outcome is unknown raises `Unavailable`: the caller
    has to look at what is there now.

    Args:
        credentials: Where the server is and who we are; the client does not load them.
        name: What we call ourselves: the User-Agent, which the API server makes the field manager of.
        timeout: Seconds for a request.
        list_timeout: Seconds for one page of a list.
        attempts: How often a request is sent at most, the first time included.
        max_connections: For everything but watches, which never wait for a connection nor keep one from requests.
        metrics: Where to count.
        fence: Returns the seconds for which we may still write. A write is not sent when they are over and not waited
            for longer, so that a leader that was held up cannot write after the next one has begun.
        warn: Told of every warning that the server sends along with an answer, in its words.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        name: str = "game-operators",
        timeout: float = 15.0,
        list_timeout: float = 60.0,
        attempts: int = ATTEMPTS,
        max_connections: int = 64,
        metrics: RestMetrics | None = None,
        fence: Callable[[], float] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.credentials = credentials
        self._session = _session(credentials, max_connections)
        self._watches = _session(credentials, 0)
        self._name, self._attempts = name, attempts
        self._timeout, self._list_timeout = timeout, list_timeout
        self._metrics, self._fence, self._warn = metrics, fence, warn

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._watches.close()

    async def version(self) -> str:
        """Version of the API server."""
        answer = await self._send(_Request("GET", "/version", "/version", timeout=5.0))
        return str(answer.get("gitVersion", ""))

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        """Read one object."""
        return await self._on("GET", resource, namespace, name, repeatable=True)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = _PAGE,
        continue_: str = "",
        metadata_only: bool = False,
    ) -> Json:
        """One page of a collection, as it is now; ``limit`` 0 asks for all of it."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        params = wire.query(limit=str(limit or ""), **selectors, **{"continue": continue_})
        accept = wire.METADATA_LIST if metadata_only else wire.JSON
        return await self._on(
            "GET", resource, namespace, params=params, accept=accept, repeatable=True, timeout=self._list_timeout
        )

    async def items(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Json]:
        """Every object of a collection, as it is now, page by page."""
        token = ""
        while True:
            page = await self.list(
                resource, namespace, field_selector=field_selector, continue_=token, metadata_only=metadata_only
            )
            for item in page.get("items") or ():
                yield item
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Json,
        *,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Json:
        """Create an object; with ``dry_run`` the server says what would come of it, and stores nothing.

        ``field_validation`` says what the server does about unknown fields; without it, it warns. ``warn`` is told of
        the warnings that come with this answer, whatever it is, in the server's words.
        """
        params = wire.query(dryRun="All" if dry_run else "", fieldValidation=field_validation or "")
        return await self._on("POST", resource, namespace, body=body, params=params, warn=warn)

    async def merge_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Json,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """Merge-patch an object; a resourceVersion in the body's metadata makes it conditional.

        With ``dry_run`` the server says what would come of it, and stores nothing.
        """
        return await self._on(
            "PATCH",
            resource,
            namespace,
            name,
            subresource,
            body=body,
            content_type=wire.MERGE_PATCH,
            params=wire.query(dryRun="All" if dry_run else ""),
        )

    async def strategic_patch(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, subresource: str | None = None
    ) -> Json:
        """Strategic merge patch; built-in kinds only."""
        return await self._on(
            "PATCH", resource, namespace, name, subresource, body=body, content_type=wire.STRATEGIC_PATCH
        )

    async def json_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        operations: Sequence[Json],
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """RFC 6902 patch; with ``dry_run`` the server says what would come of it, and stores nothing."""
        return await self._on(
            "PATCH",
            resource,
            namespace,
            name,
            subresource,
            body=list(operations),
            content_type=wire.JSON_PATCH,
            params=wire.query(dryRun="All" if dry_run else ""),
        )

    async def try_apply(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, manager: str, force: bool
    ) -> Json:
        """What a server-side apply of a field manager would make of an object; nothing is stored.

        Raises:
            Conflict: other managers own fields that it sets, and ``force`` does not take them.
        """
        return await self._on(
            "PATCH",
            resource,
            namespace,
            name,
            body=body,
            content_type=wire.APPLY_PATCH,
            params=wire.query(dryRun="All", fieldManager=manager, force="true" if force else ""),
        )

    async def replace(self, resource: Resource, namespace: str | None, name: str, body: Json) -> Json:
        """Replace an object; its resourceVersion must be current."""
        return await self._on("PUT", resource, namespace, name, body=body)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        dry_run: bool = False,
    ) -> Json:
        """Delete an object, if it still is the one of this UID; ``grace`` in seconds takes the place of its own.

        With ``dry_run`` the server says what would come of it, and deletes nothing.

        Raises:
            Conflict: the name belongs to another object by now.
        """
        body: Json = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        if uid:
            body["preconditions"] = {"uid": uid}
        if dry_run:  # in the body: beside one, the server takes no notice of the query
            body["dryRun"] = ["All"]
        return await self._on("DELETE", resource, namespace, name, body=body, repeatable=uid is not None)

    async def through_proxy(
        self, path: str, headers: Mapping[str, str], *, timeout: float, most: int
    ) -> tuple[int, bytes]:
        """GET what the API server fetches from a pod or a Service: status code, and the body as it came.

        ``path`` begins with a ``…/proxy`` subresource and is percent-encoded. Redirects are not followed, nothing is
        repeated, and of the body at most ``most`` bytes and one are read.

        Raises:
            ApiError: the API server itself refused it, or could not reach the other side.
        """
        request = _Request("GET", path, "/proxy", timeout=timeout, accept="*/*")
        limits = aiohttp.ClientTimeout(total=timeout)
        url = URL(self.credentials.server + path, encoded=True)
        sent = {**headers, **await self._headers(request)}
        try:
            async with self._session.get(
                url, headers=sent, timeout=limits, allow_redirects=False, **self.credentials.options
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > most:
                        break
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(0, "NoAnswer", f"GET {path}: {_explain(error)}") from error
        body = bytes(content)
        if response.status >= 400 and wire.is_status(body):
            raise _answer_error(response, body)
        return response.status, body

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        timeout_seconds: int = 300,
        silence: float = 90.0,
    ) -> AsyncGenerator[Json]:
        """Events after a resourceVersion, bookmarks included, until the server ends the watch.

        The server ends it after ``timeout_seconds``, spread by a fifth so that not all watches end together. After
        ``silence`` seconds without a byte the connection counts as dead; bookmarks come every minute.

        Raises:
            Unavailable: the connection broke, or nothing came for ``silence`` seconds.
            Gone: the resourceVersion is too old.
            ApiError: the server refused or ended the watch with another error.
        """
        lasting, status = int(timeout_seconds * (0.8 + random.random() * 0.4)), 0  # noqa: S311 - jitter
        path, params = resource.path(namespace), wire.watch_query(resource_version, label_selector, lasting)
        request = _Request("GET", path, resource.route(namespace), timeout=lasting + 30, params=params)
        limits = aiohttp.ClientTimeout(request.timeout, sock_connect=self._timeout, sock_read=silence)
        try:
            async with self._open(self._watches, request, await self._headers(request), limits) as response:
                status = response.status
                if status >= 300:
                    raise _answer_error(response, await response.read())
                async for event in _events(response.content):
                    yield event
        except Unauthorized:
            await self._renew()
            raise
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(0, "WatchBroken", f"watch of {resource.plural}: {_explain(error)}") from error
        finally:
            if self._metrics:
                self._metrics.opened("GET", status)

    async def _on(
        self,
        method: str,
        resource: Resource,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        *,
        body: Any = None,
        content_type: str = wire.JSON,
        accept: str = wire.JSON,
        params: Mapping[str, str] | None = None,
        repeatable: bool = False,
        timeout: float | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Json:
        """Send a request about a collection, an object or a subresource."""
        request = _Request(
            method,
            resource.path(namespace, name, subresource),
            resource.route(namespace, name, subresource),
            timeout=timeout or self._timeout,
            data=None if body is None else wire.encode(body),
            content_type=content_type,
            accept=accept,
            params=params or {},
            repeatable=repeatable,
            warn=warn,
        )
        return await self._send(request)

    async def _send(self, request: _Request) -> Json:
        """Send a request, again where `operators.kube.retries` says so, and once more with renewed credentials."""
        attempt, renewed = 0, False
        while True:
            try:
                return await self._send_once(request, self._allowed(request))
            except Unauthorized:
                if renewed:
                    raise
                renewed = True
                await self._renew()
            except ApiError as error:
                wait = wait_before_repeat(
                    error,
                    attempt,
                    repeatable=request.repeatable,
                    chance=random.random(),  # noqa: S311 - jitter
                    attempts=self._attempts,
                )
                if wait is None:
                    raise
                attempt += 1
                if self._metrics:
                    self._metrics.waited(request.method, request.route, wait)
                await asyncio.sleep(wait)

    async def _renew(self) -> None:
        try:
            await self.credentials.reload()
        except NoCredentials as error:
            raise Unauthorized(401, "Unauthorized", str(error)) from error

    def _allowed(self, request: _Request) -> float:
        """Seconds the request may take.

        Raises:
            NotLeading: it is a write, and we may not write any more.
        """
        if request.method == "GET" or self._fence is None:
            return request.timeout
        left = self._fence()
        if left <= 0:
            text = f"{request.method} {request.path} not sent: the Lease was not renewed in time"
            raise NotLeading(0, "NotLeading", text)
        return min(request.timeout, left)

    async def _send_once(self, request: _Request, timeout: float) -> Json:
        loop = asyncio.get_running_loop()
        began, status = loop.time(), 0
        limits = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._open(self._session, request, await self._headers(request), limits) as response:
                status = response.status
                content = await response.read()
                if self._warn is not None or request.warn is not None:
                    self._pass_on(request, response.headers.getall("Warning", ()))
                if status >= 300:
                    raise _answer_error(response, content)
                return wire.decode_object(content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(0, "NoAnswer", f"{request.method} {request.path}: {_explain(error)}") from error
        finally:
            if self._metrics:
                self._metrics.request(request.method, request.route, status, loop.time() - began)

    def _pass_on(self, request: _Request, headers: Sequence[str]) -> None:
        for text in wire.warnings(headers):
            for warn in (self._warn, request.warn):
                if warn is not None:
                    warn(text)

    async def _headers(self, request: _Request) -> dict[str, str]:
        headers = {"Accept": request.accept, "User-Agent": self._name}
        if request.data is not None:
            headers["Content-Type"] = request.content_type
        headers.update(await self.credentials.headers())
        return headers

    def _open(
        self,
        session: aiohttp.ClientSession,
        request: _Request,
        headers: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
    ) -> Any:
        """The answer as a context manager. Redirects are not followed: our token is for this server only."""
        return session.request(
            request.method,
            self.credentials.server + request.path,
            params=request.params,
            data=request.data,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
            **self.credentials.options,
        )


def _session(credentials: Credentials, connections: int) -> aiohttp.ClientSession:
    """A pool of at most so many connections; 0 means without limit.

    It does not trust the environment: aiohttp would look twice for proxies and a .netrc at every request, each time in
    a thread, and refuse a request whose token stands beside a password from such a file. The proxy comes with the
    credentials.
    """
    connector = aiohttp.TCPConnector(limit=connections, ssl=credentials.tls)
    session = aiohttp.ClientSession(connector=connector, read_bufsize=_READ_BUFFER)
    # By itself it would send PUT and DELETE again after a lost connection; `retries` decides what is repeated.
    session._retry_connection = False  # noqa: SLF001 - there is no public switch
    return session


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[Json]:
    """The events of a watch."""
    lines = wire.LineSplitter()
    async for chunk in content.iter_any():
        for line in lines.split(chunk):
            yield wire.watch_event(line)
    for line in lines.end():
        yield wire.watch_event(line)


def _answer_error(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    wait = wire.retry_after(response.headers.get("Retry-After", ""), response.headers.get("Date", ""))
    return wire.answer_error(response.status, content, wait=wait)


def _explain(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
        return f"the certificate of {error.host}:{error.port} is not trusted by the configured authority: {reason}"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"TLS with {error.host}:{error.port} failed: {error.os_error}"
    if isinstance(error, TimeoutError):
        return f"no answer in time ({error})" if str(error) else "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
