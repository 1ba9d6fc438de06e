"""Random canaries: compared with a reference model where everything comes to rest, judged by a witness everywhere.

In both machines the operator dies between any two writes, or has writes refused, and remembers nothing.
"""

import os
from copy import deepcopy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.properties.canaryworld import HOOK, PAUSE, World, kept_by

EXAMPLES = max(1, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 2)

STEP = st.one_of(
    st.sampled_from([0, 1, 2, 3, 9, "50%", "99%", "100%"]).map(lambda p: {"partition": p}),
    st.just({"pause": {}}),
    st.sampled_from([0, 3, 10]).map(lambda d: {"pause": {"duration": d}}),
    st.just({"hook": {"templateName": "check"}}),
)
LISTS = st.lists(STEP, min_size=1, max_size=5)
STEPS = st.one_of(LISTS, LISTS, LISTS, st.just([]), st.none())
FAULTS = st.lists(st.tuples(st.sampled_from(["dies", "loses"]), st.integers(0, 3)), max_size=4)
PHASES = st.sampled_from(["Successful", "Successful", "Failed", "Error", "Inconclusive", "Running"])


class Reference:
    """What a user expects of a canary once everything has come to rest. Nothing here is shared with the planner."""

    def __init__(self):
        self.version = self.stable = self.steps = self.index = None
        self.pause = None  # None, "user", or the reason of a step
        self.since = 0.0
        self.asked, self.answer = False, None  # the hook of the step in force

    def user_pauses(self):
        self.pause = self.pause or "user"

    def user_resumes(self, world):
        reason, self.pause = self.pause, None
        if reason == HOOK and world.canary.get("autoRollback"):
            self.index, self.asked, self.answer = 0, False, None
        elif reason == HOOK:
            self._next()
        elif reason == PAUSE:
            if "duration" in self.steps[self.index]["pause"] and world.cluster.now < self._until():
                self.pause = PAUSE  # a promise
            else:
                self._next()

    def _until(self):
        return self.since + self.steps[self.index]["pause"]["duration"]

    def _next(self):
        self.index, self.asked, self.answer, self.pause = self.index + 1, False, None, None
        if self.index == len(self.steps):
            self.stable = self.version

    def comes_to_rest(self, world):
        """Follow the edits, then take every step that needs nobody."""
        if self.version != world.version or self.steps != (deepcopy(world.steps) or None):
            self.version, self.steps = world.version, deepcopy(world.steps) or None
            self.stable = self.stable or self.version
            self.index = None if not self.steps else len(self.steps) if self.stable == self.version else 0
            self.asked, self.answer = False, None
            self.pause = "user" if self.pause == "user" else None
        while self.steps and self.index < len(self.steps) and self._goes_on(world, self.steps[self.index]):
            self._next()

    def _goes_on(self, world, step):
        if self.pause == "user":
            return False
        replicas = world.spec["replicas"]
        reached = kept_by(self.steps, self.index, replicas) == replicas or world.version not in world.sick
        if "partition" in step:
            return reached
        if "hook" in step:
            if self.answer in ("Failed", "Error", "Inconclusive"):
                self.pause = HOOK
            rolled_back = self.pause == HOOK and world.canary.get("autoRollback")
            self.asked = self.asked or not rolled_back
            return self.answer == "Successful" and not rolled_back
        if self.pause is None and reached:
            self.pause, self.since = PAUSE, world.cluster.now
        if self.pause is None or "duration" not in step["pause"]:
            return False
        return world.cluster.now >= self._until()

    @property
    def asking(self):
        """The hook of the step in force has not answered yet."""
        return self.asked and self.answer is None

    def run_is_deleted(self):
        """By hand; it will be asked once more."""
        self.asked, self.answer = False, None


