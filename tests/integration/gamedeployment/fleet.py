"""GameDeployments of one namespace of the real API server, their controller in the test's own process, and kubelets.

The kubelets are played: no scheduler takes the pods, and their status is written as a kubelet would. So hundreds of
containers restart in a second, and every rule of the real API server holds all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from devcluster.choose import Cluster
from operators.kube.client import Client
from operators.kube.errors import ApiError, Conflict, NotFound
from operators.kube.official import OfficialCredentials
from operators.kube.resources import (
    CONTROLLER_REVISIONS,
    EVENTS,
    GAME_DEPLOYMENTS,
    GAME_STATEFUL_SETS,
    HOOK_RUNS,
    HOOK_TEMPLATES,
    PODS,
    Json,
    Resource,
)
from operators.kube.times import rfc3339
from operators.manager import settings
from operators.manager.controllers import Controllers
from operators.runtime.events import EventRecorder

API_VERSION = "tkex.tencent.com/v1alpha1"
GATE = "InPlaceUpdateReady"


class Counting(Client):
    """Counts writes by verb and collection; ``before`` is asked before each of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.writes: Counter[tuple[str, str]] = Counter()
        self.before: Callable[[str, Resource], Any] | None = None

    async def falls_silent(self, otherwise: str, seconds: float = 15.0) -> None:
        """Wait until nothing is written for a second.

        Raises:
            AssertionError: that does not come about; ``otherwise`` is what it means.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        before = Counter({("", ""): -1})
        while before != self.writes:
            assert asyncio.get_running_loop().time() < deadline, f"{otherwise}: {self.writes - before}"
            before = self.writes.copy()
            await asyncio.sleep(1)

    async def _write(self, verb: str, resource: Resource, call: Any) -> Json:
        if resource is EVENTS:
            return await call
        if self.before is not None:
            try:
                await self.before(verb, resource)
            except BaseException:
                call.close()
                raise
        self.writes[verb, resource.plural] += 1
        return await call

    async def create(self, resource: Resource, *args: Any, **options: Any) -> Json:
        return await self._write("create", resource, super().create(resource, *args, **options))

    async def merge_patch(self, resource: Resource, *args: Any, **options: Any) -> Json:
        return await self._write("patch", resource, super().merge_patch(resource, *args, **options))

    async def strategic_patch(self, resource: Resource, *args: Any, **options: Any) -> Json:
        return await self._write("patch", resource, super().strategic_patch(resource, *args, **options))

    async def delete(self, resource: Resource, *args: Any, **options: Any) -> Json:
        return await self._write("delete", resource, super().delete(resource, *args, **options))


class Fleet:
    """A namespace with workloads of one kind. ``user`` is the client of whoever is not the operator."""

    kind: Resource = GAME_DEPLOYMENTS
    #: Image id that the kubelets tell of an image.
    image_id: Callable[[str], str] = staticmethod("id-{}".format)

    def __init__(self, cluster: Cluster, namespace: str, user: Client) -> None:
        self.cluster, self.namespace, self.user = cluster, namespace, user

    # ---- the user

    async def apply(
        self, name: str, *, version: int = 1, annotations: Mapping[str, str] | None = None, **spec: Any
    ) -> Json:
        """Create a workload; its selector and labels are ``app: <name>`` unless ``spec`` says otherwise."""
        body = {
            "apiVersion": API_VERSION,
            "kind": self.kind.kind,
            "metadata": {"name": name, "annotations": dict(annotations or {})},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, version),
                **spec,
            },
        }
        return await self.user.create(self.kind, self.namespace, body)

    async def change(self, name: str, **spec: Any) -> None:
        """Merge into the spec."""
        await self.user.merge_patch(self.kind, self.namespace, name, {"spec": spec})

    async def release(self, name: str, version: int) -> None:
        """A new image."""
        await self.change(name, template={"spec": {"containers": template(name, version)["spec"]["containers"]}})

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    async def orphan(self, kind: str, name: str) -> None:
        """Delete an object without its dependents, and wait until nothing names it as owner."""
        self.kubectl("delete", kind, name, "--cascade=orphan")
        kinds = (PODS, CONTROLLER_REVISIONS, HOOK_RUNS)

        async def orphaned() -> bool:
            held = [o for k in kinds for o in (await self.user.list(k, self.namespace))["items"]]
            owners = [o for h in held for o in h["metadata"].get("ownerReferences") or ()]
            return not any(o["name"] == name and o["kind"].lower() == kind for o in owners)

        await self.until(f"nothing belongs to {kind} {name}", orphaned)

    # ---- what one sees

    async def get(self, name: str) -> Json:
        return await self.user.get(self.kind, self.namespace, name)

    async def pods(self) -> list[Json]:
        """All pods that are not leaving, by name."""
        listed = (await self.user.list(PODS, self.namespace))["items"]
        return sorted(
            (p for p in listed if not p["metadata"].get("deletionTimestamp")), key=lambda p: p["metadata"]["name"]
        )

    async def revisions(self) -> list[str]:
        listed = (await self.user.list(CONTROLLER_REVISIONS, self.namespace))["items"]
        return sorted(r["metadata"]["name"] for r in listed)

    async def hook_runs(self) -> list[str]:
        return sorted(r["metadata"]["name"] for r in (await self.user.list(HOOK_RUNS, self.namespace))["items"])

    async def conditions(self, name: str) -> dict[str, Json]:
        status = (await self.get(name)).get("status") or {}
        return {c["type"]: c for c in status.get("conditions") or ()}

    async def reasons(self, name: str) -> list[str]:
        """Reasons of the Events on a workload."""
        listed = (await self.user.list(EVENTS, self.namespace))["items"]
        return [e["reason"] for e in listed if e["involvedObject"]["name"] == name]

    async def until(self, what: str, check: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Wait until an awaitable check is true, and return what it says."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (found := await check()):
            assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:g} s: {what}"
            await asyncio.sleep(0.05)
        return found

    async def complete(self, name: str, version: int, seconds: float = 30.0) -> list[Json]:
        """Wait until the operator says that all pods run a version; the pods."""

        async def check() -> list[Json] | None:
            found = await self.get(name)
            holds = {c["type"]: c for c in (found.get("status") or {}).get("conditions") or ()}.get("Complete") or {}
            present = holds.get("observedGeneration") == found["metadata"]["generation"]
            pods = [p for p in await self.pods() if p["metadata"]["labels"].get("app") == name]
            at = {p["spec"]["containers"][0]["image"] for p in pods} <= {f"game:{version}"}
            return pods if holds.get("status") == "True" and present and at else None

        try:
            return await self.until(f"{name} is complete at version {version}", check, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {(await self.get(name)).get('status')}") from None

    # ---- those who work

    @asynccontextmanager
    async def operator(
        self, kind: type[Counting] = Counting, controllers: Sequence[str] = ()
    ) -> AsyncIterator[Counting]:
        """Let the controllers work; at the end it is gone at once, as a killed process is."""
        client = kind(await OfficialCredentials.load(str(self.cluster.kubeconfig)))
        parser = argparse.ArgumentParser()
        settings.add_arguments(parser)
        chosen = settings.from_arguments(
            parser.parse_args([*(controllers or (self.kind.kind.lower(),)), f"--namespace={self.namespace}"])
        )
        recorder = EventRecorder(client, "game-operators")
        parts = Controllers(chosen, client, recorder, CollectorRegistry())
        running = [recorder.run(), *(source.run() for source in parts.sources().values())]
        custom = {r.plural: r for r in (GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, HOOK_TEMPLATES)}
        running += [_watch(client, custom[plural], self.namespace, feed) for plural, feed in parts.feeds.items()]
        work = [asyncio.create_task(each) for each in running]
        try:
            for source in parts.sources().values():
                await asyncio.wait_for(source.synced.wait(), 20)
            work += [asyncio.create_task(worker.run()) for worker in parts.workers]
            yield client
            await recorder.flush()
        finally:
            broken = [task.exception() for task in work if task.done()]
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await client.close()
            assert not broken, f"a part of the operator failed: {broken}"

    @asynccontextmanager
    async def kubelets(self) -> AsyncIterator[None]:
        """Start pods, and restart containers whose image changes."""

        async def work() -> None:
            while True:
                for pod in (await self.user.list(PODS, self.namespace))["items"]:
                    try:
                        await self._play(pod)
                    except (NotFound, Conflict):
                        continue  # it is gone, or just changed: next time
                await asyncio.sleep(0.05)

        task = asyncio.create_task(work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _play(self, pod: Json) -> None:
        status = kubelet_status(pod, self.image_id)
        if status is not None and not pod["metadata"].get("deletionTimestamp"):
            patch = {"metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]}, "status": status}
            await self.user.strategic_patch(PODS, self.namespace, pod["metadata"]["name"], patch, subresource="status")


async def _watch(client: Client, resource: Resource, namespace: str, feed: Any) -> None:
    """Bring the events of custom resources, as kopf does."""
    while True:
        try:
            async for event in client.watch(resource, namespace, resource_version="", timeout_seconds=60):
                if event["type"] != "BOOKMARK":
                    feed.observe(event["type"], event["object"])
        except ApiError:
            await asyncio.sleep(0.2)


def template(name: str, version: int, **metadata: Any) -> Json:
    """A pod template that no scheduler takes."""
    containers = [{"name": "web", "image": f"game:{version}"}]
    return {
        "metadata": {"labels": {"app": name}, **metadata},
        "spec": {"schedulerName": "nobody", "terminationGracePeriodSeconds": 0, "containers": containers},
    }


def kubelet_status(pod: Json, image_id: Callable[[str], str] = "id-{}".format) -> Json | None:
    """The status a kubelet would write, None where it says so already."""
    status = pod.get("status") or {}
    seen = {s["name"]: s for s in status.get("containerStatuses") or ()}
    containers, changed = [], status.get("phase") != "Running"
    for container in pod["spec"]["containers"]:
        known = seen.get(container["name"])
        if known is not None and known["image"] == container["image"]:
            containers.append(known)
            continue
        changed = True
        restarts = known["restartCount"] + 1 if known else 0
        containers.append(
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": image_id(container["image"]),
                "containerID": f"played://{pod['metadata']['uid']}-{restarts}",
                "ready": True,
                "restartCount": restarts,
                "state": {"running": {"startedAt": rfc3339(time.time())}},
            }
        )
    held = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or ()]
    ready = "True" if all(held.get(g) == "True" for g in gates) else "False"
    if not changed and held.get("Ready") == ready:
        return None
    stamp = rfc3339(time.time())
    conditions = [{"type": "ContainersReady", "status": "True"}]
    if held.get("Ready") != ready:
        conditions.append({"type": "Ready", "status": ready, "lastTransitionTime": stamp})
    return {"phase": "Running", "podIP": "10.9.8.7", "conditions": conditions, "containerStatuses": containers}
