"""Killed at any request, cut off, lagging or doubled: no measurement is lost or counted twice, no patch made twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from operators.kube.client import Client
from operators.kube.errors import Unavailable
from operators.kube.resources import HOOK_RUNS, PODS, Json, Resource
from tests.integration.hookrun.hooks import Hooks, kubernetes, until, web
from tests.unit.hookrun.servers import Server

READY = "networkextension.bkbc.tencent.com/clb-ready"
CUT = {"weight": "0", "ready": "false"}


def patch(**more: Any) -> Json:
    return {**kubernetes("patch", clb_weight="0", clb_ready="false"), **more}


class Cut(Client):
    """Dies at one write: from there on it does nothing, and whoever waits for it waits for ever.

    Of a HookRun the first write that tells of a measurement; one that says that the run has begun may come before.
    """

    resource: Resource = PODS
    sends = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.dead = asyncio.Event()

    async def merge_patch(self, resource: Resource, *args: Any, **options: Any) -> Json:
        told = resource is not HOOK_RUNS or args[2].get("status", {}).get("metricResults")
        if self.dead.is_set() or (resource is self.resource and told):
            if self.sends and not self.dead.is_set():
                await super().merge_patch(resource, *args, **options)
            self.dead.set()
            await asyncio.Event().wait()
        return await super().merge_patch(resource, *args, **options)


def cut(at: Resource, *, sends: bool) -> type[Cut]:
    return type("CutThere", (Cut,), {"resource": at, "sends": sends})


class Forgetful(Client):
    """Loses the answer of the first patch of a pod after it was made, and reads nothing for a while after that.

    Meanwhile the other side answers to the patch.
    """

    lost = deaf = 0

    async def merge_patch(self, resource: Resource, *args: Any, **options: Any) -> Json:
        answer = await super().merge_patch(resource, *args, **options)
        if resource is PODS and not self.lost:
            self.lost, self.deaf = 1, 4
            said = {"metadata": {"annotations": {READY: "true"}}}
            await super().merge_patch(PODS, args[0], args[1], said)
            raise Unavailable(0, "NoAnswer", "cut off")
        return answer

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        if self.deaf:
            self.deaf -= 1
            raise Unavailable(0, "NoAnswer", "cut off")
        return await super().get(resource, namespace, name)


async def pod(hooks: Hooks) -> None:
    """A pod of nobody, scheduled nowhere."""
    containers = [{"name": "game", "image": "game"}]
    metadata = {"annotations": {READY: "true"}}
    await hooks.object(PODS, "p", metadata=metadata, spec={"schedulerName": "nobody", "containers": containers})


async def answer_of_the_other_side(hooks: Hooks) -> None:
    """What an ingress controller does when it has cut the traffic: it says so."""
    if (await hooks.annotations(PODS, "p")).get(READY) == "false":
        await hooks.client.merge_patch(PODS, hooks.namespace, "p", {"metadata": {"annotations": {READY: "true"}}})


@pytest.mark.parametrize(
    ("at", "sends", "flipped"),
    [(PODS, False, False), (PODS, True, True), (HOOK_RUNS, False, True), (HOOK_RUNS, True, True)],
)
async def test_killed_in_mid_patch(hooks: Hooks, at: Resource, sends: bool, flipped: bool) -> None:
    """The patch is made once: the other side's answer stands after the restart."""
    await pod(hooks)
    await hooks.create("r", patch(), args={"PodName": "p", "PodNamespace": hooks.namespace})
    async with hooks.working(kind=cut(at, sends=sends)) as killed:
        await asyncio.wait_for(killed._client.dead.wait(), 20)
    await answer_of_the_other_side(hooks)
    before = await hooks.annotations(PODS, "p")
    assert (before.get(READY) == "true" and "networkextension.bkbc.tencent.com/clb-weight" in before) == flipped

    async with hooks.working():
        status = await hooks.end_of("r")
    assert (status["phase"], status["metricResults"][0]["count"]) == ("Successful", 1)
    assert (await hooks.annotations(PODS, "p"))[READY] == ("true" if flipped else "false")


