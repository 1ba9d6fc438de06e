"""The real controller of GameDeployments over an API server in memory (spec/gamedeployment.md 2.1, 2.10)."""

import asyncio
import copy

from prometheus_client import CollectorRegistry

from operators.cli.assembly import by_namespace, by_owner, by_series, costed, orphans
from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.observed import gamedeployment_view
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime.errors import Conflict
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.metrics import WorkloadMetrics
from operators.runtime.resources import (
    CONTROLLER_REVISIONS,
    GAME_DEPLOYMENTS,
    HOOK_RUNS,
    HOOK_TEMPLATES,
    NODES,
    PODS,
)
from operators.runtime.store import Store
from operators.runtime.workloadmetrics import HookRunCreations
from operators.runtime.workqueue import WorkQueue
from operators.simulation.cluster import gamedeployment
from operators.workload.rim import Rim, Stores
from tests.unit.gamedeployment.observations import NEW, NOW, OLD, STRATEGY, raw_revision, template
from tests.unit.runtime.memory import MemoryApi

KEY = ("game", "gd")


def _merge(held, change, *, strategic):
    """Maps by key; in a strategic merge also containers by name and conditions by type; everything else replaced."""
    for name, value in change.items():
        if value is None:
            held.pop(name, None)
        elif isinstance(value, dict):
            _merge(held.setdefault(name, {}), value, strategic=strategic)
        elif strategic and name in ("containers", "conditions"):
            by = "name" if name == "containers" else "type"
            listed = held.setdefault(name, [])
            for entry in value:
                known = next((e for e in listed if e[by] == entry[by]), None)
                if known is None:
                    listed.append({k: v for k, v in entry.items() if v is not None})
                else:
                    _merge(known, entry, strategic=True)
        else:
            held[name] = value


class ClusterApi(MemoryApi):
    """``refuse`` maps (verb, plural or name) to the error that such requests get."""

    def __init__(self):
        super().__init__()
        self.refuse = {}

    async def _request(self, verb, resource, namespace, name, change):
        error = self.refuse.get((verb, name)) or self.refuse.get((verb, resource.plural))

        def judged():
            if error is not None:
                raise error
            return change()

        return await super()._request(verb, resource, namespace, name, judged)

    async def create(self, resource, namespace, body):
        return await super().create(
            resource, namespace, {**body, "metadata": {**body["metadata"], "namespace": namespace}}
        )

    async def _change(self, resource, namespace, name, body, *, strategic):
        key = self._key(resource, namespace, name)

        def change():
            held = copy.deepcopy(self._held(key))
            guard = body.get("metadata", {})
            for field in ("uid", "resourceVersion"):
                if guard.get(field) not in (None, held["metadata"][field]):
                    raise Conflict(409, "Conflict", f"another {field}")
            _merge(held, body, strategic=strategic)
            return self._store(key, held)

        return await self._request("PATCH", resource, namespace, name, change)

    async def merge_patch(self, resource, namespace, name, body, *, subresource=None):
        return await self._change(resource, namespace, name, body, strategic=False)

    async def strategic_patch(self, resource, namespace, name, body, *, subresource=None):
        return await self._change(resource, namespace, name, body, strategic=True)

    async def delete(self, resource, namespace, name, *, uid=None):
        key = self._key(resource, namespace, name)

        def change():
            held = self._held(key)
            if uid not in (None, held["metadata"]["uid"]):
                raise Conflict(409, "Conflict", "another object")
            self.version += 1
            return self.objects.pop(key)

        return await self._request("DELETE", resource, namespace, name, change)

    def sent(self, verb, plural):
        """Names of the objects that requests of a kind were about, in order; those refused included."""
        return [n for v, p, n in self.requests if (v, p) == (verb, plural)]

    def named(self, plural, name):
        return self.objects[plural, "game", name]

    def names(self, plural):
        return sorted(n for p, _, n in self.objects if p == plural)


class Station:
    """The GameDeployment ``gd`` with its revisions OLD and NEW, its controller, and its caches.

    Caches show what the API server holds only after `sync`, as if the watch were slow.
    """

    def __init__(self, pods=(), spec=None, *, strategy=None):
        self.api, self.time = ClusterApi(), NOW
        body = gamedeployment(
            {"template": template(2), **(spec or {}), "updateStrategy": {**STRATEGY, **(strategy or {})}}
        )
        body["status"] = {"observedGeneration": 1, "updateRevision": NEW, "currentRevision": OLD}
        self.api.put(GAME_DEPLOYMENTS, body)
        for name, number in ((OLD, 1), (NEW, 2)):
            self.api.put(CONTROLLER_REVISIONS, raw_revision(name, number, template(number)))
        for pod in pods:
            self.api.put(PODS, pod)
        self.stores = Stores(
            Store({"namespace": by_namespace}),
            Store({"owner": by_owner, "orphans": orphans}),
            Store({"owner": by_owner, "series": by_series}),
            Store({"owner": by_owner}),
            Store({"namespace": by_namespace}),
            Store({"costed": costed}),
        )
        registry = CollectorRegistry()
        self.events = EventRecorder(self.api, "test", now=lambda: self.time)
        self.expectations = Expectations()
        rim = Rim(
            GAME_DEPLOYMENTS,
            self.api,
            self.stores,
            self.expectations,
            self.events,
            WorkloadMetrics(registry),
            HookRunCreations(registry),
            lambda: self.time,
        )
        self.queue = WorkQueue()
        self.controller = GameDeploymentController(rim, self.queue)

    def sync(self):
        """The caches catch up."""
        for store, resource, decode in (
            (self.stores.workloads, GAME_DEPLOYMENTS, gamedeployment_view),
            (self.stores.pods, PODS, pod_view),
            (self.stores.revisions, CONTROLLER_REVISIONS, revision_view),
            (self.stores.hook_runs, HOOK_RUNS, hookrun_view),
            (self.stores.templates, HOOK_TEMPLATES, hooktemplate_view),
            (self.stores.nodes, NODES, node_view),
        ):
            bodies = [copy.deepcopy(b) for (plural, *_), b in self.api.objects.items() if plural == resource.plural]
            store.replace([decode(b) for b in bodies], str(self.api.version))
            store.version = str(self.api.version)

    async def one_pass(self):
        """A pass with caches that have caught up."""
        self.sync()
        return await self.controller.reconcile(KEY)

    @property
    def status(self):
        return self.api.named("gamedeployments", "gd")["status"]

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
        """Keys that a change puts into the queue."""
        handler(change)
        keys = []
        while len(self.queue):
            keys.append(await self.queue.get())
            self.queue.done(keys[-1])
        return sorted(name for _, name in keys)
