"""The invariants of the design over random histories of a GameStatefulSet, with ordinals and claims.

The history is drawn by hypothesis; after it the world is left alone and must converge (I8) and then be silent (I7).
The checks look at raw objects and count for themselves; of the planner they know only what it asks to be done.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.simulation.cluster import hook_template
from operators.simulation.statefulset import SimulatedSet, gamestatefulset
from tests.properties.gameworld import Pod
from tests.properties.setworld import LOST, Judge, marked, ordinal, owners

EXAMPLES = max(1, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 4)
DATA = {"metadata": {"name": "data"}, "spec": {}}
POD_NAME, ORDINAL = "gamestatefulset.kubernetes.io/pod-name", "gamestatefulset.kubernetes.io/pod-ordinal"
POLICIES = st.sampled_from(["OrderedReady", "Parallel"])
RETENTION = st.sampled_from([None, {"whenScaled": "Delete"}, {"whenDeleted": "Delete", "whenScaled": "Delete"}])
HOOK = {"hook": {"templateName": "check"}}
STEPS = st.sampled_from(
    [
        None,
        None,
        [{"partition": 2}, {"pause": {}}],
        [{"pause": {"duration": 5}}, {"partition": "50%"}, HOOK],
        [HOOK, {"partition": 1}, {"pause": {}}, {"partition": 3}],
    ]
)
FINAL = ("Successful", "Failed")
#: An image whose containers never get ready.
BROKEN = "game:4"


class GameStatefulSetHistories(RuleBasedStateMachine):
    """A user, kubelets, nodes, hooks and the operator, in any order."""

    def __init__(self):
        super().__init__()
        self.cluster, self.judge = None, Judge()
        #: Claims by name that must stay, and ordinals that scaling in has had in its hands.
        self.data, self.outside = {}, set()

    @initialize(
        type_=st.sampled_from(["RollingUpdate", "RollingUpdate", "InplaceUpdate", "InplaceUpdate", "OnDelete"]),
        policy=POLICIES,
        replicas=st.sampled_from([0, 1, 2, 3, 4, 5, 5]),
        unavailable=st.sampled_from([0, 1, 1, 2, 3, "50%"]),
        surge=st.integers(0, 2),
        hooks=st.sets(st.sampled_from(["preDelete", "preInplace", "postInplace"])),
        grace=st.sampled_from([0, 0, 5]),
        drift=st.booleans(),
        partition=st.sampled_from([None, None, 1, 2, "50%"]),
        steps=STEPS,
        retention=RETENTION,
        history=st.sampled_from([0, 1, 10]),
        passes=st.sampled_from([0, 12, 12, 12]),
    )
    def begin(
        self,
        type_,
        policy,
        replicas,
        unavailable,
        surge,
        hooks,
        grace,
        drift,
        partition,
        steps,
        retention,
        history,
        passes,
    ):
        numbers = {"maxUnavailable": unavailable or (0 if surge else 1), "maxSurge": surge, "partition": partition}
        strategy = {"type": type_, "inPlaceUpdateStrategy": {"gracePeriodSeconds": grace}}
        if type_ != "OnDelete":
            strategy["rollingUpdate"] = numbers
        if steps:
            strategy["canary"] = {"steps": steps}
        spec = {
            "replicas": replicas,
            "podManagementPolicy": policy,
            "updateStrategy": strategy,
            "volumeClaimTemplates": [DATA],
            "revisionHistoryLimit": history,
            "template": {"metadata": {"annotations": {LOST: str(drift).lower()}}},
            **{f"{h}UpdateStrategy": HOOK for h in hooks},
        }
        if retention:
            spec["persistentVolumeClaimRetentionPolicy"] = retention
        self.cluster = SimulatedSet(gamestatefulset(spec), {"check": hook_template("check")})
        self.cluster.add_node("node")
        self.all_goes_well_for_a_while(passes, hooks=True)

    # ---- the user

    @property
    def spec(self):
        return self.cluster.workload["spec"]

    @property
    def on_delete(self):
        return self.spec["updateStrategy"]["type"] == "OnDelete"

    @rule(replicas=st.integers(0, 5))
    def scale(self, replicas):
        self.cluster.patch_spec({"replicas": replicas})

    @rule(fewer=st.integers(1, 5), passes=st.integers(1, 3), lost=st.booleans())
    def scaling_in_is_taken_back(self, fewer, passes, lost):
        """Before the kubelets have ended anything, or just when one has."""
        replicas = self.spec["replicas"]
        self.scale(max(0, replicas - fewer))
        for _ in range(passes):
            self.operator_passes()
        if lost and self.cluster.pods:
            self.cluster.kill_pod(max(self.cluster.pods))
        self.scale(replicas)
        self.operator_passes()

    @rule(reserved=st.sampled_from([[], [], [1], [0, 2]]))
    def reserve(self, reserved):
        self.cluster.patch_spec({"reserveOrders": reserved})

    @rule(image=st.integers(1, 4))
    def change_image(self, image):
        template = {"spec": {"containers": [{"name": "web", "image": f"game:{image}"}]}}
        self.cluster.patch_spec({"template": template})

    @rule(
        image=st.integers(1, 4),
        passes=st.integers(1, 8),
        hooks=st.booleans(),
        paused=st.sampled_from([0, 0, 0, 1]),
        refused=st.sampled_from([0, 0, 1]),
    )
    def release(self, image, passes, hooks, paused, refused):
        """A new version, and a walk into the middle of its update; the hooks that were asked last may refuse."""
        if paused:
            self.pause(paused=True)
        self.change_image(image)
        self.all_goes_well_for_a_while(passes, hooks=hooks)
        for name, run in self.cluster.hook_runs.items() if refused else ():
            if run.get("status", {}).get("phase") not in FINAL:
                self.cluster.answer_hook(name, "Failed")
        self.operator_passes()

    @precondition(lambda self: not self.on_delete)
    @rule(partition=st.sampled_from([None, 0, 1, 2, "50%", "99%", "100%"]))
    def change_partition(self, partition):
        self.cluster.patch_spec({"updateStrategy": {"rollingUpdate": {"partition": partition}}})

    @precondition(lambda self: not self.on_delete)
    @rule(unavailable=st.integers(1, 3), surge=st.integers(0, 2))
    def change_budget(self, unavailable, surge):
        numbers = {"maxUnavailable": unavailable, "maxSurge": surge}
        self.cluster.patch_spec({"updateStrategy": {"rollingUpdate": numbers}})

    @rule(policy=POLICIES)
    def change_policy(self, policy):
        self.cluster.patch_spec({"podManagementPolicy": policy})

    @rule(retention=RETENTION)
    def change_retention(self, retention):
        self.cluster.patch_spec({"persistentVolumeClaimRetentionPolicy": retention})

    @rule(steps=STEPS)
    def change_steps(self, steps):
        self.cluster.patch_spec({"updateStrategy": {"canary": {"steps": steps} if steps else None}})

    @rule(paused=st.booleans())
    def pause(self, paused):
        self.cluster.patch_spec({"updateStrategy": {"paused": paused}})

    @rule(image=st.sampled_from([0, 0, 1, 2, 3]))
    def make_anew(self, image):
        """Deleted without its dependents, and applied once more, with another image or the same."""
        self.cluster.make_anew()
        if image:
            self.change_image(image)

    # ---- the world

    def _some(self, names, data):
        return data.draw(st.sampled_from(sorted(names)))

    def _run(self, name):
        """The kubelet does its work on a pod whose claim is there; a broken image does not get ready."""
        body = self.cluster.pods[name]
        if body["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] in self.cluster.claims:
            self.cluster.start_pod(name)
        self.cluster.restart_containers(name)
        self._probe(name)

    def _probe(self, name, *, ready=True):
        pod = Pod(self.cluster.pods[name])
        if pod.running:
            self.cluster.set_container_ready(name, ready=ready and pod.images["web"] != BROKEN)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_runs(self, data):
        self._run(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), how=st.sampled_from(["kill", "fail", "delete"]))
    def pod_is_lost(self, data, how):
        name = self._some(self.cluster.pods, data)
        getattr(self.cluster, f"{how}_pod")(name)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.booleans())
    def readiness_flips(self, data, ready):
        self._probe(self._some(self.cluster.pods, data), ready=ready)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_crashes(self, data):
        name = self._some(self.cluster.pods, data)
        if Pod(self.cluster.pods[name]).running:
            self.cluster.set_container_waiting(name, "CrashLoopBackOff")

    @precondition(lambda self: self.cluster.claims)
    @rule(data=st.data())
    def claim_is_deleted(self, data):
        """A person deletes a claim; it stays while a pod uses it."""
        name = self._some(self.cluster.claims, data)
        self.cluster.claims[name]["metadata"]["deletionTimestamp"] = rfc3339(self.cluster.now)
        self.data.pop(name, None)

    @rule(ready=st.sampled_from(["True", "False", "Unknown"]))
    def node_turns(self, ready):
        self.cluster.add_node("node", ready)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.sampled_from(["True", "False", "Unknown"]), seconds=st.sampled_from([0, 100]))
    def pod_does_not_end(self, data, ready, seconds):
        """Its node is lost, or only slow."""
        self.cluster.delete_pod(self._some(self.cluster.pods, data))
        self.cluster.add_node("node", ready)
        self.cluster.now += seconds
        self.operator_passes()

    @precondition(lambda self: any("instance-id" in r["metadata"]["labels"] for r in self.cluster.hook_runs.values()))
    @rule(data=st.data())
    def pod_dies_after_its_hook_has_answered(self, data):
        runs = {n: r for n, r in self.cluster.hook_runs.items() if "instance-id" in r["metadata"]["labels"]}
        run = runs[self._some(runs, data)]
        if run.get("status", {}).get("phase") not in FINAL:
            self.cluster.answer_hook(run["metadata"]["name"], "Successful")
        name = f"gs-{run['metadata']['labels']['instance-id']}"
        if name in self.cluster.pods:
            self.cluster.kill_pod(name)
            self.operator_passes()

    @rule()
    def terminating_pods_go(self):
        if self.cluster.nodes["node"]["status"]["conditions"][0]["status"] == "True":
            self.cluster.remove_terminating()
        self._collect()

    def _collect(self):
        """The garbage collector, and the protection of claims in use: by pods that have a node."""
        before = set(self.cluster.claims)
        self.cluster.collect_garbage()
        for name in before - set(self.cluster.claims):
            assert ordinal(name) in self.outside, f"I9: {name} went with a pod that was merely replaced"
            self.data.pop(name, None)
        used = {ordinal(n) for n, p in self.cluster.pods.items() if p["spec"].get("nodeName")}
        for name, claim in list(self.cluster.claims.items()):
            if claim["metadata"].get("deletionTimestamp") and ordinal(name) not in used:
                del self.cluster.claims[name]

    @precondition(lambda self: self.cluster.hook_runs)
    @rule(data=st.data(), phase=st.sampled_from(["Running", "Successful", "Failed"]))
    def hook_answers(self, data, phase):
        name = self._some(self.cluster.hook_runs, data)
        if self.cluster.hook_runs[name].get("status", {}).get("phase") not in FINAL:
            self.cluster.answer_hook(name, phase)
            self.operator_passes()

    @rule(seconds=st.sampled_from([1, 2, 5, 10, 400]))
    def time_passes(self, seconds):
        self.cluster.now += seconds

    @rule()
    def operator_passes(self):
        """One pass; with nothing remembered in between, this is an operator restart as well."""
        decision, members = self._look(), set(self.judge.truth.members)
        for action in decision.actions:
            self.cluster.apply(action)
        self.cluster.write_status(decision)
        if any(isinstance(a, act.CreateRevision | act.RenumberRevision | act.AdoptPod) for a in decision.actions):
            return  # such a pass does nothing else
        going = [c["metadata"] for c in self.cluster.claims.values() if "Pod" in owners(c["metadata"])]
        staying = {ordinal(m["name"]) for m in going if not m.get("deletionTimestamp")}
        living = {ordinal(n) for n in self.cluster.pods}
        assert not staying & members & living, "I9: the claim of a replica still goes with its pod"
        self.outside -= members - {ordinal(m["name"]) for m in going}
        if (self.spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") == "Delete":
            truth = self.judge.truth
            scaled = {
                o for o, p in truth.pods.items() if p.leaving and truth.owns(p) and o not in {*members, *truth.surge}
            }
            kept = {ordinal(n) for n, c in self.cluster.claims.items() if not c["metadata"].get("deletionTimestamp")}
            assert scaled & living & kept <= staying, "I9: a claim outlives the pod that scaling in took"

    def _look(self):
        decision = self.cluster.decide()
        self.judge.plan(self.cluster, decision)
        self.outside |= {o for o in self.judge.truth.pods if o not in self.judge.truth.members}
        return decision

    @rule(passes=st.integers(1, 12), hooks=st.booleans())
    def all_goes_well_for_a_while(self, passes, hooks):
        """Kubelets, hooks and operator do their work, so that updates get into their middle."""
        for _ in range(passes):
            self._calm(hooks=hooks)
            self.operator_passes()

    @rule(data=st.data())
    def operator_dies_in_mid_pass(self, data):
        decision = self._look()
        for action in decision.actions[: data.draw(st.integers(0, len(decision.actions)))]:
            self.cluster.apply(action)

    # ---- the invariants

    @invariant()
    def claims_outlive_pods(self):
        """I9: a claim of a replica's ordinal is never lost, and always the same one."""
        if self.cluster is None:
            return
        for name, claim in self.cluster.claims.items():
            if not marked(claim) and not claim["metadata"].get("deletionTimestamp"):
                assert self.data.setdefault(name, claim["metadata"]["uid"]) == claim["metadata"]["uid"], "I9"
        assert self.data.keys() <= self.cluster.claims.keys(), "I9: a claim is lost"

    @invariant()
    def pods_are_who_they_say(self):
        """I4: name, host name, labels and claim of a pod agree."""
        if self.cluster is None:
            return
        for name, pod in self.cluster.pods.items():
            number, labels = name.removeprefix("gs-"), pod["metadata"]["labels"]
            assert (labels[ORDINAL], labels[POD_NAME]) == (number, name), "I4"
            assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == (name, "game"), "I4"
            (volume,) = pod["spec"]["volumes"]
            assert volume["persistentVolumeClaim"]["claimName"] == f"data-gs-{number}", "I4"

    def teardown(self):
        """I8: left alone by user and faults, everything converges. I7: and then nothing is written any more."""
        if self.cluster is None:
            return
        cluster = self.cluster
        cluster.add_node("node")
        strategy = {"type": "RollingUpdate" if self.on_delete else None, "paused": False, "canary": None}
        cluster.patch_spec({"updateStrategy": {k: v for k, v in strategy.items() if k == "canary" or v is not None}})
        if self.spec["updateStrategy"].get("rollingUpdate"):
            cluster.patch_spec({"updateStrategy": {"rollingUpdate": {"partition": None}}})
        if self._image() == BROKEN:
            self.change_image(1)
        for name in ("preDelete", "preInplace", "postInplace"):
            if f"{name}UpdateStrategy" in self.spec:
                cluster.patch_spec({f"{name}UpdateStrategy": {"retry": True}})
        self._converge()
        self._silent()
        # And one whole update, which only the hooks hold up.
        self.change_image(2 if self._image() == "game:1" else 1)
        self._converge()
        self._silent()
        self._nothing_leaks()

    def _converge(self):
        for _ in range(200):
            before = (len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"])
            self._calm(seconds=20)
            self.operator_passes()
            now = (len(self.cluster.log), self.cluster.workload["metadata"]["resourceVersion"])
            if before == now and self._converged():
                return
        raise AssertionError(f"I8: {self.cluster.workload['status'].get('conditions')}")

    def _silent(self):
        """I7, a minute later: time alone changes nothing."""
        self.cluster.now += 60
        version = self.cluster.workload["metadata"]["resourceVersion"]
        assert not self.cluster.reconcile().actions, "I7"
        assert version == self.cluster.workload["metadata"]["resourceVersion"], "I7: a settled set wrote its status"

    def _nothing_leaks(self):
        """I9: nothing is left that nobody needs, and nothing is missing."""
        cluster = self.cluster
        assert not cluster.hook_runs, "I9: a HookRun leaked"
        assert not [n for n, c in cluster.claims.items() if marked(c)], "I9: a mark of surge, or a claim, leaked"
        assert {f"data-gs-{o}" for o in self.judge.truth.members} <= cluster.claims.keys(), "I9: a claim is missing"
        status = cluster.workload["status"]
        live = {status["updateRevision"], status["currentRevision"], status["canary"]["revision"]}
        assert len(cluster.revisions.keys() - live) <= self.spec["revisionHistoryLimit"], "I9: a revision leaked"
        if "postInplaceUpdateStrategy" not in self.spec:  # else it is that hook which has to take the mark back
            pods = cluster.pods.values()
            marks = [p["metadata"]["annotations"].get("io.tencent.bcs.dev/game-pod-deleting") for p in pods]
            assert "true" not in marks, "I9: a pod that stays carries the mark of one that goes"
        self.claims_outlive_pods()

    def _calm(self, *, hooks=True, seconds=2):
        cluster = self.cluster
        cluster.remove_terminating()
        self._collect()
        for pod in list(cluster.pods):
            self._run(pod)
        for run in list(cluster.hook_runs) if hooks else ():
            if cluster.hook_runs[run].get("status", {}).get("phase") != "Failed":
                cluster.answer_hook(run, "Successful")
        cluster.now += seconds

    def _image(self):
        return self.spec["template"]["spec"]["containers"][0]["image"]

    def _converged(self):
        found = {n: Pod(p) for n, p in self.cluster.pods.items()}
        good = {ordinal(n) for n, p in found.items() if p.serves and p.images["web"] == self._image()}
        return len(found) == len(good) and good == set(self.judge.truth.members)


TestHistories = GameStatefulSetHistories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
