"""The ideal driver: the same writes under the same budget, reacting to a watch, with no planning at all.

What it needs in wall time is what API server and fake kubelets need; the operators are compared with it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.api import keys
from operators.kube.client import Client
from operators.kube.errors import Conflict, NotFound
from operators.kube.official import connect
from operators.kube.resources import PODS
from operators.kube.times import rfc3339
from operators.planning.views import PodView, pod_view
from operators.runtime.informer import Informer


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall time and of CPU, ours."""

    wall: float
    cpu: float


class IdealDriver:
    """Drives bare pods; at most ``budget`` are down at a time during updates.

    In order, one pod is created, updated or removed after the other, as by OrderedReady.
    """

    def __init__(
        self, client: Client, namespace: str, template: dict[str, Any], count: int, budget: int, *, in_order: bool
    ) -> None:
        self.client, self.namespace, self.template = client, namespace, template
        self.count, self.budget, self.at_once = count, 1 if in_order else budget, 1 if in_order else count
        self.informer = Informer(client, PODS, pod_view, namespace=namespace)
        self.changed = asyncio.Event()
        self.informer.subscribe(lambda _: self.changed.set())
        self.serial = 0
        self.gates: set[tuple[str, bool]] = set()
        self.group: set[asyncio.Task[None]] = set()
        self.slots = asyncio.Semaphore(32)

    def _go(self, work: Any) -> None:
        async def run() -> None:
            async with self.slots:
                try:
                    await work
                except (Conflict, NotFound):
                    return

        task = asyncio.get_running_loop().create_task(run())
        self.group.add(task)
        task.add_done_callback(self.group.discard)

    def _create(self, image: str) -> None:
        self.serial += 1
        spec = {**self.template["spec"], "readinessGates": [{"conditionType": keys.INPLACE_READY_GATE}]}
        spec["containers"] = [{**c, "image": image} for c in spec["containers"]]
        labels = {**self.template["metadata"]["labels"], "image": image.rsplit(":", 1)[1]}
        body = {"metadata": {"name": f"ideal-{self.serial}", "labels": labels}, "spec": spec}
        self._go(self.client.create(PODS, self.namespace, body))

    async def _gate(self, pod: PodView, *, ready: bool) -> None:
        stamp = rfc3339(time.time())
        entry = {"type": keys.INPLACE_READY_GATE, "status": str(ready), "lastTransitionTime": stamp}
        body = {"status": {"conditions": [entry]}}
        await self.client.strategic_patch(PODS, self.namespace, pod.name, body, subresource="status")

    async def _image(self, pod: PodView, image: str) -> None:
        await self._gate(pod, ready=False)
        body = {
            "metadata": {"labels": {"image": image.rsplit(":", 1)[1]}},
            "spec": {"containers": [{"name": c.name, "image": image} for c in pod.containers]},
        }
        await self.client.strategic_patch(PODS, self.namespace, pod.name, body)

    def _open_gates(self, image: str) -> None:
        for pod in self.informer.store.values():
            running = pod.containers_ready and all(c.image == image for c in pod.containers)
            fresh = running and all(c.image_id for c in pod.containers)
            if not pod.deleting and fresh and pod.gate is not True:
                mark = (pod.uid + image + ",".join(c.container_id for c in pod.containers), True)
                if mark not in self.gates:
                    self.gates.add(mark)
                    self._go(self._gate(pod, ready=True))

    async def _until(self, step: Any) -> Spent:
        began, cpu = time.monotonic(), time.process_time()
        while not step():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)
        return Spent(time.monotonic() - began, time.process_time() - cpu)

    async def create(self, image: str) -> Spent:
        """Create all, until the last is ready."""

        def step() -> bool:
            self._open_gates(image)
            ready = sum(p.ready for p in self.informer.store.values())
            while self.serial < min(self.count, ready + self.at_once):
                self._create(image)
            return ready == self.count

        return await self._until(step)

    async def rolling(self, image: str) -> Spent:
        """Replace all."""
        touched: set[str] = set()
        made = 0

        def step() -> bool:
            nonlocal made
            self._open_gates(image)
            pods = self.informer.store.values()
            living = [p for p in pods if not p.deleting and p.uid not in touched]
            gone = len(touched) - sum(p.uid in touched and not p.deleting for p in pods)
            while made < gone:
                made += 1
                self._create(image)
            new = [p for p in living if p.containers[0].image == image]
            room = self.budget - (self.count - sum(p.ready for p in living))
            for pod in [p for p in living if p.containers[0].image != image][: max(0, room)]:
                touched.add(pod.uid)
                self._go(self.client.delete(PODS, self.namespace, pod.name, uid=pod.uid))
            return sum(p.ready for p in new) == self.count

        return await self._until(step)

    async def in_place(self, image: str) -> Spent:
        """Update all in place."""
        touched: set[str] = set()

        def step() -> bool:
            self._open_gates(image)
            pods = self.informer.store.values()
            done = [p for p in pods if p.ready and p.containers[0].image == image]
            ready = [p for p in pods if p.ready and p.containers[0].image != image and p.uid not in touched]
            room = self.budget - (self.count - len(done) - len(ready))
            for pod in ready[: max(0, room)]:
                touched.add(pod.uid)
                self._go(self._image(pod, image))
            return len(done) == self.count

        return await self._until(step)

    async def halve(self) -> Spent:
        """Delete half."""
        leaving = self.informer.store.values()[: self.count // 2]
        begun = 0

        def step() -> bool:
            nonlocal begun
            gone = self.count - len(self.informer.store)
            for pod in leaving[begun : gone + self.at_once]:
                begun += 1
                self._go(self.client.delete(PODS, self.namespace, pod.name, uid=pod.uid))
            return gone == len(leaving)

        return await self._until(step)


async def measure(
    kubeconfig: Path, namespace: str, template: dict[str, Any], count: int, budget: int, *, in_order: bool
) -> dict[str, Spent]:
    """What each phase takes."""
    client = await connect(kubeconfig=str(kubeconfig))
    driver = IdealDriver(client, namespace, template, count, budget, in_order=in_order)
    watching = asyncio.get_running_loop().create_task(driver.informer.run())
    try:
        await driver.informer.synced.wait()
        return {
            "create": await driver.create("game:1"),
            "rolling": await driver.rolling("game:2"),
            "in-place": await driver.in_place("game:3"),
            "halve": await driver.halve(),
        }
    finally:
        watching.cancel()
        await client.close()
