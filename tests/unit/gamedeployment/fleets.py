"""A GameDeployment in the simulated cluster, told in the words of a user."""

import copy

from operators.planning import actions as act
from operators.planning.views import hookrun_view
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template


class Fleet:
    """One GameDeployment. ``events`` holds (reason, message) of everything noted so far.

    Its strategy is to update one pod at a time, without surge, unless ``strategy`` says otherwise. ``hooks`` are the
    pod hooks, ``preDelete``, ``preInplace`` and ``postInplace``, all with the HookTemplate ``check``.
    """

    def __init__(self, replicas=3, *, strategy=None, hooks=(), annotations=None, templates=("check",), **spec):
        strategy = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0, **(strategy or {})}
        guards = {f"{h}UpdateStrategy": {"hook": {"templateName": "check"}} for h in hooks}
        body = gamedeployment({"replicas": replicas, "updateStrategy": strategy, **guards, **spec}, annotations)
        self.cluster = SimulatedCluster(body, {n: hook_template(n) for n in templates})
        self.events = []
        self.blocked = ()

    # ---- the user

    def created(self):
        """All pods of the first version are there and ready."""
        return self.settle()

    def release(self, version, **also):
        """A new image, and with it whatever else the same edit changes in the update strategy."""
        return self.change(template={"spec": {"containers": [image(version)]}}, updateStrategy=also)

    def change(self, **spec):
        """An edit of the spec."""
        self.cluster.patch_spec(spec)
        return self

    def patch(self, **strategy):
        """An edit of the update strategy."""
        return self.change(updateStrategy=strategy)

    def resume(self):
        """``updateStrategy.paused: false``."""
        return self.patch(paused=False)

    def scale(self, replicas):
        return self.change(replicas=replicas)

    # ---- the world

    def one_pass(self):
        decision = self.cluster.reconcile()
        self.events += [(n.reason, n.message) for n in decision.notes]
        self.blocked = decision.blocked
        return decision

    def kubelets(self):
        self.cluster.remove_terminating()
        for name in self.cluster.pods:
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)

    def turns(self, count, watch=None):
        """So many turns of kubelets and operator; ``watch`` looks before and after each pass."""
        for _ in range(count):
            self.kubelets()
            if watch:
                watch(self)
            self.one_pass()
            if watch:
                watch(self)
        return self

    def settle(self, passes=60, watch=None):
        """Kubelets and operator work until nothing moves any more; time stands still."""
        for _ in range(passes):
            before = self._world()
            self.turns(1, watch)
            if before == self._world():
                return self
        raise AssertionError(f"does not settle: {self.cluster.log[-6:]}")

    def after(self, seconds):
        self.cluster.now += seconds
        return self.settle()

    def answer_all(self, phase="Successful", message=""):
        """Every open HookRun ends."""
        for name, run in self.runs.items():
            if not run.completed:
                self.cluster.answer_hook(name, phase, message)
        return self

    # ---- what one sees

    def _world(self):
        pods = {n: (p["spec"], p["status"]) for n, p in self.cluster.pods.items()}
        return len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"], copy.deepcopy(pods)

    @property
    def status(self):
        return self.cluster.workload["status"]

    @property
    def spec(self):
        return self.cluster.workload["spec"]

    @property
    def paused(self):
        return self.spec["updateStrategy"].get("paused", False)

    @property
    def update(self):
        return self.status["updateRevision"]

    @property
    def names(self):
        """Names of the pods that are not leaving."""
        pods = self.cluster.pods
        return sorted(n for n, p in pods.items() if not p["metadata"].get("deletionTimestamp"))

    @property
    def ready(self):
        """Names of the pods that serve players: ready, not leaving, and not about to restart."""
        pods = self.cluster.pods
        restarting = {n for n, p in pods.items() if any(c.get("stale") for c in p["spec"]["containers"])}
        return [n for n in self.names if self.cluster.pod(n).ready and n not in restarting]

    def version(self, name):
        """The version of the image that a pod's spec asks for."""
        return int(self.cluster.pods[name]["spec"]["containers"][0]["image"].rpartition(":")[2])

    def at(self, version):
        """Names of the pods of a version."""
        return [n for n in self.names if self.version(n) == version]

    def running(self, version):
        """Number of pods whose container runs a version."""
        images = [p["spec"]["containers"][0]["image"] for p in self.cluster.pods.values()]
        return images.count(f"game:{version}")

    @property
    def runs(self):
        return {n: hookrun_view(r) for n, r in self.cluster.hook_runs.items()}

    def done(self, kind):
        """All actions of a kind so far."""
        return [a for a in self.cluster.log if isinstance(a, kind)]

    def gone(self):
        """Names of the pods that the operator has deleted, in order."""
        return [a.name for a in self.done(act.DeletePod)]

    def condition(self, type_):
        return next(c for c in self.status["conditions"] if c["type"] == type_)

    def told(self, reason):
        """Messages of what the last pass said waits or is refused for a reason."""
        return [b.message for b in self.blocked if b.reason == reason]

    def said(self, reason):
        return [m for r, m in self.events if r == reason]


def image(version, name="web"):
    """A container of the template."""
    return {"name": name, "image": f"game:{version}"}
