"""A canary rollout in the simulated cluster, told in the words of a user."""

from tests.unit.gamedeployment.fleets import Fleet

#: The white paper's example.
WHITE_PAPER = [
    {"partition": 3},
    {"pause": {}},
    {"partition": 2},
    {"pause": {"duration": 60}},
    {"hook": {"templateName": "test"}},
]


class Rollout(Fleet):
    """One GameDeployment with canary steps."""

    def __init__(self, steps=None, *, replicas=4, type_="InplaceUpdate", templates=("test",), canary=None, **strategy):
        strategy["type"] = type_
        if steps is not None:
            strategy["canary"] = {"steps": steps, **(canary or {})}
        super().__init__(replicas, strategy=strategy, templates=templates)

    def answer(self, phase, message=""):
        """The step's HookRun ends."""
        self.cluster.answer_hook(self.run.name, phase, message)
        return self

    @property
    def index(self):
        return self.status.get("currentStepIndex")

    @property
    def reasons(self):
        return [c["reason"] for c in self.status.get("pauseConditions", ())]

    @property
    def stable(self):
        return self.status["canary"]["revision"]

    @property
    def run(self):
        """The HookRun of the step in force."""
        return self.runs[self.status["canary"]["currentStepHookRun"]]
