"""Hostile hooks of one namespace: the loop turns, and hooks of another namespace are answered at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web as http

from operators.api.hookphase import FINAL_PHASES
from operators.hookrun.settings import HookSettings
from operators.kube.resources import HOOK_RUNS
from tests.integration.hookrun.hooks import API_VERSION, LOOPBACK, Hooks, web
from tests.unit.hookrun.servers import Server

#: Seconds. The loop also carries the test, its server and its client.
LATEST_TURN, LATEST_ANSWER = 0.25, 2.0
GOOD = '{"result": 1}'


class Lag:
    """How late the event loop came to its turns."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, time.monotonic() - began - 0.01)


@asynccontextmanager
async def watched() -> AsyncIterator[Lag]:
    lag = Lag()
    task = asyncio.create_task(lag.watch())
    try:
        yield lag
    finally:
        task.cancel()


async def good_run(hooks: Hooks, server: Server, name: str) -> float:
    """Seconds from the creation of a run in another namespace to its good end."""
    began = time.monotonic()
    metric = web(server.url + "/good", successCondition="asInt(result) == 1")
    head = {"apiVersion": API_VERSION, "kind": "HookRun", "metadata": {"name": name}}
    body = {**head, "spec": {"metrics": [metric]}}
    await hooks.client.create(HOOK_RUNS, "default", body)
    try:
        while True:
            status = (await hooks.client.get(HOOK_RUNS, "default", name)).get("status") or {}
            if status.get("phase") in FINAL_PHASES:
                assert status["phase"] == "Successful", status
                return time.monotonic() - began
            assert time.monotonic() - began < 60
            await asyncio.sleep(0.02)
    finally:
        await hooks.client.delete(HOOK_RUNS, "default", name)


INPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "f1 60,000 digits and an x": (
        '{"result": "' + "9" * 60_000 + 'x"}',
        {"successCondition": "asFloat(result) < 0.5"},
    ),
    "f1 a million digits": ('{"result": "' + "9" * 1_000_000 + '"}', {"successCondition": "asInt(result) < 5"}),
    "f2 a filter of 480 members": ("[" + ",".join(["{}"] * 19_000) + "]", {"jsonPath": "{[?(@" + ".a" * 480 + ")]}"}),
    "f2 a pattern for each slice": (
        '{"result": "' + "ab" * 1500 + '"}',
        {"successCondition": 'count(0..2500, {"x" matches result[#:#+390]}) >= 0'},
    ),
}


@pytest.mark.parametrize("which", INPUTS)
async def test_attack_f1_f2_a_hostile_measurement_hurts_itself_alone(
    hooks: Hooks, server: Server, namespace: str, which: str
) -> None:
    answer, fields = INPUTS[which]

    async def respond(request: http.Request) -> http.StreamResponse:
        return http.Response(text=GOOD if request.path == "/good" else answer)

    server.answer = respond
    metrics = [web(server.url + "/bad", name=f"m{number}") for number in range(8)]
    for metric in metrics:
        if "jsonPath" in fields:
            metric["provider"]["web"]["jsonPath"] = fields["jsonPath"]
        else:
            metric.update(fields)
    async with hooks.working(everywhere=True):
        await good_run(hooks, server, f"warm-{namespace}")
        async with watched() as lag:
            await hooks.create("bad", *metrics)
            took = await good_run(hooks, server, f"good-{namespace}")
            status = await hooks.end_of("bad", 60)
    assert took < LATEST_ANSWER
    assert lag.worst < LATEST_TURN
    assert {result["phase"] for result in status["metricResults"]} <= {"Error", "Failed"}


async def test_attack_f7_silent_endpoints_take_no_slot_from_another_namespace(
    hooks: Hooks, server: Server, namespace: str
) -> None:
    async def respond(request: http.Request) -> http.StreamResponse:
        if request.path != "/good":
            await server.hold.wait()
        return http.Response(text=GOOD)

    server.answer = respond
    few = HookSettings(allow_cidrs=LOOPBACK.allow_cidrs, max_concurrent=20)
    async with hooks.working(few, everywhere=True):
        await good_run(hooks, server, f"warm-{namespace}")
        asked = len(server.asked)
        for number in range(3):
            silent = [web(server.url + "/silent", name=f"m{each}") for each in range(28)]
            for metric in silent:
                metric["provider"]["web"]["timeoutSeconds"] = 300
            await hooks.create(f"silent-{number}", *silent)
        await server.asked_times(asked + 5)
        assert await good_run(hooks, server, f"good-{namespace}") < LATEST_ANSWER
