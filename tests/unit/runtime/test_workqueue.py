"""The work queue in virtual time."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from operators.runtime.metrics import QueueFamilies, QueueMetrics
from operators.runtime.workqueue import QueueClosed, WorkQueue

pytestmark = pytest.mark.looptime


def now():
    return asyncio.get_running_loop().time()


async def ready(queue, within=0.0):
    """The next key, None when there is none within a time."""
    try:
        async with asyncio.timeout(within + 0.0001):
            return await queue.get()
    except TimeoutError:
        return None


async def fail(queue, key, times):
    """So many passes over the key, all of which fail."""
    queue.add(key)
    for _ in range(times):
        assert await queue.get() == key
        queue.add_rate_limited(key)
        queue.done(key)


async def test_keys_come_in_order_and_once():
    queue = WorkQueue()
    for key in "abac":
        queue.add(key)
    assert len(queue) == 3
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
    assert await ready(queue) is None


async def test_a_key_has_at_most_one_worker_and_comes_back_once():
    queue = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert await ready(queue, within=100) is None
    queue.done("a")
    assert await ready(queue) == "a"
    queue.done("a")
    assert await ready(queue) is None


async def test_a_busy_key_does_not_starve_the_others():
    queue = WorkQueue()
    queue.add("busy")
    seen = []
    for other in "abcd":
        queue.add(other)
        key = await queue.get()
        queue.add("busy")
        queue.done(key)
        seen.append(key)
    rest = [await queue.get() for _ in range(2)]
    assert set("abc") <= set(seen + rest)


async def test_a_waiting_worker_is_woken():
    queue = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(1)
    queue.add("a")
    queue.add("b")
    assert {await worker for worker in workers} == {"a", "b"}


async def test_a_cancelled_worker_takes_no_key_with_it():
    queue = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(1):
        assert await second == "a"


async def test_a_delayed_key_comes_when_it_is_due():
    queue = WorkQueue()
    queue.add_after("a", 30)
    assert await ready(queue, within=29.9) is None
    assert await ready(queue, within=0.2) == "a"


async def test_the_earliest_of_several_times_counts():
    queue = WorkQueue()
    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)
    assert await ready(queue, within=11) == "a"
    queue.done("a")
    assert await ready(queue, within=100) is None


async def test_a_pass_settles_what_was_asked_for_before_it():
    queue = WorkQueue()
    queue.add_after("a", 10)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert await ready(queue, within=100) is None


async def test_a_time_asked_for_during_a_pass_holds():
    queue = WorkQueue()
    queue.add("a")
    await queue.get()
    queue.add_after("a", 10)
    await asyncio.sleep(20)
    queue.done("a")
    assert await ready(queue) == "a"


async def test_failures_wait_longer_each_time_but_never_much_more_than_a_minute():
    queue = WorkQueue()
    delays = [queue.add_rate_limited("a") for _ in range(30)]
    assert delays[0] <= 0.005
    assert delays[3] <= 0.04
    assert 40 <= delays[-1] <= 60
    assert max(delays) <= 60
    assert queue.failures("a") == 30
    queue.forget("a")
    assert queue.failures("a") == 0
    assert queue.add_rate_limited("a") <= 0.005


async def test_a_wait_that_the_server_asked_for_is_kept_within_a_minute():
    queue = WorkQueue()
    assert queue.add_rate_limited("a", at_least=7.0) == 7.0
    assert queue.add_rate_limited("b", at_least=3600.0) == 60.0
    assert await ready(queue, within=6.9) is None
    assert await ready(queue, within=0.2) == "a"


async def test_an_event_wakes_a_failed_key_soon_but_not_in_a_hot_loop():
    queue = WorkQueue()
    await fail(queue, "a", times=20)
    queue.add("a")
    assert await ready(queue, within=0.9) is None
    assert await ready(queue, within=0.2) == "a", "the event may bring the cure"
    queue.done("a")


async def test_a_pass_whose_failure_causes_its_own_event_runs_about_once_a_second():
    queue = WorkQueue()
    queue.add("a")
    passes = 0
    while now() < 100:
        await queue.get()
        passes += 1
        queue.add("a")  # its own status write comes back as an event, during the pass
        queue.add_rate_limited("a")
        queue.done("a")
        queue.add("a")  # and after it
    assert passes < 115


async def test_a_pass_ends_the_quiet_time_that_was_on_when_it_began():
    queue = WorkQueue()
    queue.keep_quiet("a", 5.0)
    queue.add_after("a", 1.0)
    assert await ready(queue, within=1.1) == "a"
    queue.add("a")
    queue.done("a")
    assert await ready(queue, within=0.1) == "a", "an event during the pass is answered after it"


async def test_a_key_that_succeeded_is_not_held_back():
    queue = WorkQueue()
    await fail(queue, "a", times=20)
    queue.forget("a")
    queue.add("a")
    assert await ready(queue) == "a"


async def test_while_a_key_rests_what_is_asked_for_gathers():
    queue = WorkQueue()
    for _ in range(2):
        queue.keep_quiet("a", 3.0)
        for _ in range(5):
            queue.add("a")
            queue.add("b")
        assert await ready(queue) == "b"
        queue.done("b")
        began = now()
        assert await queue.get() == "a"
        assert now() - began == pytest.approx(3.0, abs=0.01)
        queue.done("a")
        assert await ready(queue, within=100) is None


async def test_what_was_asked_for_during_the_pass_waits_for_the_end_of_its_rest():
    queue = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.keep_quiet("a", 3.0)
    queue.done("a")
    assert await ready(queue, within=2.9) is None
    assert await ready(queue, within=0.2) == "a"


async def test_a_rest_puts_off_neither_a_time_asked_for_nor_a_first_event_after_it():
    queue = WorkQueue()
    queue.keep_quiet("a", 3.0)
    queue.add_after("a", 1.0)
    assert await ready(queue, within=1.1) == "a"
    queue.done("a")
    await asyncio.sleep(5)
    queue.add("a")
    assert await ready(queue) == "a"


async def test_a_key_that_is_gone_leaves_nothing_behind():
    queue = WorkQueue(QueueMetrics(QueueFamilies(CollectorRegistry()), "test"))
    for number in range(100):
        queue.add(number)
        await queue.get()
        queue.add_rate_limited(number)
        queue.done(number)
    for _ in range(100):
        key = await queue.get()
        queue.forget(key)
        queue.done(key)
    left = [v for k, v in vars(queue).items() if isinstance(v, dict | set) or k == "_queue"]
    assert not any(left), vars(queue)


async def test_a_closed_queue_gives_nothing_out_and_takes_nothing():
    queue = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    queue.add_after("later", 5)
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(QueueClosed):
        await waiting
    queue.add("a")
    queue.add_after("b", 1)
    await asyncio.sleep(10)
    assert len(queue) == 0
    with pytest.raises(QueueClosed):
        await queue.get()


async def test_metrics_show_a_pass_that_hangs_while_it_hangs():
    registry = CollectorRegistry()
    queue = WorkQueue(QueueMetrics(QueueFamilies(registry), "GameDeployment"))

    def value(name):
        return registry.get_sample_value(f"bkbcs_workqueue_{name}", {"name": "GameDeployment"})

    queue.add("a")
    queue.add("b")
    queue.add("c")
    assert value("depth") == 3
    await asyncio.sleep(2)
    await queue.get()
    await asyncio.sleep(40)
    await queue.get()
    await asyncio.sleep(10)
    assert value("depth") == 1
    assert value("adds_total") == 3
    assert value("longest_running_processor_seconds") == pytest.approx(50)
    assert value("unfinished_work_seconds") == pytest.approx(60)
    assert value("queue_duration_seconds_sum") == pytest.approx(44)
    queue.done("a")
    queue.add_rate_limited("a")
    assert value("work_duration_seconds_sum") == pytest.approx(50)
    assert value("retries_total") == 1
    queue.done("b")
    assert value("unfinished_work_seconds") == 0


async def passes(queue, seconds, took, log):
    """A worker: each pass takes its namespace's time and is repeated while there is any."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        key = await queue.get()
        await asyncio.sleep(took[key[0]])
        log[key[0]] += took[key[0]]
        queue.done(key)
        queue.add(key)


