"""HookTemplates are read by a worker under limits, and this process keeps nothing of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from prometheus_client import CollectorRegistry

from operators.sandbox.errors import CpuLimitExceeded, FunctionDefect, Unavailable, WallLimitExceeded, WorkerDied
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool
from tests.unit.webhooks.builders import DEFAULT, delete, hook_template, metric, review, web
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options
from webhooks.metrics import Metrics
from webhooks.process import VALIDATION_LIMITS

#: A condition of the size that makes the largest tree.
LARGE = f"[{','.join(['[]'] * 300)}] == []"


class Answers:
    """A pool that gives one answer, or fails in one way; keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    async def call(self, namespace: str, name: str, argument: Any, body: bytes = b"") -> Any:
        self.asked.append((namespace, name, argument))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def handlers(pool: Any) -> ReviewHandlers:
    return ReviewHandlers(Options(), None, Metrics(CollectorRegistry()), pool)


def created(template: dict[str, Any]):
    return review("CREATE", "HookTemplate", new=template)


@asynccontextmanager
async def running(limits: Limits = VALIDATION_LIMITS):
    pool = WorkerPool("webhooks.validation.functions", limits=limits)
    try:
        yield pool
    finally:
        await pool.close()


def hostile() -> dict[str, Any]:
    """As much as the CRD allows: 64 large conditions, paths and headers with many tags."""
    tags = "{{ args.PodIP }}" * 250
    provider = web(url=f"http://{tags}", jsonPath="{" + ".a[*]" * 200 + "}", headers=[{"key": "a", "value": tags}])
    full = {"successCondition": LARGE, "failureCondition": LARGE, "provider": provider}
    return hook_template(*(metric(f"m{i}", **full) for i in range(32)))


async def test_a_worker_finds_what_is_wrong():
    async with running() as pool:
        judge = handlers(pool)
        bad = hook_template(metric(successCondition="asInt(result) =="))
        verdict = await judge.validate_spec(created(bad))
        assert (verdict.allowed, verdict.code) == (False, 422)
        assert "spec.metrics[ready].successCondition: 'asInt(result) ==' does not compile" in verdict.message
        assert (await judge.validate_spec(created(hook_template()))).allowed
        kept = review("UPDATE", "HookTemplate", old=bad, new=bad)
        assert (await judge.validate_spec(kept)).allowed


async def test_attack_f4_work_beyond_the_limit_is_refused_with_the_limit():
    async with running(Limits(cpu_seconds=0.001)) as pool:
        verdict = await handlers(pool).validate_spec(created(hostile()))
    assert not verdict.allowed
    assert verdict.message.startswith("spec: cannot be checked: the limit of 1 ms of CPU time was exceeded; make its")


async def test_attack_f4_a_template_beyond_the_limits_of_the_crd_is_not_read():
    pool = Answers([])
    many = hook_template(*[metric(f"m{i}") for i in range(2000)])
    verdict = await handlers(pool).validate_spec(created(many))
    assert (verdict.allowed, verdict.message) == (False, "spec.metrics: has 2000 items, at most 32 are allowed")
    old = await handlers(pool).validate_spec(review("UPDATE", "HookTemplate", old=many, new=many))
    assert (old.allowed, pool.asked) == (True, [])
    assert "not checked, because it is beyond a limit: spec.metrics: has 2000 items" in old.warnings[0]
    mended = await handlers(pool).validate_spec(review("UPDATE", "HookTemplate", old=many, new=hook_template()))
    assert mended.allowed
    assert len(pool.asked) == 1


@pytest.mark.parametrize(
    "error",
    [Unavailable("the sandbox does not start"), WorkerDied("x"), FunctionDefect("f", "d"), WallLimitExceeded(2.0)],
)
async def test_without_a_worker_validation_fails_open_with_a_warning(error):
    verdict = await handlers(Answers(error)).validate_spec(created(hook_template()))
    assert verdict.allowed
    assert "not checked, because the worker for it is not available" in verdict.warnings[0]


async def test_without_a_pool_validation_fails_open_with_a_warning():
    assert (await handlers(None).validate_spec(created(hook_template()))).warnings


async def test_an_old_template_that_cannot_be_read_excuses_nothing():
    class Second(Answers):
        async def call(self, *asked: Any) -> Any:
            if self.asked:
                raise CpuLimitExceeded(0.25)
            self.asked.append(asked)
            return [("spec", "is wrong", True)]

    asked = review("UPDATE", "HookTemplate", old=hook_template(), new=hook_template())
    assert (await handlers(Second([])).validate_spec(asked)).message == "spec: is wrong"


async def test_a_text_that_is_no_unicode_is_refused():
    async with running() as pool:
        verdict = await handlers(pool).validate_spec(created(hook_template(metric("\ud800"))))
    assert verdict.message == "spec: holds a text that is no valid Unicode"


async def test_deletions_ask_no_worker():
    pool = Answers(AssertionError("asked"))
    assert (await handlers(pool).validate_workload(delete("HookTemplate"))).message.startswith(DEFAULT)
    assert pool.asked == []


async def test_attack_f6_dry_runs_of_large_templates_leave_no_memory_behind():
    """Each has 64 large conditions of its own; kept trees would be 20 MB for each dry run."""

    async def judged(judge: ReviewHandlers, number: int) -> None:
        condition = f"{LARGE} || result == '{number}"
        metrics = []
        for i in range(32):
            of_this = {"successCondition": f"{condition}a{i}'", "failureCondition": f"{condition}b{i}'"}
            metrics.append(metric(f"m{i}", **of_this))
        verdict = await judge.validate_spec(created(hook_template(*metrics)))
        assert verdict.allowed or "CPU time" in verdict.message, verdict

    async with running() as pool:
        judge, process = handlers(pool), psutil.Process()
        for number in range(5):
            await judged(judge, number)
        before = process.memory_info().rss
        for number in range(5, 25):
            await judged(judge, number)
        assert process.memory_info().rss - before < 8 << 20
        workers = process.children(recursive=True)
        assert sum(worker.memory_info().rss for worker in workers) < 256 << 20
