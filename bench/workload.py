"""The phases of one workload under the operators, timed from the write that asks to the status that tells."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from devcluster import operator
from operators.kube.client import Client
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, Json, Resource

BUDGET = "25%"
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "bench"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        "containers": [{"name": "web", "image": "game:1"}],
    },
}
_PATIENCE, _IDLE = 300.0, 10.0


def requests_made() -> dict[str, float]:
    """Requests by verb and collection, as the operators count them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.METRICS_PORT}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "bkbcs_rest_client_request_duration_seconds_count":
                found[f"{sample.labels['verb']} {sample.labels['url']}"] = sample.value
    return found


class Workload:
    """One workload of a number of pods, changed and watched by a client of its own.

    ``kind`` is ``gamedeployment``, ``gamestatefulset`` (Parallel) or ``ordered`` (a GameStatefulSet, OrderedReady).
    """

    def __init__(self, client: Client, namespace: str, count: int, kind: str = "gamedeployment") -> None:
        self.client, self.namespace, self.count, self.kind = client, namespace, count, kind
        self.resource: Resource = GAME_DEPLOYMENTS if kind == "gamedeployment" else GAME_STATEFUL_SETS
        self.process = psutil.Process(operator.pid())

    def _cpu(self) -> float:
        return float(sum(self.process.cpu_times()[:2]))

    async def phase(self, image: int, type_: str, replicas: int) -> dict[str, Any]:
        """One change, until the status says that it is complete."""
        before, cpu = requests_made(), self._cpu()
        began = time.monotonic()
        generation, version = await self._write(image, type_, replicas)
        await asyncio.wait_for(self._complete(generation, version, replicas), _PATIENCE)
        wall = time.monotonic() - began
        spent = self._cpu() - cpu
        made = {k: v - before.get(k, 0) for k, v in requests_made().items() if v > before.get(k, 0)}
        events = sum(v for k, v in made.items() if "/events" in k)
        pods = sum(v for k, v in made.items() if "/pods" in k)
        return {
            "wall_s": round(wall, 2),
            "cpu_ms_per_pod": round(1000 * spent / self.count, 2),
            "requests_per_pod": round((sum(made.values()) - events) / self.count, 3),
            "pod_requests": int(pods),
            "events_per_pod": round(events / self.count, 3),
            "requests": {k: int(v) for k, v in sorted(made.items())},
        }

    async def _write(self, image: int, type_: str, replicas: int) -> tuple[int, str]:
        template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "containers": [{"name": "web", "image": f"game:{image}"}]}}
        budget = {"maxUnavailable": BUDGET, "maxSurge": 0}
        spec: Json = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "bench"}},
            "template": template,
            "updateStrategy": {"type": type_, **budget},
        }
        if self.resource is GAME_STATEFUL_SETS:
            spec["serviceName"] = "bench"
            spec["podManagementPolicy"] = "OrderedReady" if self.kind == "ordered" else "Parallel"
            spec["updateStrategy"] = {"type": type_, "rollingUpdate": budget}
        if image == 1:
            body = {
                "apiVersion": self.resource.api_version,
                "kind": self.resource.kind,
                "metadata": {"name": "bench"},
                "spec": spec,
            }
            answer = await self.client.create(self.resource, self.namespace, body)
        else:
            answer = await self.client.merge_patch(self.resource, self.namespace, "bench", {"spec": spec})
        return answer["metadata"]["generation"], answer["metadata"]["resourceVersion"]

    async def _complete(self, generation: int, version: str, replicas: int) -> None:
        watch = self.client.watch(self.resource, self.namespace, resource_version=version)
        async for event in watch:
            status = event["object"].get("status") or {}
            done = any(c["type"] == "Complete" and c["status"] == "True" for c in status.get("conditions", ()))
            if done and status["observedGeneration"] == generation and status["readyReplicas"] == replicas:
                return
        raise TimeoutError("the watch ended before the workload was complete")

    async def run(self) -> dict[str, Any]:
        """All phases, then ten seconds of rest."""
        phases = {
            "create": await self.phase(1, "RollingUpdate", self.count),
            "rolling": await self.phase(2, "RollingUpdate", self.count),
            "in-place": await self.phase(3, "InplaceUpdate", self.count),
            "halve": await self.phase(3, "InplaceUpdate", self.count // 2),
        }
        await asyncio.sleep(1.0)
        before = self._cpu()
        await asyncio.sleep(_IDLE)
        idle = (self._cpu() - before) / _IDLE * 100
        return {
            "pods": self.count,
            "phases": phases,
            "peak_mib": round(_peak_mib(self.process.pid), 1),
            "idle_cpu_percent": round(idle, 2),
        }


def _peak_mib(pid: int) -> float:
    """The largest resident set that the kernel saw of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
