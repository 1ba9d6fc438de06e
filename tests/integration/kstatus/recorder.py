"""Every version of the workloads and pods of a namespace, in the order in which the API server stored them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from operators.kube.client import Client
from operators.kube.errors import ApiError
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS, Json, Resource


@dataclass(frozen=True)
class Moment:
    """A version of a workload, and the pods that were there when it was stored, leaving ones left out."""

    workload: Json
    pods: tuple[Json, ...]

    @property
    def name(self) -> str:
        return str(self.workload["metadata"]["name"])

    @property
    def status(self) -> Json:
        found: Json = self.workload.get("status") or {}
        return found

    @property
    def present(self) -> bool:
        """The status speaks of the spec beside it."""
        return bool(self.status.get("observedGeneration") == self.workload["metadata"]["generation"])

    @property
    def serving(self) -> int:
        """Pods that are ready with the image of the spec, by what their nodes say."""
        image = self.workload["spec"]["template"]["spec"]["containers"][0]["image"]
        return sum(_serves(pod, image) for pod in self.pods)

    @property
    def whole(self) -> bool:
        """Every pod that should be there is, and serves the spec's image."""
        return len(self.pods) == self.serving == self.workload["spec"]["replicas"]

    def condition(self, kind: str) -> Json:
        return next((c for c in self.status.get("conditions") or () if c["type"] == kind), {})


def _serves(pod: Json, image: str) -> bool:
    status = pod.get("status") or {}
    ready = {c["type"]: c["status"] for c in status.get("conditions") or ()}.get("Ready") == "True"
    gates = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    closed = any(gates.get(g["conditionType"]) == "False" for g in pod["spec"].get("readinessGates") or ())
    containers = status.get("containerStatuses") or ()
    runs = bool(containers) and {c["imageID"] for c in containers} == {f"id-{image}"}
    return ready and not closed and runs and pod["spec"]["containers"][0]["image"] == image


class Recorder:
    """Watches from the beginning of the namespace; a watch that breaks goes on where it was."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._events: list[tuple[int, str, Json]] = []
        self.latest: dict[str, Json] = {}
        self.changed = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._watch(r)) for r in (GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, resource: Resource) -> None:
        version = (await self._client.list(resource, self._namespace))["metadata"]["resourceVersion"]
        while True:
            try:
                async for event in self._client.watch(
                    resource, self._namespace, resource_version=version, timeout_seconds=60
                ):
                    body = event["object"]
                    version = body["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._take(resource, event["type"], body)
            except ApiError:
                await asyncio.sleep(0.1)

    def _take(self, resource: Resource, type_: str, body: Json) -> None:
        self._events.append((int(body["metadata"]["resourceVersion"]), type_, body | {"kind": resource.kind}))
        if resource is not PODS:
            self.latest[body["metadata"]["name"]] = body
            self.changed.set()

    async def until(self, name: str, check: Any, what: str, seconds: float = 40.0) -> Json:
        """The first version of a workload from now on, or now, of which ``check`` holds."""
        async with asyncio.timeout(seconds):
            while not (name in self.latest and check(self.latest[name])):
                self.changed.clear()
                await self.changed.wait()
        assert what
        return self.latest[name]

    def moments(self) -> Iterator[Moment]:
        """The history, oldest first."""
        pods: dict[str, Json] = {}
        for _, type_, body in sorted(self._events, key=lambda e: e[0]):
            name = body["metadata"]["name"]
            if body["kind"] != "Pod":
                if type_ != "DELETED":
                    own = (p for p in pods.values() if p["metadata"]["labels"].get("app") == name)
                    yield Moment(body, tuple(own))
            elif type_ == "DELETED" or body["metadata"].get("deletionTimestamp"):
                pods.pop(name, None)
            else:
                pods[name] = body
