"""The real controller of a workload over an API server in memory: what both kinds' tests of the executor stand on."""

import asyncio
import copy

from prometheus_client import CollectorRegistry

from operators.kube.errors import Conflict
from operators.kube.resources import CONTROLLER_REVISIONS, HOOK_RUNS, HOOK_TEMPLATES, NODES, PODS
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.workqueue import WorkQueue
from operators.workload.context import Context
from operators.workload.metrics import HookRunCreations
from operators.workload.stores import Stores
from tests.unit.runtime.memory import MemoryApi


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
    """``refuse`` maps (verb, plural or name) to the error that such requests get.

    ``graceless`` are the names of what was deleted without grace; ``warn`` is what comes along with what is created.
    """

    def __init__(self, namespace):
        super().__init__()
        self.namespace, self.refuse, self.graceless, self.warn = namespace, {}, [], ()

    async def _request(self, verb, resource, namespace, name, change):
        error = self.refuse.get((verb, name)) or self.refuse.get((verb, resource.plural))

        def judged():
            if error is not None:
                raise error
            return change()

        return await super()._request(verb, resource, namespace, name, judged)

    async def create(self, resource, namespace, body, *, dry_run=False, warn=None):
        for text in self.warn if warn is not None else ():
            warn(text)
        if dry_run:
            return await self._try(resource, namespace, body)
        return await super().create(
            resource, namespace, {**body, "metadata": {**body["metadata"], "namespace": namespace}}
        )

    async def _try(self, resource, namespace, body):
        """A dry run is refused as a creation is, and is told of by a verb of its own."""
        name = body["metadata"]["name"]
        error = self.refuse.get(("POST", name)) or self.refuse.get(("POST", resource.plural))

        def judged():
            if error is not None:
                raise error
            return body

        return await super()._request("DRYRUN", resource, namespace, name, judged)

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

    async def delete(self, resource, namespace, name, *, uid=None, grace=None):
        key = self._key(resource, namespace, name)
        if grace == 0:
            self.graceless.append(name)

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
        return self.objects[plural, self.namespace, name]

    def names(self, plural):
        return sorted(n for p, _, n in self.objects if p == plural)


class Harness:
    """One workload with its revisions, its controller, and its caches.

    Caches show what the API server holds only after `sync`, as if the watch were slow. `restart` begins anew with the
    caches as they are: what was expected is forgotten.
    """

    def __init__(self, resource, view, body, revisions, pods, now):
        self.resource, self.time = resource, now
        self.key = body["metadata"]["namespace"], body["metadata"]["name"]
        self.api = ClusterApi(self.key[0])
        self.api.put(resource, body)
        for revision in revisions:
            self.api.put(CONTROLLER_REVISIONS, revision)
        for pod in pods:
            self.api.put(PODS, pod)
        self.stores = Stores.empty()
        self.cached = [
            (self.stores.workloads, resource, view),
            (self.stores.pods, PODS, pod_view),
            (self.stores.revisions, CONTROLLER_REVISIONS, revision_view),
            (self.stores.hook_runs, HOOK_RUNS, hookrun_view),
            (self.stores.templates, HOOK_TEMPLATES, hooktemplate_view),
            (self.stores.nodes, NODES, node_view),
        ]
        self.restart()

    def metrics(self, registry):
        """The metrics of this kind of workload."""
        raise NotImplementedError

    def made(self, context):
        """The controller under test."""
        raise NotImplementedError

    def restart(self):
        self.registry = CollectorRegistry()
        self.events = EventRecorder(self.api, "test", now=lambda: self.time)
        self.expectations, self.queue = Expectations(), WorkQueue()
        context = Context(
            self.resource,
            self.api,
            self.stores,
            self.expectations,
            self.events,
            self.metrics(self.registry),
            HookRunCreations(self.registry),
            lambda: self.time,
        )
        self.controller = self.made(context)

    def sync(self, *but):
        """The caches catch up, but for those of some resources."""
        for store, resource, decode in self.cached:
            if resource in but:
                continue
            bodies = [copy.deepcopy(b) for (plural, *_), b in self.api.objects.items() if plural == resource.plural]
            store.replace([decode(b) for b in bodies], str(self.api.version))
            store.version = str(self.api.version)

    async def stale_pass(self):
        """A pass with caches as they are."""
        return await self.controller.reconcile(self.key)

    async def one_pass(self):
        """A pass with caches that have caught up; after one that only tried whether a pod can be created, the next."""
        self.sync()
        sent = len(self.api.requests)
        outcome = await self.stale_pass()
        if [verb for verb, *_ in self.writes(sent)] == ["DRYRUN"] and outcome.requeue_after == 0.0:
            return await self.one_pass()
        return outcome

    def writes(self, since=0):
        """(verb, plural, name) of the requests that change something, without events and statuses."""
        quiet = ("events", self.resource.plural)
        return [r for r in self.api.requests[since:] if r[0] not in ("GET", "LIST") and r[1] not in quiet]

    @property
    def status(self):
        return self.api.named(self.resource.plural, self.key[1])["status"]

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
        """Names of the workloads that a change puts into the queue."""
        handler(change)
        keys = []
        while len(self.queue):
            keys.append(await self.queue.get())
            self.queue.done(keys[-1])
        return sorted(name for _, name in keys)

    def series(self):
        """Names of the metrics that speak of the workload."""
        found = set()
        for family in self.registry.collect():
            found |= {s.name for s in family.samples if s.labels.get("name") == self.key[1]}
        return found

    def counted(self, metric, **labels):
        namespace, name = self.key
        return self.registry.get_sample_value(metric, {"namespace": namespace, "name": name, **labels})
