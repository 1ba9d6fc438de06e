"""``game-webhooks``: the webhook server. It answers health probes; protection and validation are still to come."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from aiohttp import web


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def application() -> web.Application:
    """The server's routes."""
    app = web.Application()
    app.add_routes([web.get("/healthz", _healthz), web.get("/readyz", _healthz)])
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="game-webhooks", description="Admission webhooks for game workloads.")
    parser.add_argument("--address", default="0.0.0.0", help="address to serve on")  # noqa: S104 - a pod's own address
    parser.add_argument("--port", type=int, default=8443, help="port to serve on")
    options = parser.parse_args(arguments)
    web.run_app(application(), host=options.address, port=options.port, access_log=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
