"""A rollout in the simulated cluster, told in the words of a user."""

import copy

from operators.planning.views import hookrun_view
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template

#: The white paper's example.
WHITE_PAPER = [
    {"partition": 3},
    {"pause": {}},
    {"partition": 2},
    {"pause": {"duration": 60}},
    {"hook": {"templateName": "test"}},
]


class Rollout:
    """One GameDeployment with canary steps. ``events`` holds (reason, message) of everything noted so far."""

    def __init__(self, steps=None, *, replicas=4, type_="InplaceUpdate", templates=("test",), canary=None, **strategy):
        spec = {"replicas": replicas, "updateStrategy": {"type": type_, "maxUnavailable": 1, "maxSurge": 0, **strategy}}
        if steps is not None:
            spec["updateStrategy"]["canary"] = {"steps": steps, **(canary or {})}
        self.cluster = SimulatedCluster(gamedeployment(spec), {n: hook_template(n) for n in templates})
        self.events = []
        self.blocked = ()

    # ---- the user

    def created(self):
        """All pods of the first version are there and ready."""
        return self.settle()

    def release(self, version, **also):
        """A new image, and with it whatever else the same edit changes in the update strategy."""
        template = {"spec": {"containers": [{"name": "web", "image": f"game:{version}"}]}}
        self.cluster.patch_spec({"template": template, "updateStrategy": also})
        return self

    def patch(self, **strategy):
        """An edit of the update strategy."""
        self.cluster.patch_spec({"updateStrategy": strategy})
        return self

    def resume(self):
        """``updateStrategy.paused: false``."""
        return self.patch(paused=False)

    def scale(self, replicas):
        self.cluster.patch_spec({"replicas": replicas})
        return self

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

    def settle(self, passes=60):
        """Kubelets and operator work until nothing moves any more; time stands still."""
        for _ in range(passes):
            before = (len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"], self._pods())
            self.kubelets()
            self.one_pass()
            if before == (len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"], self._pods()):
                return self
        raise AssertionError(f"does not settle: {self.cluster.log[-6:]}")

    def after(self, seconds):
        self.cluster.now += seconds
        return self.settle()

    def answer(self, phase, message=""):
        """The step's HookRun ends."""
        self.cluster.answer_hook(self.run.name, phase, message)
        return self

    # ---- what one sees

    def _pods(self):
        return copy.deepcopy({n: (p["spec"], p["status"]) for n, p in self.cluster.pods.items()})

    @property
    def status(self):
        return self.cluster.workload["status"]

    @property
    def index(self):
        return self.status.get("currentStepIndex")

    @property
    def paused(self):
        return self.cluster.workload["spec"]["updateStrategy"].get("paused", False)

    @property
    def reasons(self):
        return [c["reason"] for c in self.status.get("pauseConditions", ())]

    @property
    def stable(self):
        return self.status["canary"]["revision"]

    @property
    def update(self):
        return self.status["updateRevision"]

    def running(self, version):
        """Number of pods whose container runs a version."""
        images = [p["spec"]["containers"][0]["image"] for p in self.cluster.pods.values()]
        return images.count(f"game:{version}")

    @property
    def runs(self):
        return {n: hookrun_view(r) for n, r in self.cluster.hook_runs.items()}

    @property
    def run(self):
        """The HookRun of the step in force."""
        return self.runs[self.status["canary"]["currentStepHookRun"]]

    def condition(self, type_):
        return next(c for c in self.status["conditions"] if c["type"] == type_)

    def said(self, reason):
        return [m for r, m in self.events if r == reason]
