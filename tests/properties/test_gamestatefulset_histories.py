"""The invariants of the design over random histories of a GameStatefulSet, with ordinals and claims.

The history is drawn by hypothesis; after it the world is left alone and must converge (I8) and then be silent (I7).
The checks look at raw objects and count for themselves; of the planner they know only what it asks to be done.
"""

import math
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operators.planning import actions as act
from operators.simulation.cluster import hook_template
from operators.simulation.statefulset import SimulatedSet, gamestatefulset

EXAMPLES = int(os.environ.get("GAME_OPERATORS_EXAMPLES", "500"))
DATA = {"metadata": {"name": "data"}, "spec": {}}
REVISION, ORDINAL = "controller-revision-hash", "gamestatefulset.kubernetes.io/pod-ordinal"
LOST = "pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete"


def kept_at(partition, replicas):
    """Replicas that a partition keeps old (decision 2)."""
    if isinstance(partition, str):
        percent = int(partition[:-1])
        kept = math.ceil(percent * replicas / 100)
        return min(kept, replicas - 1) if 0 < percent < 100 and replicas else kept
    return min(partition or 0, replicas)


def serves(pod):
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    return pod["status"]["phase"] == "Running" and ready and not pod["metadata"].get("deletionTimestamp")


def active(pod):
    return pod["status"]["phase"] not in ("Failed", "Succeeded") and not pod["metadata"].get("deletionTimestamp")


