"""Electors on a real Lease, with short times."""

import asyncio

import pytest

from operators.kube.official import connect
from operators.kube.resources import LEASES
from operators.runtime.leaderelection import LeaderElector
from tests.unit.kube.apiserver import until

TIMES = {"lease_duration": 3.0, "renew_deadline": 2.0, "retry_period": 0.4}


class Replica:
    def __init__(self, client, namespace, name):
        self.elector = LeaderElector(client, namespace, "games", name, **TIMES)
        self.task = asyncio.create_task(self._live())

    async def _live(self):
        await self.elector.acquire()
        await self.elector.hold()

    async def kill(self):
        """As SIGKILL: nothing is said or written any more."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def replicas(cluster, namespace):
    made, clients = [], []

    async def start(name):
        clients.append(await connect(kubeconfig=str(cluster.kubeconfig)))
        made.append(Replica(clients[-1], namespace, name))
        return made[-1]

    yield start
    for replica in made:
        await replica.kill()
    for client in clients:
        await client.close()


async def lease(client, namespace):
    return (await client.get(LEASES, namespace, "games"))["spec"]


async def test_two_electors_one_leader_and_takeover_after_a_kill(client, namespace, replicas):
    first = await replicas("first")
    await until(lambda: first.elector.leading, 30)
    second = await replicas("second")
    await asyncio.sleep(3.5)
    assert not second.elector.leading, "renewed again and again, it is not free"
    held = await lease(client, namespace)
    assert (held["holderIdentity"], held["leaseDurationSeconds"], held["leaseTransitions"]) == ("first", 3, 0)
    loop = asyncio.get_running_loop()
    await first.kill()
    killed = loop.time()
    await until(lambda: second.elector.leading, 30)
    assert first.elector.remaining() <= 0, "the first could not have written any more"
    assert loop.time() - killed <= 3.0 + 0.4 + 2.0
    held = await lease(client, namespace)
    assert (held["holderIdentity"], held["leaseTransitions"]) == ("second", 1)


async def test_a_released_lease_is_taken_at_the_next_try(client, namespace, replicas):
    first, second = await replicas("first"), await replicas("second")
    await until(lambda: first.elector.leading or second.elector.leading, 30)
    leader, standby = (first, second) if first.elector.leading else (second, first)
    await leader.kill()
    loop = asyncio.get_running_loop()
    await leader.elector.release()
    released = loop.time()
    await until(lambda: standby.elector.leading, 30)
    assert loop.time() - released < 2.5, "less than the lease's duration"


async def test_of_many_that_start_at_once_one_leads(client, namespace, replicas):
    many = [await replicas(f"r{n}") for n in range(6)]
    await until(lambda: any(r.elector.leading for r in many), 30)
    await asyncio.sleep(2)
    assert sum(r.elector.leading for r in many) == 1
    assert (await lease(client, namespace))["leaseTransitions"] == 0
