"""Informer and expectations stay right on a real API server behind a connection that fails all the time."""

import asyncio
import random

import pytest

from operators.kube.errors import ApiError, Conflict, NotFound
from operators.kube.official import connect
from operators.kube.resources import Resource
from operators.runtime.batching import bounded
from operators.runtime.expectations import Expectations, created, deleted, written
from operators.runtime.informer import Informer
from tests.faults.proxy import Fault
from tests.unit.kube.apiserver import until
from tests.unit.runtime.views import Thing

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def decode(body):
    metadata = body["metadata"]
    colour = (body.get("data") or {}).get("colour", "")
    deleting = bool(metadata.get("deletionTimestamp"))
    return Thing(
        metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"], colour, deleting
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("operators.runtime.watchbackoff.LONGEST", 0.5)


@pytest.fixture
async def direct(cluster):
    """A client that nothing disturbs."""
    made = await connect(kubeconfig=str(cluster.kubeconfig))
    yield made
    await made.close()


@pytest.fixture
async def disturbed(proxy):
    made = await connect(kubeconfig=str(proxy.kubeconfig))
    yield made
    await made.close()


@pytest.fixture
async def informer(disturbed, namespace):
    made = Informer(disturbed, CONFIG_MAPS, decode, namespace=namespace)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def held(informer):
    return {v.name: (v.uid, v.resource_version) for v in informer.store.values()}


async def truth(client, namespace):
    listed = await client.list(CONFIG_MAPS, namespace, limit=0)
    return {i["metadata"]["name"]: (i["metadata"]["uid"], i["metadata"]["resourceVersion"]) for i in listed["items"]}


async def settles(informer, client, namespace):
    expected = await truth(client, namespace)
    await until(lambda: held(informer) == expected, 60)


TROUBLE = (
    Fault("GET", ".*watch=1.*", status=500, share=0.3),
    Fault("GET", ".*watch=1.*", drop="request", share=0.3),
    Fault("GET", ".*watch=1.*", status=429, retry_after=0.1, share=0.3),
    Fault("GET", ".*watch=1.*", delay=0.5, share=0.3),
    Fault("GET", ".*limit=.*", status=503, retry_after=0.05, share=0.3),
    Fault("GET", ".*limit=.*", drop="answer", share=0.3),
    Fault("GET", ".*limit=.*", delay=0.3, share=0.5),
)


async def test_the_cache_is_right_after_any_trouble(proxy, direct, informer, namespace):
    """Objects come, change and go for some seconds while lists and watches fail; then the cache equals the truth."""
    chance = random.Random(7)
    changes = []
    informer.subscribe(lambda c: changes.append((c.old and c.old.name, c.new and c.new.name)))
    cuts = 0
    with proxy.trouble(*TROUBLE):
        for _ in range(60):
            name = f"m{chance.randrange(12)}"
            try:
                match chance.randrange(3):
                    case 0:
                        await direct.create(CONFIG_MAPS, namespace, {"metadata": {"name": name}})
                    case 1:
                        body = {"data": {"colour": str(chance.random())}}
                        await direct.merge_patch(CONFIG_MAPS, namespace, name, body)
                    case 2:
                        await direct.delete(CONFIG_MAPS, namespace, name)
            except (Conflict, NotFound, ApiError):
                pass
            await asyncio.sleep(chance.uniform(0, 0.15))
            if chance.random() < 0.2:
                cuts += proxy.cut_watches()
    assert cuts > 3, "no watch was cut: the test is worth nothing"
    await settles(informer, direct, namespace)
    # What was told adds up to what is there: no change was told twice, and no deletion was missed.
    alive = set()
    for old, new in changes:
        if old is None:
            assert new not in alive
            alive.add(new)
        else:
            assert old in alive
            if new is None:
                alive.discard(old)
    assert alive == set(held(informer))


async def test_deletions_while_nothing_gets_through_are_seen_afterwards(proxy, direct, informer, namespace):
    for n in range(10):
        await direct.create(CONFIG_MAPS, namespace, {"metadata": {"name": f"m{n}"}})
    await settles(informer, direct, namespace)
    gone = []
    informer.subscribe(lambda c: gone.append(c.old.name) if c.new is None else None)
    proxy.cut_everything()
    for n in range(5):
        await direct.delete(CONFIG_MAPS, namespace, f"m{n}")
    await direct.create(CONFIG_MAPS, namespace, {"metadata": {"name": "m0"}})  # the same name, another object
    await asyncio.sleep(1)
    assert len(informer.store) >= 10
    proxy.clear()
    await settles(informer, direct, namespace)
    assert {f"m{n}" for n in range(1, 5)} <= set(gone)


async def test_a_silent_watch_is_replaced(proxy, direct, disturbed, namespace):
    quiet = Informer(disturbed, CONFIG_MAPS, decode, namespace=namespace, silence=1.0)
    task = asyncio.create_task(quiet.run())
    try:
        await until(quiet.synced.is_set, 30)
        await until(lambda: proxy.requests["GET", "200"] >= 4, 30)  # list, and a watch renewed for silence
        await direct.create(CONFIG_MAPS, namespace, {"metadata": {"name": "late"}})
        await settles(quiet, direct, namespace)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_expectations_hold_until_the_cache_shows_writes_whose_answers_got_lost(
    proxy, disturbed, direct, informer, namespace
):
    """Every second answer to a write is lost, watches are cut: nothing is written twice, nothing waits for ever."""
    expectations, store, loop = Expectations(), informer.store, asyncio.get_running_loop()
    await until(informer.synced.is_set, 30)

    async def write(name):
        try:
            answer = await disturbed.create(CONFIG_MAPS, namespace, {"metadata": {"name": name}})
            expected = created(store, namespace, name, answer["metadata"]["resourceVersion"])
        except ApiError:
            expected = created(store, namespace, name)
        expectations.expect("all", expected, loop.time())

    with proxy.trouble(Fault("POST", drop="answer", share=0.5), *TROUBLE):
        await bounded([lambda n=n: write(f"e{n}") for n in range(30)], limit=5)
        proxy.cut_watches()
        await until(lambda: expectations.pending("all", loop.time()) is None, 60)
    assert set(held(informer)) >= {f"e{n}" for n in range(30)}
    view = store.get(namespace, "e0")
    answer = await direct.merge_patch(CONFIG_MAPS, namespace, "e0", {"data": {"colour": "blue"}})
    version = answer["metadata"]["resourceVersion"]
    expectations.expect("all", written(store, namespace, "e0", view.uid, version), loop.time())
    await direct.delete(CONFIG_MAPS, namespace, "e1", uid=store.get(namespace, "e1").uid)
    expectations.expect("all", deleted(store, namespace, "e1", ""), loop.time())
    await until(lambda: expectations.pending("all", loop.time()) is None, 60)
    assert store.get(namespace, "e0").colour == "blue"
