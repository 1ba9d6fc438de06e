"""A user, kubelets, hooks and an operator that dies between any two writes, around one canary.

`Witness` judges every write by its own count of what has happened: it reads raw objects and knows none of the
planner's rules, only what a user was promised.
"""

import json
import math

from operators.gamedeployment.plan import plan
from operators.planning import actions as act
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template

MARK = "tkex.tencent.com/canary-pause"
PAUSE, HOOK = "PausedByCanaryPauseStep", "PausedByStepBasedHook"


def kept_by(steps, index, replicas):
    """Pods a step keeps at the old version: counted here on its own."""
    for step in [*steps[: index + 1]][::-1] if index < len(steps) else [{"partition": 0}]:
        partition = step.get("partition")
        if isinstance(partition, str):
            percent = int(partition[:-1])
            kept = math.ceil(replicas * percent / 100)
            return min(kept, replicas - 1) if 0 < percent < 100 and replicas else kept
        if partition is not None:
            return min(partition, replicas)
    return replicas


class World:
    """The cluster, the user's hand on it, and the witness."""

    def __init__(self, steps, replicas, strategy):
        update = {"maxUnavailable": 1, "maxSurge": 0, **strategy}
        if steps is not None:
            update["canary"] = {"steps": steps}
        spec = {"replicas": replicas, "updateStrategy": update}
        self.cluster = SimulatedCluster(gamedeployment(spec), {"check": hook_template("check")})
        self.sick = set()
        self.witness = Witness(self)

    # ---- what there is

    @property
    def spec(self):
        return self.cluster.workload["spec"]

    @property
    def status(self):
        return self.cluster.workload["status"]

    @property
    def strategy(self):
        return self.spec["updateStrategy"]

    @property
    def canary(self):
        return self.strategy.get("canary")

    @property
    def steps(self):
        return self.canary["steps"] if self.canary else []

    @property
    def paused(self):
        return bool(self.strategy.get("paused"))

    @property
    def version(self):
        return self.spec["template"]["spec"]["containers"][0]["image"]

    @property
    def reasons(self):
        return {c["reason"] for c in self.status.get("pauseConditions") or ()}

    @property
    def marked(self):
        return MARK in self.cluster.workload["metadata"]["annotations"]

    def version_of(self, revision):
        data = self.cluster.revisions.get(revision)
        return data["data"]["spec"]["template"]["spec"]["containers"][0]["image"] if data else None

    def pods_of(self, revision):
        pods = [p for p in self.cluster.pods.values() if not p["metadata"].get("deletionTimestamp")]
        return [p for p in pods if p["metadata"]["labels"]["controller-revision-hash"] == revision]

    # ---- the user

    def release(self, version):
        self.cluster.patch_spec({"template": {"spec": {"containers": [{"name": "web", "image": f"game:{version}"}]}}})

    def set_steps(self, steps):
        self.cluster.patch_spec({"updateStrategy": {"canary": None if steps is None else {"steps": steps}}})

    def set_auto_rollback(self, on):
        if self.canary:
            self.cluster.patch_spec({"updateStrategy": {"canary": {"autoRollback": on}}})

    def set_paused(self, paused):
        self.witness.user_writes(paused)
        self.cluster.patch_spec({"updateStrategy": {"paused": paused}})

    def replace_annotations(self):
        """``kubectl replace`` with a manifest that has no annotations."""
        self.witness.mark_wiped()
        self.cluster.workload["metadata"]["annotations"] = {}

    # ---- the world

    def kubelets(self):
        self.cluster.remove_terminating()
        for name in list(self.cluster.pods):
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)
            pod = self.cluster.pods[name]
            if pod["status"]["phase"] == "Running":
                images = {c["image"] for c in pod["spec"]["containers"]}
                self.cluster.set_container_ready(name, ready=not images & self.sick)

    def unanswered(self):
        return [n for n, r in self.cluster.hook_runs.items() if r.get("status", {}).get("phase") in (None, "Running")]

    # ---- the operator

    def one_pass(self, fault=None):
        """One pass. ``fault``: None, ("dies", n) after n writes, or ("loses", n): the n-th write is refused."""
        decision, paused = plan(self.cluster.observe(), self.cluster.now), self.paused
        self.witness.before_pass(decision)
        lost = -1
        for number, action in enumerate(decision.actions):
            if fault == ("dies", number):
                return decision
            if fault == ("loses", number):
                lost = number
                if action.stage <= act.Stage.OWNERSHIP:
                    break
                continue
            self.witness.sees(action)
            self.cluster.apply(action)
        if fault is not None and fault[0] == "dies":
            return decision
        self.witness.heard = self.witness.heard or not paused
        if lost >= 0 or decision.status.dump() != self.status:
            self.witness.status_changes(self.status, decision.status.dump())
            self.cluster.workload["status"] = json.loads(json.dumps(decision.status.dump()))
            self.cluster.workload["metadata"]["resourceVersion"] += "+"
        return decision

    def settle(self, faults=()):
        """Kubelets and operator work until nothing moves; time stands still."""
        faults = list(faults)
        for _ in range(200):
            before = self._fingerprint()
            self.kubelets()
            fault = faults.pop() if faults else None
            self.one_pass(fault)
            if fault is None and before == self._fingerprint():
                return
        raise AssertionError(f"does not settle: {self.cluster.log[-8:]}")

    def _fingerprint(self):
        pods = {
            n: (p["spec"], p["status"], p["metadata"]["labels"], p["metadata"].get("deletionTimestamp"))
            for n, p in self.cluster.pods.items()
        }
        workload = {k: v for k, v in self.cluster.workload.items() if k != "metadata"}
        marks = self.cluster.workload["metadata"]["annotations"]
        return json.dumps([pods, workload, marks, self.cluster.hook_runs, self.cluster.revisions], sort_keys=True)


