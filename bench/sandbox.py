"""What a call in a worker costs, beside the same function in this process: ``python -m bench.sandbox``."""

import asyncio
import statistics
import time
from pathlib import Path

import orjson
import psutil

from operators.hookrun.isolated import FUNCTIONS
from operators.hookrun.workers import FUNCTIONS as MODULE
from operators.sandbox.errors import CpuLimitExceeded
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool

JUDGE = {
    "success": "asInt(result) == 3 && result != 'x'",
    "failure": None,
    "provider": "web",
    "reading": {"jsonPath": "{$.n}"},
}
BODIES = {"small": b'{"n": 3}', "1 MiB": b'{"pad": "' + b"x" * (1 << 20) + b'", "n": 3}'}
LISTS = b'{"list": ' + orjson.dumps([{"a": n, "b": "text"} for n in range(34_000)]) + b', "n": 3}'


def shown(name, samples):
    ordered = sorted(samples)
    late = ordered[int(len(ordered) * 0.99)]
    print(f"{name}: median {statistics.median(ordered) * 1e6:.0f} us, p99 {late * 1e6:.0f} us")


def memory(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return ", ".join(" ".join(line.split()) for line in lines if line.startswith(("Rss:", "Pss:", "Private_Dirty:")))


def cpu(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def trips(pool, name, body, number):
    (worker,) = psutil.Process(pool._zygote.pid).children()
    samples, ours, theirs = [], time.process_time(), cpu(worker.pid)
    for _ in range(number):
        began = time.perf_counter()
        assert (await pool.call("a", "judge_measurement", JUDGE, body))["phase"] == "Successful"
        samples.append(time.perf_counter() - began)
    ours, theirs = time.process_time() - ours, cpu(worker.pid) - theirs
    shown(f"{name}, in a worker", samples)
    print(f"  CPU: {ours / number * 1e6:.0f} us here, {theirs / number * 1e6:.0f} us in the worker")
    samples = []
    for _ in range(number):
        began = time.process_time()
        FUNCTIONS["judge_measurement"](JUDGE, body)
        samples.append(time.process_time() - began)
    shown(f"{name}, CPU in this process", samples)


async def kills():
    pool = WorkerPool("tests.unit.sandbox.hostile", limits=Limits())
    await pool.call("a", "echo", 1)
    ended, following = [], []
    for name in ["loop", "backtrack"] * 5:
        began = time.perf_counter()
        try:
            await pool.call("a", name, None)
        except CpuLimitExceeded:
            ended.append(time.perf_counter() - began)
        began = time.perf_counter()
        await pool.call("a", "echo", 1)
        following.append(time.perf_counter() - began)
    shown("until the error, limit 250 ms", ended)
    shown("next call after a kill, with the fork", following)
    await pool.close()


async def main():
    pool = WorkerPool(MODULE)
    began = time.perf_counter()
    await pool.start()
    print(f"start: {(time.perf_counter() - began) * 1e3:.0f} ms")
    await pool.call("a", "judge_measurement", JUDGE, BODIES["small"])
    for name, body in BODIES.items():
        await trips(pool, name, body, 1000 if name == "small" else 200)
    await trips(pool, "1 MiB of objects", LISTS, 50)
    (worker,) = psutil.Process(pool._zygote.pid).children()
    print("zygote", memory(pool._zygote.pid))
    print("worker", memory(worker.pid))
    await pool.close()
    await kills()


if __name__ == "__main__":
    asyncio.run(main())
