"""Large answers are in memory a few at a time, shared between namespaces, until their verdict."""

import asyncio

import pytest

from operators.hookrun import answermemory
from operators.hookrun.answermemory import SMALL, AnswerMemory, room_for
from operators.hookrun.providers.base import ProviderError
from operators.hookrun.providers.blocking import ThreadedCalls
from operators.hookrun.providers.transport import HttpTransport
from tests.unit.hookrun.servers import HERE, serving


async def turns():
    """Let every task go on as far as it can."""
    for _ in range(200):
        await asyncio.sleep(0)


async def reading(memory, namespace, size, end):
    async with memory.measurement(namespace):
        await room_for(size)
        await end.wait()


async def test_small_answers_need_no_place():
    memory, end = AnswerMemory(2), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reading(memory, "a", SMALL, end)) for _ in range(50)]
        await turns()
        assert memory.held("a") == 0
        end.set()
    assert all(task.done() for task in tasks)


async def test_large_answers_take_their_share_and_another_namespace_has_a_place_at_once():
    memory, end = AnswerMemory(8), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        many = [group.create_task(reading(memory, "a", SMALL + 1, end)) for _ in range(50)]
        await turns()
        assert memory.held("a") == 5, "its first, and two thirds of the six that are not kept for the first of others"
        group.create_task(reading(memory, "b", SMALL + 1, end))
        await turns()
        assert memory.held("b") == 1
        end.set()
    assert all(task.done() for task in many)
    assert (memory.held("a"), memory.held("b")) == (0, 0)


async def test_an_answer_that_grows_takes_one_place():
    memory = AnswerMemory(8)
    async with memory.measurement("a"):
        for size in (1, SMALL, SMALL + 1, 2 * SMALL, 16 * SMALL):
            await room_for(size)
        assert memory.held("a") == 1
    assert memory.held("a") == 0


async def test_what_gets_no_place_says_so_and_holds_none(monkeypatch):
    monkeypatch.setattr(answermemory, "_PATIENCE", 0.02)
    memory, end = AnswerMemory(1), asyncio.Event()
    holder = asyncio.create_task(reading(memory, "a", SMALL + 1, end))
    await turns()
    assert memory.held("a") == 1
    with pytest.raises(ProviderError, match="larger than 65536 bytes, and too many such answers"):
        await reading(memory, "b", SMALL + 1, end)
    end.set()
    await holder
    assert memory.held("b") == 0


@pytest.mark.parametrize("threaded", [False, True])
async def test_the_transport_takes_the_place_of_the_measurement_it_reads_for(threaded):
    memory = AnswerMemory(4)
    async with serving() as server:
        server.text("x" * (SMALL + 1))
        http = HttpTransport(HERE)
        async with memory.measurement("a"):
            if threaded:
                await ThreadedCalls(http, 1).run(lambda session: session.request("GET", server.url + "/q", {}, 5.0))
            else:
                await http.get(server.url, {}, 5.0)
            assert memory.held("a") == 1
    assert memory.held("a") == 0