class CanaryAtRest(RuleBasedStateMachine):
    """Every event is followed by rest; there the object must say what the reference says."""

    def __init__(self):
        super().__init__()
        self.world, self.reference = None, Reference()

    @initialize(steps=STEPS, replicas=st.integers(0, 5), type_=st.sampled_from(["InplaceUpdate", "RollingUpdate"]))
    def begin(self, steps, replicas, type_):
        self.world = World(steps, replicas, {"type": type_})
        self._rest([])

    def _rest(self, faults):
        world, reference = self.world, self.reference
        world.settle(faults)
        reference.comes_to_rest(world)
        if not world.steps and len(world.pods_of(world.status["updateRevision"])) == world.spec["replicas"]:
            reference.stable = reference.version
        found = (world.status.get("currentStepIndex"), world.paused, world.reasons)
        reasons = {reference.pause} - {None, "user"}
        assert found == (reference.index, reference.pause is not None, reasons)
        assert world.version_of(world.status["canary"]["revision"]) == reference.stable
        assert world.marked == bool(reasons)
        self._check_pods()

    def _check_pods(self):
        world, reference = self.world, self.reference
        pods = [p["spec"]["containers"][0]["image"] for p in world.cluster.pods.values()]
        assert len(pods) == world.spec["replicas"]
        healthy = not {reference.version, reference.stable} & world.sick
        if reference.pause == HOOK and world.canary.get("autoRollback"):
            assert not healthy or set(pods) <= {reference.stable}
        elif reference.pause is None and reference.steps and healthy:
            due = len(pods) - kept_by(reference.steps, reference.index, len(pods))
            assert pods.count(reference.version) >= due
        running = [r for r in world.unanswered() if not world.cluster.hook_runs[r]["spec"].get("terminate")]
        assert len(running) == int(reference.asking)

    @rule(version=st.integers(1, 3), faults=FAULTS)
    def release(self, version, faults):
        self.world.release(version)
        self._rest(faults)

    @rule(steps=STEPS, version=st.integers(1, 3), also=st.booleans(), faults=FAULTS)
    def edit_steps(self, steps, version, also, faults):
        if also:
            self.world.release(version)
        self.world.set_steps(steps)
        self._rest(faults)

    @rule(on=st.booleans(), faults=FAULTS)
    def auto_rollback(self, on, faults):
        self.world.set_auto_rollback(on)
        self._rest(faults)

    @rule(replicas=st.integers(0, 5), faults=FAULTS)
    def scale(self, replicas, faults):
        self.world.cluster.patch_spec({"replicas": replicas})
        self._rest(faults)

    @rule(faults=FAULTS)
    def pause(self, faults):
        self.world.set_paused(True)
        self.reference.user_pauses()
        self._rest(faults)

    @rule(value=st.sampled_from([False, None]), faults=FAULTS)
    def resume(self, value, faults):
        self.world.set_paused(value)
        self.reference.user_resumes(self.world)
        self._rest(faults)

    @precondition(lambda self: self.reference.asking)
    @rule(phase=PHASES, faults=FAULTS)
    def hook_answers(self, phase, faults):
        (name,) = self.world.unanswered()
        self.world.cluster.answer_hook(name, phase)
        self.reference.answer = None if phase == "Running" else phase
        self._rest(faults)

    @precondition(lambda self: self.world.cluster.hook_runs)
    @rule(faults=FAULTS)
    def hooks_are_deleted(self, faults):
        self.world.cluster.hook_runs.clear()
        self.reference.run_is_deleted()
        self._rest(faults)

    @rule(seconds=st.sampled_from([1, 2.5, 4, 11]), faults=FAULTS)
    def time_passes(self, seconds, faults):
        # Rest is reached at a whole second, so that start times are those of the reference.
        self.world.cluster.now = float(int(self.world.cluster.now + seconds))
        self._rest(faults)

    @rule(version=st.integers(2, 3), sick=st.booleans(), faults=FAULTS)
    def a_version_is_sick_or_heals(self, version, sick, faults):
        (self.world.sick.add if sick else self.world.sick.discard)(f"game:{version}")
        self._rest(faults)

    @precondition(lambda self: self.world.cluster.pods)
    @rule(data=st.data(), faults=FAULTS)
    def pod_vanishes(self, data, faults):
        self.world.cluster.kill_pod(data.draw(st.sampled_from(sorted(self.world.cluster.pods))))
        self._rest(faults)

    @rule(faults=FAULTS)
    def manifest_is_replaced(self, faults):
        self.world.replace_annotations()
        self._rest(faults)


