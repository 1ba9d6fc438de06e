"""Which caches and controllers a process has: those of the controllers that were named, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from operators.cli.settings import Settings
from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.observed import gamedeployment_view
from operators.gamedeployment.rim import Rim, Stores
from operators.hookrun.controller import HookRunController
from operators.hookrun.settings import HookSettings
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime import resources
from operators.runtime.cache import Cache
from operators.runtime.client import Client
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.feed import Feed
from operators.runtime.informer import Informer
from operators.runtime.metrics import CacheMetrics, PassMetrics, QueueFamilies, QueueMetrics, WorkloadMetrics
from operators.runtime.reconciler import Controller
from operators.runtime.resources import Json, Resource
from operators.runtime.store import Key, Store
from operators.runtime.workloadmetrics import HookRunCreations
from operators.runtime.workqueue import WorkQueue


class Worker(Protocol):
    """What leads to passes; runs on the leader only."""

    async def run(self) -> None: ...
    def drain(self) -> None: ...


def by_owner(view: Any) -> tuple[str, ...]:
    """Index by the UID of the controller."""
    return (view.owner.uid,) if view.owner is not None else ()


def by_namespace(view: Any) -> tuple[str, ...]:
    """Index by namespace."""
    return (view.namespace,)


def by_series(view: Any) -> tuple[tuple[str, str], ...]:
    """Index of revisions by namespace and the name of the workload they are named after."""
    return ((view.namespace, view.name.rpartition("-")[0]),)


def costed(view: Any) -> tuple[str, ...]:
    """Index of the nodes that have a cost."""
    return ("",) if view.cost is not None else ()


def orphans(view: Any) -> tuple[str, ...]:
    """Index by namespace of what nobody controls."""
    return (view.namespace,) if view.owner is None else ()


class Assembly:
    """The parts of one process. ``feeds`` are by plural: kopf brings their events."""

    def __init__(self, settings: Settings, client: Client, events: EventRecorder, registry: CollectorRegistry) -> None:
        self._settings, self._client, self._events, self._registry = settings, client, events, registry
        self._caches, self._queues = CacheMetrics(registry), QueueFamilies(registry)
        self._passes = PassMetrics(registry)
        self.feeds: dict[str, Feed[Any]] = {}
        self.informers: dict[str, Informer[Any]] = {}
        build = {"gamedeployment": self._gamedeployment, "hook": self._hook}
        self.workers: list[Worker] = [build[name]() for name in settings.controllers]

    def sources(self) -> dict[str, Cache[Any]]:
        """Everything that fills a cache, by name."""
        return {**self.informers, **self.feeds}

    def missing(self) -> str:
        """Which caches are not filled yet; "" when all are."""
        waiting = [name for name, source in self.sources().items() if not source.synced.is_set()]
        return f"waiting for the caches of {', '.join(waiting)}" if waiting else ""

    def _feed(self, resource: Resource, decode: Callable[[Json], Any], store: Store[Any]) -> Feed[Any]:
        settings = self._settings
        feed: Feed[Any] = Feed(
            self._client, resource, decode, store, namespace=settings.namespace, resync=settings.resync_period
        )
        feed.measure(self._caches, resource.plural)
        self.feeds[resource.plural] = feed
        return feed

    def _informer(self, resource: Resource, decode: Callable[[Json], Any], store: Store[Any]) -> Informer[Any]:
        """An informer; where only a namespace is ours, what stands outside of it is good to have, not needed."""
        namespaced = resource is not resources.NODES
        informer: Informer[Any] = Informer(
            self._client,
            resource,
            decode,
            store,
            namespace=self._settings.namespace if namespaced else None,
            optional=not namespaced and self._settings.namespace is not None,
        )
        informer.measure(self._caches, resource.plural)
        self.informers[resource.plural] = informer
        return informer

    def _gamedeployment(self) -> Worker:
        workloads = self._feed(resources.GAME_DEPLOYMENTS, gamedeployment_view, Store({"namespace": by_namespace}))
        templates = self._feed(resources.HOOK_TEMPLATES, hooktemplate_view, Store({"namespace": by_namespace}))
        pods = self._informer(resources.PODS, pod_view, Store({"owner": by_owner, "orphans": orphans}))
        revisions = self._informer(
            resources.CONTROLLER_REVISIONS, revision_view, Store({"owner": by_owner, "series": by_series})
        )
        hook_runs = self._informer(resources.HOOK_RUNS, hookrun_view, Store({"owner": by_owner}))
        nodes = self._informer(resources.NODES, node_view, Store({"costed": costed}))
        stores = Stores(workloads.store, pods.store, revisions.store, hook_runs.store, templates.store, nodes.store)
        metrics, started = WorkloadMetrics(self._registry), HookRunCreations(self._registry)
        rim = Rim(self._client, stores, Expectations(), self._events, metrics, started, time.time)
        queue: WorkQueue[Key] = WorkQueue(QueueMetrics(self._queues, "GameDeployment"))
        passes = GameDeploymentController(rim, queue)
        workloads.subscribe(passes.on_workload)
        templates.subscribe(passes.on_template)
        pods.subscribe(passes.on_pod)
        revisions.subscribe(passes.on_revision)
        hook_runs.subscribe(passes.on_hook_run)
        return Controller(
            "gamedeployment", queue, passes.reconcile, workers=self._settings.workers, metrics=self._passes
        )

    def _hook(self) -> Worker:
        hooks = HookRunController(
            self._client,
            self._events,
            self._registry,
            HookSettings(allow_cidrs=self._settings.hook_allow_cidr),
            QueueMetrics(self._queues, "HookRun"),
            namespace=self._settings.namespace,
        )
        hooks.informer.measure(self._caches, "hookrun objects")
        self.informers["hookrun objects"] = hooks.informer
        return hooks
