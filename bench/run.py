"""``make bench``: what the operators cost on fake nodes, beside an ideal driver in the same run.

For each number of pods: create, rolling update, in-place update, scale to half. Requests are those the operators count
themselves (Events listed apart), CPU and memory are the kernel's figures of their process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from bench import ideal
from tests.cluster import choose, operator
from tests.cluster.choose import Cluster

RESULTS = Path(__file__).parent / "results"
NODES, BUDGET = 4, "25%"
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "bench"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        "containers": [{"name": "web", "image": "game:1"}],
    },
}
#: Requests per pod, Events aside.
TARGETS = {"create": 2.0, "rolling": 3.0, "in-place": 3.0}
CPU_TARGET_MS, MEMORY_TARGET_MIB, WALL_TARGET = 8.0, 160.0, 1.5


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


class Bench:
    """One GameDeployment of a number of pods."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self.cluster, self.count = cluster, count
        self.namespace = f"bench-{count}"
        self.process = psutil.Process(operator.pid())

    def kubectl(self, *args: str, data: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def apply(self, image: int, type_: str, replicas: int) -> None:
        template = json.loads(json.dumps(TEMPLATE))
        template["spec"]["containers"][0]["image"] = f"game:{image}"
        strategy = {"type": type_, "maxUnavailable": BUDGET, "maxSurge": 0}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "bench"}},
            "template": template,
            "updateStrategy": strategy,
        }
        body = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "spec": spec}
        self.kubectl("apply", "-f", "-", data=json.dumps({**body, "metadata": {"name": "bench"}}))

    def phase(self, image: int, type_: str, replicas: int) -> dict[str, Any]:
        """One change, until it is complete."""
        before, cpu = requests_made(), sum(self.process.cpu_times()[:2])
        began = time.monotonic()
        self.apply(image, type_, replicas)
        generation = self.kubectl("get", "gd", "bench", "-o", "jsonpath={.metadata.generation}")
        condition = (
            '{.status.observedGeneration} {.status.conditions[?(@.type=="Complete")].status} {.status.readyReplicas}'
        )
        deadline = time.monotonic() + 300
        while self.kubectl("get", "gd", "bench", "-o", f"jsonpath={condition}") != f"{generation} True {replicas}":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{type_} of {self.count}: {self.kubectl('get', 'gd', 'bench', '-o', 'yaml')}")
            time.sleep(0.25)
        wall = time.monotonic() - began
        spent = sum(self.process.cpu_times()[:2]) - cpu
        made = {k: v - before.get(k, 0) for k, v in requests_made().items() if v > before.get(k, 0)}
        events = sum(v for k, v in made.items() if k.endswith(" events"))
        total = sum(made.values()) - events
        return {
            "wall_s": round(wall, 2),
            "cpu_ms_per_pod": round(1000 * spent / self.count, 2),
            "requests_per_pod": round(total / self.count, 3),
            "events_per_pod": round(events / self.count, 3),
            "requests": {k: int(v) for k, v in sorted(made.items())},
        }

    def run(self) -> dict[str, Any]:
        """All phases, then the ideal driver's."""
        self.cluster.kubectl("create", "namespace", self.namespace)
        try:
            phases = {
                "create": self.phase(1, "RollingUpdate", self.count),
                "rolling": self.phase(2, "RollingUpdate", self.count),
                "in-place": self.phase(3, "InplaceUpdate", self.count),
                "halve": self.phase(3, "InplaceUpdate", self.count // 2),
            }
            idle = sum(self.process.cpu_times()[:2])
            time.sleep(10)
            idle = (sum(self.process.cpu_times()[:2]) - idle) / 10 * 100
            peak = int(next(x for x in _status(self.process.pid) if x.startswith("VmHWM")).split()[1]) / 1024
        finally:
            self.cluster.kubectl("delete", "namespace", self.namespace, "--timeout=180s")
        name = f"{self.namespace}-ideal"
        self.cluster.kubectl("create", "namespace", name)
        try:
            budget = max(1, self.count // 4)
            walls = asyncio.run(ideal.measure(self.cluster.kubeconfig, name, TEMPLATE, self.count, budget))
        finally:
            self.cluster.kubectl("delete", "namespace", name, "--timeout=180s")
        for phase, entry in phases.items():
            entry["ideal_wall_s"] = round(walls[phase], 2)
            entry["wall_ratio"] = round(entry["wall_s"] / walls[phase], 2)
        return {"pods": self.count, "phases": phases, "peak_mib": round(peak, 1), "idle_cpu_percent": round(idle, 2)}


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()


def _mark(value: float, target: float | None) -> str:
    return "" if target is None else (" ok" if value <= target else f" MISSED (target {target:g})")


def show(result: dict[str, Any]) -> None:
    """The table of one number of pods."""
    print(f"\n{result['pods']} pods, maxUnavailable {BUDGET}, maxSurge 0")
    print(f"  {'phase':10}{'wall s':>8}{'ideal s':>9}{'ratio':>7}{'req/pod':>9}{'events':>8}{'CPU ms/pod':>12}")
    for name, p in result["phases"].items():
        row = f"  {name:10}{p['wall_s']:8.2f}{p['ideal_wall_s']:9.2f}{p['wall_ratio']:7.2f}{p['requests_per_pod']:9.3f}"
        row += f"{p['events_per_pod']:8.3f}{p['cpu_ms_per_pod']:12.2f}"
        verdicts = {
            "req": _mark(p["requests_per_pod"], TARGETS.get(name)),
            "cpu": _mark(p["cpu_ms_per_pod"], CPU_TARGET_MS),
            "wall": _mark(p["wall_ratio"], WALL_TARGET),
        }
        print(row + "  " + ", ".join(f"{k}{v}" for k, v in verdicts.items() if v))
    print(f"  peak memory {result['peak_mib']} MiB{_mark(result['peak_mib'], MEMORY_TARGET_MIB)}", end="; ")
    print(f"idle CPU {result['idle_cpu_percent']} %{_mark(result['idle_cpu_percent'], 1.0)}")


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", default="100,500", help="numbers of pods, by comma")
    options = parser.parse_args()
    cluster = choose.up()
    choose.kwok_up(NODES)
    for file in sorted(Path("crds").glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    results = []
    for count in (int(n) for n in options.pods.split(",")):
        operator.start(cluster.kubeconfig)
        try:
            results.append(Bench(cluster, count).run())
        finally:
            operator.stop()
        show(results[-1])
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    target.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(f"\nwritten to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
