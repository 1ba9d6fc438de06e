"""The invariants of the design over random histories, judged whenever the operator acts.

A user, kubelets, nodes and hooks do things in any order; the operator looks, acts at once or on what it saw a while
ago, dies between any two writes, or has single writes refused. In the end the world is left alone and must converge
(I8), be silent (I7), and hold nothing that leaked (I9).
"""

import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operators.gamedeployment.plan import plan
from operators.planning import actions as act
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template
from tests.properties.gameworld import Judge, Pod, Snapshot, check_identities

EXAMPLES = int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000"))
STRATEGIES = ("RollingUpdate", "InplaceUpdate")
HOOKS = ("preDelete", "preInplace", "postInplace")
INDEXED = {
    "tkex.bkbc.tencent.com/gamedeployment-index-on": "true",
    "tkex.bkbc.tencent.com/gamedeployment-index-range": '{"podStartIndex": 100, "podEndIndex": 108}',
}


def template(web, side, note, tier):
    """``web`` and ``side`` are versions of images, ``note`` is an annotation, ``tier`` cannot change in place."""
    containers = [
        {"name": "web", "image": f"game:{web}", "env": [{"name": "TIER", "value": tier}]},
        {"name": "side", "image": f"side:{side}"},
    ]
    metadata = {"labels": {"app": "game"}, "annotations": {"note": note} if note else None}
    return {"metadata": metadata, "spec": {"containers": containers}}


