"""The invariants of the design (I1 to I6, I9) for pods with ordinals and claims, judged whenever a pass acts.

`Judge` looks at raw pods, claims and HookRuns, and counts for itself what serves, what is old, whose turn it is, and
what a hook has said. Of the planner it knows only what it asks to be done.
"""

import itertools
import json
import math

from operators.api.strategies import CanaryStep
from operators.planning import actions as act
from operators.planning.canary.stephash import step_hash
from tests.properties.canaryworld import kept_by
from tests.properties.gameworld import Pod, kept_at, seconds, share

SURGE_MARK = "tkex.tencent.com/surge-claim"
LOST = "pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete"
PAUSE, HOOK = "PausedByCanaryPauseStep", "PausedByStepBasedHook"


def ordinal(name):
    """``gs-3`` and ``data-gs-3`` are of ordinal 3."""
    return int(name.rpartition("-")[2])


def owners(metadata):
    """Kinds of what an object goes with."""
    return {o["kind"] for o in metadata.get("ownerReferences") or ()}


def marked(claim):
    """The claim was made for a surge pod."""
    return (claim["metadata"].get("annotations") or {}).get(SURGE_MARK) == "true"


def grace_of(annotations):
    """When the grace period of a pod began, and its length."""
    began = seconds(json.loads(annotations["inplace-update-state"])["updateTimestamp"])
    return began, json.loads(annotations["inplace-update-grace"])["graceSeconds"]


class Truth:
    """The set and everything of it at the moment a pass looked, and the status that the pass found."""

    def __init__(self, cluster, decision):
        self.cluster, self.now, self.spec = cluster, cluster.now, cluster.workload["spec"]
        self.pods = {ordinal(n): Pod(p) for n, p in cluster.pods.items()}
        self.before, self.after = cluster.workload["status"], decision.status.dump()
        self.update = self._newest(decision)
        others = sorted({p.revision for p in self.pods.values() if p.active} - {self.update})
        self.current = self.before.get("currentRevision") or (others or [self.update])[0]

    def _newest(self, decision):
        """The revision that stores the template, or is to."""
        image = self.spec["template"]["spec"]["containers"][0]["image"]
        stored = {n: r["data"]["spec"]["template"] for n, r in self.cluster.revisions.items()}
        stored |= {a.name: a.template for a in decision.actions if isinstance(a, act.CreateRevision)}
        (name,) = [n for n, t in stored.items() if t["spec"]["containers"][0]["image"] == image]
        return name

    @property
    def strategy(self):
        return self.spec["updateStrategy"]

    @property
    def parallel(self):
        return self.spec["podManagementPolicy"] == "Parallel"

    @property
    def on_delete(self):
        return self.strategy["type"] == "OnDelete"

    @property
    def paused(self):
        return bool(self.strategy.get("paused"))

    @property
    def held(self):
        """Somebody, or a step, has paused."""
        return self.paused or bool(self.before.get("pauseConditions"))

    @property
    def steps(self):
        return (self.strategy.get("canary") or {}).get("steps") or []

    @property
    def recorded(self):
        """The revision is stored; with steps, the status speaks of it, and of where they stand."""
        if not self.steps:
            return self.update in self.cluster.revisions
        known = step_hash(tuple(CanaryStep.model_validate(s) for s in self.steps))
        return (self.before.get("updateRevision"), self.before.get("currentStepHash")) == (self.update, known)

    def _numbered(self, count):
        reserved = set(self.spec.get("reserveOrders") or ())
        return list(itertools.islice((o for o in itertools.count() if o not in reserved), count))

    @property
    def members(self):
        return self._numbered(self.spec["replicas"])

    @property
    def numbers(self):
        return self.strategy.get("rollingUpdate") or {}

    @property
    def kept(self):
        """Members that stay old: by the step in force, or by the partition while there is an old version."""
        replicas = self.spec["replicas"]
        if self.steps:
            index = self.before.get("currentStepIndex")
            count = kept_by(self.steps, index, replicas) if self.recorded and index is not None else replicas
        else:
            count = kept_at(self.numbers.get("partition"), replicas) if self.current != self.update else 0
        return self.members[:count]

    @property
    def due(self):
        return [o for o in self.members if o not in self.kept]

    @staticmethod
    def owns(pod):
        """A pod that is leaving is not taken back."""
        return bool(pod.body["metadata"].get("ownerReferences"))

    def active(self, number):
        pod = self.pods.get(number)
        return pod if pod is not None and pod.active else None

    def whole(self, number):
        """There is a pod, it serves, and no hook after its update is still to succeed."""
        pod = self.active(number)
        return pod is not None and pod.whole

    def fresh(self, number):
        return self.whole(number) and self.pods[number].revision == self.update

    def outdated(self, number):
        pod = self.active(number)
        return pod is not None and pod.revision != self.update

    @property
    def max_surge(self):
        if not self.parallel or self.on_delete:
            return 0
        return share(self.numbers.get("maxSurge"), self.spec["replicas"], math.ceil)

    @property
    def surge(self):
        """Ordinals above the members that an update under way may use: one for each that is not new and whole."""
        outdated = any(self.outdated(o) for o in self.due)
        if not outdated and self.current == self.update:
            return []
        count = min(self.max_surge, sum(not self.fresh(o) for o in self.due))
        return self._numbered(self.spec["replicas"] + count)[self.spec["replicas"] :]

    @property
    def unavailable(self):
        """Pods an update may take at once."""
        if not self.parallel:
            return 1
        value = self.numbers.get("maxUnavailable", "25%")
        allowed = share(value, self.spec["replicas"], math.floor)
        if allowed or not self.max_surge:
            return max(allowed, 1)
        return sum(self.fresh(o) for o in self.surge)  # what stands in for those that are taken


