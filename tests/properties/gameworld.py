"""The invariants of the design (I1 to I5), judged on the truth of the cluster whenever a pass acts.

`Judge` looks at raw pods and HookRuns and knows none of the planner's rules, only what a user was promised: it counts
for itself what serves, what is old, and what a hook has said.
"""

import hashlib
import json
import math
from datetime import datetime

from operators.planning import actions as act

INDEX = "tkex.bkbcs.tencent.com/gamedeployment-index-id"
INSTANCE = "tkex.bkbcs.tencent.com/gamedeployment-instance-id"
REVISION = "controller-revision-hash"
INDEXES = range(100, 108)
MIRROR = "mirror/"


class Registry(dict):
    """Image ids as a runtime gives them: equal for images of the same bits, which are those of ``same``."""

    def __init__(self, **same):
        super().__init__(same)

    def get(self, image, default=None):
        tagged, _, digest = image.removeprefix(MIRROR).partition("@")
        bits = super().get(tagged.replace(":", "_"), tagged)
        folder = MIRROR if image.startswith(MIRROR) else "library/"
        digest = digest or "sha256:" + hashlib.sha256(bits.encode()).hexdigest()
        return f"docker.io/{folder}{tagged.partition(':')[0]}@{digest}"


def same_bits(image, wanted, registry):
    """The image is the one wanted, perhaps in the text that a restart has given it."""
    return image == wanted or (
        "@" in image and registry.get(image).partition("@")[2] == registry.get(wanted).partition("@")[2]
    )


