"""A proxy in front of a real API server that makes trouble: what it lets through is real, what it breaks is scripted.

It speaks plain HTTP on the loopback and adds the credentials of the kubeconfig it was started with, so any client (the
operators' process, kubectl, a test's own) may use ``proxy.kubeconfig``. It runs on a thread of its own: synchronous
tests and tests with an event loop use it alike.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from operators.kube.official import OfficialCredentials

_HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "trailers"}


@dataclass
class Fault:
    """What happens to the requests it matches, at most ``times`` of them.

    Exactly one of: ``status`` answers with an error, without asking the API server; ``drop`` is ``"request"`` (the
    connection breaks before the API server hears of it) or ``"answer"`` (it breaks after the API server has acted);
    neither: only the delay. ``share`` is the part of the matching requests that is hit.
    """

    method: str = ".*"
    path: str = ".*"
    status: int | None = None
    retry_after: float | None = None
    drop: str = ""
    delay: float = 0.0
    times: int = 1_000_000_000
    share: float = 1.0
    hits: int = field(default=0, init=False)

    def matches(self, request: web.Request, chance: float) -> bool:
        return (
            self.hits < self.times
            and re.fullmatch(self.method, request.method) is not None
            and re.fullmatch(self.path, request.path_qs) is not None
            and chance < self.share
        )


class FaultProxy:
    """The proxy.

    ``requests`` counts by (method, status or what was done to them); ``log`` holds (method, path, the same).
    """

    def __init__(self, kubeconfig: Path, folder: Path, seed: int = 0) -> None:
        self._upstream = str(kubeconfig)
        self._chance = random.Random(seed)
        self._faults: list[Fault] = []
        self._watches: dict[int, web.Request] = {}
        self._open: dict[int, web.Request] = {}
        self._down = False
        self.requests: Counter[tuple[str, str]] = Counter()
        self.log: list[tuple[str, str, str]] = []
        self.kubeconfig = folder / "proxy-kubeconfig"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fault-proxy")

    # ---- making trouble

    def add(self, fault: Fault) -> Fault:
        """Make trouble from now on; what was added first is asked first."""
        self._faults = [*self._faults, fault]
        return fault

    @contextmanager
    def trouble(self, *faults: Fault) -> Iterator[None]:
        """Make trouble for a while."""
        self._faults = [*self._faults, *faults]
        try:
            yield
        finally:
            self._faults = [fault for fault in self._faults if fault not in faults]

    def clear(self) -> None:
        """No more trouble."""
        self._faults, self._down = [], False

    def cut_watches(self) -> int:
        """Break every open watch in the middle; how many there were."""
        return self._call(self._abort(self._watches))

    def cut_everything(self) -> None:
        """Be unreachable until `clear`: break what is open, accept nothing."""
        self._down = True
        self._call(self._abort(self._open))

    @property
    def watches(self) -> int:
        """Open watches."""
        return len(self._watches)

    # ---- life

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
        self._call(self._abort(self._open))
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> int:
        self._credentials = await OfficialCredentials.load(self._upstream)
        connector = aiohttp.TCPConnector(limit=0, ssl=self._credentials.tls)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**21)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return self._runner.addresses[0][1]

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _abort(self, requests: dict[int, web.Request]) -> int:
        victims = [request for request in requests.values() if request.transport is not None]
        for request in victims:
            request.transport.abort()
        return len(victims)

    # ---- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._open[id(request)] = request
        try:
            if self._down:
                return self._break(request, "down")
            fault = next((f for f in self._faults if f.matches(request, self._chance.random())), None)
            if fault is not None:
                fault.hits += 1
                await asyncio.sleep(fault.delay)
                if fault.status is not None:
                    return self._refuse(request, fault)
                if fault.drop == "request":
                    return self._break(request, "request dropped")
            return await self._forward(request, lose=fault is not None and fault.drop == "answer")
        finally:
            self._open.pop(id(request), None)

    def _note(self, request: web.Request, outcome: str) -> None:
        self.requests[request.method, outcome] += 1
        self.log.append((request.method, request.path_qs, outcome))

    def _break(self, request: web.Request, how: str) -> web.Response:
        self._note(request, how)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _refuse(self, request: web.Request, fault: Fault) -> web.Response:
        self._note(request, str(fault.status))
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        body = {"kind": "Status", "code": fault.status, "reason": "Injected", "message": "made by the fault proxy"}
        return web.json_response(body, status=fault.status, headers=headers)

    async def _forward(self, request: web.Request, *, lose: bool) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers.update(await self._credentials.headers())
        async with self._session.request(
            request.method,
            self._credentials.server + request.path_qs,
            data=await request.read() or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
        ) as answer:
            self._note(request, "answer dropped" if lose else str(answer.status))
            if lose:
                if "watch" not in request.query:  # whose answer has no end
                    await answer.read()
                return self._break(request, "after the fact")
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers[name] = value
            return await self._stream(request, answer, response)

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> web.StreamResponse:
        watching = "watch" in request.query
        if watching:
            self._watches[id(request)] = request
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            self._break(request, "broken off")
        finally:
            self._watches.pop(id(request), None)
        return response
