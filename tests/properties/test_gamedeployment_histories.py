"""The invariants of the design over random histories, judged whenever the operator acts.

A user, kubelets, nodes and hooks do things in any order; the operator looks, acts at once or on what it saw a while
ago, dies between any two writes, or has single writes refused. In the end the world is left alone and must converge
(I8), be silent (I7), and hold nothing that leaked (I9).
"""

import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from operators.gamedeployment.plan import plan
from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.simulation.cluster import SimulatedCluster, gamedeployment, hook_template
from tests.properties.gameworld import MIRROR, Judge, Pod, Registry, Snapshot, check_identities, kept_at, same_bits

EXAMPLES = int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000"))
STRATEGIES = ("RollingUpdate", "InplaceUpdate")
DELETING = "io.tencent.bcs.dev/game-pod-deleting"
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


def _from_mirror(image):
    """Admission that has every image come from a mirror, whoever asks for it."""
    return image if image.startswith(MIRROR) else MIRROR + image


class GameDeploymentHistories(RuleBasedStateMachine):
    """A user, the world and the operator."""

    def __init__(self):
        super().__init__()
        self.cluster, self.judge = None, Judge()
        self.look = None
        self.template, self.earlier = (1, 1, "", "gold"), [(1, 1, "", "gold")]

    @initialize(
        type_=st.sampled_from(STRATEGIES),
        replicas=st.sampled_from([3, 4, 2, 5, 6, 1, 0]),
        unavailable=st.sampled_from([1, 2, "25%", "50%", 3, 0]),
        surge=st.sampled_from([0, 1, 2, "25%"]),
        hooks=st.sampled_from([(), HOOKS, HOOKS[:1], HOOKS[1:2], HOOKS[1:], HOOKS[2:], HOOKS[:2]]),
        grace=st.sampled_from([0, 0, 5]),
        policy=st.sampled_from(["DisOrdered", "OrderedReady", "OrderedUpdated"]),
        more=st.sampled_from(
            [
                {},
                {"minReadySeconds": 3},
                {"disableReadinessGate": True},
                {"scaleStrategy": {"createBatch": 2}},
                {"revisionHistoryLimit": 1, "disableReadinessGate": True, "minReadySeconds": 3},
            ]
        ),
        index=st.booleans(),
        running=st.sampled_from([True, True, False]),
        partitioned=st.booleans(),
        mirrored=st.booleans(),
    )
    def begin(
        self, type_, replicas, unavailable, surge, hooks, grace, policy, more, index, running, partitioned, mirrored
    ):
        self.ends_partitioned = partitioned
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
            digests=Registry(game_3="game:2"),
            admitted=_from_mirror if mirrored else str,
        )
        if running:
            self._progress(8)

    @rule(data=st.data())
    def step(self, data):
        """Somebody does something: user and world now and then, the operator most of the time.

        One rule for all: as rules of their own most kinds would be switched off in most histories, and few rollouts
        would get anywhere.
        """
        steps = [
            *[self._user_releases] * 3,
            *[self._user_edits] * 3,
            *[self._world_does] * 4,
            *[self._a_hook_answers] * 2,
            self._time_passes,
            self._kubelets_work,
            *[self._things_go_well] * 4,
            *[self._operator_passes] * 4,
            *[self._operator_looks_or_acts] * 3,
            *[self._a_write_is_the_last_or_refused] * 2,
        ]
        names = [s.__name__ for s in steps]
        getattr(self, data.draw(st.sampled_from(names), label="step"))(data)

    # ---- the user

    def _user_edits(self, data):
        """One edit of the manifest."""
        edits = [
            self._changes_metadata,
            self._changes_what_cannot_change_in_place,
            self._rolls_back,
            self._scales,
            self._scales,
            self._scales_by_name,
            self._names_pods_to_delete,
            self._changes_partition,
            self._changes_partition,
            self._changes_budget,
            self._pauses,
            self._changes_type,
            self._retries,
            self._mends_the_hook_template,
            self._restarts,
            self._makes_anew,
            self._makes_anew,
        ]
        getattr(self, data.draw(st.sampled_from([e.__name__ for e in edits]), label="edit"))(data)

    def _user_releases(self, data):
        """Another image, sometimes of both containers."""
        web, other = self.template[0] - 1 + data.draw(st.integers(1, 3)), self.template[1]
        self._release(web=web % 4 + 1, side=3 - other if data.draw(st.booleans()) else other)

    def _release(self, **changes):
        names = ("web", "side", "note", "tier")
        self.template = tuple(changes.get(n, v) for n, v in zip(names, self.template, strict=True))
        self.earlier.append(self.template)
        self.cluster.patch_spec({"template": template(*self.template)})

    def _changes_metadata(self, data):
        self._release(note=data.draw(st.sampled_from(["", "a", "b"])))

    def _changes_what_cannot_change_in_place(self, data):
        self._release(tier=data.draw(st.sampled_from(["gold", "silver"])))

    def _rolls_back(self, data):
        web, side, note, tier = data.draw(st.sampled_from(self.earlier))
        self._release(web=web, side=side, note=note, tier=tier)

    def _scales(self, data):
        self.cluster.patch_spec({"replicas": data.draw(st.integers(0, 6))})

    def _scales_by_name(self, data):
        self._scales(data)
        self._names_pods_to_delete(data)

    def _names_pods_to_delete(self, data):
        names = st.sampled_from([*sorted(self.cluster.pods), "gd-nobody"])
        named = data.draw(st.lists(names, max_size=2, unique=True))
        self.cluster.patch_spec({"scaleStrategy": {"podsToDelete": named}})

    def _changes_partition(self, data):
        partition = data.draw(st.sampled_from([0, 1, 2, 3, "50%", "99%", "100%", None]))
        self.cluster.patch_spec({"updateStrategy": {"partition": partition}})

    def _changes_budget(self, data):
        unavailable, surge = data.draw(st.sampled_from([1, 2, 3, "50%"])), data.draw(st.integers(0, 2))
        self.cluster.patch_spec({"updateStrategy": {"maxUnavailable": unavailable, "maxSurge": surge}})

    def _pauses(self, data):
        self.cluster.patch_spec({"updateStrategy": {"paused": data.draw(st.booleans())}})

    def _changes_type(self, data):
        type_ = data.draw(st.sampled_from([*STRATEGIES, "OnDelete"]))
        ineligible = {"onIneligible": data.draw(st.sampled_from(["Block", "Recreate"]))}
        self.cluster.patch_spec({"updateStrategy": {"type": type_, "inPlaceUpdateStrategy": ineligible}})

    def _retries(self, data):
        hook = f"{data.draw(st.sampled_from(HOOKS))}UpdateStrategy"
        if hook in self.cluster.workload["spec"]:
            self.cluster.patch_spec({hook: {"retry": True}})

    def _mends_the_hook_template(self, _):
        """It asks something else from now on."""
        (metric,) = self.cluster.templates["check"]["spec"]["metrics"]
        metric["count"] = metric.get("count", 0) + 1

    def _restarts(self, data):
        """What runs now is restarted, in place or by other pods."""
        recreate = data.draw(st.sampled_from([False, False, True]), label="recreate")
        self.cluster.patch_spec({"restartAt": rfc3339(self.cluster.now), "restartRecreate": recreate})

    def _makes_anew(self, data):
        """Deleted without its dependents, and applied once more, with another image or the same."""
        self.look = None
        self.cluster.make_anew()
        if data.draw(st.booleans(), label="changed"):
            self._user_releases(data)

    # ---- the world

    def _world_does(self, data):
        """Something happens to a pod."""
        cluster = self.cluster
        if not cluster.pods:
            return
        name = data.draw(st.sampled_from(sorted(self.cluster.pods)), label="pod")
        faults = {
            "starts": cluster.start_pod,
            "restarts": cluster.restart_containers,
            "turns unready": lambda n: cluster.set_container_ready(n, ready=False),
            "gets ready": lambda n: cluster.set_container_ready(n, ready=True),
            "dies": cluster.kill_pod,
            "is evicted": cluster.fail_pod,
            "is refused by its node": cluster.refuse_pod,
            "is held by a finalizer": cluster.held.add,
            "cannot pull": lambda n: cluster.set_container_waiting(n, "ImagePullBackOff"),
            "crashes": lambda n: cluster.set_container_waiting(n, "CrashLoopBackOff"),
        }
        faults[data.draw(st.sampled_from(sorted(faults)), label="what")](name)

    def _kubelets_work(self, _=None):
        self.cluster.remove_terminating()
        for name in list(self.cluster.pods):
            self.cluster.start_pod(name)
            self.cluster.restart_containers(name)

    def _a_hook_answers(self, data):
        runs = self.cluster.hook_runs
        if not runs:
            return
        name = data.draw(st.sampled_from(sorted(runs)))
        phase = data.draw(st.sampled_from(["Successful", "Failed", "Successful", "Running", "errs", "deleted"]))
        if phase == "deleted":
            del runs[name]
            self.look = None  # its answer is no longer there to be judged
        elif runs[name].get("status", {}).get("phase") not in ("Successful", "Failed"):
            self.cluster.answer_hook(name, "Running" if phase == "errs" else phase)
            if phase == "errs":
                self._hook_errs(runs[name])

    def _hook_errs(self, run):
        """A measurement brought no answer."""
        results = run["status"].setdefault("metricResults", [{"name": "m", "count": 0, "error": 0, "measurements": []}])
        now = rfc3339(self.cluster.now)
        results[0]["count"] += 1
        results[0]["error"] += 1
        results[0]["measurements"].append({"phase": "Error", "startedAt": now, "finishedAt": now, "message": "refused"})

    def _time_passes(self, data):
        self.cluster.now += data.draw(st.integers(1, 10), label="seconds")

    def _things_go_well(self, data):
        """Nothing fails for a while, so that rollouts get somewhere."""
        self._progress(data.draw(st.integers(1, 4), label="rounds"))

    def _progress(self, rounds):
        for _ in range(rounds):
            self._kubelets_work()
            for name, run in self.cluster.hook_runs.items():
                if run.get("status", {}).get("phase") in (None, "Running"):
                    self.cluster.answer_hook(name, "Successful")
            self.cluster.now += 2
            self._look()
            self._act()

    # ---- the operator

    def _operator_passes(self, data):
        """Whole passes; with nothing remembered in between, this is an operator restart as well."""
        for _ in range(data.draw(st.integers(1, 4), label="passes")):
            self._look()
            self._act()

    def _operator_looks_or_acts(self, _):
        """It acts on what it saw a while ago, whatever has happened meanwhile (but for its own writes)."""
        if self.look is None:
            self._look()
        else:
            self._act()

    def _a_write_is_the_last_or_refused(self, data):
        """The operator is killed between two writes, or one is refused."""
        count = data.draw(st.integers(0, 4), label="writes")
        dies = data.draw(st.booleans(), label="dies")
        self._look()
        self._act(dies_after=count if dies else None, refuses=None if dies else count)

    def _look(self):
        self.look = (self.cluster.observe(), Snapshot(self.cluster), self.cluster.now)

    def _act(self, dies_after=None, refuses=None):
        observed, truth, now = self.look
        self.look = None
        decision = plan(observed, now)
        known = {r["metadata"]["name"]: r["data"]["spec"]["template"] for r in self.cluster.revisions.values()}
        stores = [a for a in decision.actions if isinstance(a, act.CreateRevision | act.RenumberRevision)]
        target = next((a.name for a in stores), decision.status.dump().get("updateRevision", ""))
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
        """The user lets the rollout go on: no pause, failed hooks are asked again, the change is possible.

        In every second history the partition stays; then the rest must be whole at the version they had.
        """
        cluster, spec = self.cluster, self.cluster.workload["spec"]
        strategy = {"paused": False} if self.ends_partitioned else {"paused": False, "partition": None}
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
        spec, status = self.cluster.workload["spec"], self.cluster.workload["status"]
        pods = [Pod(p) for p in self.cluster.pods.values() if not self._is_nobodys(p)]
        if len(pods) != spec["replicas"] or not all(p.whole and self._is_what_it_says(p) for p in pods):
            return False
        target = status.get("updateRevision")
        kept = kept_at(spec["updateStrategy"].get("partition"), spec["replicas"])
        if status.get("currentRevision") == target:
            kept = 0
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
        updated = sum(p.revision == target for p in pods)
        done = conditions.get("Complete") == "True"
        held = conditions.get("Progressing") == "False" and conditions.get("Blocked") == "False"
        return held and updated >= spec["replicas"] - kept and done == (updated == spec["replicas"])

    @staticmethod
    def _is_nobodys(body):
        """It ended before the workload was made anew, and is adopted by nobody (gd 131)."""
        return Pod(body).ended and not body["metadata"]["ownerReferences"]

    def _is_what_it_says(self, pod):
        """A pod runs what the revision on its label says, and carries its metadata."""
        held = self.cluster.revisions.get(pod.revision)
        if held is None:
            return False
        made_of = held["data"]["spec"]["template"]
        wanted = {c["name"]: c["image"] for c in made_of["spec"]["containers"]}
        note = (made_of["metadata"].get("annotations") or {}).get("note")
        tier = made_of["spec"]["containers"][0]["env"][0]
        has_tier = tier in pod.body["spec"]["containers"][0]["env"]
        registry = self.cluster.digests
        runs = pod.images.keys() == wanted.keys() and all(
            same_bits(image, wanted[name], registry) for name, image in pod.images.items()
        )
        return runs and pod.annotations.get("note") == note and has_tier

    def _nothing_leaked(self):
        cluster, spec = self.cluster, self.cluster.workload["spec"]
        nobodys = {n for n, p in cluster.pods.items() if self._is_nobodys(p)}
        assert not cluster.hook_runs, "I9: a HookRun leaked"
        named = set((spec.get("scaleStrategy") or {}).get("podsToDelete") or ())
        assert named <= nobodys, "I9: podsToDelete is not cleaned"
        assert not any((spec.get(f"{h}UpdateStrategy") or {}).get("retry") for h in HOOKS), "I9: a switch stays on"
        carried = {Pod(p).revision for p in cluster.pods.values()}
        for name in nobodys:
            cluster.kill_pod(name)
        assert all(p["metadata"]["ownerReferences"] for p in cluster.pods.values()), "I9: a pod without owner"
        assert len(cluster.revisions) <= spec.get("revisionHistoryLimit", 10) + len(carried) + 2, "I9: revisions leak"
        left = [a for p in cluster.pods.values() for a in p["metadata"]["annotations"] if a == "inplace-update-grace"]
        assert not left, "I9: a grace period leaked"
        bodies = [p["metadata"]["annotations"] for p in cluster.pods.values()]
        doomed = [a for a in bodies if a.get(DELETING) == "true" and "inplace-update-state" not in a]
        assert not doomed, "I9: a pod that stays is marked as being deleted"


def truth_version(observed):
    """The version of the workload a plan was made on."""
    return observed.workload.resource_version


class MoreGameDeploymentHistories(GameDeploymentHistories):
    """The other half of them, for another core; they are others, as Hypothesis draws for each class by itself."""


_SETTINGS = settings(
    max_examples=max(1, EXAMPLES // 2),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestHistories = GameDeploymentHistories.TestCase
TestHistories.settings = _SETTINGS
TestMoreHistories = MoreGameDeploymentHistories.TestCase
TestMoreHistories.settings = _SETTINGS
