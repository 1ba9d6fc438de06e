"""The hook controller in the test's own process, at work on one namespace of the real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from operators.api.hookphase import FINAL_PHASES
from operators.hookrun.controller import HookRunController
from operators.hookrun.settings import HookSettings
from operators.hookrun.view import RunView, run_view
from operators.kube.client import Client
from operators.kube.metrics import RestMetrics
from operators.kube.official import OfficialCredentials
from operators.kube.resources import EVENTS, HOOK_RUNS, Json, Resource
from operators.runtime.events import EventRecorder
from operators.runtime.informer import Informer

LOOPBACK = HookSettings(allow_cidrs=("127.0.0.0/8",))
API_VERSION = "tkex.tencent.com/v1alpha1"
STATUS_ROUTE = "/apis/tkex.tencent.com/v1alpha1/namespaces/{namespace}/hookruns/{name}/status"


async def until(what: str, check: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: it does not within ``seconds``.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)


class Hooks:
    """A namespace with HookRuns, and the controller that works on it while `working`."""

    def __init__(self, kubeconfig: Path, namespace: str, client: Client) -> None:
        self.kubeconfig, self.namespace, self.client = kubeconfig, namespace, client
        self.registry = CollectorRegistry()
        self.runs: Informer[RunView] | None = None

    async def create(self, name: str, *metrics: Json, metadata: Json | None = None, **spec: Any) -> Json:
        """Create a HookRun; ``args`` may be given as a dict."""
        if isinstance(spec.get("args"), dict):
            spec["args"] = [{"name": key, "value": value} for key, value in spec["args"].items()]
        body = {
            "apiVersion": API_VERSION,
            "kind": "HookRun",
            "metadata": {"name": name, "namespace": self.namespace, **(metadata or {})},
            "spec": {"metrics": list(metrics), **spec},
        }
        return await self.client.create(HOOK_RUNS, self.namespace, body)

    async def get(self, name: str) -> Json:
        """A HookRun."""
        return await self.client.get(HOOK_RUNS, self.namespace, name)

    async def status(self, name: str) -> Json:
        """Its status."""
        return (await self.get(name)).get("status") or {}

    async def wait(self, name: str, check: Callable[[Json], bool], seconds: float = 20.0) -> Json:
        """The status as soon as it is as wanted."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not check(status := await self.status(name)):
            assert asyncio.get_running_loop().time() < deadline, f"{name} is not as wanted: {status}"
            await asyncio.sleep(0.05)
        return status

    async def end_of(self, name: str, seconds: float = 20.0) -> Json:
        """The final status."""
        return await self.wait(name, lambda status: status.get("phase") in FINAL_PHASES, seconds)

    async def object(self, resource: Resource, name: str, **fields: Any) -> Json:
        """Create an object of another kind."""
        metadata = {"name": name, "namespace": self.namespace, **fields.pop("metadata", {})}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
        return await self.client.create(resource, self.namespace, body)

    async def annotations(self, resource: Resource, name: str) -> dict[str, str]:
        """Annotations of an object."""
        found = await self.client.get(resource, self.namespace, name)
        return dict(found["metadata"].get("annotations") or {})

    async def events(self, name: str) -> list[tuple[str, str, str]]:
        """Events on a HookRun, as (type, reason, message), oldest first."""
        listed = (await self.client.list(EVENTS, self.namespace))["items"]
        about = [e for e in listed if e["involvedObject"]["name"] == name]
        about.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
        return [(e["type"], e["reason"], e["message"]) for e in about]

    def requests(self, verb: str, route: str) -> int:
        """How many requests the controller has sent."""
        value = self.registry.get_sample_value(
            "bkbcs_rest_client_request_duration_seconds_count", {"verb": verb, "url": route}
        )
        return int(value or 0)

    @asynccontextmanager
    async def working(
        self,
        settings: HookSettings = LOOPBACK,
        kind: type[Client] = Client,
        now: Callable[[], float] | None = None,
        *,
        everywhere: bool = False,
    ) -> AsyncIterator[HookRunController]:
        """Let a controller work, with a client of its own; at the end it is gone at once, as a killed process is."""
        self.registry = registry = CollectorRegistry()
        credentials = await OfficialCredentials.load(str(self.kubeconfig))
        client = kind(credentials, metrics=RestMetrics(registry))
        recorder = EventRecorder(self.client, "bcs-hook-operator")
        clock = {} if now is None else {"now": now}
        self.runs = runs = Informer(client, HOOK_RUNS, run_view, namespace=None if everywhere else self.namespace)
        controller = HookRunController(client, runs.store, recorder, registry, settings, workers=4, **clock)
        runs.subscribe(controller.on_change)
        work = [asyncio.create_task(each) for each in (runs.run(), recorder.run(), controller.run())]
        try:
            await asyncio.wait_for(runs.synced.wait(), 20)
            yield controller
            await recorder.flush()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await client.close()


def web(url: str, name: str = "web", **fields: Any) -> Json:
    """A metric that asks a web server."""
    return {"name": name, "provider": {"web": {"url": url, "jsonPath": "{.result}"}}, **fields}


def kubernetes(function: str, name: str = "", **values: str) -> Json:
    """A metric on annotations: ``clb_weight`` stands for the one whose name ends in clb-weight."""
    fields = [
        {"path": f"metadata.annotations.networkextension.bkbc.tencent.com/{key.replace('_', '-')}", "value": value}
        for key, value in values.items()
    ]
    return annotations(function, fields, name or function, interval="1s", successfulLimit=1)


def annotations(function: str, fields: list[Json], name: str = "k8s", **more: Any) -> Json:
    """A metric on annotations given by their paths."""
    return {"name": name, "provider": {"kubernetes": {"function": function, "fields": fields}}, **more}
