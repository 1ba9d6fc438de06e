"""``game-operators run``: one process, every controller, led by one replica at a time.

Kopf is the frame: it starts and ends the runtime, brings the events of custom resources and answers the liveness probe.
Pods, HookRuns, revisions and nodes come by informers of our own (docs/decisions/0001-kopf.md). Standbys keep their
caches warm; only the leader works, and one that loses the Lease ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

import kopf
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from operators.api import keys
from operators.cli.settings import Settings
from operators.gamedeployment.controller import GameDeploymentController
from operators.gamedeployment.execute import Rim, Stores
from operators.gamedeployment.observed import gamedeployment_view
from operators.hookrun.controller import HookRunController
from operators.hookrun.settings import HookSettings
from operators.planning.views import hookrun_view, hooktemplate_view, node_view, pod_view, revision_view
from operators.runtime import resources
from operators.runtime.client import Client
from operators.runtime.events import EventRecorder
from operators.runtime.expectations import Expectations
from operators.runtime.feed import Feed
from operators.runtime.informer import Informer
from operators.runtime.leaderelection import LeaderElector, LeadershipLost
from operators.runtime.metrics import Heartbeat, QueueFamilies, QueueMetrics, RestMetrics, WorkloadMetrics
from operators.runtime.reconciler import Controller
from operators.runtime.serving import serve
from operators.runtime.store import Key, Store
from operators.runtime.workqueue import WorkQueue

log = logging.getLogger(__name__)
_DRAIN = 20.0


def _orphans(pod: Any) -> tuple[str, ...]:
    return (pod.namespace,) if pod.owner is None else ()


def _owner(view: Any) -> tuple[str, ...]:
    return (view.owner.uid,) if view.owner is not None else ()


def _namespace(view: Any) -> tuple[str, ...]:
    return (view.namespace,)


class Operators:
    """The runtime of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self.heartbeat = Heartbeat()
        self.feeds: dict[str, Feed[Any]] = {}
        self.exit_code = 0
        self._informers: dict[str, Informer[Any]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._leading = Gauge("game_operators_leader", "1 while this replica leads.", registry=self.registry)
        self._server: web.AppRunner | None = None

    async def start(self) -> None:
        """Connect, fill the caches, begin to lead or to wait for it."""
        settings = self.settings
        metrics = RestMetrics(self.registry)
        self.client = await Client.connect(kubeconfig=settings.kubeconfig, context=settings.context, metrics=metrics)
        self.events = EventRecorder(self.client, "game-operators")
        self._build_caches()
        self._build_controllers()
        self.elector = LeaderElector(
            self.client,
            settings.leader_elect_namespace,
            settings.leader_elect_name,
            settings.identity,
            lease_duration=settings.lease_duration,
            renew_deadline=settings.renew_deadline,
            retry_period=settings.retry_period,
        )
        self._server = await serve(self.registry, self.heartbeat, self.missing, settings.address, settings.metrics_port)
        for source in self._sources().values():
            self._spawn(source.run())
        self._spawn(self._beat())
        self._spawn(self.events.run())
        self._spawn(self._lead())

    def _sources(self) -> dict[str, Informer[Any] | Feed[Any]]:
        """Everything that fills a cache, by name."""
        return {**self._informers, **self.feeds}

    def missing(self) -> str:
        """Which caches are not filled yet, for /readyz."""
        waiting = [name for name, source in self._sources().items() if not source.synced.is_set()]
        return f"waiting for the caches of {', '.join(waiting)}" if waiting else ""

    def _build_caches(self) -> None:
        namespace, client = self.settings.namespace, self.client
        resync = self.settings.resync_period
        by_owner, by_namespace = {"owner": _owner}, {"namespace": _namespace}
        self.feeds = {
            "gamedeployments": Feed(
                client,
                resources.GAME_DEPLOYMENTS,
                gamedeployment_view,
                Store(by_namespace),
                namespace=namespace,
                resync=resync,
            ),
            "hooktemplates": Feed(
                client,
                resources.HOOK_TEMPLATES,
                hooktemplate_view,
                Store(by_namespace),
                namespace=namespace,
                resync=resync,
            ),
        }
        self._informers = {
            "pods": Informer(
                client, resources.PODS, pod_view, Store({**by_owner, "orphans": _orphans}), namespace=namespace
            ),
            "controllerrevisions": Informer(
                client, resources.CONTROLLER_REVISIONS, revision_view, Store(by_owner), namespace=namespace
            ),
            "hookruns": Informer(client, resources.HOOK_RUNS, hookrun_view, Store(by_owner), namespace=namespace),
            "nodes": Informer(client, resources.NODES, node_view, Store()),
        }

    def _build_controllers(self) -> None:
        self._controllers: list[Any] = []
        families = QueueFamilies(self.registry)
        if "gamedeployment" in self.settings.controllers:
            self._controllers.append(self._gamedeployment(families))
        if "hook" in self.settings.controllers:
            hooks = HookRunController(
                self.client,
                self.events,
                self.registry,
                HookSettings(allow_cidrs=self.settings.hook_allow_cidr),
                QueueMetrics(families, "HookRun"),
                namespace=self.settings.namespace,
            )
            self._informers["hookrun objects"] = hooks.informer
            self._controllers.append(hooks)

    def _gamedeployment(self, families: QueueFamilies) -> Controller[Key]:
        stores = Stores(
            self.feeds["gamedeployments"].store,
            self._informers["pods"].store,
            self._informers["controllerrevisions"].store,
            self._informers["hookruns"].store,
            self.feeds["hooktemplates"].store,
            self._informers["nodes"].store,
        )
        metrics = WorkloadMetrics(self.registry)
        rim = Rim(self.client, stores, Expectations(), self.events, metrics, time.time)
        queue: WorkQueue[Key] = WorkQueue(QueueMetrics(families, "GameDeployment"))
        passes = GameDeploymentController(rim, queue)
        self.feeds["gamedeployments"].subscribe(passes.on_workload)
        self.feeds["hooktemplates"].subscribe(passes.on_template)
        self._informers["pods"].subscribe(passes.on_pod)
        self._informers["controllerrevisions"].subscribe(passes.on_owned)
        self._informers["hookruns"].subscribe(passes.on_owned)
        return Controller("gamedeployment", queue, passes.reconcile, workers=self.settings.workers)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks.append(task)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """A part that ends on its own would leave a zombie: the process ends instead."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except LeadershipLost as error:
            log.error("%s; ending, so that only the new leader works", error)
            self._end()
        except Exception:
            log.exception("a part of the operators failed; ending")
            self._end()

    def _end(self) -> None:
        self.exit_code = 1
        os.kill(os.getpid(), signal.SIGTERM)

    async def _beat(self) -> None:
        while True:
            self.heartbeat.beat()
            await asyncio.sleep(1.0)

    async def _lead(self) -> None:
        for source in self._sources().values():
            await source.synced.wait()
        if self.settings.leader_elect:
            await self.elector.acquire()
        self._leading.set(1)
        log.info("working: %s", ", ".join(self.settings.controllers))
        self._workers = [self._spawn(controller.run()) for controller in self._controllers]
        if self.settings.leader_elect:
            await self.elector.hold()

    async def stop(self) -> None:
        """Stop working, give the lease away, write the last events, close."""
        for task in self._workers:
            task.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=_DRAIN)
        await self.elector.release()
        await self.events.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.cleanup()
        await self.client.close()


def _registry(operators: Operators) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.watching.inactivity_timeout = 90
        settings.networking.request_timeout = 30
        await operators.start()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(**await operators.client.credentials())

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await operators.stop()

    @kopf.on.probe(registry=registry, id="heartbeat_age_seconds")
    async def heartbeat(**_: Any) -> float:
        return operators.heartbeat.age

    def feed(plural: str) -> None:
        @kopf.on.event(keys.GROUP, keys.VERSION, plural, registry=registry)
        async def observe(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
            operators.feeds[plural].observe(type, dict(body))

    feed("gamedeployments")
    feed("hooktemplates")

    return registry


def run(settings: Settings) -> int:
    """Run until told to stop; the exit code."""
    operators = Operators(settings)

    async def main() -> None:
        await kopf.operator(
            registry=_registry(operators),
            clusterwide=settings.namespace is None,
            namespaces=[settings.namespace] if settings.namespace else (),
            standalone=True,
            liveness_endpoint=f"http://{settings.address}:{settings.liveness_port}/healthz",
        )

    asyncio.run(main())
    return operators.exit_code
