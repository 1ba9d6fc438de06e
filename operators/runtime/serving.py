"""HTTP servers of a process: health and metrics for both programs, and whatever else listens on a port."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

#: Seconds without a turn of the event loop after which the process counts as dead.
_STALE = 30.0
#: API servers close idle connections after 90 s; closing earlier ourselves could meet a review just being sent.
_KEEPALIVE = 300.0
#: Seconds that requests under way get to end when a server is stopped.
_SHUTDOWN = 10.0


class Heartbeat:
    """Whether the event loop still turns."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def beat(self) -> None:
        """The loop turns now."""
        self.last = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last turn."""
        return time.monotonic() - self.last

    def problem(self) -> str:
        """Why the process does not count as alive; "" while it does."""
        return f"no heartbeat for {self.age:.0f} s" if self.age >= _STALE else ""


async def ok(_: web.Request) -> web.Response:
    """Answer that the process answers."""
    return web.Response(text="ok")


def health_application(
    registry: CollectorRegistry, *, ready: Callable[[], str], alive: Callable[[], str] | None = None
) -> web.Application:
    """/metrics, /healthz, /livez and /readyz.

    Args:
        registry: What /metrics shows.
        ready: Returns what is still missing, "" when the process can do its work.
        alive: Returns why the process does not count as alive, "" when it does; without it an answer is sign enough.
    """

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: the text of ten thousands of series takes longer than the event loop may stand still.
        text = await asyncio.to_thread(generate_latest, registry)
        answer = web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
        answer.enable_compression()
        return answer

    async def healthz(_: web.Request) -> web.Response:
        problem = alive() if alive is not None else ""
        return web.Response(status=500 if problem else 200, text=problem or "ok")

    async def readyz(_: web.Request) -> web.Response:
        missing = ready()
        return web.Response(status=503 if missing else 200, text=missing or "ok")

    application = web.Application()
    application.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/healthz", healthz),
            web.get("/livez", healthz),
            web.get("/readyz", readyz),
        ]
    )
    return application


async def listen(
    application: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None
) -> web.AppRunner:
    """Start serving; cleaning up the runner ends it.

    Raises:
        OSError: the address cannot be listened on.
    """
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=_KEEPALIVE, shutdown_timeout=_SHUTDOWN)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, backlog=512).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
