"""The real controller of GameStatefulSets over an API server in memory (spec/gamestatefulset.md 2.1, 8.5)."""

import asyncio
import copy

from prometheus_client import CollectorRegistry

from operators.cli.assembly import by_namespace, by_node_if_leaving, by_owner, by_series, costed, orphans
from operators.gamestatefulset.claims import claim_view
from operators.gamestatefulset.controller import GameStatefulSetController
from operators.gamestatefulset.drift import Delays
from operators.gamestatefulset.observed import gamestatefulset_view
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.resources import (
    CONTROLLER_REVISIONS,
    GAME_STATEFUL_SETS,
    HOOK_RUNS,
    HOOK_TEMPLATES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
)
from operators.runtime.store import Store
from operators.runtime.workloadmetrics import HookRunCreations, statefulset_metrics
from operators.runtime.workqueue import WorkQueue
from operators.workload.rim import Rim, Stores
from tests.unit.gamedeployment.rims import ClusterApi
from tests.unit.gamestatefulset.observations import NOW, raw_revision, raw_set, template

NAMESPACE = "default"
KEY = (NAMESPACE, "foo")


class SetApi(ClusterApi):
    """Also deletes without grace; ``graceless`` are the names of what was deleted so."""

    def __init__(self):
        super().__init__()
        self.graceless = []

    async def delete(self, resource, namespace, name, *, uid=None, grace=None):
        if grace == 0:
            self.graceless.append(name)
        return await super().delete(resource, namespace, name, uid=uid)

    def named(self, plural, name):
        return self.objects[plural, NAMESPACE, name]


class Station:
    """The set ``foo`` with its revisions B and D, its controller, and its caches.

    Caches show what the API server holds only after `sync`, as if the watch were slow. `restart` begins anew with the
    caches as they are: what was expected is forgotten.
    """

    def __init__(self, held=(), spec=None, **how):
        self.api, self.time = SetApi(), NOW
        self.api.put(GAME_STATEFUL_SETS, raw_set(spec, **how))
        for name, number in (("B", 1), ("D", 2)):
            self.api.put(CONTROLLER_REVISIONS, raw_revision(name, number, template(name)))
        for pod in held:
            self.api.put(PODS, pod)
        self.stores = Stores(
            Store({"namespace": by_namespace}),
            Store({"owner": by_owner, "orphans": orphans, "leaving": by_node_if_leaving}),
            Store({"owner": by_owner, "series": by_series}),
            Store({"owner": by_owner}),
            Store({"namespace": by_namespace}),
            Store({"costed": costed}),
        )
        self.claims = Store({"series": by_series})
        self.restart()

    def restart(self):
        self.registry = CollectorRegistry()
        self.events = EventRecorder(self.api, "test", now=lambda: self.time)
        self.expectations, self.queue = Expectations(), WorkQueue()
        rim = Rim(
            GAME_STATEFUL_SETS,
            self.api,
            self.stores,
            self.expectations,
            self.events,
            statefulset_metrics(self.registry),
            HookRunCreations(self.registry),
            lambda: self.time,
        )
        self.controller = GameStatefulSetController(rim, self.queue, self.claims, Delays())

    def sync(self, *but):
        """The caches catch up, but for those of some resources."""
        for store, resource, decode in (
            (self.stores.workloads, GAME_STATEFUL_SETS, gamestatefulset_view),
            (self.stores.pods, PODS, pod_view),
            (self.stores.revisions, CONTROLLER_REVISIONS, revision_view),
            (self.stores.hook_runs, HOOK_RUNS, hookrun_view),
            (self.stores.templates, HOOK_TEMPLATES, hooktemplate_view),
            (self.stores.nodes, NODES, node_view),
            (self.claims, PERSISTENT_VOLUME_CLAIMS, claim_view),
        ):
            if resource in but:
                continue
            bodies = [copy.deepcopy(b) for (plural, *_), b in self.api.objects.items() if plural == resource.plural]
            store.replace([decode(b) for b in bodies], str(self.api.version))
            store.version = str(self.api.version)

    async def stale_pass(self):
        """A pass with caches as they are."""
        return await self.controller.reconcile(KEY)

    async def one_pass(self):
        """A pass with caches that have caught up."""
        self.sync()
        return await self.stale_pass()

    def writes(self, since=0):
        """(verb, plural, name) of the requests that change something, without events and statuses."""
        quiet = ("events", "gamestatefulsets")
        return [r for r in self.api.requests[since:] if r[0] not in ("GET", "LIST") and r[1] not in quiet]

    @property
    def status(self):
        return self.api.named("gamestatefulsets", "foo")["status"]

    def condition(self, type_):
        return next((c for c in self.status["conditions"] if c["type"] == type_), None)

    async def told(self):
        """(type, reason, message) of every Event so far, in the order of their reasons."""
        writing = asyncio.ensure_future(self.events.run())
        await self.events.flush()
        writing.cancel()
        events = [b for (plural, *_), b in self.api.objects.items() if plural == "events"]
        return sorted((e["type"], e["reason"], e["message"]) for e in events)

    async def woken(self, change, handler):
        """Names of the sets that a change puts into the queue."""
        handler(change)
        keys = []
        while len(self.queue):
            keys.append(await self.queue.get())
            self.queue.done(keys[-1])
        return sorted(name for _, name in keys)

    def series(self):
        """Names of the metrics that speak of the set."""
        found = set()
        for family in self.registry.collect():
            found |= {s.name for s in family.samples if s.labels.get("name") == "foo"}
        return found

    def counted(self, metric, **labels):
        return self.registry.get_sample_value(metric, {"namespace": NAMESPACE, "name": "foo", **labels})