class Witness:
    """Keeps the evidence a canary step needs to end, and refuses every move without it (invariant I6)."""

    def __init__(self, world):
        self.world = world
        self.epoch = 0
        self.owner = None  # who set paused: None, "user", "step", or "unclear"
        self.heard = False  # the operator has acted on paused being false
        self.resumed = False  # a person set paused to false while this step held it
        self.paused_at = None  # when this step paused first
        self.born = {}  # epoch in which a HookRun was made

    # ---- the user's writes

    def user_writes(self, paused):
        world = self.world
        if paused:
            if not world.paused:
                self.owner = self._paused_by(world)
            self.resumed = False
        else:
            self.resumed = self.resumed or self.owner in ("step", "unclear")
            self.owner, self.heard = None, False

    def _paused_by(self, world):
        """Beside the pause of a step, or its mark before anything was done about it, nothing has changed.

        Where the write that takes the mark away was lost, nobody can tell this from a pause that was never lifted.
        """
        if world.reasons or (world.marked and not self.heard):
            return "step"
        return "unclear" if world.marked else "user"

    def mark_wiped(self):
        if self.world.paused and not self.world.reasons:
            self.owner = "user"

    # ---- the operator's writes

    def before_pass(self, decision):
        """Updates respect the step on record, pauses, and the number of pods it keeps."""
        world, status = self.world, self.world.status
        updates = [a for a in decision.actions if isinstance(a, act.UpdatePodInPlace) and a.begins]
        deletes = [a for a in decision.actions if isinstance(a, act.DeletePod) and a.why == "rollingUpdate"]
        victims = {a.name for a in decision.actions if isinstance(a, act.DeletePod) and a.why != "rollingUpdate"}
        if not updates and not deletes:
            return
        recorded = status["updateRevision"]
        back = HOOK in world.reasons and bool(world.canary and world.canary.get("autoRollback")) and world.paused
        if back:
            assert self.owner in ("step", "unclear")
            goal = status["canary"]["revision"]
        else:
            assert not world.paused, "a pod was updated under a pause"
            assert not world.reasons or not world.steps, "a pod was updated while a pause was on record"
            on_record = world.version_of(recorded) == world.version
            assert on_record or not world.steps, "a pod was updated before the rollout was on record"
            goal = next(r for r in world.cluster.revisions if world.version_of(r) == world.version)
        assert {a.labels["controller-revision-hash"] for a in updates} <= {goal}
        assert not {a.name for a in (*updates, *deletes)} & {p["metadata"]["name"] for p in world.pods_of(goal)}
        if world.steps and not back:
            index, replicas = status["currentStepIndex"], world.spec["replicas"]
            living = [p for p in world.cluster.pods.values() if not p["metadata"].get("deletionTimestamp")]
            at_goal = {p["metadata"]["name"] for p in world.pods_of(goal)}
            old = {p["metadata"]["name"] for p in living} - at_goal - victims
            left = len(old) - len(updates) - len(deletes)
            assert left >= kept_by(world.steps, index, replicas), "a canary step was overrun"

    def sees(self, action):
        if isinstance(action, act.CreateHookRun):
            self.born[action.name] = self.epoch
        paused = action.patch.get("spec", {}).get("updateStrategy", {}).get("paused") if self._patches(action) else None
        if paused is True:
            assert self.owner != "user", "a user's pause was taken for the controller's own"
            self.owner = "step"
            self.paused_at = self.world.cluster.now if self.paused_at is None else self.paused_at
        elif paused is False:
            assert self.owner in ("step", "unclear"), "a user's pause was reset"
            self.owner = None

    @staticmethod
    def _patches(action):
        return isinstance(action, act.PatchSpec)

    def status_changes(self, old, new):
        where = [(s.get("updateRevision"), s.get("currentStepHash"), s.get("currentStepIndex")) for s in (old, new)]
        stable = [(s.get("canary") or {}).get("revision") for s in (old, new)]
        index, count = where[1][2], len(self.world.steps)
        if stable[0] and stable[0] != stable[1]:
            assert stable[1] == new["updateRevision"]
            assert index == count if count else len(self.world.pods_of(stable[1])) == self.world.spec["replicas"]
        if where[0] == where[1]:
            return
        if index is not None:
            self._judge(old, new, stable[0], index, count)
        self.epoch += 1
        self.resumed, self.paused_at = False, None

    def _judge(self, old, new, stable, index, count):
        same = all(old.get(k) == new.get(k) for k in ("updateRevision", "currentStepHash"))
        before = old.get("currentStepIndex")
        if same and before is not None and index == before + 1:
            assert self._may_leave(self.world.steps[before]), f"step {before} was passed without reason"
        elif same and before is not None:
            assert index == 0, "an index jumped"
            assert self.world.canary.get("autoRollback")
            assert self.resumed, "a rolled back canary began again by itself"
        elif index != 0:
            assert index == count
            assert stable in (None, new["updateRevision"]), "all steps of a rollout were skipped"

    def _may_leave(self, step):
        if self.owner == "user":
            return False
        if "partition" in step:
            return self._enough_ready()
        if "pause" in step:
            if self.paused_at is None:
                return False
            duration = step["pause"].get("duration")
            if duration is None:
                return self.resumed
            return self.world.cluster.now >= self.paused_at + duration
        runs = self.world.cluster.hook_runs
        phases = {r.get("status", {}).get("phase") for n, r in runs.items() if self.born.get(n) == self.epoch}
        return "Successful" in phases or (self.paused_at is not None and self.resumed)

    def _enough_ready(self):
        world = self.world
        status, replicas = world.status, world.spec["replicas"]
        good = [
            p
            for p in world.pods_of(status["updateRevision"])
            if {"type": "Ready", "status": "True"}.items() <= _ready(p).items()
            and not any(c.get("stale") for c in p["spec"]["containers"])
            and p["spec"]["containers"][0]["image"] == world.version
        ]
        return len(good) >= replicas - kept_by(world.steps, status["currentStepIndex"], replicas)


def _ready(pod):
    found = next((c for c in pod["status"]["conditions"] if c["type"] == "Ready"), {})
    return {"type": found.get("type"), "status": found.get("status")}
