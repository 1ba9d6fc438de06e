"""A GameStatefulSet in the simulated cluster, told in the words of a user."""

import copy

from operators.gamestatefulset.ordinals import ordinal_of
from operators.planning import actions as act
from operators.simulation.cluster import hook_template
from operators.simulation.statefulset import SimulatedSet, gamestatefulset

DATA = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}


class Set:
    """A set called ``gs``. ``blocked`` is what the last pass said of what waits."""

    def __init__(self, replicas=3, *, policy="OrderedReady", claims=(), hooks=(), steps=None, spec=None, **strategy):
        body = {
            "replicas": replicas,
            "podManagementPolicy": policy,
            "volumeClaimTemplates": [*claims],
            "updateStrategy": strategy,
            **{f"{h}UpdateStrategy": {"hook": {"templateName": "check"}} for h in hooks},
            **(spec or {}),
        }
        if steps is not None:
            body["updateStrategy"]["canary"] = {"steps": steps}
        self.cluster = SimulatedSet(gamestatefulset(body), {n: hook_template(n) for n in ("check", "test")})
        self.blocked, self.events, self.broken = (), [], set()

    # ---- the user

    def release(self, version, **also):
        """A new image."""
        self.patch(template={"spec": {"containers": [{"name": "web", "image": f"game:{version}"}]}}, **also)
        return self

    def patch(self, **spec):
        self.cluster.patch_spec(spec)
        return self

    def strategy(self, **changes):
        return self.patch(updateStrategy=changes)

    def scale(self, replicas):
        return self.patch(replicas=replicas)

    # ---- the world

    def one_pass(self):
        decision = self.cluster.reconcile()
        self.events += [(n.reason, n.message) for n in decision.notes]
        self.blocked = decision.blocked
        return decision

    def kubelets(self):
        """Pods start, containers restart, terminating pods end; images in ``broken`` never get ready."""
        self.cluster.remove_terminating()
        for name in self.cluster.pods:
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)
            image = self.cluster.pods[name]["spec"]["containers"][0]["image"]
            self.cluster.set_container_ready(name, ready=image.removeprefix("game:") not in self.broken)
        self.cluster.collect_garbage()

    def hooks_say(self, phase="Successful"):
        for name in list(self.cluster.hook_runs):
            self.cluster.answer_hook(name, phase)

    def settle(self, passes=80, *, answer=None):
        """Kubelets, operator and (with ``answer``) hooks work until nothing moves any more; time stands still."""
        for _ in range(passes):
            before = self._all()
            self.kubelets()
            if answer:
                self.hooks_say(answer)
            self.one_pass()
            if before == self._all():
                return self
        raise AssertionError(f"does not settle: {self.cluster.log[-6:]}")

    def after(self, seconds):
        self.cluster.now += seconds
        return self.settle()

    # ---- what one sees

    def _all(self):
        pods = copy.deepcopy({n: (p["spec"], p["status"]) for n, p in self.cluster.pods.items()})
        return len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"], pods

    @property
    def status(self):
        return self.cluster.workload["status"]

    def columns(self):
        """READY, CURRENT, UPDATED and UPDATED_READY replicas."""
        names = ("readyReplicas", "currentReplicas", "updatedReplicas", "updatedReadyReplicas")
        return tuple(self.status[n] for n in names)

    def versions(self):
        """Version by ordinal, of pods that are not on their way out."""
        found = {}
        for name, pod in self.cluster.pods.items():
            if not pod["metadata"].get("deletionTimestamp"):
                image = pod["spec"]["containers"][0]["image"]
                found[ordinal_of("gs", name)] = image.removeprefix("game:")
        return dict(sorted(found.items()))

    def uid(self, ordinal):
        return self.cluster.pods[f"gs-{ordinal}"]["metadata"]["uid"]

    def did(self, *kinds):
        """(kind, ordinal) of what has been done to pods so far; with kinds, of those only."""
        found = [(type(a).__name__, ordinal_of("gs", a.name)) for a in self.cluster.log if _of_pod(a)]
        return [entry for entry in found if not kinds or entry[0] in kinds]

    def forget(self):
        """Count deeds from now on."""
        self.cluster.log.clear()
        return self

    def reasons(self):
        return {b.reason for b in self.blocked}

    def said(self, reason):
        return next(b.message for b in self.blocked if b.reason == reason)

    def condition(self, type_):
        held = next(c for c in self.status["conditions"] if c["type"] == type_)
        return held["status"] == "True", held["reason"], held["message"]

    def runs(self):
        return sorted(self.cluster.hook_runs)


def _of_pod(action):
    return isinstance(action, act.CreatePod | act.DeletePod | act.UpdatePodInPlace | act.ForceDeletePod)
