"""Events on the real API server."""

import asyncio
import json

import pytest

from operators.kube.errors import ApiError
from operators.kube.resources import EVENTS
from operators.runtime.events import EventRecorder, ObjectReference
from tests.integration.runtime.conftest import CONFIG_MAPS, config_map
from tests.unit.kube.apiserver import until


@pytest.fixture
async def recorder(client):
    made = EventRecorder(client, "game-operators")
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def about(client, namespace):
    made = await client.create(CONFIG_MAPS, namespace, config_map("lobby"))
    return ObjectReference("v1", "ConfigMap", namespace, "lobby", made["metadata"]["uid"])


async def events(client, namespace):
    listed = await client.list(EVENTS, namespace)
    return [e for e in listed["items"] if e["source"].get("component") == "game-operators"]


async def test_events_are_aggregated_and_shown_by_kubectl(cluster, client, namespace, recorder):
    subject = await about(client, namespace)
    for n in range(100):
        recorder.note(subject, "Normal", "SuccessfulCreate", f"succeed to create pod lobby-{n}")
    for _ in range(5):
        recorder.note(subject, "Warning", "FailedCreate", "exceeded quota")
    await recorder.flush(20)
    found = await events(client, namespace)
    assert len(found) == 12
    assert sum(e["count"] for e in found) == 105
    for _ in range(3):
        recorder.note(subject, "Warning", "FailedCreate", "exceeded quota")
    await recorder.flush(20)
    failed = [e for e in await events(client, namespace) if e["reason"] == "FailedCreate"]
    assert [(e["count"], e["type"], e["involvedObject"]["uid"]) for e in failed] == [(8, "Warning", subject.uid)]
    shown = await asyncio.to_thread(cluster.kubectl, "describe", "configmap", "lobby", "-n", namespace)
    assert "(combined from similar events): succeed to create pod lobby-99" in shown
    assert "exceeded quota" in shown
    assert recorder.dropped == 0


async def test_an_event_that_was_deleted_is_written_anew(client, namespace, recorder):
    subject = await about(client, namespace)
    recorder.note(subject, "Normal", "Waits", "for players")
    await recorder.flush(20)
    (event,) = await events(client, namespace)
    await client.delete(EVENTS, namespace, event["metadata"]["name"])
    recorder.note(subject, "Normal", "Waits", "for players")
    await recorder.flush(20)
    assert [e["count"] for e in await events(client, namespace)] == [2]


async def test_a_namespace_that_is_being_deleted_takes_no_events_and_holds_up_none(
    cluster, client, namespace, recorder, caplog
):
    """The namespace is held by a finalizer of an object in it, so that it stays terminating."""
    body = config_map("hold", finalizers=["games.test/hold"])
    await client.create(CONFIG_MAPS, namespace, body)
    await asyncio.to_thread(cluster.kubectl, "delete", "namespace", namespace, "--wait=false")

    async def terminating():
        try:
            made = await client.create(CONFIG_MAPS, namespace, config_map("late"))
        except ApiError as error:
            return "being terminated" in error.message
        await client.delete(CONFIG_MAPS, namespace, made["metadata"]["name"])
        return False

    async with asyncio.timeout(30):
        while not await terminating():  # noqa: ASYNC110 - nothing tells when a namespace closes but a try
            await asyncio.sleep(0.1)
    try:
        recorder.note(ObjectReference("v1", "ConfigMap", namespace, "lobby", "u1"), "Normal", "Ends", "players left")
        gone = ObjectReference("v1", "ConfigMap", "no-such-namespace", "lobby", "u2")
        recorder.note(gone, "Normal", "Ends", "players left")
        recorder.note(ObjectReference("v1", "Node", "", "game-node", "u3"), "Normal", "TestNote", "goes on")
        await recorder.flush(20)
        await until(lambda: recorder.dropped == 2, 10)
        written = [e for e in await events(client, "default") if e["reason"] == "TestNote"]
        assert written
        for event in written:
            await client.delete(EVENTS, "default", event["metadata"]["name"])
        assert not [r for r in caplog.records if r.levelname == "WARNING" and "dropped" in r.getMessage()]
    finally:
        patch = json.dumps({"metadata": {"finalizers": None}})
        await asyncio.to_thread(cluster.kubectl, "-n", namespace, "patch", "cm", "hold", "--type=merge", "-p", patch)
