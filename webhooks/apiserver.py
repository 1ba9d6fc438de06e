"""The few requests that the webhooks make: read, count, and keep their own Secret and configuration."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson

from operators.kube.wire import decode
from webhooks.credentials import Credentials
from webhooks.metrics import Metrics

Json = Mapping[str, Any]
_PAGE: Final = 500
_METADATA: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
_MANAGER: Final = "game-webhooks"


class ApiError(Exception):
    """A request that did not succeed; ``status`` is 0 when no answer came."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(ApiError):
    """The object is not there."""


class Conflict(ApiError):
    """The object changed since it was read."""


_ERRORS: Final[Mapping[int, type[ApiError]]] = {404: NotFound, 409: Conflict}


class ApiServer:
    """Requests with a time limit each, none repeated: who asks has little time, and the next pass comes anyway."""

    def __init__(self, credentials: Credentials, metrics: Metrics, *, timeout: float = 3.0) -> None:
        self._credentials, self._metrics = credentials, metrics
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        connector = aiohttp.TCPConnector(ssl=credentials.tls, limit=32, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, path: str) -> Json:
        """Read an object.

        Raises:
            ApiError: it could not be read.
        """
        return await self._request("GET", path)

    async def replace(self, path: str, body: Json) -> Json:
        """Replace an object whose resourceVersion is still the one in the body.

        Raises:
            Conflict: somebody else was faster.
        """
        return await self._request("PUT", path, body=body, content_type="application/json")

    async def patch(self, path: str, operations: Sequence[Json]) -> Json:
        """Apply a JSON patch."""
        return await self._request("PATCH", path, body=list(operations), content_type="application/json-patch+json")

    async def metadata(self, path: str) -> AsyncIterator[Json]:
        """Metadata of all objects of a collection, as they are now, page by page."""
        async for item in self._items(path, _METADATA.format("List")):
            yield item.get("metadata") or {}

    async def objects(self, path: str) -> AsyncIterator[Json]:
        """All objects of a collection, as they are now, page by page."""
        async for item in self._items(path, "application/json"):
            yield item

    async def _items(self, path: str, accept: str) -> AsyncIterator[Json]:
        following = ""
        while True:
            page = await self._request("GET", path, {"limit": str(_PAGE), "continue": following}, accept=accept)
            for item in page.get("items") or ():
                yield item
            following = (page.get("metadata") or {}).get("continue") or ""
            if not following:
                return

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str = "",
        accept: str = "application/json",
    ) -> Json:
        headers = {"Accept": accept, "User-Agent": _MANAGER}
        query = {key: value for key, value in (params or {}).items() if value}
        if body is not None:
            headers["Content-Type"] = content_type
            query["fieldManager"] = _MANAGER
        began, status = time.monotonic(), 0
        try:
            headers |= self._credentials.headers()
            async with self._session.request(
                method,
                self._credentials.server + path,
                params=query,
                headers=headers,
                data=orjson.dumps(body) if body is not None else None,
                timeout=self._timeout,
            ) as response:
                status = response.status
                content = await response.read()
        except TimeoutError as error:
            raise ApiError(0, f"no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(0, f"{type(error).__name__}: {error}") from error
        finally:
            self._metrics.api_request(method, status, time.monotonic() - began)
        return _decoded(status, content)


def _decoded(status: int, content: bytes) -> Json:
    try:
        answer = decode(content)
    except ValueError as error:
        raise ApiError(status, f"status {status} with an answer that is not JSON") from error
    if not isinstance(answer, dict):
        raise ApiError(status, f"status {status} with an answer that is no object")
    if status >= 400:
        raise _ERRORS.get(status, ApiError)(status, str(answer.get("message") or f"status {status}"))
    return answer
