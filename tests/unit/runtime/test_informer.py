"""An informer against a scripted server: whatever happens to its connection, the store ends up right."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from operators.runtime.informer import Informer
from operators.runtime.metrics import CacheMetrics
from tests.logged import told
from tests.unit.kube.apiserver import answer, hang_up, is_list, is_watch, slow, status, until
from tests.unit.runtime.views import SPACE, THINGS, decode


class Running:
    """An informer that runs, with all it told."""

    def __init__(self, client, **options):
        self.informer = Informer(client, THINGS, options.pop("decode", decode), **options)
        self.registry = CollectorRegistry()
        self.informer.measure(CacheMetrics(self.registry), "things")
        self.told = []
        self.informer.subscribe(lambda c: self.told.append((c.old and c.old.colour, c.new and c.new.colour)))

    async def __aenter__(self):
        self.task = asyncio.create_task(self.informer.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def held(self):
        return {view.name: view.colour for view in self.informer.store.values()}

    def counted(self, name, **labels):
        return self.registry.get_sample_value(f"game_operators_cache_{name}", {"cache": "things", **labels})


def truth(server):
    return {name: body["spec"]["colour"] for name, body in server.things.items()}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Back-off in milliseconds, so that real connections can be tested."""
    monkeypatch.setattr("operators.runtime.watchbackoff.FIRST", 0.01)
    monkeypatch.setattr("operators.runtime.watchbackoff.LONGEST", 0.05)


async def test_a_paged_list_and_then_events(server, client):
    for number in range(1203):
        server.put(f"t{number}", "red")
    async with Running(client) as run:
        await until(run.informer.synced.is_set)
        assert run.held == truth(server)
        assert server.count(is_list) == 3
        server.put("t5", "blue")
        server.drop("t6")
        server.put("new", "green")
        await until(lambda: run.held == truth(server))
        assert run.told[-3:] == [("red", "blue"), ("red", None), (None, "green")]
        assert server.count(is_list) == 3
        assert run.counted("objects") == 1203
        assert run.counted("lists_total") == 1


@pytest.mark.parametrize("way", ["cut", "end"])
async def test_a_watch_that_ends_or_breaks_resumes_without_a_list(server, client, way):
    server.put("a", "red")
    async with Running(client) as run:
        await until(lambda: server.watches)
        server.put("a", "blue")
        await until(lambda: run.held == {"a": "blue"})
        getattr(server, way)()
        await until(lambda: server.count(is_watch) == 2)
        server.drop("a")
        server.put("b", "green")
        await until(lambda: run.held == truth(server))
        assert server.count(is_list) == 1
        assert run.told == [(None, "red"), ("red", "blue"), ("blue", None), (None, "green")]


async def test_a_silent_watch_is_left_and_resumed(server, client):
    async def deaf(request):
        from aiohttp import web

        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)

    server.put("a", "red")
    server.faults.append((is_watch, deaf))
    async with Running(client, silence=0.2) as run:
        await until(run.informer.synced.is_set)
        server.put("a", "blue")
        await until(lambda: run.held == {"a": "blue"})
        assert run.counted("failures_total", reason="WatchBroken") == 1


async def test_it_resumes_from_a_bookmark(server, client):
    server.put("a", "red")
    async with Running(client) as run:
        await until(lambda: server.watches)
        server.version += 1000
        server.bookmark()
        await until(lambda: run.informer.store.version == str(server.version))
        server.compact()  # only what the bookmark told is still known to the server
        server.cut()
        await until(lambda: server.count(is_watch) == 2)
        assert server.requests[-1][0].query["resourceVersion"] == str(server.version)
        server.put("b", "blue")
        await until(lambda: run.held == truth(server))
        assert server.count(is_list) == 1


async def test_deletions_in_a_gap_are_told_after_410(server, client):
    for name in "abc":
        server.put(name, name)
    async with Running(client) as run:
        await until(lambda: server.watches)
        server.faults.append((is_watch, slow(0.2)))
        server.cut()
        await until(lambda: not server.watches)
        server.drop("a")
        server.put("b", "changed")
        server.put("d", "d")
        server.compact()
        await until(lambda: run.held == truth(server))
        assert server.count(is_list) == 2
        assert set(run.told[3:]) == {("a", None), ("b", "changed"), (None, "d")}


async def test_410_as_an_event_makes_it_list(server, client):
    async with Running(client) as run:
        await until(lambda: server.watches)
        server.say({"type": "ERROR", "object": status(410, "Expired")})
        await until(lambda: server.count(is_list) == 2)
        server.put("a", "red")
        await until(lambda: run.held == {"a": "red"})


async def test_pages_that_expire_in_mid_list_are_taken_in_one_piece(server, client):
    for number in range(1200):
        server.put(f"t{number}")

    async def forget(request):
        if "continue" in request.query:
            server.snapshots.clear()

    server.faults.append((lambda r: "continue" in r.query, forget))
    async with Running(client) as run:
        await until(run.informer.synced.is_set)
        assert len(run.held) == 1200
        assert "limit" not in [r for r, _ in server.requests if is_list(r)][-1].query


async def test_a_first_list_that_fails_is_tried_again(server, client):
    server.put("a", "red")
    server.faults += [(is_list, answer(403, "Forbidden")), (is_list, answer(404, "NotFound"))]
    async with Running(client) as run:
        await until(run.informer.synced.is_set)
        assert run.held == {"a": "red"}


async def test_a_watch_that_ends_at_once_is_no_hot_loop(server, client):
    async def nothing(request):
        from aiohttp import web

        response = web.StreamResponse()
        await response.prepare(request)
        return response

    server.faults += [(is_watch, nothing)] * 4
    async with Running(client) as run:
        await until(lambda: server.watches)
        assert run.counted("failures_total", reason="WatchTooShort") == 4