@pytest.mark.parametrize("workers", [1, 4])
async def test_namespaces_that_wait_get_equal_shares_of_the_workers(workers):
    queue, took = WorkQueue(), {"many": 0.01, "few": 0.03, "slow": 0.5}
    for namespace, count in (("many", 500), ("few", 40), ("slow", 40)):
        for number in range(count):
            queue.add((namespace, str(number)))
    log = dict.fromkeys(took, 0.0)
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(passes(queue, 300, took, log))
    shares = [seconds / sum(log.values()) for seconds in log.values()]
    assert all(abs(share - 1 / 3) < 0.02 for share in shares), log


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 8))
def test_a_key_of_another_namespace_waits_for_one_pass_of_each_that_fails(failing, workers):
    """Whatever queues up elsewhere: the new key is served after at most one pass of each other namespace."""

    async def scenario():
        queue = WorkQueue()
        for number, count in enumerate(failing):
            for name in range(count):
                queue.add((f"failing-{number}", str(name)))
        under_way = [await queue.get() for _ in range(min(workers, len(queue)))]
        queue.add(("good", "game"))
        for served in range(len(failing) + 1):
            if not under_way:
                break
            ended = under_way.pop(0)
            queue.add_rate_limited(ended)
            queue.done(ended)
            key = await queue.get()
            if key == ("good", "game"):
                return served
            under_way.append(key)
        raise AssertionError("the good key was not served")

    assert asyncio.run(scenario()) <= len(failing)
