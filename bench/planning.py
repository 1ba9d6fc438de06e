"""What a pass costs before anything is written: observing a GameDeployment in the caches, and planning.

Each situation is brought about by the simulation, then looked at by the production controller over production stores.
Figures are CPU time of this process, per pass and per pod; the best of several runs, so that a busy machine changes
little. Twice the pods should cost about twice the time: the last column shows the growth per pod from the smaller to
the larger fleet.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from pathlib import Path
from typing import Any
from unittest import mock

from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.observed import gamedeployment_view
from operators.gamedeployment.plan import plan
from operators.kube.resources import GAME_DEPLOYMENTS
from operators.planning.views import hookrun_view, hooktemplate_view, pod_view, revision_view
from operators.runtime.expectations import Expectations
from operators.runtime.workqueue import WorkQueue
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template
from operators.workload.context import Context
from operators.workload.stores import Stores

RESULTS = Path(__file__).parent / "results"
#: Microseconds per pod and pass.
TARGETS = {"settled": 10.0, "rollout": 30.0}


def _template(version: int) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "game"}},
        "spec": {"containers": [{"name": "web", "image": f"game:{version}"}]},
    }


class Fleet:
    """A simulated GameDeployment of many pods."""

    def __init__(self, count: int, type_: str, **spec: Any) -> None:
        strategy = {"type": type_, "maxUnavailable": "25%", "maxSurge": 0}
        body = {"replicas": count, "updateStrategy": strategy, "template": _template(1), **spec}
        self.cluster = SimulatedCluster(gamedeployment(body), {"check": hook_template("check")})
        self.settle()

    def turn(self) -> None:
        """Kubelets work, then the operator."""
        self.cluster.remove_terminating()
        for name in self.cluster.pods:
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)
        self.cluster.reconcile()

    def settle(self) -> Fleet:
        """Until nothing moves."""
        for _ in range(60):
            before = len(self.cluster.log)
            self.turn()
            if len(self.cluster.log) == before:
                return self
        raise AssertionError("the fleet does not settle")

    def release(self, version: int, turns: int) -> Fleet:
        """A new image, and so many turns of its rollout."""
        self.cluster.patch_spec({"template": _template(version)})
        for _ in range(turns):
            self.turn()
        return self


def rollout(count: int) -> dict[str, tuple[str, SimulatedCluster]]:
    """Name of the situation, what it is judged as, and the cluster."""
    guarded = {"preInplaceUpdateStrategy": {"hook": {"templateName": "check"}}}
    scaling = Fleet(count, "RollingUpdate")
    scaling.cluster.patch_spec({"replicas": count // 2})
    return {
        "settled": ("settled", Fleet(count, "RollingUpdate").cluster),
        "settled after an update in place": ("settled", Fleet(count, "InplaceUpdate").release(2, 1).settle().cluster),
        "rolling update under way": ("rollout", Fleet(count, "RollingUpdate").release(2, 3).cluster),
        "update in place under way": ("rollout", Fleet(count, "InplaceUpdate").release(2, 3).cluster),
        "a quarter waits for hooks": ("rollout", Fleet(count, "InplaceUpdate", **guarded).release(2, 3).cluster),
        "half is to go": ("rollout", scaling.cluster),
    }


def controller(cluster: SimulatedCluster) -> GameDeploymentController:
    """The production controller over caches that hold the cluster. Nothing is written, so nothing is connected."""
    stores = Stores.empty()
    stores.workloads.put(gamedeployment_view(cluster.workload))
    for store, bodies, decode in (
        (stores.pods, cluster.pods, pod_view),
        (stores.revisions, cluster.revisions, revision_view),
        (stores.hook_runs, cluster.hook_runs, hookrun_view),
        (stores.templates, cluster.templates, hooktemplate_view),
    ):
        for body in bodies.values():
            store.put(decode(body))
    unused = mock.NonCallableMock()
    context = Context(GAME_DEPLOYMENTS, unused, stores, Expectations(), unused, unused, unused, lambda: cluster.now)
    return GameDeploymentController(context, WorkQueue())


def _best(work: Any, runs: int) -> float:
    """CPU seconds of the quickest run."""
    times = []
    for _ in range(runs):
        gc.collect()
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def measure(cluster: SimulatedCluster, runs: int) -> dict[str, float]:
    """Milliseconds to observe and to plan, and microseconds of both per pod."""
    passes = controller(cluster)
    workload = next(iter(passes._context.stores.workloads.values()))
    observed = passes.observe(workload)
    decision = plan(observed, cluster.now)
    observe = _best(lambda: passes.observe(workload), runs)
    decide = _best(lambda: plan(observed, cluster.now), runs)
    count = len(cluster.pods)
    return {
        "pods": count,
        "actions": len(decision.actions),
        "observe_ms": observe * 1e3,
        "plan_ms": decide * 1e3,
        "us_per_pod": (observe + decide) / count * 1e6,
    }


def main() -> None:
    """Print a table, and write it as JSON beside the other results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for count in options.pods:
        for name, (_, cluster) in rollout(count).items():
            results.setdefault(name, {})[str(count)] = measure(cluster, options.runs)
    judged = {name: kind for name, (kind, _) in rollout(4).items()}
    print(
        f"{'situation':34}{'pods':>7}{'actions':>9}{'observe ms':>12}{'plan ms':>9}{'us/pod':>8}{'target':>8}  growth"
    )
    for name, by_count in results.items():
        first = next(iter(by_count.values()))["us_per_pod"]
        for figures in by_count.values():
            target, found = TARGETS[judged[name]], figures["us_per_pod"]
            print(
                f"{name:34}{figures['pods']:>7}{figures['actions']:>9}{figures['observe_ms']:>12.2f}"
                f"{figures['plan_ms']:>9.1f}{found:>8.1f}{target:>7.0f}{' ' if found <= target else '!'}"
                f"  x{found / first:.2f}"
            )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "planning.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