async def test_failures_far_apart_do_not_add_up(server, client, caplog):
    """A watch that breaks now and then for weeks must not end in the longest back-off, nor in alarm."""
    caplog.set_level(logging.INFO)
    async with Running(client) as run:
        for n in range(6):
            await until(lambda: server.watches)
            server.put("a", str(n))
            await until(lambda n=n: run.held == {"a": str(n)})
            server.cut()
            await until(lambda n=n: server.count(is_watch) == n + 2)
    messages = [r for r in caplog.records if "list or watch failed cache=things" in told(r)]
    assert len(messages) == 6
    assert {r.levelno for r in messages} == {logging.INFO}


async def test_a_server_that_keeps_refusing_the_watch_is_asked_for_a_list(server, client):
    server.faults += [(is_watch, answer(400, "BadRequest"))] * 3
    async with Running(client) as run:
        await until(lambda: server.watches)
        assert server.count(is_list) == 2
        server.put("a", "red")
        await until(lambda: run.held == {"a": "red"})


async def test_a_server_that_does_not_answer_is_not_burdened_with_lists(server, client):
    server.faults += [(is_watch, hang_up)] * 6
    async with Running(client):
        await until(lambda: server.watches)
        assert server.count(is_list) == 1


async def test_a_restored_backup_is_noticed(server, client):
    server.put("a", "new")
    server.put("b", "lost")
    async with Running(client) as run:
        await until(lambda: run.held == truth(server) and server.watches)
        server.version = 50
        server.history.clear()
        server.things = {}
        server.put("a", "old")
        await until(lambda: run.held == {"a": "old"})
        server.put("a", "older, but later")
        await until(lambda: run.held == truth(server))


async def test_one_odd_object_hides_no_other(server, client, caplog):
    server.put("good", "red")
    server.put("odd", "red")
    async with Running(client) as run:
        await until(lambda: run.held == truth(server) and server.watches)
        del server.things["odd"]["spec"]
        server.version += 1
        body = {**server.things["odd"], "metadata": {**server.things["odd"]["metadata"]}}
        body["metadata"]["resourceVersion"] = str(server.version)
        server.say({"type": "MODIFIED", "object": body})
        server.put("good", "blue")
        await until(lambda: run.held == {"good": "blue", "odd": "red"})
        assert run.counted("unreadable_objects_total") == 1
        server.compact()
        server.put("good", "green")
        await until(lambda: run.held["good"] == "green")
        server.say({"type": "ERROR", "object": status(410, "Expired")})
        await until(lambda: run.counted("lists_total") == 2)
        assert run.held == {"good": "green", "odd": "red"}, "an object that is still there must not seem deleted"
        assert run.counted("unreadable_objects_total") == 2
    assert any(
        "leaving it out" in told(r) and "name=odd" in told(r) and r.levelno == logging.ERROR for r in caplog.records
    )


async def test_a_subscriber_that_fails_stops_nobody(server, client, caplog):
    def fails(change):
        raise RuntimeError("a defect")

    run = Running(client)
    run.informer._handlers.insert(0, fails)
    async with run:
        server.put("a", "red")
        await until(lambda: run.told == [(None, "red")])
        assert run.counted("handler_errors_total") == 1
    assert "failed on a change" in caplog.text


async def test_what_is_only_good_to_have_may_be_forbidden(server, client):
    server.faults += [(is_list, answer(403, "Forbidden", "nodes is forbidden"))]
    async with Running(client, optional=True) as run:
        await until(run.informer.synced.is_set)
        assert run.held == {}
        await asyncio.sleep(0)
        assert server.count() == 1, "it asks again after minutes only"
        async with asyncio.timeout(1):
            await run.informer.refresh()


async def test_resync_tells_of_everything_once_more(server, client):
    server.put("a", "red")
    async with Running(client) as run:
        await until(lambda: run.held == truth(server))
        run.told.clear()
        await run.informer.resync(over=0.01)
        assert run.told == [("red", "red")]


async def test_the_store_knows_how_far_it_is(server, client):
    async with Running(client) as run:
        await until(run.informer.synced.is_set)
        body = server.put("a", "red")
        version = body["metadata"]["resourceVersion"]
        await until(lambda: run.informer.store.reached(version))
        assert run.informer.store.get(SPACE, "a") is not None
        server.drop("a")
        await until(lambda: not run.held)
        assert run.informer.store.reached(version)


async def test_a_refresh_lists_anew_and_returns_when_the_store_is_as_new_as_the_call(server, client):
    server.put("a", "red")
    async with Running(client) as run:
        await until(lambda: run.held == {"a": "red"} and server.watches)
        listed = server.count(is_list)
        await asyncio.wait_for(run.informer.refresh(), 10)
        assert server.count(is_list) == listed + 1
        server.put("a", "blue")
        await until(lambda: run.held == {"a": "blue"})


async def test_a_refresh_outlives_lists_that_fail(server, client):
    server.put("a", "red")
    async with Running(client) as run:
        await until(lambda: run.held == {"a": "red"} and server.watches)
        server.faults += [(is_list, answer(503, "ServiceUnavailable"))] * 8
        await asyncio.wait_for(run.informer.refresh(), 30)
        assert not server.faults
        assert run.held == {"a": "red"}


async def test_a_refresh_during_a_list_waits_for_the_next_one(server, client):
    """The list that is under way may have been answered before the call."""
    server.put("a", "red")
    server.faults.append((is_list, slow(0.3)))
    async with Running(client) as run:
        await until(lambda: server.count(is_list) == 1)
        await asyncio.wait_for(run.informer.refresh(), 10)
        assert server.count(is_list) == 2
