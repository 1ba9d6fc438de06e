"""Slots in virtual time."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looptime import new_event_loop

from operators.sandbox.slots import FairSemaphore

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


async def hold(semaphore, namespace, seconds, waited=None):
    asked = now()
    async with semaphore.slot(namespace):
        if waited is not None:
            waited.append(now() - asked)
        await asyncio.sleep(seconds)


def start(semaphore, namespace, number, seconds, waited=None):
    return [asyncio.create_task(hold(semaphore, namespace, seconds, waited)) for _ in range(number)]


async def end(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_third_namespace_does_not_wait_for_holders_of_two_others():
    semaphore, waited = FairSemaphore(500), []
    tasks = start(semaphore, "a", 400, 300.0) + start(semaphore, "b", 400, 300.0)
    await asyncio.sleep(1.0)
    await asyncio.gather(*start(semaphore, "c", 40, 0.001, waited))
    assert max(waited) < 2.0
    assert waited[0] == 0.0
    await end(tasks)


async def test_each_new_namespace_gets_a_slot_at_once_until_the_reserve_holds_all():
    semaphore, tasks = FairSemaphore(60, reserve=30), []
    for number in range(30):
        waited = []
        tasks += start(semaphore, f"n{number}", 100, 300.0, waited)
        await asyncio.sleep(1.0)
        assert waited[0] == 0.0
    assert sum(semaphore.held(f"n{number}") for number in range(30)) == 60
    await end(tasks)


async def test_a_lone_namespace_gets_two_thirds_of_what_is_not_reserved():
    semaphore = FairSemaphore(500)
    tasks = start(semaphore, "a", 600, 300.0)
    await asyncio.sleep(1.0)
    assert semaphore.held("a") == 251
    await end(tasks)


async def test_namespaces_that_come_together_get_the_same():
    semaphore = FairSemaphore(500)
    tasks = [task for _ in range(400) for name in "ab" for task in start(semaphore, name, 1, 300.0)]
    await asyncio.sleep(1.0)
    assert (semaphore.held("a"), semaphore.held("b")) == (151, 151)
    await end(tasks)


async def test_freed_slots_go_to_who_holds_fewest():
    semaphore = FairSemaphore(10)
    tasks = start(semaphore, "a", 20, 100.0)
    await asyncio.sleep(50.0)
    tasks += start(semaphore, "b", 20, 100.0)
    await asyncio.sleep(51.0)
    assert {semaphore.held("a"), semaphore.held("b")} == {4, 5}
    await end(tasks)


async def test_one_slot_is_enough_to_work():
    semaphore, waited = FairSemaphore(1), []
    await asyncio.gather(*start(semaphore, "a", 3, 1.0, waited), *start(semaphore, "b", 1, 1.0, waited))
    assert sorted(waited) == [0.0, 1.0, 2.0, 3.0]


async def test_cancelled_while_waiting_leaves_the_slot_to_others():
    semaphore, waited = FairSemaphore(1), []
    (holder,) = start(semaphore, "a", 1, 10.0)
    await asyncio.sleep(1.0)
    (given_up,) = start(semaphore, "b", 1, 10.0)
    later = start(semaphore, "c", 1, 1.0, waited)
    await asyncio.sleep(1.0)
    given_up.cancel()
    await asyncio.gather(holder, *later)
    assert waited == [9.0]
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_cancelled_in_the_turn_of_the_release_leaves_the_slot_to_the_next():
    semaphore, waited = FairSemaphore(1), []
    (holder,) = start(semaphore, "a", 1, 10.0)
    (given_up,) = start(semaphore, "b", 1, 10.0)
    (later,) = start(semaphore, "c", 1, 1.0, waited)
    await asyncio.sleep(1.0)
    holder.cancel()
    given_up.cancel()
    ended = await asyncio.gather(holder, given_up, later, return_exceptions=True)
    assert [type(error) for error in ended] == [asyncio.CancelledError, asyncio.CancelledError, type(None)]
    assert waited == [1.0]


async def test_those_that_gave_up_take_no_memory():
    semaphore = FairSemaphore(1)
    (holder,) = start(semaphore, "a", 1, 10.0)
    given_up = [task for number in range(100) for task in start(semaphore, f"n{number}", 3, 1.0)]
    await asyncio.sleep(1.0)
    await end(given_up)
    assert (len(semaphore._queue), semaphore._queue.remembered) == (0, 1)
    await holder


async def test_namespaces_that_are_done_keep_nothing():
    semaphore = FairSemaphore(500)
    await asyncio.gather(*(hold(semaphore, f"n{number}", 1.0) for number in range(400)))
    tasks = start(semaphore, "a", 600, 300.0)
    await asyncio.sleep(1.0)
    assert semaphore.held("a") == 251
    await end(tasks)


async def test_cancelled_in_the_turn_of_the_grant_gives_the_slot_back():
    semaphore = FairSemaphore(1)
    (holder,) = start(semaphore, "a", 1, 10.0)
    (granted,) = start(semaphore, "b", 1, 10.0)
    await asyncio.sleep(1.0)
    holder.cancel()
    await asyncio.sleep(0)
    granted.cancel()
    await asyncio.gather(holder, granted, return_exceptions=True)
    assert (semaphore.held("a"), semaphore.held("b")) == (0, 0)
    await hold(semaphore, "c", 0.0)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 30)),
        st.tuples(st.just("cancel"), st.integers(0, 40)),
        st.tuples(st.just("wait"), st.integers(0, 10)),
    ),
    max_size=60,
)


async def keeps_its_word(steps, slots):
    semaphore, tasks = FairSemaphore(slots), []
    for what, number in steps:
        if what == "cancel" and tasks:
            tasks[number % len(tasks)].cancel()
        elif what == "wait":
            await asyncio.sleep(number)
        elif what in "abcdefgh":
            before = {name: semaphore.held(name) for name in "abcdefgh"}
            waited = []
            tasks += start(semaphore, what, 1, float(number), waited)
            await asyncio.sleep(0)
            holders = sum(held > 0 for held in before.values())
            if not before[what] and holders < max(min(2, slots), slots // 4):
                await asyncio.sleep(0)
                assert waited == [0.0]
        assert sum(map(semaphore.held, "abcdefgh")) <= slots
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(map(semaphore.held, "abcdefgh")) == 0
    assert semaphore._queue.remembered == 0


@settings(max_examples=200, deadline=None)
@given(_STEPS, st.integers(1, 12))
def test_newcomers_get_a_slot_and_none_is_lost(steps, slots):
    loop = new_event_loop()
    try:
        loop.run_until_complete(keeps_its_word(steps, slots))
    finally:
        loop.close()