def seconds(text):
    """RFC 3339 to Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def share(value, total, rounding):
    """Pods that a number or a percentage names."""
    if isinstance(value, str):
        return rounding(int(value.removesuffix("%")) * total / 100)
    return value or 0


def kept_at(partition, replicas):
    """Pods that a partition keeps old."""
    kept = share(partition, replicas, math.ceil)
    if isinstance(partition, str) and 0 < int(partition[:-1]) < 100 and replicas:
        kept = min(kept, replicas - 1)
    return min(kept, replicas)


class Pod:
    """One pod as it truly is: a container that was told to restart does not serve, whatever its status says."""

    def __init__(self, body):
        metadata, status = body["metadata"], body["status"]
        self.body, self.name, self.uid = body, metadata["name"], metadata["uid"]
        self.leaving = bool(metadata.get("deletionTimestamp"))
        self.ended = status["phase"] in ("Failed", "Succeeded")
        self.running = status["phase"] == "Running"
        self.revision = metadata["labels"].get(REVISION)
        self.instance = metadata["labels"].get(INSTANCE)
        self.annotations = metadata["annotations"]
        self.images = {c["name"]: c["image"].removeprefix(MIRROR) for c in body["spec"]["containers"]}
        told = any(c.get("stale") for c in body["spec"]["containers"])
        ready = next((c for c in status["conditions"] if c["type"] == "Ready" and c["status"] == "True"), None)
        self.serves = self.running and not self.leaving and ready is not None and not told
        self.since = seconds(ready["lastTransitionTime"]) if ready else None

    @property
    def active(self):
        return not self.leaving and not self.ended

    @property
    def in_grace(self):
        return "inplace-update-grace" in self.annotations

    @property
    def whole(self):
        """It serves, and no hook after its update is still to succeed."""
        return self.serves and json.loads(self.annotations.get("inplace-update-state", "{}")).get("postHook") is None


class Snapshot:
    """The truth at the moment a pass looked."""

    def __init__(self, cluster):
        self.now = cluster.now
        self.pods = {n: Pod(p) for n, p in cluster.pods.items()}
        self.spec = json.loads(json.dumps(cluster.workload["spec"]))
        self.status = cluster.workload["status"]
        self.answers = {
            (m["labels"]["hookrun-type"], m["labels"]["workload-revision"], m["labels"]["instance-id"])
            for m, s in ((r["metadata"], r.get("status", {})) for r in cluster.hook_runs.values())
            if s.get("phase") == "Successful" and cluster.now - seconds(s["completedAt"]) <= 60
        }
        self.named = set((self.spec.get("scaleStrategy") or {}).get("podsToDelete") or ())

    @property
    def strategy(self):
        return self.spec["updateStrategy"]

    @property
    def replicas(self):
        return self.spec["replicas"]

    @property
    def surge(self):
        return share(self.strategy.get("maxSurge", "25%"), self.replicas, math.ceil)

    @property
    def unavailable(self):
        allowed = share(self.strategy.get("maxUnavailable", "25%"), self.replicas, math.floor)
        percent = isinstance(self.strategy.get("maxUnavailable", "25%"), str)
        return max(allowed, 1) if percent and not self.surge else allowed

    def available(self, pod):
        """It serves, has done so for long enough, and no hook after its update is still to succeed."""
        return pod.whole and self.now - pod.since >= self.spec.get("minReadySeconds", 0)

    def hook(self, kind):
        return (self.spec.get(f"{kind}UpdateStrategy") or {}).get("hook")


class Judge:
    """Looks at what a pass is about to do, before it is done."""

    def plan(self, truth, actions, target, current, changes_template):
        """``target`` is the revision pods go to, ``current`` the one kept pods stay at."""
        self.truth, self.target = truth, target
        active = {n: p for n, p in truth.pods.items() if p.active}
        updates = [a for a in actions if self._updates(a)]
        restarts = [a for a in updates if isinstance(a, act.DeletePod) or a.images or a.close_gate]
        leaves = [a for a in actions if isinstance(a, act.DeletePod) and a.why == "deletePod"]
        created = [a for a in actions if isinstance(a, act.CreatePod)]
        self._budget(active, restarts, leaves)
        self._surge(active, created)
        self._enough(active, leaves)
        self._old(active, updates, leaves, created, current, self._resting(actions))
        self._paused(updates)
        self._hooks(actions)
        if changes_template:
            assert not updates, "a pod was updated before its revision was on record"

    @staticmethod
    def _updates(action):
        if isinstance(action, act.DeletePod):
            return action.why == "rollingUpdate"
        return isinstance(action, act.UpdatePodInPlace) and action.begins

    def _budget(self, active, restarts, leaves):
        """I1: an update takes a pod that serves only if enough others go on serving."""
        truth = self.truth
        taken = {a.name for a in restarts}
        gone = {a.name for a in leaves}
        needed = truth.replicas - truth.unavailable
        for serves in (lambda p: p.serves, truth.available):
            if any(serves(active[n]) for n in taken):
                left = sum(serves(p) for n, p in active.items() if n not in taken | gone)
                assert left >= needed, f"I1: {left} pods are left to serve, {needed} are promised"

    def _surge(self, active, created):
        """I2: never more pods than replicas and surge."""
        if created:
            assert len(active) + len(created) <= self.truth.replicas + self.truth.surge, "I2: too many pods"

    def _enough(self, active, leaves):
        """I2: a scale-in leaves as many pods as are asked for, but for those that the user names."""
        chosen = {a.name for a in leaves} - self.truth.named
        if chosen:
            assert len(active) - len(chosen) >= self.truth.replicas, "I2: more pods are deleted than are too many"

    def _resting(self, actions):
        """Old pods that failed and stay for a rest: each comes back old."""
        gone = {a.name for a in actions if isinstance(a, act.DeletePod)}
        ended = [p for n, p in self.truth.pods.items() if p.ended and not p.leaving and n not in gone]
        return sum(p.revision != self.target for p in ended)

    def _old(self, active, updates, leaves, created, current, resting):
        """I3: an update, or a scale-in that nobody asked of these very pods, leaves what the partition keeps."""
        truth = self.truth
        if current == self.target:
            return
        kept = kept_at(truth.strategy.get("partition"), truth.replicas)
        old = {n for n, p in active.items() if p.revision != self.target}
        gone = {a.name for a in leaves} & old
        updates = [a for a in updates if not self._restarts(a)]
        if updates or gone - truth.named:
            lost = len({a.name for a in updates} | gone)
            spared = len(gone & truth.named)
            assert len(old) - lost + spared >= min(kept, len(old)), "I3: fewer old pods than the partition keeps"
        fresh_old = sum(a.revision != self.target for a in created)
        if len(created) > fresh_old:
            assert len(old) + fresh_old + resting >= kept, "I3: a new pod was created where an old one was due"

    def _restarts(self, action):
        """The pod stays at its version: restarted in place, or made anew as it was."""
        asked, pod = self.truth.spec.get("restartAt"), self.truth.pods[action.name]
        if asked is None:
            return False
        if isinstance(action, act.UpdatePodInPlace):
            return action.labels[REVISION] == pod.revision
        return seconds(pod.body["metadata"]["creationTimestamp"]) < seconds(asked)

    def _paused(self, updates):
        if self.truth.strategy.get("paused"):
            assert not updates, "a paused rollout took a pod"

    def _hooks(self, actions):
        """I5: no running pod is deleted or updated before its hook allowed it."""
        truth = self.truth
        for action in actions:
            guard = None
            if isinstance(action, act.DeletePod) and action.why != "failedPod":
                guard = "pre-delete-step" if truth.hook("preDelete") else None
            elif isinstance(action, act.UpdatePodInPlace) and action.begins:
                guard = "pre-delete-step" if truth.hook("preDelete") else None
                guard = "pre-inplace-step" if truth.hook("preInplace") else guard
                untouched = truth.pods[action.name].in_grace and not action.images and not action.close_gate
                if untouched and action.annotations["inplace-update-grace"] is None:
                    guard = None  # taken back: its containers had not been touched
            if guard is None:
                continue
            pod = truth.pods[action.name]
            if pod.running:
                assert (guard, pod.revision, pod.instance) in truth.answers, f"I5: {action}"


def check_identities(cluster):
    """I4: indexes and instance ids of living pods are unique, and indexes are in range and on every pod."""
    living = [p for p in cluster.pods.values() if p["status"]["phase"] not in ("Failed", "Succeeded")]
    instances = [p["metadata"]["labels"].get(INSTANCE) for p in living]
    assert len(instances) == len(set(instances)), "I4: two pods of one instance id"
    found = [p["metadata"]["annotations"].get(INDEX) for p in living]
    given = [int(i) for i in found if i is not None]
    assert len(given) == len(set(given)), "I4: two pods of one index"
    assert all(i in INDEXES for i in given), "I4: an index out of range"
    if cluster.workload["metadata"]["annotations"]:
        assert None not in found, "I4: a pod without index"
        for pod in living:
            env = {e["name"]: e["value"] for c in pod["spec"]["containers"] for e in c.get("env", ())}
            assert env["POD_INDEX"] == pod["metadata"]["annotations"][INDEX], "I4: POD_INDEX differs from the index"
