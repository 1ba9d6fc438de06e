"""Informer, feed and expectations on the real API server."""

import asyncio

import pytest

from operators.runtime.batching import bounded
from operators.runtime.expectations import Expectations, created, deleted, written
from operators.runtime.feed import Feed
from operators.runtime.informer import Informer
from tests.integration.runtime.conftest import CONFIG_MAPS, config_map, decode
from tests.unit.kube.apiserver import until


@pytest.fixture
async def run():
    """Run informers and feeds until the end of the test."""
    tasks = []

    def start(source):
        tasks.append(asyncio.create_task(source.run()))
        return source

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def held(source):
    return {view.name: view.colour for view in source.store.values() if view.name != "kube-root-ca.crt"}


async def test_a_list_of_several_pages_and_then_a_watch(client, namespace, run):
    names = [f"m{n}" for n in range(620)]
    results = await bounded([lambda n=n: client.create(CONFIG_MAPS, namespace, config_map(n)) for n in names])
    assert not any(results)
    pages = []
    listing = client.list

    async def counted(*args, **options):
        pages.append(await listing(*args, **options))
        return pages[-1]

    client.list = counted
    informer = run(Informer(client, CONFIG_MAPS, decode, namespace=namespace))
    await until(informer.synced.is_set, 30)
    assert held(informer) == dict.fromkeys(names, "red")
    assert [len(page["items"]) for page in pages] == [500, len(informer.store) - 500]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1, "all pages are of one moment"
    changed = await client.merge_patch(CONFIG_MAPS, namespace, "m7", {"data": {"colour": "blue"}})
    await client.delete(CONFIG_MAPS, namespace, "m8")
    await until(lambda: held(informer).get("m7") == "blue" and "m8" not in held(informer), 30)
    assert informer.store.reached(changed["metadata"]["resourceVersion"])
    assert len(pages) == 2


async def test_a_version_that_is_too_old_makes_it_list_again(client, namespace, run):
    await client.create(CONFIG_MAPS, namespace, config_map("a"))
    informer = Informer(client, CONFIG_MAPS, decode, namespace=namespace)
    informer._advance("1")
    run(informer)
    await until(lambda: held(informer) == {"a": "red"}, 30)
    await client.create(CONFIG_MAPS, namespace, config_map("b"))
    await until(lambda: held(informer) == {"a": "red", "b": "red"}, 30)


async def test_an_object_with_finalizers_is_deleting_before_it_is_gone(client, namespace, run):
    informer = run(Informer(client, CONFIG_MAPS, decode, namespace=namespace))
    made = await client.create(CONFIG_MAPS, namespace, config_map("a", finalizers=["games.test/hold"]))
    expectations, uid = Expectations(), made["metadata"]["uid"]
    await until(lambda: "a" in held(informer), 30)
    await client.delete(CONFIG_MAPS, namespace, "a", uid=uid)
    expectations.expect("k", deleted(informer.store, namespace, "a", uid), 0)
    await until(lambda: expectations.pending("k", 1) is None, 30)
    assert informer.store.get(namespace, "a").deleting
    await client.merge_patch(CONFIG_MAPS, namespace, "a", {"metadata": {"finalizers": None}})
    await until(lambda: "a" not in held(informer), 30)


async def test_expectations_are_met_by_the_watch(client, namespace, run):
    informer = run(Informer(client, CONFIG_MAPS, decode, namespace=namespace))
    await until(informer.synced.is_set, 30)
    expectations, store = Expectations(), informer.store
    made = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    expectations.expect("k", created(store, namespace, "a", made["metadata"]["resourceVersion"]), 0)
    patched = await client.merge_patch(CONFIG_MAPS, namespace, "a", {"data": {"colour": "blue"}})
    expected = written(store, namespace, "a", made["metadata"]["uid"], patched["metadata"]["resourceVersion"])
    expectations.expect("k", expected, 0)
    await until(lambda: expectations.pending("k", 1) is None, 30)
    assert store.get(namespace, "a").colour == "blue"


async def test_what_came_and_went_at_once_is_not_waited_for(client, namespace, run):
    informer = run(Informer(client, CONFIG_MAPS, decode, namespace=namespace))
    await until(informer.synced.is_set, 30)
    made = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    await client.delete(CONFIG_MAPS, namespace, "a")
    expected = created(informer.store, namespace, "a", made["metadata"]["resourceVersion"])
    await client.create(CONFIG_MAPS, namespace, config_map("b"))
    await until(lambda: "b" in held(informer), 30)
    assert informer.store.get(namespace, "a") is None
    assert expected.fulfilled()


async def test_a_feed_lists_what_is_there(client, namespace, run):
    await client.create(CONFIG_MAPS, namespace, config_map("a"))
    feed = run(Feed(client, CONFIG_MAPS, decode, namespace=namespace, resync=1.0))
    await until(lambda: held(feed) == {"a": "red"}, 30)
    await client.delete(CONFIG_MAPS, namespace, "a")
    await until(lambda: held(feed) == {}, 30)