class CanaryInMotion(RuleBasedStateMachine):
    """Events fall between any two writes of the operator; the witness judges every one of them."""

    def __init__(self):
        super().__init__()
        self.world = None

    @initialize(
        steps=STEPS,
        replicas=st.integers(1, 5),
        type_=st.sampled_from(["InplaceUpdate", "RollingUpdate"]),
        surge=st.integers(0, 2),
    )
    def begin(self, steps, replicas, type_, surge):
        self.world = World(steps, replicas, {"type": type_, "maxSurge": surge})
        self.world.settle()

    @rule(version=st.integers(1, 3), steps=st.one_of(st.just(0), STEPS))
    def edit(self, version, steps):
        self.world.release(version)
        if steps != 0:
            self.world.set_steps(steps)

    @rule(version=st.integers(2, 3))
    def release(self, version):
        self.world.release(version)

    @rule(on=st.booleans())
    def auto_rollback(self, on):
        self.world.set_auto_rollback(on)

    @rule(replicas=st.integers(1, 5))
    def scale(self, replicas):
        self.world.cluster.patch_spec({"replicas": replicas})

    @rule(paused=st.sampled_from([True, False, False, None]))
    def pause_or_resume(self, paused):
        self.world.set_paused(paused)

    @rule()
    def manifest_is_replaced(self):
        self.world.replace_annotations()

    @precondition(lambda self: self.world.unanswered())
    @rule(data=st.data(), phase=PHASES)
    def hook_answers(self, data, phase):
        self.world.cluster.answer_hook(data.draw(st.sampled_from(sorted(self.world.unanswered()))), phase)

    @precondition(lambda self: self.world.cluster.hook_runs)
    @rule(data=st.data())
    def hook_is_deleted(self, data):
        del self.world.cluster.hook_runs[data.draw(st.sampled_from(sorted(self.world.cluster.hook_runs)))]

    @rule(seconds=st.sampled_from([0.3, 1, 4, 11]))
    def time_passes(self, seconds):
        self.world.cluster.now += seconds

    @rule(version=st.integers(2, 3), sick=st.booleans())
    def a_version_is_sick_or_heals(self, version, sick):
        (self.world.sick.add if sick else self.world.sick.discard)(f"game:{version}")

    @precondition(lambda self: self.world.cluster.pods)
    @rule(data=st.data())
    def pod_vanishes(self, data):
        self.world.cluster.kill_pod(data.draw(st.sampled_from(sorted(self.world.cluster.pods))))

    @rule()
    def kubelets(self):
        self.world.kubelets()

    @rule(faults=st.lists(st.one_of(st.none(), FAULTS.map(lambda f: f[0] if f else None)), min_size=1, max_size=4))
    def passes(self, faults):
        for fault in faults:
            self.world.one_pass(fault)

    @rule(faults=FAULTS)
    def rest(self, faults):
        self.world.settle(faults)

    def teardown(self):
        """Left alone by faults, with a person who says yes, everything gets to the last step and then is silent."""
        if self.world is None:
            return
        world = self.world
        world.sick.clear()
        world.set_auto_rollback(False)
        for _ in range(60):
            world.settle()
            for run in world.unanswered():
                world.cluster.answer_hook(run, "Successful")
            if world.paused:
                world.set_paused(False)
            world.cluster.now += 11
            world.settle()
            if self._done():
                break
        assert self._done(), world.status
        assert not world.marked
        before = len(world.cluster.log)
        version = world.cluster.workload["metadata"]["resourceVersion"]
        world.one_pass()
        assert (len(world.cluster.log), version) == (before, world.cluster.workload["metadata"]["resourceVersion"])

    def _done(self):
        world, status = self.world, self.world.status
        steps = len(world.steps) if world.steps else None
        images = [p["spec"]["containers"][0]["image"] for p in world.cluster.pods.values()]
        there = images == [world.version] * world.spec["replicas"]
        stable = status["canary"]["revision"] == status["updateRevision"]
        return there and stable and status.get("currentStepIndex") == steps and not world.paused


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestCanaryAtRest = CanaryAtRest.TestCase
TestCanaryAtRest.settings = _SETTINGS
TestCanaryInMotion = CanaryInMotion.TestCase
TestCanaryInMotion.settings = settings(_SETTINGS, stateful_step_count=35)
