"""Random canaries with a person's commands, and an operator that dies between any two writes (ux-17, ux-18)."""

import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from operators.kube.times import rfc3339
from operators.planning import actions as act
from tests.properties.canaryworld import World
from tests.properties.test_canary_histories import FAULTS, LISTS, PHASES

COMMAND = "tkex.tencent.com/canary-command"
EXAMPLES = max(1, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 4)


class Witness:
    """An index jumps by a command that stands on the object only, and each command moves it once."""

    heard = False

    def __init__(self, world):
        self.world = world
        self.moved = set()  # commands that have moved the index

    def user_writes(self, paused):
        """Whatever a person does by the switch is judged by the histories without commands."""

    def mark_wiped(self):
        """Likewise."""

    def before_pass(self, decision):
        reasons = self.world.reasons
        begins = [a for a in decision.actions if isinstance(a, act.UpdatePodInPlace) and a.begins]
        if begins and self.world.paused:
            assert reasons & {"PausedByCanaryAbort", "PausedByStepBasedHook"}, "a pod was updated under a pause"
            stable = self.world.status["canary"]["revision"]
            assert {a.labels["controller-revision-hash"] for a in begins} == {stable}

    def sees(self, action):
        """Writes of pods and HookRuns are judged elsewhere."""

    def status_changes(self, old, new):
        places = [(s.get("updateRevision"), s.get("currentStepHash"), s.get("currentStepIndex")) for s in (old, new)]
        if places[0][:2] != places[1][:2] or None in (places[0][2], places[1][2]):
            return
        before, after = places[0][2], places[1][2]
        text = self.world.command
        if after == before or (text is None and after == before + 1):
            return
        if text is None:
            assert after == 0, "an index jumped by itself"
            assert old["pauseConditions"], "the steps started over by themselves"
            return
        body = json.loads(text)
        if (body["revision"], body["steps"], body["index"]) != places[0]:
            assert after in (0, before + 1)
            return
        assert text not in self.moved, "a command was obeyed twice"
        self.moved.add(text)


class Commanded(World):
    """A canary with a person at the command line."""

    def __init__(self, steps, replicas, strategy):
        super().__init__(steps, replicas, strategy)
        self.witness = Witness(self)
        self.given = 0

    @property
    def command(self):
        return self.cluster.workload["metadata"]["annotations"].get(COMMAND)

    def give(self, do, to, shift):
        """``shift`` makes the command one for another step; each command has a number of its own."""
        self.given += 1
        status = self.status
        body = {
            "do": do,
            "revision": status["updateRevision"],
            "steps": status["currentStepHash"],
            "index": status["currentStepIndex"] + shift,
            "by": f"ada {self.given}",
            "at": rfc3339(self.cluster.now + 1),
            **({} if to is None else {"to": to}),
        }
        self.put(json.dumps(body))

    def put(self, text):
        metadata = self.cluster.workload["metadata"]
        metadata["annotations"] = {**metadata["annotations"], COMMAND: text}
        metadata["resourceVersion"] += "c"


class CanaryCommanded(RuleBasedStateMachine):
    """Commands fall between any two writes of the operator."""

    def __init__(self):
        super().__init__()
        self.world = None

    @initialize(steps=LISTS, replicas=st.integers(1, 4), auto=st.booleans())
    def begin(self, steps, replicas, auto):
        self.world = Commanded(steps, replicas, {"type": "InplaceUpdate"})
        self.world.set_auto_rollback(auto)
        self.world.settle()
        self.world.release(2)
        self.world.settle()

    @rule(
        do=st.sampled_from(["skip", "skip", "promote-full", "abort", "retry"]),
        to=st.one_of(st.none(), st.integers(0, 5)),
        shift=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def commands(self, do, to, shift):
        self.world.give(do, to, shift)

    @precondition(lambda self: self.world.unanswered())
    @rule(phase=PHASES)
    def hook_answers(self, phase):
        self.world.cluster.answer_hook(min(self.world.unanswered()), phase)

    @rule(paused=st.booleans())
    def switch(self, paused):
        self.world.set_paused(paused)

    @rule(version=st.integers(1, 3))
    def release(self, version):
        self.world.release(version)

    @rule(seconds=st.sampled_from([1, 11]))
    def time_passes(self, seconds):
        self.world.cluster.now += seconds

    @rule(faults=st.lists(st.one_of(st.none(), FAULTS.map(lambda f: f[0] if f else None)), min_size=1, max_size=4))
    def passes(self, faults):
        for fault in faults:
            self.world.kubelets()
            self.world.one_pass(fault)

    def teardown(self):
        """Left alone, a command goes; promoted in full, every canary comes to its end and is silent."""
        if self.world is None:
            return
        world = self.world
        world.settle()
        assert world.command is None
        for _ in range(2):
            if world.paused:
                world.set_paused(False)
                world.settle()
            world.give("promote-full", None, 0)
            world.settle()
        world.set_paused(False)
        world.settle()
        images = [p["spec"]["containers"][0]["image"] for p in world.cluster.pods.values()]
        assert images == [world.version] * world.spec["replicas"], world.status
        assert (world.status["currentStepIndex"], world.paused, world.marked) == (len(world.steps), False, False)
        assert world.command is None


TestCanaryCommanded = CanaryCommanded.TestCase
TestCanaryCommanded.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
