"""Builds the controllers that were named, and the caches that these need: nothing else is listed or watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.observed import gamedeployment_view
from operators.gamestatefulset.claimviews import claim_view
from operators.gamestatefulset.controller import GameStatefulSetController
from operators.gamestatefulset.lostnodes import Delays
from operators.gamestatefulset.observed import gamestatefulset_view
from operators.hookrun.clusteraddresses import ClusterAddresses, endpoint_slice_view, service_view
from operators.hookrun.controller import HookRunController
from operators.hookrun.settings import HookSettings, own_node
from operators.hookrun.view import run_view
from operators.kube import resources
from operators.kube.client import Client
from operators.kube.resources import Json, Resource
from operators.manager.settings import ManagerSettings
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime.cache import Cache
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.feed import Feed
from operators.runtime.informer import Informer
from operators.runtime.metrics import CacheMetrics, PassMetrics, QueueFamilies, QueueMetrics
from operators.runtime.reconciler import Controller
from operators.runtime.store import Key, Store
from operators.runtime.workqueue import WorkQueue
from operators.workload.context import Context
from operators.workload.controller import WorkloadController
from operators.workload.metrics import HookRunCreations, WorkloadMetrics, statefulset_metrics
from operators.workload.namespaces import NamespaceLabels
from operators.workload.stores import (
    CLAIM_INDEXES,
    HOOK_RUN_INDEXES,
    NODE_INDEXES,
    POD_INDEXES,
    REVISION_INDEXES,
    TEMPLATE_INDEXES,
    WORKLOAD_INDEXES,
    Indexes,
    Stores,
)


class Worker(Protocol):
    """A controller as the manager sees it; it runs on the leader only."""

    async def run(self) -> None: ...
    def drain(self) -> None: ...


class Controllers:
    """The controllers and caches of one process. ``feeds`` are by plural: kopf brings their events."""

    def __init__(
        self, settings: ManagerSettings, client: Client, events: EventRecorder, registry: CollectorRegistry
    ) -> None:
        self._settings, self._client, self._events, self._registry = settings, client, events, registry
        self._caches, self._queues = CacheMetrics(registry), QueueFamilies(registry)
        self._pass_metrics = PassMetrics(registry)
        self._creations = HookRunCreations(registry)
        self.feeds: dict[str, Feed[Any]] = {}
        self.informers: dict[str, Informer[Any]] = {}
        #: Caches whose objects are queued anew every resync period: those that reconciles are about.
        self.resynced: list[Cache[Any]] = []
        build = {
            "gamedeployment": self._gamedeployment,
            "gamestatefulset": self._gamestatefulset,
            "hook": self._hook,
        }
        self.workers: list[Worker] = [build[name]() for name in settings.controllers]
        if settings.protect_namespaces:
            self.workers.append(self._namespaces())

    def sources(self) -> dict[str, Cache[Any]]:
        """Everything that fills a cache, by name."""
        return {**self.informers, **self.feeds}

    def missing(self) -> str:
        """Which caches are not filled yet; "" when all are."""
        waiting = [name for name, source in self.sources().items() if not source.synced.is_set()]
        return f"waiting for the caches of {', '.join(waiting)}" if waiting else ""

    def _feed(self, resource: Resource, decode: Callable[[Json], Any], indexes: Indexes) -> Feed[Any]:
        """The feed of a collection; controllers that want the same one share it."""
        known = self.feeds.get(resource.plural)
        if known is not None:
            return known
        settings = self._settings
        feed: Feed[Any] = Feed(
            self._client, resource, decode, Store(indexes), namespace=settings.namespace, resync=settings.resync_period
        )
        feed.measure(self._caches, resource.plural)
        self.feeds[resource.plural] = feed
        return feed

    def _informer(self, resource: Resource, decode: Callable[[Json], Any], indexes: Indexes) -> Informer[Any]:
        """An informer; controllers that want the same one share it.

        With ``--namespace``, objects outside of namespaces may be forbidden; the controllers work without them.
        """
        known = self.informers.get(resource.plural)
        if known is not None:
            return known
        namespaced = resource is not resources.NODES
        informer: Informer[Any] = Informer(
            self._client,
            resource,
            decode,
            Store(indexes),
            namespace=self._settings.namespace if namespaced else None,
            optional=not namespaced and self._settings.namespace is not None,
        )
        informer.measure(self._caches, resource.plural)
        self.informers[resource.plural] = informer
        return informer

    def _gamedeployment(self) -> Worker:
        return self._workload(
            resources.GAME_DEPLOYMENTS, gamedeployment_view, GameDeploymentController, WorkloadMetrics(self._registry)
        )

    def _gamestatefulset(self) -> Worker:
        claims = self._informer(resources.PERSISTENT_VOLUME_CLAIMS, claim_view, CLAIM_INDEXES)
        delays = Delays(self._settings.node_lost_delay, self._settings.node_sick_delay)

        def make_reconciler(context: Context, queue: WorkQueue[Key]) -> GameStatefulSetController:
            reconciler = GameStatefulSetController(context, queue, claims.store, delays)
            claims.subscribe(reconciler.on_claim)
            self.informers[resources.NODES.plural].subscribe(reconciler.on_node)
            return reconciler

        metrics = statefulset_metrics(self._registry)
        return self._workload(resources.GAME_STATEFUL_SETS, gamestatefulset_view, make_reconciler, metrics)

    def _workload(
        self,
        resource: Resource,
        decode: Callable[[Json], Any],
        make_reconciler: Callable[[Context, WorkQueue[Key]], WorkloadController[Any]],
        metrics: WorkloadMetrics,
    ) -> Worker:
        """A controller of workloads, subscribed to every cache whose changes may concern it."""
        workloads = self._feed(resource, decode, WORKLOAD_INDEXES)
        templates = self._feed(resources.HOOK_TEMPLATES, hooktemplate_view, TEMPLATE_INDEXES)
        pods = self._informer(resources.PODS, pod_view, POD_INDEXES)
        revisions = self._informer(resources.CONTROLLER_REVISIONS, revision_view, REVISION_INDEXES)
        hook_runs = self._hook_runs()
        nodes = self._informer(resources.NODES, node_view, NODE_INDEXES)
        stores = Stores(workloads.store, pods.store, revisions.store, hook_runs.store, templates.store, nodes.store)
        context = Context(
            resource, self._client, stores, Expectations(), self._events, metrics, self._creations, time.time
        )
        queue: WorkQueue[Key] = WorkQueue(QueueMetrics(self._queues, resource.kind))
        reconciler = make_reconciler(context, queue)
        workloads.subscribe(reconciler.on_workload)
        self.resynced.append(workloads)
        templates.subscribe(reconciler.on_template)
        pods.subscribe(reconciler.on_pod)
        revisions.subscribe(reconciler.on_revision)
        hook_runs.subscribe(reconciler.on_hook_run)
        name = resource.kind.lower()
        return Controller(name, queue, reconciler.reconcile, workers=self._settings.workers, metrics=self._pass_metrics)

    def _namespaces(self) -> Worker:
        """Labels of namespaces: by the workloads of both kinds, whichever of them this process runs."""
        feeds: list[Feed[Any]] = [
            self._feed(resources.GAME_DEPLOYMENTS, gamedeployment_view, WORKLOAD_INDEXES),
            self._feed(resources.GAME_STATEFUL_SETS, gamestatefulset_view, WORKLOAD_INDEXES),
        ]
        queue: WorkQueue[str] = WorkQueue(QueueMetrics(self._queues, "Namespace"), namespace_of=str)
        labels = NamespaceLabels(
            self._client,
            [feed.store for feed in feeds],
            queue,
            namespace=self._settings.namespace,
            period=self._settings.resync_period,
        )
        for feed in feeds:
            feed.subscribe(labels.on_workload)
        return labels

    def _hook_runs(self) -> Informer[Any]:
        """HookRuns, listed and watched once: the hook controller's view is what the workloads read, and more."""
        decode = run_view if "hook" in self._settings.controllers else hookrun_view
        return self._informer(resources.HOOK_RUNS, decode, HOOK_RUN_INDEXES)

    def _hook(self) -> Worker:
        hook_runs = self._hook_runs()
        hooks = HookRunController(
            self._client,
            hook_runs.store,
            self._events,
            self._registry,
            HookSettings(
                allow_cidrs=self._settings.hook_allow_cidr,
                deny_cidrs=self._settings.hook_deny_cidr,
                cpu_seconds=self._settings.hook_cpu_limit,
            ),
            QueueMetrics(self._queues, "HookRun"),
            cluster=self._cluster_addresses(),
        )
        hook_runs.subscribe(hooks.on_change)
        self.resynced.append(hook_runs)
        return hooks

    def _cluster_addresses(self) -> ClusterAddresses:
        """Where nodes, API server and operators are, which hooks may not reach; it follows the caches.

        With ``--namespace`` nodes may be forbidden: then only the own one is known. Services are optional, because the
        rights to read them are granted apart from the others.
        """
        settings = self._settings
        cluster = ClusterAddresses(settings.hook_deny_service, settings.hook_allow_node_ports, own_node())
        if settings.namespace is None:
            nodes = self._informer(resources.NODES, node_view, NODE_INDEXES)
            nodes.subscribe(lambda change: cluster.change_node(change.old, change.new))
        for namespace in dict.fromkeys(namespace for namespace, _ in settings.hook_deny_service):
            for resource, decode in (
                (resources.ENDPOINT_SLICES, endpoint_slice_view),
                (resources.SERVICES, service_view),
            ):
                name = f"{resource.plural}/{namespace}"
                services = Informer(self._client, resource, decode, namespace=namespace, optional=True)
                services.measure(self._caches, name)
                services.subscribe(lambda change: cluster.change_service(change.old, change.new))
                self.informers[name] = services
        return cluster