async def test_a_patch_whose_answer_is_lost_is_not_repeated(hooks: Hooks) -> None:
    """Nobody knows whether it was made, so the measurement is an error; the next one finds it done."""
    await pod(hooks)
    async with hooks.working(kind=Forgetful):
        args = {"PodName": "p", "PodNamespace": hooks.namespace}
        await hooks.create("r", patch(interval="1s", successfulLimit=1), args=args)
        status = await hooks.end_of("r")
    result = status["metricResults"][0]
    assert (status["phase"], result["successful"], result["error"], result["count"]) == ("Successful", 1, 1, 2)
    assert (await hooks.annotations(PODS, "p"))[READY] == "true"


async def test_a_patch_that_is_wanted_twice_is_made_twice(hooks: Hooks) -> None:
    """Two successes ask for two patches: the second overwrites what the other side has answered to the first."""
    await pod(hooks)
    async with hooks.working():
        args = {"PodName": "p", "PodNamespace": hooks.namespace}
        await hooks.create("r", patch(interval="2s", successfulLimit=2), args=args)
        await hooks.wait("r", lambda s: bool(s.get("metricResults")))
        await answer_of_the_other_side(hooks)
        await hooks.end_of("r")
    assert (await hooks.annotations(PODS, "p"))[READY] == "false"


async def test_killed_in_mid_measurement(hooks: Hooks, server: Server) -> None:
    server.holds()
    await hooks.create("r", web(server.url, interval="1s", successfulLimit=2))
    async with hooks.working():
        await until("it is measured", lambda: len(server.asked) == 1)
    assert "metricResults" not in await hooks.status("r")
    server.hold.set()
    async with hooks.working():
        status = await hooks.end_of("r")
    assert (status["metricResults"][0]["count"], len(server.asked)) == (2, 3)


async def test_killed_after_the_write_of_a_count(hooks: Hooks, server: Server) -> None:
    """What was written is not measured again."""
    server.text('{"result": 0}')
    metric = web(server.url, interval="2s", count=3, successCondition="asInt(result) == 1")
    await hooks.create("r", metric)
    for killed in range(1, 4):
        async with hooks.working(kind=cut(HOOK_RUNS, sends=True)) as controller:
            await asyncio.wait_for(controller._client.dead.wait(), 20)
        assert (await hooks.status("r"))["metricResults"][0]["count"] == killed
    assert (await hooks.status("r"))["phase"] == "Successful"
    assert len(server.asked) == 3


async def test_a_lagging_cache_does_not_undo_measurements(hooks: Hooks, server: Server) -> None:
    """With its watch cut off, the controller measures on what it knows, but cannot overwrite what others wrote."""
    server.holds()
    async with hooks.working() as controller:
        await hooks.create("r", web(server.url, interval="1s", successfulLimit=9))
        await hooks.wait("r", lambda s: s.get("phase") == "Running")
        held = hooks.runs.store.get(hooks.namespace, "r")
        await until("the cache has it", lambda: hooks.runs.store.get(hooks.namespace, "r").status != {})
        apply, hooks.runs._apply = hooks.runs._apply, lambda *_: None
        held = hooks.runs.store.get(hooks.namespace, "r")
        newer = {**held.status, "metricResults": [{"name": "web", "phase": "Running", "count": 7, "successful": 7}]}
        written = await hooks.client.merge_patch(
            HOOK_RUNS, hooks.namespace, "r", {"status": newer}, subresource="status"
        )
        server.hold.set()
        await until(
            "it tries to write", lambda: controller._expectations.pending((hooks.namespace, "r"), 0) is not None
        )
        assert (await hooks.get("r"))["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]
        hooks.runs._apply = apply
        apply("MODIFIED", written)
        status = await hooks.end_of("r")
    assert status["metricResults"][0]["successful"] == 9


async def test_two_at_once_count_once(hooks: Hooks, server: Server) -> None:
    """As when a leader does not know yet that it is none any more."""
    server.text('{"result": 0}')
    async with hooks.working(), hooks.working():
        metric = web(server.url, interval="1s", count=3, successCondition="asInt(result) == 1")
        await hooks.create("r", metric)
        status = await hooks.end_of("r")
    result = status["metricResults"][0]
    assert (result["count"], result["failed"], len(result["measurements"])) == (3, 3, 3)
