"""The API server, with GameStatefulSets shown as StatefulSets (translate.py).

Speaks plain HTTP on the loopback and adds the credentials of a kubeconfig. It runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from operators.kube.official import OfficialCredentials
from tests.upstream import translate

_HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "trailers"}
_STRATEGIC, _MERGE = "application/strategic-merge-patch+json", "application/merge-patch+json"


class TranslatingProxy:
    """The proxy; ``native`` shows StatefulSets themselves, for control runs. ``node`` is the node of the run."""

    def __init__(self, kubeconfig: Path, node: str, folder: Path, *, native: bool) -> None:
        self._upstream, self._node, self._native = str(kubeconfig), node, native
        self.kubeconfig = folder / "proxy.kubeconfig"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="translating-proxy")

    def start(self) -> None:
        """Listen, and write the kubeconfig."""
        self._thread.start()
        port = self._call(self._listen())
        cluster = {"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}
        body = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        body |= {"users": [{"name": "proxy", "user": {}}], "current-context": "proxy"}
        self.kubeconfig.write_text(json.dumps(body))

    def stop(self) -> None:
        """Close everything."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> int:
        self._credentials = await OfficialCredentials.load(self._upstream)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._credentials.tls)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**24)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    # ---- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        ours = request.path if self._native else translate.path_to_ours(request.path)
        path = ours + (f"?{request.query_string}" if request.query_string else "")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {*_HOP_BY_HOP, "accept-encoding"}}
        headers.update(await self._credentials.headers())
        body = await self._body(request, ours, headers)
        async with self._session.request(
            request.method,
            self._credentials.server + path,
            data=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers[name] = value
            await response.prepare(request)
            await self._answer(request, answer, response)
            await response.write_eof()
            return response

    async def _body(self, request: web.Request, path: str, headers: dict[str, str]) -> bytes | None:
        """What is sent on. A strategic merge patch of a set becomes a merge patch of what the set looks like then."""
        raw = await request.read()
        kind = request.headers.get("Content-Type", "").partition(";")[0]
        if not raw or "json" not in kind or kind == "application/json-patch+json":
            return raw or None
        body = json.loads(raw)
        if request.method == "PATCH":
            return json.dumps(await self._patch(request, path, kind, body, headers)).encode()
        if self._native:
            return json.dumps(translate.placed(body) if request.path.endswith("/statefulsets") else body).encode()
        return json.dumps(translate.to_ours(body)).encode()

    async def _patch(self, request: web.Request, path: str, kind: str, patch: Any, headers: dict[str, str]) -> Any:
        cordoned = translate.cordon(patch) if request.path == f"/api/v1/nodes/{self._node}" else None
        if cordoned is not None:
            headers["Content-Type"] = _MERGE
            return translate.label_patch(cordoned=cordoned)
        if path == request.path:
            return translate.owners_in(patch, translate.NATIVE, translate.OURS) if not self._native else patch
        if kind == _STRATEGIC:
            headers["Content-Type"] = _MERGE
            plain = {k: v for k, v in headers.items() if k.lower() != "content-type"}
            async with self._session.get(self._credentials.server + path, headers=plain) as answer:
                held = await answer.json()
            seen = held if held.get("kind") == "Scale" else translate.to_native(held)
            patch = _filled(patch, seen)
        return patch

    async def _answer(self, request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        if "json" not in answer.headers.get("Content-Type", ""):
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return
        if request.query.get("watch") in ("1", "true"):
            async for line in answer.content:
                await response.write(json.dumps(self._shown(request, json.loads(line))).encode() + b"\n")
            return
        await response.write(json.dumps(self._shown(request, json.loads(await answer.read()))).encode())

    def _shown(self, request: web.Request, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        if request.path == "/apis/storage.k8s.io/v1/storageclasses" and "items" in body:
            return translate.with_default_class(body)
        if request.path == "/api/v1/persistentvolumes" and "items" in body:
            return translate.without_released(body)
        if request.path.startswith("/api/v1/nodes"):
            if "items" in body:
                return {**body, "items": [translate.node_shown(n, self._node) for n in body["items"]]}
            return translate.node_shown(body, self._node)
        return body if self._native else translate.to_native(body)


def _filled(patch: Any, held: Any) -> Any:
    """The merge patch that does what a strategic one asks for: its lists are those that come out of the merge."""
    if isinstance(patch, dict):
        known = held if isinstance(held, dict) else {}
        return {k: _filled(v, known.get(k)) for k, v in patch.items() if not k.startswith("$")}
    return translate.merged(held, patch) if isinstance(patch, list) else patch
