"""Requests to the API server.

Credentials, TLS and token refresh are the official client's; its transport carries plain dicts, because typed models
lose unknown fields of pod templates and cost ten times the time (docs/decisions/0002-client.md).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio import config as kubeconfig_loader
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from operators.runtime.errors import ApiError, Throttled, Unavailable, error_for
from operators.runtime.metrics import RestMetrics
from operators.runtime.resources import Json, Resource

_MERGE, _JSON_PATCH, _STRATEGIC = (
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
)
_PATIENCE = 4
_RETRY_CAP = 10.0
_PAGE = 500


class Client:
    """Typed by verbs, untyped in bodies. Every call has a time-out; errors are of `operators.runtime.errors`.

    Throttling (429, and 503 that names a time) is waited for and retried, whatever the verb. Other failures of reads
    are retried; a write whose outcome is unknown raises `Unavailable` and is left to the next pass, which looks.
    """

    def __init__(self, api: ApiClient, timeout: float, metrics: RestMetrics | None) -> None:
        self._api = api
        self._configuration = api.configuration
        self._session: aiohttp.ClientSession = api.rest_client._create_pool_manager()  # noqa: SLF001 - its hook for this
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._metrics = metrics

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
        """Connect by a kubeconfig, else from inside the cluster, else by the user's default kubeconfig."""
        configuration = Configuration()
        if kubeconfig:
            await kubeconfig_loader.load_kube_config(kubeconfig, context, client_configuration=configuration)
        else:
            await kubeconfig_loader.load_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = max_connections
        return cls(ApiClient(configuration), timeout, metrics)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._api.close()

    async def credentials(self) -> dict[str, Any]:
        """Server and credentials as loaded, in the words of ``kopf.ConnectionInfo``; tokens are fresh."""
        loaded = self._configuration
        header = (await loaded.auth_settings()).get("BearerToken", {}).get("value") or ""
        scheme, _, token = header.partition(" ")
        return {
            "server": loaded.host,
            "ca_path": loaded.ssl_ca_cert,
            "insecure": not loaded.verify_ssl,
            "certificate_path": loaded.cert_file,
            "private_key_path": loaded.key_file,
            "scheme": scheme or None,
            "token": token or None,
        }

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        """Read one object."""
        return await self._request("GET", resource, resource.path(namespace, name), retry=True)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        limit: int = _PAGE,
        continue_: str = "",
    ) -> Json:
        """One page of a collection."""
        params = {"limit": str(limit), "labelSelector": label_selector, "continue": continue_}
        return await self._request("GET", resource, resource.path(namespace), params=params, retry=True)

    async def create(self, resource: Resource, namespace: str | None, body: Json) -> Json:
        """Create an object."""
        return await self._request("POST", resource, resource.path(namespace), body, "application/json")

    async def merge_patch(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, subresource: str | None = None
    ) -> Json:
        """Merge-patch an object; a resourceVersion in the body's metadata makes it conditional."""
        return await self._request("PATCH", resource, resource.path(namespace, name, subresource), body, _MERGE)

    async def strategic_patch(
        self, resource: Resource, namespace: str | None, name: str, body: Json, *, subresource: str | None = None
    ) -> Json:
        """Strategic merge patch; built-in kinds only."""
        return await self._request("PATCH", resource, resource.path(namespace, name, subresource), body, _STRATEGIC)

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
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", resource, path, list(operations), _JSON_PATCH)

    async def replace(self, resource: Resource, namespace: str | None, name: str, body: Json) -> Json:
        """Replace an object; its resourceVersion must be current."""
        return await self._request("PUT", resource, resource.path(namespace, name), body, "application/json")

    async def delete(self, resource: Resource, namespace: str | None, name: str, *, uid: str | None = None) -> Json:
        """Delete an object, if it still is the one of this UID."""
        body: Json = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        path = resource.path(namespace, name)
        return await self._request("DELETE", resource, path, body, "application/json", retry=uid is not None)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        timeout_seconds: int = 300,
        silence: float = 90.0,
    ) -> AsyncIterator[Json]:
        """Events after a resourceVersion, bookmarks included, until the server ends the watch.

        Raises:
            Unavailable: the connection broke, or nothing came for ``silence`` seconds.
            Gone: the resourceVersion is too old.
        """
        params = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "timeoutSeconds": str(timeout_seconds),
        }
        timeout = aiohttp.ClientTimeout(total=timeout_seconds + 30, sock_read=silence)
        url = self._configuration.host + resource.path(namespace)
        try:
            async with self._session.get(
                url,
                params=_given(params),
                headers=await self._headers(),
                timeout=timeout,
                ssl=self._api.rest_client.ssl_context,
            ) as response:
                if response.status >= 400:
                    raise _error(response, await response.read())
                async for line in response.content:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise error_for(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(0, "WatchBroken", f"watch of {resource.plural}: {error!r}") from error

    async def _headers(self, content_type: str = "") -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "game-operators"}
        if content_type:
            headers["Content-Type"] = content_type
        for entry in (await self._configuration.auth_settings()).values():
            headers[entry["key"]] = entry["value"]
        return headers

    async def _request(
        self,
        method: str,
        resource: Resource,
        path: str,
        body: Any = None,
        content_type: str = "",
        *,
        params: dict[str, str] | None = None,
        retry: bool = False,
    ) -> Json:
        for attempt in range(_PATIENCE):
            try:
                return await self._once(method, resource, path, body, content_type, params)
            except (Throttled, Unavailable) as error:
                told = error.retry_after is not None
                if attempt == _PATIENCE - 1 or not (told or retry):
                    raise
                wait = min(error.retry_after or 0.2 * 2**attempt, _RETRY_CAP)
                await asyncio.sleep(wait * (0.5 + random.random() / 2))  # noqa: S311 - jitter
        raise AssertionError("unreachable: the last attempt raises")

    async def _once(
        self, method: str, resource: Resource, path: str, body: Any, content_type: str, params: dict[str, str] | None
    ) -> Json:
        loop = asyncio.get_running_loop()
        began, status = loop.time(), 0
        try:
            async with self._session.request(
                method,
                self._configuration.host + path,
                params=_given(params or {}),
                data=None if body is None else orjson.dumps(body),
                headers=await self._headers(content_type),
                timeout=self._timeout,
                ssl=self._api.rest_client.ssl_context,
            ) as response:
                status = response.status
                content = await response.read()
                if status >= 400:
                    raise _error(response, content)
                answer: Json = orjson.loads(content)
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(0, "NoAnswer", f"{method} {path}: {error!r}") from error
        finally:
            if self._metrics:
                self._metrics.request(method, resource.plural, status, loop.time() - began)


def _given(params: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in params.items() if v}


def _error(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    try:
        status: Json = orjson.loads(content)
    except ValueError:
        status = {"message": content[:500].decode(errors="replace")}
    wait = response.headers.get("Retry-After", "")
    seconds = float(wait) if wait.isdigit() else None
    return error_for(response.status, status.get("reason", ""), status.get("message", ""), seconds)
