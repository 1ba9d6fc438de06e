"""Requests to the API server.

Credentials, TLS, connection pools and token refresh are the official client's; bodies are plain dicts, because typed
models lose unknown fields of pod templates and cost many times the time (docs/decisions/0002-client.md).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Self

import aiohttp
import orjson

from operators.kube.credentials import Credentials, NoCredentials
from operators.kube.decoding import decode
from operators.kube.errors import ApiError, Conflict, NotLeading, Unauthorized, Unavailable, error_for, retry_after
from operators.kube.resources import Json, Resource
from operators.kube.retries import wait_before_repeat
from operators.runtime.metrics import RestMetrics

_JSON, _MERGE, _JSON_PATCH, _STRATEGIC = (
    "application/json",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
)
_PAGE = 500
_LIST_TIMEOUT = 60.0


class Client:
    """Typed by verbs, untyped in bodies. Every call has a time-out; errors are of `operators.kube.errors`.

    What is repeated is said in `operators.kube.retries`; a write whose outcome is unknown raises `Unavailable` and
    is left to the next pass, which looks. ``fence`` returns the seconds for which we may still write: a write is not
    sent when they are over and not waited for longer, so that a leader that was held up cannot write after the next one
    has begun.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        timeout: float = 15.0,
        max_connections: int = 64,
        metrics: RestMetrics | None = None,
        fence: Callable[[], float] | None = None,
    ) -> None:
        self.credentials = credentials
        self._session = credentials.session(max_connections)
        self._streams = credentials.session(0)  # watches never wait for a connection, nor keep one from requests
        self._timeout, self._metrics, self._fence = timeout, metrics, fence

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        timeout: float = 15.0,
        max_connections: int = 64,
        metrics: RestMetrics | None = None,
    ) -> Self:
        """Connect by a kubeconfig, else from inside the cluster, else by the user's default kubeconfig.

        Raises:
            NoCredentials: there are none.
        """
        credentials = await Credentials.load(kubeconfig, context)
        return cls(credentials, timeout=timeout, max_connections=max_connections, metrics=metrics)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._streams.close()

    async def version(self) -> str:
        """Version of the API server."""
        answer = await self._request("GET", "/version", "/version", timeout=5.0)
        return str(answer.get("gitVersion", ""))

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        """Read one object."""
        return await self._on("GET", resource, namespace, name, retry=True)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        limit: int = _PAGE,
        continue_: str = "",
    ) -> Json:
        """One page of a collection, as it is now; ``limit`` 0 asks for all of it."""
        params = {"limit": str(limit or ""), "labelSelector": label_selector, "continue": continue_}
        return await self._on("GET", resource, namespace, params=params, retry=True, timeout=_LIST_TIMEOUT)

    async def create(self, resource: Resource, namespace: str | None, body: Json) -> Json:
        """Create an object."""
        return await self._on("POST", resource, namespace, body=body, content_type=_JSON)

    async def merge_patch(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, subresource: str | None = None
    ) -> Json:
        """Merge-patch an object; a resourceVersion in the body's metadata makes it conditional."""
        return await self._on("PATCH", resource, namespace, name, subresource, body=body, content_type=_MERGE)

    async def strategic_patch(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, subresource: str | None = None
    ) -> Json:
        """Strategic merge patch; built-in kinds only."""
        return await self._on("PATCH", resource, namespace, name, subresource, body=body, content_type=_STRATEGIC)

    async def json_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        operations: Sequence[Json],
        *,
        subresource: str | None = None,
    ) -> Json:
        """RFC 6902 patch."""
        body = list(operations)
        return await self._on("PATCH", resource, namespace, name, subresource, body=body, content_type=_JSON_PATCH)

    async def replace(self, resource: Resource, namespace: str | None, name: str, body: Json) -> Json:
        """Replace an object; its resourceVersion must be current."""
        return await self._on("PUT", resource, namespace, name, body=body, content_type=_JSON)

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str | None = None, grace: int | None = None
    ) -> Json:
        """Delete an object, if it still is the one of this UID; ``grace`` in seconds takes the place of its own.

        Raises:
            Conflict: the name belongs to another object by now.
        """
        body: Json = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        if uid:
            body["preconditions"] = {"uid": uid}
        return await self._on("DELETE", resource, namespace, name, body=body, content_type=_JSON, retry=uid is not None)

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

        Args:
            resource: What to watch.
            namespace: Where; None for everywhere.
            resource_version: Where to begin.
            label_selector: Which objects.
            timeout_seconds: After which the server ends the watch; spread by a fifth, so that not all end together.
            silence: Seconds without a byte after which the connection counts as dead. Bookmarks come every minute.

        Raises:
            Unavailable: the connection broke, or nothing came for ``silence`` seconds.
            Gone: the resourceVersion is too old.
            ApiError: the server refused or ended the watch with another error.
        """
        lasting = int(timeout_seconds * (0.8 + random.random() * 0.4))  # noqa: S311 - jitter
        timeout = aiohttp.ClientTimeout(total=lasting + 30, sock_connect=self._timeout, sock_read=silence)
        url, status = self.credentials.server + resource.path(namespace), 0
        try:
            async with self._streams.get(
                url,
                params=_watch(resource_version, label_selector, lasting),
                headers=await self._headers(),
                timeout=timeout,
                allow_redirects=False,
                **self.credentials.options,
            ) as response:
                status = response.status
                if status >= 300:
                    raise _error(response, await response.read())
                async for line in _lines(response.content):
                    event = decode(line)
                    if event["type"] == "ERROR":
                        raise _reported(event["object"])
                    yield event
        except Unauthorized:
            await self._renew()
            raise
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(0, "WatchBroken", f"watch of {resource.plural}: {_explain(error)}") from error
        finally:
            if self._metrics:
                self._metrics.opened("GET", status)

    async def _headers(self, content_type: str = "") -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "game-operators"}
        if content_type:
            headers["Content-Type"] = content_type
        headers.update(await self.credentials.headers())
        return headers

    async def _on(
        self,
        method: str,
        resource: Resource,
        namespace: str | None,
        name: str | None = None,
        subresource: str | None = None,
        **rest: Any,
    ) -> Json:
        where = (namespace, name, subresource)
        return await self._request(method, resource.path(*where), resource.route(*where), **rest)

    async def _request(
        self,
        method: str,
        path: str,
        route: str,
        *,
        body: Any = None,
        content_type: str = "",
        params: dict[str, str] | None = None,
        retry: bool = False,
        timeout: float | None = None,
    ) -> Json:
        attempt, renewed = 0, False
        data = None if body is None else _encode(body)
        while True:
            limit = self._allowed(method, path, timeout or self._timeout)
            try:
                return await self._once(method, path, route, data, content_type, params or {}, limit)
            except Unauthorized:
                if renewed:
                    raise
                renewed = True
                await self._renew()
            except ApiError as error:
                chance = random.random()  # noqa: S311 - jitter
                wait = wait_before_repeat(error, attempt, repeatable=retry, chance=chance)
                if wait is None:
                    raise
                attempt += 1
                if self._metrics:
                    self._metrics.waited(method, route, wait)
                await asyncio.sleep(wait)

    async def _renew(self) -> None:
        try:
            await self.credentials.reload()
        except NoCredentials as error:
            raise Unauthorized(401, "Unauthorized", str(error)) from error

    def _allowed(self, method: str, path: str, timeout: float) -> float:
        """Seconds the request may take.

        Raises:
            NotLeading: it is a write, and we may not write any more.
        """
        if method == "GET" or self._fence is None:
            return timeout
        left = self._fence()
        if left <= 0:
            raise NotLeading(0, "NotLeading", f"{method} {path} not sent: the Lease was not renewed in time")
        return min(timeout, left)

    async def _once(
        self,
        method: str,
        path: str,
        route: str,
        data: bytes | None,
        content_type: str,
        params: dict[str, str],
        timeout: float,
    ) -> Json:
        loop = asyncio.get_running_loop()
        began, status = loop.time(), 0
        try:
            async with self._session.request(
                method,
                self.credentials.server + path,
                params=_given(params),
                data=data,
                headers=await self._headers(content_type),
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
                **self.credentials.options,
            ) as response:
                status = response.status
                content = await response.read()
                if status >= 300:
                    raise _error(response, content)
                answer: Json = decode(content)
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(0, "NoAnswer", f"{method} {path}: {_explain(error)}") from error
        finally:
            if self._metrics:
                self._metrics.request(method, route, status, loop.time() - began)


def _watch(resource_version: str, label_selector: str, seconds: int) -> dict[str, str]:
    """What a watch asks for."""
    return _given(
        {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "timeoutSeconds": str(seconds),
        }
    )


def _given(params: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in params.items() if v}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; one that is cut off by the end of the stream is passed on, and fails to parse."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk if rest else chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
    if rest:
        yield rest


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


def _status(content: bytes) -> Json:
    try:
        status = orjson.loads(content)
    except ValueError:
        status = None
    return status if isinstance(status, dict) else {"message": content[:500].decode(errors="replace")}


def _error(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    status = _status(content)
    wait = retry_after(response.headers.get("Retry-After", ""), response.headers.get("Date", ""))
    return _reported(status, response.status, wait)


_ESCAPED = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def _encode(body: Any) -> bytes:
    """JSON as the API server itself writes it: keys sorted, nothing that HTML could take for a tag.

    It keeps the data of a ControllerRevision byte by byte, and refuses any later patch of the object, even of its owner
    by the garbage collector, as a change of that data when its own spelling differs.
    """
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPED:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def _reported(status: Json, code: int | None = None, wait: float | None = None) -> ApiError:
    """The error of a ``Status`` object."""
    details = status.get("details")
    if not isinstance(details, dict):
        details = {}
    if wait is None and details.get("retryAfterSeconds"):
        wait = float(details["retryAfterSeconds"])
    number = code if code is not None else int(status.get("code") or 500)
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if number == 422 and any(cause.get("field") == "metadata.uid" for cause in details.get("causes") or ()):
        # A patch guarded by a UID met another object of the name: the world moved on, nothing is wrong with the patch.
        return Conflict(number, reason, message, wait)
    return error_for(number, reason, message, wait)
