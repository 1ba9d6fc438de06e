"""A plain driver to hold plans against: it ticks once a second, and reads off bodies what kubelets have to do.

It shares nothing with the driver of plans but the cluster in memory: nothing is scheduled, and no time is skipped. What
it knows of an action is what stands on the objects afterwards.
"""

import json
import random

from operators.planning import actions as act
from operators.simulation.driver import stale_containers
from operators.simulation.statefulset import SimulatedSet

PERSON = {"CanaryPaused", "Paused"}


def by_number(_seed, taken):
    """Names of new pods that follow from those there are: the same in two worlds that are alike."""
    used, source = set(taken), random.Random(0)
    while True:
        name = f"{source.randrange(10**5):05}"
        if name not in used:
            used.add(name)
            yield name


class Ticking:
    """Drives a cluster second by second under the same assumptions as a plan."""

    def __init__(self, cluster, assumed):
        self.cluster, self.assumed = cluster, assumed
        self.began, self.done, self.asked, self.seen = cluster.now, [], {}, {}
        self.resumes = 0

    def run(self, seconds):
        """So many seconds; what was done, and when."""
        for _ in range(int(seconds) + 1):
            self._instant()
            self.cluster.now += 1
        return self.done

    def _instant(self):
        for _ in range(200):
            self._world()
            decision = self.cluster.decide()
            actions = [a for a in decision.actions if self.cluster.apply(a)]
            wrote = self.cluster.write_status(decision)
            self.done += [(self.cluster.now - self.began, type(a).__name__, getattr(a, "name", "")) for a in actions]
            for action in actions:
                if isinstance(action, act.SetGate):
                    self.cluster.probe_pod(action.name)
            if not actions and not wrote and not self._person(decision):
                return
        raise AssertionError("never quiet")

    def _person(self, decision):
        """Goes on where nothing else ever will."""
        if self.assumed.resume is None or decision.wake_after is not None or self._pending():
            return False
        if not any(b.reason in PERSON for b in decision.blocked) or self.resumes > 190:
            return False
        self.resumes += 1
        self.cluster.patch_spec({"updateStrategy": {"paused": False}})
        return True

    # ---- who does what, read off the bodies

    def _pending(self):
        return any(due > self.cluster.now for due, _ in self._duties())

    def _world(self):
        ended = False
        for due, do in list(self._duties()):
            if due <= self.cluster.now:
                ended = do() == "ended" or ended
        if ended and isinstance(self.cluster, SimulatedSet):
            self.cluster.collect_garbage()

    def _duties(self):
        cluster, assumed = self.cluster, self.assumed
        for name in list(cluster.pods):
            pod = cluster.pod(name)
            if pod.deleting:
                if name not in cluster.held:
                    first = self.seen.setdefault((pod.uid, "end"), cluster.now)
                    end = first + assumed.end if assumed.end is not None else pod.deletion_timestamp
                    if assumed.end is not None and first == self.began and self._was_leaving(pod):
                        end = first
                    yield end, lambda n=name: self._end(n)
            elif pod.finished:
                continue
            elif pod.phase != "Running":
                if pod.problem is None:
                    yield pod.created + assumed.start, lambda n=name: cluster.start_pod(n)
            elif any(c.get("stale") for c in cluster.pods[name]["spec"]["containers"]):
                since = max(stale_containers(pod).values(), default=cluster.now)
                if pod.problem is None or since >= self.began:
                    yield since + assumed.restart, lambda n=name: cluster.restart_containers(n)
            elif not pod.containers_ready and pod.problem is None:
                since = pod.created if pod.unready_since is None else pod.unready_since
                yield since + assumed.start, lambda n=name: cluster.set_container_ready(n, ready=True)
            elif not pod.ready and pod.gate is not False:
                yield cluster.now, lambda n=name: cluster.probe_pod(n)
        for name, run in list(cluster.hook_runs.items()):
            if run.get("status", {}).get("phase") in ("Successful", "Failed"):
                continue
            if assumed.hooks == "yes":
                first = self.asked.setdefault(run["metadata"]["uid"], cluster.now)
                yield first + assumed.after, lambda n=name: cluster.answer_hook(n, "Successful")
            elif run.get("status", {}).get("phase") != "Running":
                yield cluster.now, lambda n=name: cluster.answer_hook(n, "Running", "says no")

    def _was_leaving(self, pod):
        return pod.name in self.leaving

    leaving: frozenset = frozenset()

    def _end(self, name):
        self.cluster.kill_pod(name)
        return "ended"


def bodies(objects):
    """As the API server would send them: nothing of the simulation's own marks."""
    found = json.loads(json.dumps(objects))
    for body in found.values():
        for container in (body.get("spec") or {}).get("containers") or ():
            container.pop("stale", None)
    return found
