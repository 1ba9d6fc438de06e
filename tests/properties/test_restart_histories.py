"""Restarts over random histories of both kinds: releases, kills, refusals and hooks in any order.

Of the planner nothing is known here but what it asks to be done. Counted is what the nodes have done: which containers
restarted when, and how many pods served meanwhile.
"""

import math
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.gamedeployment.plan import plan as gd_plan
from operators.gamestatefulset.plan import plan as gsts_plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamestatefulset.sets import Set
from tests.unit.planning.test_restarts import Registry, serving

EXAMPLES = max(10, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 16)
HOOKS = ("preDelete", "preInplace", "postInplace")
DEEDS = ("restart", "restart", "release", "pass", "pass", "pass", "kubelets", "kubelets", "hooks", "dies", "refused",
         "time", "time", "pod dies", "partition", "recreate")  # fmt: skip


class World:
    """One workload, what was promised of it, and what its nodes have done."""

    def __init__(self, kind, replicas, type_, unavailable, surge, grace, hooks, policy):
        self.kind, self.replicas, self.unavailable, self.surge = kind, replicas, unavailable, surge
        place = {"gracePeriodSeconds": grace}
        if kind == "gd":
            strategy = {"type": type_, "maxUnavailable": unavailable, "maxSurge": surge, "inPlaceUpdateStrategy": place}
            self.world = Fleet(replicas, strategy=strategy, hooks=hooks)
        else:
            numbers = {"maxUnavailable": unavailable, "maxSurge": surge}
            self.world = Set(replicas, policy=policy, hooks=hooks, type=type_, rollingUpdate=numbers,
                             inPlaceUpdateStrategy=place)  # fmt: skip
        self.parallel = policy == "Parallel" or kind == "gd"
        self.cluster = self.world.cluster
        self.cluster.digests = Registry()
        self.plan = gd_plan if kind == "gd" else gsts_plan
        self.restart_at = self.asked_at = None
        self.world.settle()
        self.cluster.now += 50

    @property
    def least(self):
        """Pods that serve at any time, as far as updates and restarts go."""
        unavailable = self.unavailable if self.parallel else 1
        if self.kind == "gsts" and not (unavailable or self.surge):
            unavailable = 1
        return max(0, self.replicas - unavailable)

    def act(self, stop=None, refuse=None):
        decision = self.plan(self.cluster.observe(), self.cluster.now)
        taken = [a for a in decision.actions if (isinstance(a, act.UpdatePodInPlace) and a.begins and (
            a.images or a.close_gate)) or (isinstance(a, act.DeletePod) and a.why == "rollingUpdate")]  # fmt: skip
        before = serving(self.world)
        lost = sum(self._serves(a.name) for a in taken)
        if lost:
            assert before - lost >= self.least, f"{before} serve, {lost} are taken, {self.least} are promised"
        for action in taken:
            if isinstance(action, act.UpdatePodInPlace) and not self._releases(action):
                assert self.restart_at is not None, "a pod restarts that nobody asked for"
        for number, action in enumerate(decision.actions):
            if number == stop:
                return
            if number == refuse and action.stage > act.Stage.OWNERSHIP and not isinstance(action, act.DeleteHookRun):
                continue
            self.cluster.apply(action)
        self.cluster.write_status(decision)

    def _serves(self, name):
        body = self.cluster.pods[name]
        return self.cluster.pod(name).ready and not any(c.get("stale") for c in body["spec"]["containers"])

    def _releases(self, action):
        return action.labels["controller-revision-hash"] != self.cluster.pods[action.name]["metadata"]["labels"][
            "controller-revision-hash"]  # fmt: skip

    def hooks(self, phase="Successful"):
        for name, run in self.cluster.hook_runs.items():
            if run.get("status", {}).get("phase") not in ("Successful", "Failed"):
                self.cluster.answer_hook(name, phase)

    def deed(self, name, number):
        cluster = self.cluster
        if name == "restart" or name == "recreate":
            self.restart_at, self.asked_at = rfc3339(cluster.now), int(cluster.now)
            cluster.patch_spec({"restartAt": self.restart_at, "restartRecreate": name == "recreate"})
            cluster.now += 1
        elif name == "release":
            self.world.release(1 + number % 3)
        elif name == "partition":
            where = {"partition": number % 3}
            cluster.patch_spec({"updateStrategy": where if self.kind == "gd" else {"rollingUpdate": where}})
        elif name == "pass":
            self.act()
        elif name == "dies":
            self.act(stop=number % 4)
        elif name == "refused":
            self.act(refuse=number % 4)
        elif name == "kubelets":
            self.world.kubelets()
        elif name == "hooks":
            self.hooks()
        elif name == "time":
            cluster.now += 1 + number % 7
        elif cluster.pods:
            cluster.kill_pod(sorted(cluster.pods)[number % len(cluster.pods)])

    def rest(self):
        """The world is left alone, and all is done that was asked for."""
        for _ in range(30 + 40 * self.replicas):
            self.world.kubelets()
            self.hooks()
            self.act()
            self.cluster.now += 3

    def judge(self):
        cluster = self.cluster
        living = {n: p for n, p in cluster.pods.items() if not p["metadata"].get("deletionTimestamp")}
        assert len(living) == self.replicas
        assert serving(self.world) == self.replicas
        if self.restart_at is not None:
            for name in living:
                for container in cluster.pod(name).containers:
                    assert container.running_since >= self.asked_at, f"{name} runs since before the restart"
        held = {c["type"]: c["status"] for c in self.world.status["conditions"]}
        assert held["Blocked"] == "False", self.world.status["conditions"]
        log = len(cluster.log)
        decision = self.plan(cluster.observe(), cluster.now)
        assert not decision.actions
        assert len(cluster.log) == log


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(
    kind=st.sampled_from(["gd", "gsts"]),
    replicas=st.integers(1, 5),
    type_=st.sampled_from(["InplaceUpdate", "InplaceUpdate", "RollingUpdate"]),
    budget=st.sampled_from([(1, 0), (2, 0), (1, 1), (0, 1), (0, 2), (3, 1)]),
    grace=st.sampled_from([0, 0, 6]),
    hooks=st.sampled_from([(), (), HOOKS, HOOKS[:1], HOOKS[1:2], HOOKS[2:]]),
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
    deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 11)), max_size=40),
)
def test_ux_28_29_every_pod_is_restarted_within_the_budget_whatever_happens(
    kind, replicas, type_, budget, grace, hooks, policy, deeds
):
    world = World(kind, replicas, type_, *budget, grace, hooks, policy)
    for name, number in deeds:
        world.deed(name, number)
    world.rest()
    world.judge()
    assert math.isfinite(world.cluster.now)