class Judge:
    """Looks at what a pass is about to do, before it is done."""

    def plan(self, cluster, decision):
        truth = self.truth = Truth(cluster, decision)
        actions = decision.actions
        created = {ordinal(a.name): a for a in actions if isinstance(a, act.CreatePod)}
        deleted = {ordinal(a.name): a for a in actions if isinstance(a, act.DeletePod)}
        patched = [a for a in actions if isinstance(a, act.UpdatePodInPlace)]
        begun = {ordinal(a.name): a for a in patched if a.begins}
        updates = {**begun, **{o: a for o, a in deleted.items() if a.why == "rollingUpdate"}}
        retired = {o for o, a in deleted.items() if a.why == "deletePod"}
        assert len(created) == sum(isinstance(a, act.CreatePod) for a in actions), "I4: an ordinal twice"
        assert not created.keys() & truth.pods.keys(), "I4: an ordinal that is taken"
        self._held(updates)
        self._budget(updates)
        self._places(created, retired)
        self._versions(created, updates)
        if not truth.parallel:
            self._order(created, deleted, updates, retired)
        self._hooks(deleted, begun)
        self._grace(patched)
        self._claims(actions, created)
        self._drift(actions)
        self._steps()
        self._counters()

    def _held(self, updates):
        """What holds an update holds it: a pause, a version that is not on record yet, OnDelete."""
        truth = self.truth
        if updates:
            assert not truth.paused, "a paused rollout took a pod"
            assert truth.recorded, "a pod was updated before its revision was on record"
            assert not truth.on_delete, "only people update under OnDelete"

    def _budget(self, updates):
        """I1: of pods that serve so many are taken that no more are down than may be; surge pods count."""
        truth = self.truth
        taken = [o for o in updates if truth.whole(o)]
        if not taken:
            return
        down = sum(not truth.whole(o) for o in truth.due) if truth.parallel else 0
        # An old pod that scaling in still has to take away stands in the way of a surge pod.
        down += sum(not truth.whole(o) for o in truth.surge if not truth.outdated(o))
        assert down + len(taken) <= truth.unavailable, f"I1: {down} are down, {taken} are taken"

    def _places(self, created, retired):
        """I2, I4: pods come where ordinals ask for them, and go where none does."""
        truth = self.truth
        surge = [] if truth.paused else truth.surge
        assert created.keys() <= {*truth.members, *surge}, "I2: a pod nobody asked for"
        assert not retired & set(truth.members), "I4: scaling in takes a replica"
        early = {o for o in retired & set(truth.surge) if truth.pods[o].revision == truth.update}
        assert not early, "a surge pod leaves before the last batch is back"
        assert all(truth.pods[o].active for o in retired), "a pod is deleted twice"

    def _versions(self, created, updates):
        """I3: what the partition keeps is neither updated nor, when it is lost, created new; the rest is new."""
        truth = self.truth
        if truth.current != truth.update:
            assert not updates.keys() & set(truth.kept), "I3: a kept pod was updated"
        for number, action in created.items():
            new = action.revision == truth.update
            if truth.on_delete:
                assert new, "OnDelete has no old version to keep"
            elif number not in truth.members:
                assert new, "a surge pod is of the old version"
            elif number in truth.kept and truth.recorded and truth.current != truth.update:
                assert not new, "I3: a kept ordinal came back new"
            elif number in truth.due and truth.recorded and not truth.held:
                old_above = any(truth.outdated(o) for o in truth.members if o > number)
                due_new = truth.parallel or not old_above or truth.current == truth.update
                assert new == due_new, f"ordinal {number} is of another version than is its turn"

    def _order(self, created, deleted, updates, retired):
        """One pod at a time: created from below, scaled in and updated from above (spec 2.5, 2.7)."""
        truth = self.truth
        assert len({**created, **deleted, **updates}) <= 1, "one pod at a time"
        blocking = [o for o in truth.members if (p := truth.pods.get(o)) is None or not p.active or self._starting(p)]
        above = [o for o, p in truth.pods.items() if o not in truth.members and truth.owns(p)]
        for number in created:
            assert blocking[0] == number, "a lower one is not ready"
        for number in retired:
            assert not blocking, "scaling in goes on before the replicas are there"
            assert number == max(above), "scaling in begins at the top"
        for number in updates:
            assert number == max(o for o in truth.due if truth.outdated(o)), "updates begin at the top"
            assert not any(p.leaving for p in truth.pods.values()), "another pod is on its way out"
            if truth.whole(number):
                assert not blocking, "a pod that serves is taken while another does not"
                assert not above, "scaling comes before updating"
                assert all(truth.fresh(o) for o in truth.due if o > number), "one above is not there yet"
            elif blocking:
                assert self._hopeless(number), "a moment of unreadiness, and a version that fails spreads"

    def _hopeless(self, number):
        """It says what is wrong, or has not been ready for five minutes."""
        body = self.truth.cluster.pods[f"gs-{number}"]
        statuses = body["status"].get("containerStatuses") or ()
        turned = [c["lastTransitionTime"] for c in body["status"]["conditions"] if c["type"] == "Ready"]
        since = seconds((turned or [body["metadata"]["creationTimestamp"]])[0])
        return any("waiting" in s["state"] for s in statuses) or self.truth.now - since >= 300

    def _starting(self, pod):
        return pod.revision == self.truth.update and not pod.serves

    def _hooks(self, deleted, begun):
        """I5: no running pod is deleted or updated before its own hook allowed it, asked for the revision it is at."""
        truth = self.truth
        allowed = set()
        for run in truth.cluster.hook_runs.values():
            labels = run["metadata"]["labels"]
            status = run.get("status", {})
            if status.get("phase") != "Successful" or truth.now - seconds(status["completedAt"]) > 60:
                continue
            if "pod-uid" in labels:
                allowed.add((labels["hookrun-type"], labels["pod-uid"], labels["workload-revision"]))
        before_delete = "pre-delete-step" if "preDeleteUpdateStrategy" in truth.spec else None
        in_place = "pre-inplace-step" if "preInplaceUpdateStrategy" in truth.spec else before_delete
        guarded = [(o, before_delete) for o, a in deleted.items() if a.why != "failedPod"]
        # One in grace whose containers had not been touched is given back without asking.
        guarded += [(o, in_place) for o, a in begun.items() if not (truth.pods[o].in_grace and not a.images)]
        for number, guard in guarded:
            pod = truth.pods[number]
            if guard and pod.running:
                assert (guard, pod.uid, pod.revision) in allowed, f"I5: {pod.name} was not asked"

    def _grace(self, patched):
        """A pod is out of its Services for as long as promised before its containers change."""
        for action in patched:
            if not action.images:
                continue
            raw = self.truth.cluster.pods[action.name]
            grace = self.truth.strategy["inPlaceUpdateStrategy"].get("gracePeriodSeconds", 0)
            if action.begins:
                assert not grace, "images change before the grace period"
                assert action.close_gate or not self.truth.pods[ordinal(action.name)].serves, "it serves, and restarts"
            elif "inplace-update-grace" in raw["metadata"]["annotations"]:
                began, length = grace_of(raw["metadata"]["annotations"])
                assert self.truth.now >= began + length, "the grace period is not over"

    def _claims(self, actions, created):
        """I9: only claims of surge pods that are gone are deleted; only pods that scaling in takes own theirs."""
        truth = self.truth
        scaled = (truth.spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") == "Delete"
        for action in actions:
            if isinstance(action, act.DeleteClaim):
                number = ordinal(action.name)
                assert marked(truth.cluster.claims[action.name]), "I9: a claim of a replica is deleted"
                assert number not in {*truth.members, *truth.pods, *created}, "I9: a claim in use is deleted"
            if isinstance(action, act.OwnClaim) and any(o.get("kind") == "Pod" for o in action.owners):
                assert scaled, "I9: claims outlive their pods"
                assert ordinal(action.name) not in truth.members, "I9: the claim of a replica goes with its pod"
        for number, action in created.items():
            held = truth.cluster.claims.get(f"data-gs-{number}")
            metadata = held["metadata"] if held is not None else {}
            going = metadata.get("deletionTimestamp") or owners(metadata) & {"Pod"}
            assert not going, "a pod beside a claim that goes"
            (marks,) = [marked(c) for c in action.claims] or [None]
            assert marks in (None, number not in truth.members), "a claim is marked wrongly"

    def _drift(self, actions):
        for action in actions:
            if isinstance(action, act.ForceDeletePod):
                raw = self.truth.cluster.pods[action.name]["metadata"]
                assert raw["annotations"].get(LOST) == "true", "no opt-in"
                assert raw.get("deletionTimestamp"), "the controller begins a deletion"
                node = self.truth.cluster.nodes["node"]["status"]["conditions"][0]["status"]
                assert node != "True", "the node is well"

    def _steps(self):
        """I6: from step to step, each only when it is done; by itself none passes a pause."""
        truth, before, after = self.truth, self.truth.before, self.truth.after
        if not truth.steps or not truth.recorded or before.get("currentStepIndex") is None:
            return
        index, now_at = before["currentStepIndex"], after["currentStepIndex"]
        if now_at == index or index >= len(truth.steps):
            assert now_at == index, "I6: a canary that was over began again"
            return
        assert now_at == index + 1, f"I6: from step {index} to step {now_at}"
        step, reasons = truth.steps[index], {c["reason"]: c for c in before.get("pauseConditions") or ()}
        if "partition" in step:
            assert all(truth.fresh(o) for o in truth.due), "I6: the partition is not reached"
        elif "pause" in step:
            began = seconds(reasons[PAUSE]["startTime"]) if PAUSE in reasons else math.inf
            over = truth.now >= began + step["pause"].get("duration", math.inf)
            assert over or (PAUSE in reasons and not truth.paused), "I6: nobody has ended the pause"
        else:
            said_yes = any(self._answers(run, index) for run in truth.cluster.hook_runs.values())
            assert said_yes or (HOOK in reasons and not truth.paused), "I6: the hook has not succeeded"

    def _answers(self, run, index):
        labels = run["metadata"]["labels"]
        about = (labels.get("hookrun-type"), labels["workload-revision"], labels.get("canary-step-index"))
        succeeded = run.get("status", {}).get("phase") == "Successful"
        return succeeded and about == ("canary-step", self.truth.update, str(index))

    def _counters(self):
        """The status counts what there is (spec 1.3)."""
        truth, status = self.truth, self.truth.after
        owned = [p for p in truth.pods.values() if truth.owns(p)]
        ready = [p for p in owned if p.running and p.since is not None]
        staying = [p for p in owned if not p.leaving]
        current = status.get("currentRevision")
        assert status["replicas"] == len(owned), "replicas"
        assert status["readyReplicas"] == len(ready), "readyReplicas"
        assert status["updatedReplicas"] == sum(p.revision == truth.update for p in staying), "updatedReplicas"
        assert status["updatedReadyReplicas"] == sum(p.revision == truth.update for p in ready), "updatedReadyReplicas"
        anew = len(owned) < len(truth.pods)  # it takes pods back, and is where they are
        if current == truth.update != truth.before.get("currentRevision") and not anew:
            done = [p for o in truth.members if (p := truth.active(o)) is not None and p in ready]
            assert [p.revision for p in done] == [truth.update] * truth.spec["replicas"], "currentRevision moved early"
        if current:
            assert status["currentReplicas"] == sum(p.revision == current for p in staying), "currentReplicas"
