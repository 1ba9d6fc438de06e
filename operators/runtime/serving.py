"""/metrics, /healthz and /readyz on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from operators.runtime.metrics import Heartbeat

_STALE = 30.0


async def serve(
    registry: CollectorRegistry, heartbeat: Heartbeat, ready: Callable[[], str], host: str, port: int
) -> web.AppRunner:
    """Start serving. ``ready`` returns what is still missing, "" when nothing is; standbys are ready too.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: the text of ten thousands of series takes longer than the event loop may stand still.
        text = await asyncio.to_thread(generate_latest, registry)
        answer = web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
        answer.enable_compression()
        return answer

    async def healthz(_: web.Request) -> web.Response:
        alive = heartbeat.age < _STALE
        return web.Response(
            status=200 if alive else 500, text="ok" if alive else f"no heartbeat for {heartbeat.age:.0f} s"
        )

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(status=503 if missing else 200, text=missing or "ok")

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/livez", healthz),
            web.get("/readyz", readyz),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
