"""Web servers that answer as a test says."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web as http

from operators.hookrun.providers.egress import EgressPolicy

HERE = EgressPolicy(allowed=("127.0.0.0/8", "::1/128"))
Handler = Callable[[http.Request], Awaitable[http.StreamResponse]]


class Server:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[http.Request] = []
        self.answer: Handler = self._nothing
        self.hold = asyncio.Event()
        self._came = asyncio.Condition()

    async def _nothing(self, request: http.Request) -> http.StreamResponse:
        return http.Response(status=404)

    async def serve(self, request: http.Request) -> http.StreamResponse:
        self.asked.append(request)
        async with self._came:
            self._came.notify_all()
        return await self.answer(request)

    async def asked_times(self, times: int) -> None:
        """Wait until so many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.asked) >= times)

    def text(self, text: str, status: int = 200, **headers: str) -> None:
        async def answer(request: http.Request) -> http.StreamResponse:
            return http.Response(text=text, status=status, headers=headers)

        self.answer = answer

    def holds(self, path: str = "/") -> None:
        """Answer requests below a path only after ``hold`` is set, and then well."""

        async def answer(request: http.Request) -> http.StreamResponse:
            if request.path.startswith(path):
                await self.hold.wait()
            return http.Response(text='{"result": 1}')

        self.answer = answer

    def data(self, kind: str, result: Any) -> None:
        self.text(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}))


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port of the loopback device."""
    found = Server()
    app = http.Application()
    app.router.add_route("*", "/{path:.*}", found.serve)
    runner = http.AppRunner(app, access_log=None)
    await runner.setup()
    site = http.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    found.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        found.hold.set()
        await runner.cleanup()
