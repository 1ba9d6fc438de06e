"""The pool with real processes. What comes first is counted in calls; no time of the clock is compared."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from operators.sandbox import protocol
from operators.sandbox.errors import (
    AnswerTooLarge,
    CpuLimitExceeded,
    FunctionDefect,
    MemoryLimitExceeded,
    Refused,
    RequestTooLarge,
    Unavailable,
    WallLimitExceeded,
    WorkerDied,
)
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool

HOSTILE = "tests.unit.sandbox.hostile"
ROOT = Path(__file__).parents[3]


def descendants():
    """Processes of any pool of this process, zombies too."""
    return [p for p in psutil.Process().children(recursive=True) if p.status() == "zombie" or "sandbox" in line(p)]


def line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@asynccontextmanager
async def running(functions=HOSTILE, workers=1, **limits):
    pool = WorkerPool(functions, workers=workers, limits=Limits(**{"wall_seconds": 60.0, **limits}))
    try:
        yield pool
    finally:
        await pool.close()
    assert descendants() == []


@pytest.fixture
async def pool():
    async with running() as started:
        yield started


async def works(pool):
    assert await pool.call("other", "echo", 1, b"body") == [1, "body"]


async def until(condition):
    """Wait for processes, which tell nobody; gives what the condition gives as soon as it is true."""
    for _ in range(4000):
        if found := condition():
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("nothing happened")


def gone(pid):
    try:
        return psutil.Process(pid).status() == "zombie"
    except psutil.NoSuchProcess:
        return True


async def test_argument_and_body_go_in_and_the_result_comes_out(pool):
    await works(pool)
    body = b"z" * (1 << 20)
    assert await pool.call("a", "echo", {"ü": [1, None]}, body) == [{"ü": [1, None]}, body.decode()]


async def test_a_worker_answers_many_calls(pool):
    assert len({await pool.call("a", "pid", None) for _ in range(20)}) == 1


@pytest.mark.parametrize("name", ["loop", "digits", "backtrack"])
async def test_too_much_cpu_ends_the_call_in_python_and_in_c(pool, name):
    with pytest.raises(CpuLimitExceeded, match="the limit of 250 ms of CPU time was exceeded"):
        await pool.call("a", name, None)
    await works(pool)


async def test_a_call_may_have_a_limit_of_its_own(pool):
    with pytest.raises(CpuLimitExceeded, match="20 ms"):
        await pool.call("a", "loop", None, cpu_seconds=0.02)


@pytest.mark.parametrize("name", ["allocate", "allocate_at_once"])
async def test_too_much_memory_ends_the_call(pool, name):
    before = await pool.call("a", "pid", None)
    with pytest.raises(MemoryLimitExceeded, match="the limit of 256 MiB of memory was exceeded"):
        await pool.call("a", name, None)
    assert await pool.call("a", "pid", None) != before


async def test_a_worker_that_grew_is_replaced_after_its_answer(pool):
    before = await pool.call("a", "pid", None)
    assert await pool.call("a", "grow", 1 << 20) == 1 << 20
    assert await pool.call("a", "pid", None) == before
    assert await pool.call("a", "grow", 64 << 20) == 64 << 20
    assert await pool.call("a", "pid", None) != before


async def test_too_deep_recursion_is_refused(pool):
    with pytest.raises(Refused, match="nested too deeply"):
        await pool.call("a", "recurse", None)
    await works(pool)


async def test_an_overflow_of_the_stack_ends_the_worker_only(pool):
    with pytest.raises((WorkerDied, MemoryLimitExceeded)):
        await pool.call("a", "overflow", None, cpu_seconds=5.0)
    await works(pool)


async def test_errors_of_the_function_come_with_their_text(pool):
    with pytest.raises(Refused, match="that is wrong"):
        await pool.call("a", "refuse", "that is wrong")
    with pytest.raises(FunctionDefect, match="internal error in fail") as caught:
        await pool.call("a", "fail", "key")
    assert "KeyError" in caught.value.details
    with pytest.raises(FunctionDefect, match="internal error in absent"):
        await pool.call("a", "absent", None)
    assert await pool.call("a", "pid", None)


async def test_sizes_are_bounded(pool):
    with pytest.raises(RequestTooLarge):
        await pool.call("a", "echo", None, b"x" * protocol.REQUEST_LIMIT)
    assert await pool.call("a", "long_answer", 1 << 20) == "x" * (1 << 20)
    with pytest.raises(AnswerTooLarge):
        await pool.call("a", "long_answer", protocol.ANSWER_LIMIT)
    await works(pool)


@pytest.mark.parametrize("name", ["scribble", "leave"])
async def test_a_worker_that_does_not_answer_properly_is_replaced(pool, name):
    with pytest.raises(WorkerDied):
        await pool.call("a", name, None)
    await works(pool)


async def test_what_a_worker_wrote_unasked_is_no_answer_to_the_next_call(pool):
    assert await pool.call("a", "answer_twice", None) is None
    await works(pool)


async def test_a_worker_that_is_stopped_is_ended_by_the_clock():
    async with running(wall_seconds=0.2) as pool:
        with pytest.raises(WallLimitExceeded, match=r"the limit of 0\.2 s was exceeded"):
            await pool.call("a", "stop", None)
        await works(pool)


async def test_an_idle_worker_that_is_killed_is_replaced(pool):
    pid = await pool.call("a", "pid", None)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: gone(pid))
    assert await pool.call("a", "pid", None) != pid


async def test_a_busy_worker_that_is_killed_fails_its_call_only():
    async with running(workers=2, cpu_seconds=30.0, wall_seconds=60.0) as pool:
        assert await pool.call("a", "pid", None)
        busy = asyncio.create_task(pool.call("a", "loop", None))
        pids = await workers_of(pool, 2)
        looping = await busiest(pids)
        await works(pool)
        os.kill(looping, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            await busy
        await works(pool)


async def workers_of(pool, number):
    """Process ids of the workers, when there are so many."""
    zygote = psutil.Process(pool._zygote.pid)
    found = await until(lambda: [p.pid for p in zygote.children()][number - 1 :] and zygote.children())
    return [process.pid for process in found]


async def busiest(pids):
    """The one that uses CPU."""
    return await until(lambda: next((p for p in pids if sum(psutil.Process(p).cpu_times()[:2]) > 0.1), None))


async def test_a_zygote_that_is_killed_is_started_again(pool):
    worker = await pool.call("a", "pid", None)
    zygote = pool._zygote.pid
    os.kill(zygote, signal.SIGKILL)
    await until(lambda: gone(worker))
    assert await pool.call("a", "pid", None) != worker
    assert pool._zygote.pid != zygote


async def test_a_call_under_way_when_the_zygote_is_killed_is_made_again():
    async with running(cpu_seconds=0.6, wall_seconds=60.0) as pool:
        await pool.start()
        call = asyncio.create_task(pool.call("a", "loop", None))
        zygote = pool._zygote.pid
        await busiest(await workers_of(pool, 1))
        os.kill(zygote, signal.SIGKILL)
        with pytest.raises(CpuLimitExceeded):
            await call
        assert pool._zygote.pid != zygote


async def test_a_zygote_that_is_stopped_is_replaced_with_its_workers():
    async with running(wall_seconds=0.2) as pool:
        await pool.start()
        zygote = pool._zygote.pid
        await works(pool)
        os.kill(zygote, signal.SIGSTOP)
        with pytest.raises(WallLimitExceeded):
            await pool.call("a", "stop", None)
        await works(pool)
        assert pool._zygote.pid != zygote


async def test_functions_that_cannot_be_loaded_fail_the_calls(capfd):
    async with running("tests.unit.sandbox.absent") as pool:
        with pytest.raises(Unavailable):
            await pool.call("a", "echo", 1)
        with pytest.raises(Unavailable):
            await pool.start()
    assert "ModuleNotFoundError" in capfd.readouterr().err


async def test_a_worker_has_nothing_of_its_parent(pool, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    found = await pool.call("a", "surroundings", None)
    assert found["environment"] == {}
    assert len(found["files"]) == 5  # three that are /dev/null, the connection, and the folder that lists them
    assert found["log"] == os.devnull
    assert found["parent"] == pool._zygote.pid
    assert found["limits"]["AS"] == [256 << 20] * 2
    assert found["limits"]["CORE"] == found["limits"]["FSIZE"] == [0, 0]
    assert found["limits"]["NOFILE"] == [16, 16]
    assert found["nice"] > 0


def test_the_real_functions_load_no_part_of_the_operators_that_does_io():
    code = "import sys, operators.sandbox.worker, operators.hookrun.isolated; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    names = {name.partition(".")[0] for name in loaded.split()}
    assert not names & {"asyncio", "kopf", "kubernetes", "aiohttp", "httpx", "requests", "pydantic", "ssl"}
    assert not any(name.startswith(("operators.runtime", "operators.kube.client")) for name in loaded.split())


async def test_a_call_given_up_while_it_waits_is_never_made(pool):
    await pool.start()
    order = []
    first = asyncio.create_task(noted(pool, order, "a", "loop"))
    given_up = asyncio.create_task(noted(pool, order, "b", "loop"))
    last = asyncio.create_task(noted(pool, order, "c", "echo"))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(first, given_up, last, return_exceptions=True)
    assert order == ["a", "c"]


async def test_a_call_given_up_while_it_is_made_leaves_the_worker_in_order(pool):
    await pool.start()
    call = asyncio.create_task(pool.call("a", "loop", None))
    await busiest(await workers_of(pool, 1))
    call.cancel()
    await asyncio.gather(*(works(pool) for _ in range(10)))
    assert call.cancelled()


async def noted(pool, order, namespace, name):
    with suppress(CpuLimitExceeded):
        await pool.call(namespace, name, None)
    order.append(namespace)


async def test_a_namespace_that_always_hits_the_limit_delays_no_other_by_more_than_one_call():
    async with running(cpu_seconds=0.02) as pool:
        await pool.start()
        order = []
        calls = [noted(pool, order, "hostile", "loop") for _ in range(100)]
        calls += [noted(pool, order, "good", "echo") for _ in range(100)]
        await asyncio.gather(*calls)
    assert order.count("good") == order.count("hostile") == 100
    last_good = max(place for place, namespace in enumerate(order) if namespace == "good")
    assert order[:last_good].count("hostile") <= 2


async def test_one_good_call_after_the_other_waits_for_one_hostile_call_each():
    async with running(cpu_seconds=0.02) as pool:
        await pool.start()
        order, between = [], []
        hostile = [asyncio.create_task(noted(pool, order, "hostile", "loop")) for _ in range(50)]
        for _ in range(20):
            before = order.count("hostile")
            await noted(pool, order, "good", "echo")
            between.append(order.count("hostile") - before)
        await asyncio.gather(*hostile)
    assert max(between) <= 1


async def test_one_namespace_never_takes_the_last_of_several_workers():
    async with running(workers=3, cpu_seconds=30.0) as pool:
        await pool.start()
        hostile = [asyncio.create_task(pool.call("hostile", "loop", None)) for _ in range(5)]
        for _ in range(20):
            await works(pool)
        assert not any(call.done() for call in hostile)
        found = await workers_of(pool, 3)
        assert await until(lambda: sum(sum(psutil.Process(p).cpu_times()[:2]) > 0.05 for p in found) == 2)
        await pool.close()
        await asyncio.gather(*hostile, return_exceptions=True)


async def test_closing_ends_what_waits_and_what_runs():
    pool = WorkerPool(HOSTILE, limits=Limits(cpu_seconds=30.0, wall_seconds=60.0))
    calls = [asyncio.create_task(pool.call("a", "loop", None)) for _ in range(3)]
    await pool.start()
    await busiest(await workers_of(pool, 1))
    await pool.close()
    assert [type(error) for error in await asyncio.gather(*calls, return_exceptions=True)] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await pool.call("a", "echo", 1)
    assert descendants() == []


async def test_a_pool_that_was_never_used_has_no_processes():
    pool = WorkerPool(HOSTILE)
    assert descendants() == []
    await pool.close()


_FIRST_PROCESS = """
    import asyncio, ctypes, os, signal, sys
    import psutil
    from operators.sandbox.limits import Limits
    from operators.sandbox.pool import WorkerPool

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans become children of this process, as in a container

    async def main():
        pool = WorkerPool("tests.unit.sandbox.hostile", workers=3, limits=Limits(cpu_seconds=30.0, wall_seconds=60.0))
        await pool.start()
        busy = [asyncio.create_task(pool.call("a", "loop", None)) for _ in range(2)]
        await pool.call("b", "echo", 1)
        while len(started := psutil.Process().children(recursive=True)) < 4:
            await asyncio.sleep(0.005)
        if sys.argv[1] == "die":
            print(*[p.pid for p in started], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        killed = pool._zygote
        os.kill(killed.pid, signal.SIGKILL)
        while pool._zygote in (killed, None):
            await asyncio.sleep(0.005)
        await pool.call("b", "echo", 1)
        print(*[p.pid for p in psutil.Process().children(recursive=True) if p.status() == "zombie"], flush=True)
        await pool.close()
        print(*[p.pid for p in psutil.Process().children(recursive=True)], flush=True)
        await asyncio.gather(*busy, return_exceptions=True)

    asyncio.run(main())
"""


def first_process(how):
    command = [sys.executable, "-c", textwrap.dedent(_FIRST_PROCESS), how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_first_process_of_a_container_is_left_without_zombies():
    done = first_process("live")
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n\n", "")


async def test_no_process_outlives_the_operators():
    done = await asyncio.to_thread(first_process, "die")
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 4
    await until(lambda: all(map(gone, pids)))
