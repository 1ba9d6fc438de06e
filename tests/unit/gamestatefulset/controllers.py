"""The real controller of GameStatefulSets over an API server in memory (docs/spec/gamestatefulset.md 2.1, 8.5)."""

from operators.gamestatefulset.claimviews import claim_view
from operators.gamestatefulset.controller import GameStatefulSetController
from operators.gamestatefulset.lostnodes import Delays
from operators.gamestatefulset.observed import gamestatefulset_view
from operators.kube.resources import GAME_STATEFUL_SETS, PERSISTENT_VOLUME_CLAIMS
from operators.runtime.store import Store
from operators.workload.metrics import statefulset_metrics
from operators.workload.stores import CLAIM_INDEXES
from tests.unit.gamestatefulset.observations import NOW, raw_revision, raw_set, template
from tests.unit.workload import harness

NAMESPACE = "default"
KEY = (NAMESPACE, "foo")


class Harness(harness.Harness):
    """The set ``foo`` with its revisions B and D, and a cache of its claims."""

    def __init__(self, held=(), spec=None, **how):
        self.claims = Store(CLAIM_INDEXES)
        revisions = [raw_revision(name, number, template(name)) for name, number in (("B", 1), ("D", 2))]
        body = raw_set(spec, **how)
        super().__init__(GAME_STATEFUL_SETS, gamestatefulset_view, body, revisions, held, NOW)
        self.cached.append((self.claims, PERSISTENT_VOLUME_CLAIMS, claim_view))

    def metrics(self, registry):
        return statefulset_metrics(registry)

    def made(self, context):
        return GameStatefulSetController(context, self.queue, self.claims, Delays())
