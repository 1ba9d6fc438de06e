"""Health and metrics over real HTTP."""

import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from operators.runtime.serving import Heartbeat, health_application, listen


@asynccontextmanager
async def served(ready=lambda: ""):
    registry, heartbeat = CollectorRegistry(), Heartbeat()
    runner = await listen(health_application(registry, ready=ready, alive=heartbeat.problem), "127.0.0.1", 0)
    host, port = runner.addresses[0]
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            yield session, registry, heartbeat
    finally:
        await runner.cleanup()


async def read(session, path):
    async with session.get(path) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_alive_as_long_as_the_loop_turns(path):
    async with served() as (session, _, heartbeat):
        assert await read(session, path) == (200, "ok")
        heartbeat.last -= 31
        status, text = await read(session, path)
        assert (status, text) == (500, "no heartbeat for 31 s")
        heartbeat.beat()
        assert await read(session, path) == (200, "ok")


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_where_nothing_else_is_asked_an_answer_is_the_sign_of_life(path):
    runner = await listen(health_application(CollectorRegistry(), ready=lambda: "no certificate yet"), "127.0.0.1", 0)
    host, port = runner.addresses[0]
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            assert await read(session, path) == (200, "ok")
    finally:
        await runner.cleanup()


async def test_ready_says_what_is_missing():
    missing = ["waiting for the caches of pods"]
    async with served(lambda: missing[0]) as (session, *_):
        assert await read(session, "/readyz") == (503, "waiting for the caches of pods")
        missing[0] = ""
        assert await read(session, "/readyz") == (200, "ok")


async def test_metrics_are_prometheus_text():
    async with served() as (session, registry, _):
        Gauge("things", "Things.", registry=registry).set(3)
        async with session.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            assert "things 3.0" in await answer.text()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await listen(health_application(CollectorRegistry(), ready=lambda: ""), "127.0.0.1", taken.getsockname()[1])
