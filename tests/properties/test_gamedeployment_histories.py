"""The invariants of the design over random histories, checked after every single action.

The history is drawn by hypothesis; after it the world is left alone and must converge (I8) and then be silent (I7).
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from operators.api.gamedeployment import GameDeploymentSpec
from operators.planning import actions as act
from operators.planning.budgets import budget, kept_old
from operators.planning.views import pod_view
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template

EXAMPLES = int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000"))
STRATEGIES = ("RollingUpdate", "InplaceUpdate")


class GameDeploymentHistories(RuleBasedStateMachine):
    """A user, kubelets, hooks and the operator, in any order."""

    def __init__(self):
        super().__init__()
        self.cluster = None
        self.image = 1
        self.settled = False

    @initialize(
        type_=st.sampled_from(STRATEGIES),
        replicas=st.integers(0, 6),
        unavailable=st.integers(0, 3),
        surge=st.integers(0, 2),
        hooks=st.sets(st.sampled_from(["preDelete", "preInplace", "postInplace"])),
        grace=st.sampled_from([0, 0, 5]),
        index=st.booleans(),
    )
    def begin(self, type_, replicas, unavailable, surge, hooks, grace, index):
        strategy = {
            "type": type_,
            "maxUnavailable": max(unavailable, 0 if surge else 1),
            "maxSurge": surge,
            "inPlaceUpdateStrategy": {"gracePeriodSeconds": grace},
        }
        spec = {"replicas": replicas, "updateStrategy": strategy}
        for hook in hooks:
            spec[f"{hook}UpdateStrategy"] = {"hook": {"templateName": "check"}}
        annotations = {}
        if index:
            annotations = {
                "tkex.bkbc.tencent.com/gamedeployment-index-on": "true",
                "tkex.bkbc.tencent.com/gamedeployment-index-range": '{"podStartIndex": 100, "podEndIndex": 108}',
            }
        self.cluster = SimulatedCluster(gamedeployment(spec, annotations), {"check": hook_template("check")})

    # ---- the user

    @rule(replicas=st.integers(0, 6))
    def scale(self, replicas):
        self.cluster.patch_spec({"replicas": replicas})

    @rule(image=st.integers(1, 3))
    def change_image(self, image):
        self.image = image
        template = {"spec": {"containers": [{"name": "web", "image": f"game:{image}"}]}}
        self.cluster.patch_spec({"template": template})

    @rule(partition=st.sampled_from([None, 0, 1, 2, "50%", "99%", "100%"]))
    def change_partition(self, partition):
        self.cluster.patch_spec({"updateStrategy": {"partition": partition}})

    @rule(unavailable=st.integers(1, 3), surge=st.integers(0, 2))
    def change_budget(self, unavailable, surge):
        self.cluster.patch_spec({"updateStrategy": {"maxUnavailable": unavailable, "maxSurge": surge}})

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
    @rule(data=st.data())
    def pod_dies(self, data):
        self.cluster.kill_pod(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data())
    def pod_fails(self, data):
        self.cluster.fail_pod(self._some(self.cluster.pods, data))

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.booleans())
    def readiness_flips(self, data, ready):
        self.cluster.set_container_ready(self._some(self.cluster.pods, data), ready=ready)

    @rule()
    def terminating_pods_go(self):
        self.cluster.remove_terminating()

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
        before = self._facts()
        decision = act.Plan()
        from operators.gamedeployment.plan import plan

        decision = plan(self.cluster.observe(), self.cluster.now)
        self._check_plan(decision, before)
        self.cluster.reconcile()

    # ---- the invariants

    def _facts(self):
        spec = GameDeploymentSpec.model_validate(self.cluster.workload["spec"])
        pods = {n: pod_view(p) for n, p in self.cluster.pods.items()}
        return spec, pods

    def _check_plan(self, decision, facts):
        spec, pods = facts
        active = {n: p for n, p in pods.items() if p.active}
        limits = budget(spec.update_strategy.max_unavailable, spec.update_strategy.max_surge, spec.replicas)
        update = decision.status.get("updateRevision", "")
        updates = [
            a
            for a in decision.actions
            if (isinstance(a, act.DeletePod) and a.why == "rollingUpdate")
            or (isinstance(a, act.UpdatePodInPlace) and a.begins)
        ]
        taken_ready = [a for a in updates if active[a.name].ready]
        ready = sum(p.ready for p in active.values())
        deleting = {a.name for a in decision.actions if isinstance(a, act.DeletePod) and a.why == "deletePod"}
        # I1: pods taken down by the update never leave fewer ready pods than the budget allows.
        if taken_ready:
            gone = sum(active[n].ready for n in deleting)
            assert ready - gone - len(taken_ready) >= spec.replicas - limits.unavailable, "I1"
        # I2: never more active pods than replicas and surge.
        created = [a for a in decision.actions if isinstance(a, act.CreatePod)]
        if created:
            assert len(active) + len(created) <= spec.replicas + limits.surge, "I2"
        # I3: the update leaves as many old pods as the partition keeps.
        old = [p for p in active.values() if p.revision != update]
        kept = kept_old(spec.update_strategy.partition, spec.replicas)
        if updates:
            assert len(old) - len(updates) >= min(kept, len(old)), "I3"
        if spec.update_strategy.paused:
            assert not updates, "a paused rollout took a pod"
        self._check_hooks(decision, spec, active)

    def _check_hooks(self, decision, spec, active):
        """I5: no running pod is deleted or updated before its hook allowed it."""
        allowed = {
            (h["metadata"]["labels"]["hookrun-type"], h["metadata"]["labels"]["instance-id"])
            for h in self.cluster.hook_runs.values()
            if h.get("status", {}).get("phase") == "Successful"
        }
        in_place = spec.update_strategy.type == "InplaceUpdate"
        for action in decision.actions:
            if isinstance(action, act.DeletePod) and action.why != "failedPod":
                guard = "pre-delete-step" if spec.pre_delete_update_strategy.hook else None
            elif isinstance(action, act.UpdatePodInPlace) and action.begins and in_place:
                guard = "pre-delete-step" if spec.pre_delete_update_strategy.hook else None
                guard = "pre-inplace-step" if spec.pre_inplace_update_strategy.hook else guard
                if "inplace-update-grace" in active[action.name].annotations and not action.images:
                    guard = None  # taking back an update that had not touched the containers
            else:
                continue
            pod = active[action.name]
            if guard and pod.phase == "Running":
                assert (guard, pod.instance) in allowed, f"I5: {action}"

    @invariant()
    def indexes_are_unique(self):
        """I4: indexes of living pods are unique and in range, and so are instance ids."""
        if self.cluster is None:
            return
        living = [p for p in self.cluster.pods.values() if p["status"]["phase"] != "Failed"]
        found = [p["metadata"]["annotations"].get("tkex.bkbcs.tencent.com/gamedeployment-index-id") for p in living]
        given = [int(i) for i in found if i is not None]
        assert len(given) == len(set(given)), "I4"
        assert all(100 <= i < 108 for i in given), "I4"
        if self.cluster.workload["metadata"]["annotations"]:
            assert None not in found, "I4: a pod without index"

    def teardown(self):
        """I8: left alone by user and faults, everything converges. I7: and then nothing is written any more."""
        if self.cluster is None:
            return
        cluster = self.cluster
        cluster.patch_spec({"updateStrategy": {"paused": False, "partition": None}})
        for name in ("preDelete", "preInplace", "postInplace"):
            if f"{name}UpdateStrategy" in cluster.workload["spec"]:
                cluster.patch_spec({f"{name}UpdateStrategy": {"retry": True}})
        for _ in range(150):
            before = (len(cluster.log), cluster.workload["metadata"]["resourceVersion"])
            cluster.remove_terminating()
            for pod in list(cluster.pods):
                cluster.start_pod(pod)
                cluster.restart_containers(pod)
                if cluster.pods[pod]["status"]["phase"] == "Running":
                    cluster.set_container_ready(pod, ready=True)
            for run in list(cluster.hook_runs):
                if cluster.hook_runs[run].get("status", {}).get("phase") != "Failed":
                    cluster.answer_hook(run, "Successful")
            cluster.now += 2
            cluster.reconcile()
            if before == (len(cluster.log), cluster.workload["metadata"]["resourceVersion"]) and self._converged():
                break
        assert self._converged(), f"I8: {cluster.workload['status'].get('conditions')}"
        version = cluster.workload["metadata"]["resourceVersion"]
        decision = cluster.reconcile()
        assert not decision.actions, "I7"
        assert version == cluster.workload["metadata"]["resourceVersion"], "I7: a settled workload wrote its status"
        assert not cluster.hook_runs, "I9: a HookRun leaked"

    def _converged(self):
        spec, pods = self._facts()
        image = spec.template["spec"]["containers"][0]["image"]
        good = [p for p in pods.values() if p.ready and p.containers[0].image == image]
        return len(pods) == len(good) == spec.replicas


TestHistories = GameDeploymentHistories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
