"""Hundreds of measurements that are ready together begin one after the other, so that the event loop turns between."""

import asyncio

from prometheus_client import CollectorRegistry

from operators.api.hookphase import HookPhase
from operators.hookrun.metrics import HookMetrics
from operators.hookrun.providers.base import ProviderError
from operators.hookrun.tasks import MeasurementTasks
from operators.hookrun.view import run_view
from operators.hookrun.workers import MeasurementVerdict
from operators.runtime.workqueue import WorkQueue

MANY = 64


class Counted:
    """Counts the turns of the loop, and notes the turn in which each measurement begins."""

    def __init__(self):
        self.turn, self.began = 0, []

    async def count(self):
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    async def measure(self, run, metric, successes):
        self.began.append(self.turn)
        raise ProviderError("no answer")

    async def verdict(self, run, metric, found):
        return MeasurementVerdict(HookPhase.ERROR, "", None)


async def test_no_two_measurements_begin_in_one_turn_of_the_loop():
    measurer = Counted()
    tasks = MeasurementTasks(measurer, WorkQueue(), HookMetrics(CollectorRegistry(), lambda: 0.0), lambda: 0.0, 500)
    metrics = [{"name": f"m{n}", "provider": {"web": {"url": "http://a/", "jsonPath": "{.a}"}}} for n in range(32)]
    for number in range(MANY // 32):
        meta = {"name": f"run-{number}", "namespace": "games", "uid": f"u{number}", "resourceVersion": "1"}
        view = run_view({"metadata": meta, "spec": {"metrics": metrics}})
        for metric in view.state.spec.metrics:
            tasks.start(view, metric, None)
    counting = asyncio.create_task(measurer.count())
    async with asyncio.timeout(5):
        while len(measurer.began) < MANY:  # noqa: ASYNC110 - turns of the loop are what is counted
            await asyncio.sleep(0)
    counting.cancel()
    await tasks.close()
    assert len(set(measurer.began)) == MANY
