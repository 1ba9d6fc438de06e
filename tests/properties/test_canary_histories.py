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
    st.just({"hook": {"templateName": "check"}}),
    st.just({"pause": {}}),
    st.sampled_from([3, 10, 0]).map(lambda d: {"pause": {"duration": d}}),
    st.sampled_from([0, 1, 2, 3, 9, "50%", "99%", "100%"]).map(lambda p: {"partition": p}),
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

    @initialize(
        steps=STEPS,
        replicas=st.integers(0, 5),
        type_=st.sampled_from(["InplaceUpdate", "RollingUpdate"]),
        auto=st.booleans(),
    )
    def begin(self, steps, replicas, type_, auto):
        self.world = World(steps, replicas, {"type": type_})
        self.world.set_auto_rollback(auto)
        self._rest([])
        self.world.release(2)
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

    @rule(
        version=st.integers(1, 3),
        steps=st.one_of(st.just("same"), st.just("same"), STEPS),
        auto=st.sampled_from([None, True, False]),
        replicas=st.one_of(st.none(), st.integers(0, 5)),
        faults=FAULTS,
    )
    def edit(self, version, steps, auto, replicas, faults):
        """One edit of the manifest; it may change everything at once."""
        self.world.release(version)
        if steps != "same":
            self.world.set_steps(steps)
        if auto is not None:
            self.world.set_auto_rollback(auto)
        if replicas is not None:
            self.world.cluster.patch_spec({"replicas": replicas})
        self._rest(faults)

    @rule(replicas=st.integers(0, 5), auto=st.booleans(), faults=FAULTS)
    def scale(self, replicas, auto, faults):
        self.world.cluster.patch_spec({"replicas": replicas})
        self.world.set_auto_rollback(auto)
        self._rest(faults)

    @rule(faults=FAULTS)
    def pause(self, faults):
        self.world.set_paused(True)
        self.reference.user_pauses()
        self._rest(faults)

    @precondition(lambda self: self.reference.pause is not None)
    @rule(value=st.sampled_from([False, None]), faults=FAULTS)
    def resume(self, value, faults):
        self.world.set_paused(value)
        self.reference.user_resumes(self.world)
        self._rest(faults)

    @precondition(lambda self: self.reference.asking)
    @rule(phase=PHASES, faults=FAULTS)
    def hook_answers(self, phase, faults):
        (name,) = (r for r in self.world.unanswered() if not self.world.cluster.hook_runs[r]["spec"].get("terminate"))
        self.world.cluster.answer_hook(name, phase)
        self.reference.answer = None if phase == "Running" else phase
        self._rest(faults)

    @rule(phases=st.lists(PHASES, min_size=3, max_size=3), faults=FAULTS)
    def somebody_sees_to_it(self, phases, faults):
        """Whatever the step in force waits for, it gets; several times."""
        for phase in phases:
            if self.reference.asking:
                self.hook_answers(phase, faults)
            elif self.world.paused:
                self.resume(False, faults)
            else:
                self.time_passes(11, faults)

    @rule(seconds=st.sampled_from([1, 2.5, 4, 11]), faults=FAULTS)
    def time_passes(self, seconds, faults):
        # Rest is reached at a whole second, so that start times are those of the reference.
        self.world.cluster.now = float(int(self.world.cluster.now + seconds))
        self._rest(faults)

    @rule(what=st.sampled_from(["sick", "healed", "vanishes", "replaced", "replaced", "deleted"]), faults=FAULTS)
    def something_happens(self, what, faults):
        world = self.world
        if what in ("sick", "healed"):
            (world.sick.add if what == "sick" else world.sick.discard)("game:3")
        elif what == "vanishes" and world.cluster.pods:
            world.cluster.kill_pod(min(world.cluster.pods))
        elif what == "replaced":
            world.replace_annotations()
        elif what == "deleted" and world.cluster.hook_runs:
            world.cluster.hook_runs.clear()
            self.reference.run_is_deleted()
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
        auto=st.booleans(),
    )
    def begin(self, steps, replicas, type_, surge, auto):
        self.world = World(steps, replicas, {"type": type_, "maxSurge": surge})
        self.world.set_auto_rollback(auto)
        self.world.settle()
        self.world.release(2)

    @rule(
        version=st.integers(1, 3),
        steps=st.one_of(st.just("same"), st.just("same"), STEPS),
        paused=st.sampled_from(["same", "same", False, True]),
        auto=st.sampled_from([None, None, True, False]),
        replicas=st.one_of(st.none(), st.integers(1, 5)),
    )
    def edit(self, version, steps, paused, auto, replicas):
        """One edit of the manifest; it may change everything at once."""
        self.world.release(version)
        if steps != "same":
            self.world.set_steps(steps)
        if paused != "same":
            self.world.set_paused(paused)
        if auto is not None:
            self.world.set_auto_rollback(auto)
        if replicas is not None:
            self.world.cluster.patch_spec({"replicas": replicas})

    @rule(paused=st.sampled_from([True, True, False, None]))
    def pause_or_resume(self, paused):
        self.world.set_paused(paused)

    @rule(phases=st.lists(PHASES, min_size=3, max_size=3), fault=FAULTS)
    def somebody_sees_to_it(self, phases, fault):
        """Whatever the step in force waits for, it gets; several times."""
        for phase in phases:
            if self.world.paused:
                self.world.set_paused(False)
            elif self.world.unanswered():
                self.world.cluster.answer_hook(self.world.unanswered()[0], phase)
            else:
                self.world.cluster.now += 2.8
            for number in range(4):
                self.world.kubelets()
                self.world.one_pass(fault[0] if number == 2 and fault else None)

    @precondition(lambda self: self.world.paused)
    @rule()
    def resume(self):
        self.world.set_paused(False)

    @precondition(lambda self: self.world.paused)
    @rule(faults=st.lists(st.one_of(st.none(), FAULTS.map(lambda f: f[0] if f else None)), min_size=1, max_size=3))
    def somebody_changes_their_mind(self, faults):
        """Resumed, and paused again while the operator is at it."""
        self.world.set_paused(False)
        for fault in faults:
            self.world.one_pass(fault)
        self.world.set_paused(True)

    @precondition(lambda self: self.world.unanswered())
    @rule(data=st.data(), phase=PHASES)
    def hook_answers(self, data, phase):
        self.world.cluster.answer_hook(data.draw(st.sampled_from(sorted(self.world.unanswered()))), phase)

    @rule(seconds=st.sampled_from([0.3, 1, 2.8, 11]))
    def time_passes(self, seconds):
        self.world.cluster.now += seconds

    @rule(what=st.sampled_from(["sick", "healed", "vanishes", "replaced", "deleted"]))
    def something_happens(self, what):
        world = self.world
        if what in ("sick", "healed"):
            (world.sick.add if what == "sick" else world.sick.discard)("game:3")
        elif what == "vanishes" and world.cluster.pods:
            world.cluster.kill_pod(min(world.cluster.pods))
        elif what == "replaced":
            world.replace_annotations()
        elif what == "deleted" and world.cluster.hook_runs:
            del world.cluster.hook_runs[max(world.cluster.hook_runs)]

    @rule()
    def kubelets(self):
        self.world.kubelets()

    @rule(faults=st.lists(st.one_of(st.none(), FAULTS.map(lambda f: f[0] if f else None)), min_size=1, max_size=4))
    def passes(self, faults):
        for fault in faults:
            self.world.kubelets()
            self.world.one_pass(fault)

    @rule(fault=st.one_of(st.none(), st.tuples(st.sampled_from(["dies", "loses"]), st.integers(0, 2))))
    def one_pass(self, fault):
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
