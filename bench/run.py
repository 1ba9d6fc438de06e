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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import ideal
from bench.workload import BUDGET, TEMPLATE, Workload
from devcluster import choose, operator
from devcluster.choose import Cluster
from operators.kube.official import connect

RESULTS = Path(__file__).parent / "results"
NODES = 4
#: Requests per pod, Events aside.
TARGETS = {"create": 2.0, "rolling": 3.0, "in-place": 3.0}
CPU_TARGET_MS, MEMORY_TARGET_MIB, WALL_TARGET = 8.0, 160.0, 1.5


@contextmanager
def namespace(cluster: Cluster, name: str) -> Iterator[str]:
    """A namespace for the time of a measurement."""
    cluster.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--timeout=180s")


async def _operators(cluster: Cluster, name: str, count: int, kind: str) -> dict[str, Any]:
    client = await connect(kubeconfig=str(cluster.kubeconfig))
    try:
        return await Workload(client, name, count, kind).run()
    finally:
        await client.close()


def measure(cluster: Cluster, count: int, kind: str) -> dict[str, Any]:
    """The operators, then the ideal driver, with the same number of pods."""
    operator.start(cluster.kubeconfig)
    try:
        with namespace(cluster, f"bench-{count}") as name:
            result = asyncio.run(_operators(cluster, name, count, kind))
    finally:
        operator.stop()
    with namespace(cluster, f"bench-{count}-ideal") as name:
        best = asyncio.run(
            ideal.measure(cluster.kubeconfig, name, TEMPLATE, count, max(1, count // 4), in_order=kind == "ordered")
        )
    for phase, entry in result["phases"].items():
        entry["ideal_wall_s"] = round(best[phase].wall, 2)
        entry["ideal_cpu_ms_per_pod"] = round(1000 * best[phase].cpu / count, 2)
        entry["wall_ratio"] = round(entry["wall_s"] / best[phase].wall, 2)
    return result


def _mark(value: float, target: float | None) -> str:
    return "" if target is None else (" ok" if value <= target else f" MISSED (target {target:g})")


def show(result: dict[str, Any]) -> None:
    """The table of one number of pods."""
    print(f"\n{result['workload']}, {result['pods']} pods, maxUnavailable {BUDGET}, maxSurge 0")
    print(f"  {'phase':10}{'wall s':>8}{'ideal s':>9}{'ratio':>7}{'req/pod':>9}{'events':>8}", end="")
    print(f"{'CPU ms/pod':>12}{'ideal':>7}")
    for name, p in result["phases"].items():
        row = f"  {name:10}{p['wall_s']:8.2f}{p['ideal_wall_s']:9.2f}{p['wall_ratio']:7.2f}{p['requests_per_pod']:9.3f}"
        row += f"{p['events_per_pod']:8.3f}{p['cpu_ms_per_pod']:12.2f}{p['ideal_cpu_ms_per_pod']:7.2f}"
        verdicts = {
            "req": _mark(p["requests_per_pod"], TARGETS.get(name)),
            "cpu": _mark(p["cpu_ms_per_pod"], CPU_TARGET_MS),
            "wall": _mark(p["wall_ratio"], WALL_TARGET),
        }
        print(row + "  " + ", ".join(f"{k}{v}" for k, v in verdicts.items() if v))
        others = round(p["requests_per_pod"] * result["pods"]) - p["pod_requests"]
        print(f"  {'':10}{p['pod_requests']} requests for pods, {others} for status and revisions of the workload")
    print(f"  peak memory {result['peak_mib']} MiB{_mark(result['peak_mib'], MEMORY_TARGET_MIB)}", end="; ")
    print(f"idle CPU {result['idle_cpu_percent']} %{_mark(result['idle_cpu_percent'], 1.0)}", flush=True)


#: What is measured of a kind where no numbers are given.
RUNS = {
    "gamedeployment": [("gamedeployment", 100), ("gamedeployment", 500), ("gamedeployment", 1000)],
    "gamestatefulset": [("gamestatefulset", 500), ("ordered", 50)],
    "ordered": [("ordered", 50)],
}


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", default="", help="numbers of pods, by comma")
    parser.add_argument("--workload", choices=RUNS, default="gamedeployment", help="ordered: a set, OrderedReady")
    options = parser.parse_args()
    cluster = choose.up()
    choose.kwok_up(NODES)
    for file in sorted(Path("crds").glob("*.yaml")):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    results = []
    counts = [int(n) for n in options.pods.split(",") if n]
    for kind, count in [(options.workload, n) for n in counts] or RUNS[options.workload]:
        results.append({"workload": kind, **measure(cluster, count, kind)})
        show(results[-1])
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    target.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(f"\nwritten to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
