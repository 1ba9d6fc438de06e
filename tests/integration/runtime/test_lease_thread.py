"""The Lease and the probes while the main loop stands still."""

import asyncio
import threading
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from operators.kube.metrics import RestMetrics
from operators.kube.official import OfficialCredentials
from operators.kube.resources import LEASES
from operators.manager.leadership import Leadership
from operators.runtime.leaderelection import LeadershipLost
from operators.runtime.serving import Heartbeat, health_application
from tests.unit.manager.test_settings import parsed

PORT = 18251
URL = f"http://127.0.0.1:{PORT}/livez"


@pytest.fixture
async def leadership(cluster, namespace):
    """With short times; ``heartbeat`` is what the main loop would keep."""
    settings = parsed(
        *("--leader-elect-namespace", namespace, "--leader-elect-name", "games"),
        *("--leader-elect-lease-duration", "3s"),
        *("--leader-elect-renew-deadline", "2s", "--leader-elect-retry-period", "0.4"),
    )
    registry = CollectorRegistry()
    heartbeat = Heartbeat()

    async def connect():
        return await OfficialCredentials.load(str(cluster.kubeconfig), None)

    made = Leadership(settings, connect, RestMetrics(registry, "test"), heartbeat.problem)
    made.heartbeat = heartbeat
    made.start()
    await made.serve(health_application(registry, ready=str, alive=heartbeat.problem), "127.0.0.1", PORT)
    yield made
    await made.close()


def probe():
    """Status and text of /livez, asked from a thread of its own as a kubelet would."""
    try:
        with urllib.request.urlopen(URL, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def stand_still(seconds, seen):
    """Hold up the loop that runs this, and note what a probe hears every half second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = threading.Thread(target=lambda: seen.append(probe()))
        asked.start()
        asked.join()
        pause = time.monotonic() + 0.5
        while time.monotonic() < pause:
            sum(range(1000))  # Python code that gives no turn to the loop


async def test_the_lease_is_renewed_and_the_probe_answers_while_the_main_loop_stands(client, namespace, leadership):
    assert await leadership.try_acquire()
    holding = asyncio.create_task(leadership.hold())
    await asyncio.sleep(0)  # the task begins, and with it the work in the thread
    seen = []
    stand_still(9.0, seen)  # three times as long as the Lease lasts
    assert leadership.remaining() > 1.0, "renewed a moment ago: nobody else can have taken it"
    held = (await client.get(LEASES, namespace, "games"))["spec"]
    assert held["leaseTransitions"] == 0
    assert not holding.done()
    assert {status for status, _ in seen} == {200}
    holding.cancel()


async def test_a_main_loop_that_stands_for_good_turns_the_probe_red_and_loses_the_lease(namespace, leadership):
    assert await leadership.try_acquire()
    holding = asyncio.create_task(leadership.hold())
    leadership.heartbeat.last -= 60.0  # as if it had stood for a minute
    status, text = await asyncio.to_thread(probe)
    assert status == 500
    assert text.startswith("no heartbeat for 6")
    async with asyncio.timeout(20):
        with pytest.raises(LeadershipLost, match="no heartbeat"):
            await holding
    assert leadership.remaining() <= 0