class GameDeploymentHistories(RuleBasedStateMachine):
    """A user, the world and the operator."""

    def __init__(self):
        super().__init__()
        self.cluster, self.judge = None, Judge()
        self.look = None
        self.template, self.earlier = (1, 1, "", "gold"), [(1, 1, "", "gold")]

    @initialize(
        type_=st.sampled_from(STRATEGIES),
        replicas=st.integers(0, 6),
        unavailable=st.sampled_from([0, 1, 2, 3, "25%", "50%"]),
        surge=st.sampled_from([0, 1, 2, "25%"]),
        hooks=st.sets(st.sampled_from(HOOKS)),
        grace=st.sampled_from([0, 0, 5]),
        policy=st.sampled_from(["DisOrdered", "OrderedReady", "OrderedUpdated"]),
        more=st.fixed_dictionaries(
            {},
            optional={
                "minReadySeconds": st.just(3),
                "disableReadinessGate": st.just(True),
                "scaleStrategy": st.just({"createBatch": 2}),
                "revisionHistoryLimit": st.just(1),
            },
        ),
        index=st.booleans(),
    )
    def begin(self, type_, replicas, unavailable, surge, hooks, grace, policy, more, index):
        strategy = {
            "type": type_,
            "maxUnavailable": unavailable if unavailable or surge else 1,
            "maxSurge": surge,
            "inPlaceUpdateStrategy": {"gracePeriodSeconds": grace, "policy": policy},
        }
        spec = {"replicas": replicas, "updateStrategy": strategy, "template": template(*self.template), **more}
        for hook in hooks:
            spec[f"{hook}UpdateStrategy"] = {"hook": {"templateName": "check"}}
        self.cluster = SimulatedCluster(
            gamedeployment(spec, INDEXED if index else {}),
            {"check": hook_template("check")},
            digests={"game:3": "id-game:2"},
        )

    # ---- the user

    @rule(replicas=st.integers(0, 6))
    def scale(self, replicas):
        self.cluster.patch_spec({"replicas": replicas})

    def _release(self, **changes):
        names = ("web", "side", "note", "tier")
        self.template = tuple(changes.get(n, v) for n, v in zip(names, self.template, strict=True))
        self.earlier.append(self.template)
        self.cluster.patch_spec({"template": template(*self.template)})

    @rule(web=st.integers(1, 4), side=st.integers(1, 2))
    def change_images(self, web, side):
        self._release(web=web, side=side)

    @rule(note=st.sampled_from(["", "a", "b"]))
    def change_metadata(self, note):
        self._release(note=note)

    @rule(tier=st.sampled_from(["gold", "silver"]))
    def change_what_cannot_change_in_place(self, tier):
        self._release(tier=tier)

    @rule(data=st.data())
    def roll_back(self, data):
        web, side, note, tier = data.draw(st.sampled_from(self.earlier))
        self._release(web=web, side=side, note=note, tier=tier)

    @rule(partition=st.sampled_from([None, 0, 1, 2, "50%", "99%", "100%"]))
    def change_partition(self, partition):
        self.cluster.patch_spec({"updateStrategy": {"partition": partition}})

    @rule(unavailable=st.sampled_from([1, 2, 3, "50%"]), surge=st.integers(0, 2))
    def change_budget(self, unavailable, surge):
        self.cluster.patch_spec({"updateStrategy": {"maxUnavailable": unavailable, "maxSurge": surge}})

    @rule(paused=st.booleans())
    def pause(self, paused):
        self.cluster.patch_spec({"updateStrategy": {"paused": paused}})

    @rule(type_=st.sampled_from([*STRATEGIES, "OnDelete"]), ineligible=st.sampled_from(["Block", "Recreate"]))
    def change_type(self, type_, ineligible):
        self.cluster.patch_spec(
            {"updateStrategy": {"type": type_, "inPlaceUpdateStrategy": {"onIneligible": ineligible}}}
        )

    @rule(data=st.data())
    def name_pods_to_delete(self, data):
        names = data.draw(st.lists(st.sampled_from([*sorted(self.cluster.pods), "gd-nobody"]), max_size=2, unique=True))
        self.cluster.patch_spec({"scaleStrategy": {"podsToDelete": names}})

    @rule(hook=st.sampled_from(HOOKS))
    def retry(self, hook):
        if f"{hook}UpdateStrategy" in self.cluster.workload["spec"]:
            self.cluster.patch_spec({f"{hook}UpdateStrategy": {"retry": True}})

    # ---- the world

    def _some(self, names, data):
        return data.draw(st.sampled_from(sorted(names)))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_starts(self, data):
        self.cluster.start_pod(self._some(self.cluster.pods, data))

    @rule()
    def kubelets_work(self):
        self.cluster.remove_terminating()
        for name in list(self.cluster.pods):
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def containers_restart(self, data):
        self.cluster.restart_containers(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_dies(self, data):
        self.cluster.kill_pod(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_fails(self, data):
        self.cluster.fail_pod(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def finalizer_holds(self, data):
        self.cluster.held.add(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.booleans())
    def readiness_flips(self, data, ready):
        self.cluster.set_container_ready(self._some(self.cluster.pods, data), ready=ready)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), reason=st.sampled_from(["ImagePullBackOff", "CrashLoopBackOff"]))
    def container_is_in_trouble(self, data, reason):
        self.cluster.set_container_waiting(self._some(self.cluster.pods, data), reason)

    @rule()
    def terminating_pods_go(self):
        self.cluster.remove_terminating()

    @precondition(lambda self: self.cluster.hook_runs)
    @rule(data=st.data(), phase=st.sampled_from(["Running", "Successful", "Successful", "Failed"]))
    def hook_answers(self, data, phase):
        name = self._some(self.cluster.hook_runs, data)
        if self.cluster.hook_runs[name].get("status", {}).get("phase") not in ("Successful", "Failed"):
            self.cluster.answer_hook(name, phase)

    @precondition(lambda self: self.cluster.hook_runs)
    @rule(data=st.data())
    def somebody_deletes_a_hook_run(self, data):
        del self.cluster.hook_runs[self._some(self.cluster.hook_runs, data)]
        self.look = None  # its answer is no longer there to be judged

    @rule(seconds=st.integers(1, 10))
    def time_passes(self, seconds):
        self.cluster.now += seconds

    # ---- the operator

    @rule()
    def operator_passes(self):
        """A whole pass; with nothing remembered in between, this is an operator restart as well."""
        self._look()
        self._act()

    @rule(rounds=st.integers(1, 5))
    def things_go_well(self, rounds):
        """Nothing fails for a while, so that rollouts get somewhere."""
        for _ in range(rounds):
            self.kubelets_work()
            for name, run in self.cluster.hook_runs.items():
                if run.get("status", {}).get("phase") in (None, "Running"):
                    self.cluster.answer_hook(name, "Successful")
            self.cluster.now += 2
            self.operator_passes()

    @rule()
    def operator_looks(self):
        """It will act on this, whatever happens meanwhile, unless it acts itself."""
        self._look()

    @precondition(lambda self: self.look is not None)
    @rule()
    def operator_acts_on_what_it_saw(self):
        self._act()

    @rule(written=st.integers(0, 4))
    def operator_dies(self, written):
        """Between any two writes."""
        self._look()
        self._act(dies_after=written)

    @rule(refused=st.integers(0, 4))
    def a_write_is_refused(self, refused):
        self._look()
        self._act(refuses=refused)

    def _look(self):
        self.look = (self.cluster.observe(), Snapshot(self.cluster), self.cluster.now)

    def _act(self, dies_after=None, refuses=None):
        observed, truth, now = self.look
        self.look = None
        decision = plan(observed, now)
        known = {r["metadata"]["name"]: r["data"]["spec"]["template"] for r in self.cluster.revisions.values()}
        stores = [a for a in decision.actions if isinstance(a, act.CreateRevision | act.RenumberRevision)]
        target = next((a.name for a in stores), decision.status.get("updateRevision", ""))
        current = truth.status.get("currentRevision") or next(
            (p.revision for p in truth.pods.values() if p.active and p.revision != target), target
        )
        self.judge.plan(truth, decision.actions, target, current if current in known else target, bool(stores))
        for number, action in enumerate(decision.actions):
            if number == dies_after:
                return
            if number == refuses:
                if action.stage <= act.Stage.OWNERSHIP or isinstance(action, act.DeleteHookRun):
                    return
                continue
            self.cluster.apply(action, truth_version(observed))
        if refuses is None or refuses >= len(decision.actions):
            self.cluster.write_status(decision)

    # ---- what always holds

    @invariant()
    def identities_are_unique(self):
        if self.cluster is not None:
            check_identities(self.cluster)

    # ---- the end

    def teardown(self):
        """I8: left alone, everything converges. I7: then nothing is written. I9: and nothing is left over."""
        if self.cluster is None:
            return
        cluster = self.cluster
        self._make_possible()
        for _ in range(150):
            before = self._writes()
            self._kind_world()
            cluster.now += 2
            self._look()
            self._act()
            if before == self._writes() and self._converged():
                break
        assert self._converged(), f"I8: {json.dumps(cluster.workload['status'].get('conditions'), indent=1)}"
        before = self._writes()
        decision = plan(cluster.observe(), cluster.now)
        assert not decision.actions, f"I7: a settled workload acts: {decision.actions}"
        assert decision.wake_after is None, "I7: a settled workload wakes up by itself"
        cluster.reconcile()
        assert before == self._writes(), "I7: a settled workload wrote its status"
        self._nothing_leaked()

    def _make_possible(self):
        """The user ends the rollout: no pause, no partition, failed hooks are asked again, the change is possible."""
        cluster, spec = self.cluster, self.cluster.workload["spec"]
        strategy = {"paused": False, "partition": None}
        if spec["updateStrategy"]["type"] == "OnDelete":
            strategy["type"] = "RollingUpdate"
        if spec["updateStrategy"]["type"] == "InplaceUpdate":
            strategy["inPlaceUpdateStrategy"] = {"onIneligible": "Recreate"}
        cluster.patch_spec({"updateStrategy": strategy})
        cluster.held.clear()
        for name in HOOKS:
            if f"{name}UpdateStrategy" in spec:
                cluster.patch_spec({f"{name}UpdateStrategy": {"retry": True}})

    def _kind_world(self):
        cluster = self.cluster
        cluster.remove_terminating()
        for name in list(cluster.pods):
            cluster.start_pod(name)
            cluster.restart_containers(name)
            if cluster.pods[name]["status"]["phase"] == "Running":
                cluster.set_container_ready(name, ready=True)
        for name, run in list(cluster.hook_runs.items()):
            if run.get("status", {}).get("phase") != "Failed":
                cluster.answer_hook(name, "Successful")

    def _writes(self):
        return len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"]

    def _converged(self):
        spec = self.cluster.workload["spec"]
        wanted = {c["name"]: c["image"] for c in spec["template"]["spec"]["containers"]}
        tier = spec["template"]["spec"]["containers"][0]["env"][0]
        pods = [Pod(p) for p in self.cluster.pods.values()]
        good = [p for p in pods if p.whole and p.images == wanted]
        good = [p for p in good if tier in p.body["spec"]["containers"][0]["env"]]
        note = (spec["template"]["metadata"].get("annotations") or {}).get("note")
        good = [p for p in good if p.annotations.get("note") == note]
        complete = {c["type"]: c["status"] for c in self.cluster.workload["status"].get("conditions", ())}.get(
            "Complete"
        )
        return len(pods) == len(good) == spec["replicas"] and complete == "True"

    def _nothing_leaked(self):
        cluster, spec = self.cluster, self.cluster.workload["spec"]
        assert not cluster.hook_runs, "I9: a HookRun leaked"
        assert not (spec.get("scaleStrategy") or {}).get("podsToDelete"), "I9: podsToDelete is not cleaned"
        assert not any((spec.get(f"{h}UpdateStrategy") or {}).get("retry") for h in HOOKS), "I9: a switch stays on"
        assert all(p["metadata"]["ownerReferences"] for p in cluster.pods.values()), "I9: a pod without owner"
        carried = {Pod(p).revision for p in cluster.pods.values()}
        assert len(cluster.revisions) <= spec.get("revisionHistoryLimit", 10) + len(carried) + 2, "I9: revisions leak"
        left = [a for p in cluster.pods.values() for a in p["metadata"]["annotations"] if a == "inplace-update-grace"]
        assert not left, "I9: a grace period leaked"


def truth_version(observed):
    """The version of the workload a plan was made on."""
    return observed.workload.resource_version


TestHistories = GameDeploymentHistories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
