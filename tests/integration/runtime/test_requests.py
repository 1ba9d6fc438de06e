"""Verbs, errors and preconditions as the real API server has them."""

import pytest

from operators.kube.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from operators.kube.resources import EVENTS, HOOK_RUNS, PODS
from tests.integration.runtime.conftest import CONFIG_MAPS, config_map


async def test_a_replace_needs_the_current_version(client, namespace):
    first = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    await client.merge_patch(CONFIG_MAPS, namespace, "a", {"data": {"colour": "blue"}})
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, namespace, "a", first)
    current = await client.get(CONFIG_MAPS, namespace, "a")
    replaced = await client.replace(CONFIG_MAPS, namespace, "a", {**current, "data": {"colour": "green"}})
    assert replaced["data"] == {"colour": "green"}


async def test_a_patch_with_a_version_or_uid_is_conditional(client, namespace):
    first = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    version = first["metadata"]["resourceVersion"]
    await client.merge_patch(
        CONFIG_MAPS, namespace, "a", {"metadata": {"resourceVersion": version}, "data": {"n": "1"}}
    )
    with pytest.raises(Conflict):
        await client.merge_patch(
            CONFIG_MAPS, namespace, "a", {"metadata": {"resourceVersion": version}, "data": {"n": "2"}}
        )
    with pytest.raises(Conflict):
        await client.merge_patch(CONFIG_MAPS, namespace, "a", {"metadata": {"uid": "another"}, "data": {"n": "3"}})
    assert (await client.get(CONFIG_MAPS, namespace, "a"))["data"]["n"] == "1"


async def test_a_patch_of_a_pod_or_of_its_status_spares_another_pod_of_the_name(client, namespace):
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "a:1"}], "nodeName": "nowhere"}}
    await client.create(PODS, namespace, body)
    patch = {"metadata": {"uid": "another", "labels": {"a": "b"}}}
    with pytest.raises(Conflict):
        await client.strategic_patch(PODS, namespace, "p", patch)
    condition = {"type": "Gate", "status": "True"}
    patch = {"metadata": {"uid": "another"}, "status": {"conditions": [condition]}}
    with pytest.raises(Conflict):
        await client.strategic_patch(PODS, namespace, "p", patch, subresource="status")


async def test_on_a_custom_resource_the_uid_guards_patches_but_only_the_version_guards_its_status(
    client, namespace, crds
):
    metric = {"name": "m", "provider": {"web": {"url": "http://example.com", "jsonPath": "{$.a}"}}}
    body = {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "HookRun",
        "metadata": {"name": "r"},
        "spec": {"metrics": [{**metric, "successCondition": "asInt(result) == 1"}], "terminate": True},
    }
    made = await client.create(HOOK_RUNS, namespace, body)
    with pytest.raises(Conflict):
        await client.merge_patch(HOOK_RUNS, namespace, "r", {"metadata": {"uid": "another", "labels": {"a": "b"}}})
    status = {"status": {"phase": "Running"}}
    foreign = {"metadata": {"uid": "another"}, **status}
    answer = await client.merge_patch(HOOK_RUNS, namespace, "r", foreign, subresource="status")
    assert answer["status"]["phase"] == "Running", "the API server ignores the uid here: it is no guard"
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, **status}
    with pytest.raises(Conflict):
        await client.merge_patch(HOOK_RUNS, namespace, "r", stale, subresource="status")
    fresh = {"metadata": {"resourceVersion": answer["metadata"]["resourceVersion"]}, "status": {"phase": "Failed"}}
    answer = await client.merge_patch(HOOK_RUNS, namespace, "r", fresh, subresource="status")
    assert answer["status"]["phase"] == "Failed"


async def test_a_json_patch_can_test_first(client, namespace):
    await client.create(CONFIG_MAPS, namespace, config_map("a", "red"))
    paint = {"op": "replace", "path": "/data/colour", "value": "blue"}
    with pytest.raises(Invalid):
        guard = {"op": "test", "path": "/data/colour", "value": "green"}
        await client.json_patch(CONFIG_MAPS, namespace, "a", [guard, paint])
    guard = {"op": "test", "path": "/data/colour", "value": "red"}
    assert (await client.json_patch(CONFIG_MAPS, namespace, "a", [guard, paint]))["data"]["colour"] == "blue"


async def test_a_strategic_patch_merges_lists_by_name(client, namespace):
    containers = [{"name": "one", "image": "a:1"}, {"name": "two", "image": "b:1"}]
    body = {"metadata": {"name": "p"}, "spec": {"containers": containers, "nodeName": "no-such-node"}}
    await client.create(PODS, namespace, body)
    patch = {"spec": {"containers": [{"name": "two", "image": "b:2"}]}}
    patched = await client.strategic_patch(PODS, namespace, "p", patch)
    assert [c["image"] for c in patched["spec"]["containers"]] == ["a:1", "b:2"]


async def test_a_delete_spares_another_object_of_the_name(client, namespace):
    made = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, namespace, "a", uid="another")
    await client.delete(CONFIG_MAPS, namespace, "a", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, namespace, "a")
    with pytest.raises(NotFound):
        await client.delete(CONFIG_MAPS, namespace, "a", uid=made["metadata"]["uid"])


async def test_what_the_server_refuses_is_typed(client, namespace):
    await client.create(CONFIG_MAPS, namespace, config_map("a"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAPS, namespace, config_map("a"))
    with pytest.raises(Invalid, match="lowercase RFC 1123"):
        await client.create(CONFIG_MAPS, namespace, config_map("Not A Name"))
    with pytest.raises(NotFound, match="no-such-namespace"):
        await client.create(EVENTS, "no-such-namespace", {"metadata": {"name": "a"}, "involvedObject": {}})


async def test_a_watch_resumes_after_the_version_it_saw(client, namespace):
    first = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    for colour in ("blue", "green"):
        await client.merge_patch(CONFIG_MAPS, namespace, "a", {"data": {"colour": colour}})
    stream = client.watch(CONFIG_MAPS, namespace, resource_version=first["metadata"]["resourceVersion"])
    blue = await anext(stream)
    assert (blue["type"], blue["object"]["data"]["colour"]) == ("MODIFIED", "blue")
    await stream.aclose()
    stream = client.watch(CONFIG_MAPS, namespace, resource_version=blue["object"]["metadata"]["resourceVersion"])
    green = await anext(stream)
    assert green["object"]["data"]["colour"] == "green"
    await stream.aclose()


async def test_a_version_that_is_too_old_is_gone(client, namespace, crds):
    """Version 1 is before the definition of HookRuns, and so before anything that the API server has cached of them."""
    with pytest.raises(Gone):
        async for _ in client.watch(HOOK_RUNS, namespace, resource_version="1"):
            pass


async def test_the_server_says_its_version(client):
    assert (await client.version()).startswith("v1.")
