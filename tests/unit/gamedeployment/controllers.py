"""The real controller of GameDeployments over an API server in memory (docs/spec/gamedeployment.md 2.1, 2.10)."""

from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.observed import gamedeployment_view
from operators.kube.resources import GAME_DEPLOYMENTS
from operators.simulation.cluster import gamedeployment
from operators.workload.metrics import WorkloadMetrics
from tests.unit.gamedeployment.observations import NEW, NOW, OLD, STRATEGY, raw_revision, template
from tests.unit.workload import harness

KEY = ("game", "gd")


class Harness(harness.Harness):
    """The GameDeployment ``gd`` with its revisions OLD and NEW."""

    def __init__(self, pods=(), spec=None, *, strategy=None):
        body = gamedeployment(
            {"template": template(2), **(spec or {}), "updateStrategy": {**STRATEGY, **(strategy or {})}}
        )
        body["status"] = {"observedGeneration": 1, "updateRevision": NEW, "currentRevision": OLD}
        revisions = [raw_revision(name, number, template(number)) for name, number in ((OLD, 1), (NEW, 2))]
        super().__init__(GAME_DEPLOYMENTS, gamedeployment_view, body, revisions, pods, NOW)

    def metrics(self, registry):
        return WorkloadMetrics(registry)

    def made(self, context):
        return GameDeploymentController(context, self.queue)