class GameStatefulSetHistories(RuleBasedStateMachine):
    """A user, kubelets, nodes, hooks and the operator, in any order."""

    def __init__(self):
        super().__init__()
        self.cluster = None
        self.data = {}

    @initialize(
        type_=st.sampled_from(["RollingUpdate", "InplaceUpdate"]),
        policy=st.sampled_from(["OrderedReady", "Parallel"]),
        replicas=st.integers(0, 5),
        unavailable=st.integers(0, 3),
        surge=st.integers(0, 2),
        hooks=st.sets(st.sampled_from(["preDelete", "preInplace", "postInplace"])),
        grace=st.sampled_from([0, 0, 5]),
        drift=st.booleans(),
        partition=st.sampled_from([None, None, 1, 2, "50%"]),
    )
    def begin(self, type_, policy, replicas, unavailable, surge, hooks, grace, drift, partition):
        numbers = {"maxUnavailable": max(unavailable, 0 if surge else 1), "maxSurge": surge, "partition": partition}
        strategy = {
            "type": type_,
            "rollingUpdate": numbers,
            "inPlaceUpdateStrategy": {"gracePeriodSeconds": grace},
        }
        spec = {
            "replicas": replicas,
            "podManagementPolicy": policy,
            "updateStrategy": strategy,
            "volumeClaimTemplates": [DATA],
            "template": {"metadata": {"annotations": {LOST: str(drift).lower()}}},
            **{f"{h}UpdateStrategy": {"hook": {"templateName": "check"}} for h in hooks},
        }
        self.cluster = SimulatedSet(gamestatefulset(spec), {"check": hook_template("check")})
        self.cluster.add_node("node")

    # ---- the user

    @property
    def spec(self):
        return self.cluster.workload["spec"]

    @rule(replicas=st.integers(0, 5))
    def scale(self, replicas):
        self.cluster.patch_spec({"replicas": replicas})

    @rule(reserved=st.sampled_from([[], [], [1], [0, 2]]))
    def reserve(self, reserved):
        self.cluster.patch_spec({"reserveOrders": reserved})

    @rule(image=st.integers(1, 3))
    def change_image(self, image):
        template = {"spec": {"containers": [{"name": "web", "image": f"game:{image}"}]}}
        self.cluster.patch_spec({"template": template})

    @rule(partition=st.sampled_from([None, 0, 1, 2, "50%", "99%", "100%"]))
    def change_partition(self, partition):
        self.cluster.patch_spec({"updateStrategy": {"rollingUpdate": {"partition": partition}}})

    @rule(unavailable=st.integers(1, 3), surge=st.integers(0, 2))
    def change_budget(self, unavailable, surge):
        numbers = {"maxUnavailable": unavailable, "maxSurge": surge}
        self.cluster.patch_spec({"updateStrategy": {"rollingUpdate": numbers}})

    @rule(policy=st.sampled_from(["OrderedReady", "Parallel"]))
    def change_policy(self, policy):
        self.cluster.patch_spec({"podManagementPolicy": policy})

    @rule(paused=st.booleans())
    def pause(self, paused):
        self.cluster.patch_spec({"updateStrategy": {"paused": paused}})

    # ---- the world

    def _some(self, names, data):
        return data.draw(st.sampled_from(sorted(names)))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_starts(self, data):
        self.cluster.start_pod(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def containers_restart(self, data):
        self.cluster.restart_containers(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), how=st.sampled_from(["kill", "fail", "delete"]))
    def pod_is_lost(self, data, how):
        name = self._some(self.cluster.pods, data)
        getattr(self.cluster, f"{how}_pod")(name)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.booleans())
    def readiness_flips(self, data, ready):
        self.cluster.set_container_ready(self._some(self.cluster.pods, data), ready=ready)

    @rule(ready=st.sampled_from(["True", "False", "Unknown"]))
    def node_turns(self, ready):
        self.cluster.add_node("node", ready)

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.sampled_from(["False", "Unknown"]), seconds=st.sampled_from([0, 100]))
    def node_is_lost_with_a_pod(self, data, ready, seconds):
        self.cluster.delete_pod(self._some(self.cluster.pods, data))
        self.cluster.add_node("node", ready)
        self.cluster.now += seconds
        self.operator_passes()

    @precondition(lambda self: self.cluster.hook_runs)
    @rule(data=st.data())
    def pod_dies_after_its_hook_has_answered(self, data):
        run = self.cluster.hook_runs[self._some(self.cluster.hook_runs, data)]
        if run.get("status", {}).get("phase") not in ("Successful", "Failed"):
            self.cluster.answer_hook(run["metadata"]["name"], "Successful")
        name = f"gs-{run['metadata']['labels']['instance-id']}"
        if name in self.cluster.pods:
            self.cluster.kill_pod(name)
            self.operator_passes()

    @rule()
    def terminating_pods_go(self):
        if self.cluster.nodes["node"]["status"]["conditions"][0]["status"] == "True":
            self.cluster.remove_terminating()
        self.cluster.collect_garbage()

    @precondition(lambda self: self.cluster.hook_runs)
    @rule(data=st.data(), phase=st.sampled_from(["Running", "Successful", "Successful", "Failed"]))
    def hook_answers(self, data, phase):
        name = self._some(self.cluster.hook_runs, data)
        if self.cluster.hook_runs[name].get("status", {}).get("phase") not in ("Successful", "Failed"):
            self.cluster.answer_hook(name, phase)

    @rule(seconds=st.integers(1, 10))
    def time_passes(self, seconds):
        self.cluster.now += seconds

    @rule()
    def operator_passes(self):
        """One pass; with nothing remembered in between, this is an operator restart as well."""
        decision = self.cluster.decide()
        self._check(decision)
        self.cluster.reconcile()

    @rule(passes=st.integers(1, 12), hooks=st.booleans())
    def all_goes_well_for_a_while(self, passes, hooks):
        """Kubelets, hooks and operator do their work, so that updates get into their middle."""
        for _ in range(passes):
            self._calm(hooks=hooks)
            self.operator_passes()

    @rule(data=st.data())
    def operator_dies_in_mid_pass(self, data):
        decision = self.cluster.decide()
        self._check(decision)
        for action in decision.actions[: data.draw(st.integers(0, len(decision.actions)))]:
            self.cluster.apply(action)

    # ---- the invariants

    def _members(self):
        reserved, found, ordinal = set(self.spec.get("reserveOrders") or ()), [], 0
        while len(found) < self.spec["replicas"]:
            if ordinal not in reserved:
                found.append(ordinal)
            ordinal += 1
        return found

    def _pod(self, ordinal):
        return self.cluster.pods.get(f"gs-{ordinal}")

    def _check(self, decision):
        members = self._members()
        updates = [
            a
            for a in decision.actions
            if (isinstance(a, act.DeletePod) and a.why == "rollingUpdate")
            or (isinstance(a, act.UpdatePodInPlace) and a.begins)
        ]
        self._budget(decision, members, updates)
        self._partition(decision, members, updates)
        self._order(decision, updates)
        self._hooks(decision)
        for action in decision.actions:
            if isinstance(action, act.ForceDeletePod):
                assert self.cluster.pods[action.name]["metadata"]["annotations"].get(LOST) == "true", "no opt-in"
                assert self.cluster.nodes["node"]["status"]["conditions"][0]["status"] != "True", "the node is well"

    def _budget(self, decision, members, updates):
        """I1: pods that serve are taken only while fewer are down than may be. I2: never more than surge allows."""
        numbers = self.spec["updateStrategy"]["rollingUpdate"]
        parallel = self.spec["podManagementPolicy"] == "Parallel"
        surge = numbers["maxSurge"] if parallel else 0
        taken = [a for a in updates if serves(self.cluster.pods[a.name])]
        above = [p for n, p in self.cluster.pods.items() if int(n[3:]) not in members and serves(p)]
        allowed = numbers["maxUnavailable"] or len(above) if parallel else 1
        kept = kept_at(numbers.get("partition"), len(members))
        due = members[kept:]
        if taken and parallel:
            down = sum((p := self._pod(o)) is None or not serves(p) for o in due)
            assert down + len(taken) <= allowed, "I1"
        assert parallel or len(taken) <= 1, "I1: one pod at a time"
        created = [int(a.name[3:]) for a in decision.actions if isinstance(a, act.CreatePod)]
        if created:
            assert sum(o not in members for o in created) <= surge, "I2"
            assert max(created) <= max([*members, -1]) + surge + len(self.spec.get("reserveOrders") or ()), "I2"

    def _partition(self, decision, members, updates):
        """I3: what the partition keeps is neither updated nor, when it is lost, created new."""
        numbers, status = self.spec["updateStrategy"]["rollingUpdate"], decision.status
        update, current = status.get("updateRevision"), status.get("currentRevision")
        kept = set(members[: kept_at(numbers.get("partition"), len(members))])
        if current and current != update:
            assert not [a for a in updates if int(a.name[3:]) in kept], "I3: a kept pod was updated"
            new = [a for a in decision.actions if isinstance(a, act.CreatePod) and a.revision == update]
            assert not [a for a in new if int(a.name[3:]) in kept], "I3: a kept ordinal came back new"
        if self.spec["updateStrategy"].get("paused"):
            assert not updates, "a paused rollout took a pod"

    def _order(self, decision, updates):
        """I4: no ordinal twice; in order at most one pod is created, retired or updated in a pass."""
        made = [a.name for a in decision.actions if isinstance(a, act.CreatePod)]
        assert len(made) == len(set(made)), "I4"
        assert not [n for n in made if n in self.cluster.pods], "I4: an ordinal that is taken"
        if self.spec["podManagementPolicy"] == "OrderedReady":
            gone = [a for a in decision.actions if isinstance(a, act.DeletePod)]
            begun = [a for a in updates if isinstance(a, act.UpdatePodInPlace)]
            assert len(made) + len(gone) + len(begun) <= 1, "one pod at a time"

    def _hooks(self, decision):
        """I5: no running pod is deleted or updated before its own hook allowed it."""
        allowed = set()
        for run in self.cluster.hook_runs.values():
            labels = run["metadata"]["labels"]
            if run.get("status", {}).get("phase") == "Successful":
                allowed.add((labels["hookrun-type"], labels["pod-uid"]))
        in_place = self.spec["updateStrategy"]["type"] == "InplaceUpdate"
        for action in decision.actions:
            before_delete = "pre-delete-step" if "preDeleteUpdateStrategy" in self.spec else None
            if isinstance(action, act.DeletePod) and action.why != "failedPod":
                guard = before_delete
            elif isinstance(action, act.UpdatePodInPlace) and action.begins and in_place:
                guard = "pre-inplace-step" if "preInplaceUpdateStrategy" in self.spec else before_delete
                annotations = self.cluster.pods[action.name]["metadata"]["annotations"]
                if "inplace-update-grace" in annotations and not action.images:
                    guard = None  # taking back an update that had not touched the containers
            else:
                continue
            pod = self.cluster.pods[action.name]
            if guard and pod["status"]["phase"] == "Running":
                assert (guard, pod["metadata"]["uid"]) in allowed, f"I5: {action}"

    @invariant()
    def claims_outlive_pods(self):
        """I9: a claim of a replica's ordinal is never lost, and always the same one."""
        if self.cluster is None:
            return
        for name, claim in self.cluster.claims.items():
            if "surge-claim" not in str(claim["metadata"].get("annotations")):
                assert self.data.setdefault(name, claim["metadata"]["uid"]) == claim["metadata"]["uid"], "I9"
        assert self.data.keys() <= self.cluster.claims.keys(), "I9: a claim is lost"

    @invariant()
    def pods_are_who_they_say(self):
        """I4: name, labels and claim of a pod agree."""
        if self.cluster is None:
            return
        for name, pod in self.cluster.pods.items():
            ordinal = name.removeprefix("gs-")
            assert pod["metadata"]["labels"][ORDINAL] == ordinal, "I4"
            (volume,) = pod["spec"]["volumes"]
            assert volume["persistentVolumeClaim"]["claimName"] == f"data-gs-{ordinal}", "I4"

    def teardown(self):
        """I8: left alone by user and faults, everything converges. I7: and then nothing is written any more."""
        if self.cluster is None:
            return
        cluster = self.cluster
        cluster.add_node("node")
        cluster.patch_spec({"updateStrategy": {"paused": False, "rollingUpdate": {"partition": None}}})
        for name in ("preDelete", "preInplace", "postInplace"):
            if f"{name}UpdateStrategy" in cluster.workload["spec"]:
                cluster.patch_spec({f"{name}UpdateStrategy": {"retry": True}})
        for _ in range(200):
            before = (len(cluster.log), cluster.workload["metadata"]["resourceVersion"])
            self._calm()
            cluster.reconcile()
            if before == (len(cluster.log), cluster.workload["metadata"]["resourceVersion"]) and self._converged():
                break
        assert self._converged(), f"I8: {cluster.workload['status'].get('conditions')}"
        version = cluster.workload["metadata"]["resourceVersion"]
        assert not cluster.reconcile().actions, "I7"
        assert version == cluster.workload["metadata"]["resourceVersion"], "I7: a settled set wrote its status"
        assert not cluster.hook_runs, "I9: a HookRun leaked"
        surplus = [n for n, c in cluster.claims.items() if "surge-claim" in str(c["metadata"].get("annotations"))]
        members = {f"data-gs-{o}" for o in self._members()}
        assert set(surplus) <= members, "I9: the claim of a surge pod leaked"
        self.claims_outlive_pods()

    def _calm(self, *, hooks=True):
        cluster = self.cluster
        cluster.remove_terminating()
        cluster.collect_garbage()
        for pod in list(cluster.pods):
            cluster.start_pod(pod)
            cluster.restart_containers(pod)
            if cluster.pods[pod]["status"]["phase"] == "Running":
                cluster.set_container_ready(pod, ready=True)
        for run in list(cluster.hook_runs) if hooks else ():
            if cluster.hook_runs[run].get("status", {}).get("phase") != "Failed":
                cluster.answer_hook(run, "Successful")
        cluster.now += 2

    def _converged(self):
        image = self.spec["template"]["spec"]["containers"][0]["image"]
        pods = self.cluster.pods
        good = {n for n, p in pods.items() if serves(p) and p["spec"]["containers"][0]["image"] == image}
        return set(pods) == good == {f"gs-{o}" for o in self._members()}


TestHistories = GameStatefulSetHistories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
