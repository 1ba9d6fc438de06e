"""A feed: kopf's events and lists of our own, in virtual time."""

import asyncio
from itertools import pairwise

import pytest

from operators.kube.errors import Unavailable
from operators.runtime.feed import Feed
from tests.unit.runtime.memory import MemoryApi
from tests.unit.runtime.views import SPACE, THINGS, decode, raw

pytestmark = pytest.mark.looptime


class Running:
    def __init__(self, **options):
        self.api = MemoryApi()
        self.feed = Feed(self.api, THINGS, decode, **{"resync": 300.0, **options})
        self.told = []
        self.feed.subscribe(lambda c: self.told.append((c.old and c.old.colour, c.new and c.new.colour)))

    async def __aenter__(self):
        self.task = asyncio.create_task(self.feed.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def put(self, name, colour, **more):
        return self.api.put(THINGS, raw(name, 0, colour=colour, **more))

    def drop(self, name):
        return self.api.drop(THINGS, SPACE, name)

    @property
    def held(self):
        return {view.name: view.colour for view in self.feed.store.values()}

    @property
    def lists(self):
        return sum(verb == "LIST" for verb, *_ in self.api.requests)


class SlowList:
    """Lists take their snapshot at once and arrive ten seconds later."""

    def __init__(self, run):
        run.api.lose = self

    async def __call__(self, verb, name):
        await asyncio.sleep(10)


async def test_the_first_list_fills_the_store():
    run = Running()
    run.put("a", "red")
    async with run:
        await asyncio.sleep(1)
        assert run.feed.synced.is_set()
        assert run.held == {"a": "red"}


async def test_events_come_before_and_after_the_first_list():
    run = Running()
    run.feed.observe("ADDED", run.put("a", "red"))
    async with run:
        await asyncio.sleep(1)
        run.feed.observe("MODIFIED", run.put("a", "blue"))
        run.feed.observe("ADDED", run.put("b", "green"))
        run.feed.observe("DELETED", run.drop("a"))
        assert run.held == {"b": "green"}
        assert run.told == [(None, "red"), ("red", "blue"), (None, "green"), ("blue", None)]


async def test_a_late_list_neither_drops_nor_rolls_back_what_kopf_brought_meanwhile():
    run = Running()
    run.put("a", "red")
    SlowList(run)
    async with run:
        await asyncio.sleep(5)  # the list's snapshot holds a only, and red
        run.feed.observe("MODIFIED", run.put("a", "blue"))
        run.feed.observe("ADDED", run.put("b", "green"))
        await asyncio.sleep(10)
        assert run.feed.synced.is_set()
        assert run.held == {"a": "blue", "b": "green"}


async def test_a_late_list_does_not_bring_back_what_kopf_saw_deleted_meanwhile():
    run = Running()
    body = run.put("a", "red")
    run.feed.observe("ADDED", body)
    SlowList(run)
    async with run:
        await asyncio.sleep(5)
        run.feed.observe("DELETED", run.drop("a"))
        await asyncio.sleep(10)
        assert run.feed.synced.is_set()
        assert run.held == {}


async def test_a_late_list_does_not_hide_the_new_object_of_an_old_name():
    run = Running()
    run.feed.observe("ADDED", run.put("a", "old", uid="first"))
    SlowList(run)
    async with run:
        await asyncio.sleep(5)
        run.feed.observe("DELETED", run.drop("a"))
        run.feed.observe("ADDED", run.put("a", "new", uid="second"))
        await asyncio.sleep(10)
        assert run.held == {"a": "new"}


async def test_a_late_event_does_not_bring_back_what_a_list_saw_deleted():
    run = Running()
    late = run.put("a", "red")
    run.drop("a")
    async with run:
        await asyncio.sleep(1)
        run.feed.observe("MODIFIED", late)
        assert run.held == {}


async def test_a_deletion_that_kopf_missed_is_seen_soon_after_it_lists_anew():
    run = Running()
    async with run:
        run.feed.observe(None, run.put("a", "red"))
        run.feed.observe(None, run.put("b", "blue"))
        await asyncio.sleep(30)
        before = run.lists
        run.drop("a")  # while kopf's watch is down
        run.feed.observe(None, run.put("b", "green"))
        await asyncio.sleep(5)
        assert run.held == {"b": "green"}
        assert run.lists == before + 1


async def test_a_deletion_that_nobody_told_of_does_not_survive_the_resync():
    run = Running()
    async with run:
        run.feed.observe("ADDED", run.put("a", "red"))
        await asyncio.sleep(10)
        run.drop("a")
        await asyncio.sleep(285)
        assert run.held == {"a": "red"}
        await asyncio.sleep(10)
        assert run.held == {}


async def test_a_resync_tells_of_everything_spread_over_its_time():
    run = Running()
    for n in range(10):
        run.put(f"t{n}", "red")
    async with run:
        await asyncio.sleep(1)
        run.told.clear()
        resync = asyncio.create_task(run.feed.resync(over=20.0))
        await asyncio.sleep(5)
        assert len(run.told) == 3
        run.feed.observe("DELETED", run.drop("t9"))
        run.feed.observe("MODIFIED", run.put("t8", "blue"))
        await resync
        assert asyncio.get_running_loop().time() == pytest.approx(21, abs=0.1)
        assert run.told.count(("red", "red")) == 8
        assert run.told.count(("blue", "blue")) == 1, "what it is by now, and what is gone not at all"


async def test_gaps_do_not_put_off_the_next_list():
    run = Running(resync=100.0)
    async with run:
        for _ in range(9):
            run.feed.observe(None, run.put("a", "red"))
            await asyncio.sleep(15)
        assert run.lists == 10


@pytest.mark.parametrize(
    ("error", "longest"),
    [(Unavailable(0, "NoAnswer", "connection refused"), 1), (Unavailable(500, "InternalError", "busy"), 30)],
)
async def test_a_failing_list_is_tried_again_soon_while_nobody_answers_else_less_and_less_often(error, longest):
    run = Running()
    run.put("a", "red")
    times = []

    async def down(verb, name):
        times.append(asyncio.get_running_loop().time())
        if times[-1] < 200:
            raise error

    run.api.answer = down
    async with run:
        await asyncio.sleep(150)
        assert not run.feed.synced.is_set()
        gaps = [b - a for a, b in pairwise(times)]
        assert gaps[0] < 2
        assert longest / 2 < max(gaps) <= longest
        await asyncio.sleep(100)
        assert run.feed.synced.is_set()
        assert run.held == {"a": "red"}
