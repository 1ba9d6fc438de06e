"""The life of one process: start, wait for leadership, run the controllers, drain, stop."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Coroutine
from typing import Any, Self

from prometheus_client import CollectorRegistry, Gauge

from operators.api import keys
from operators.kube.client import Client
from operators.kube.errors import ApiError, NotFound
from operators.kube.metrics import RestMetrics
from operators.kube.official import OfficialCredentials
from operators.kube.resources import CUSTOM_RESOURCE_DEFINITIONS
from operators.kube.retries import backoff
from operators.logs import get_logger
from operators.manager.controllers import Controllers
from operators.manager.leadership import Leadership
from operators.manager.settings import ManagerSettings
from operators.manager.version import operator_version
from operators.runtime.events import EventRecorder
from operators.runtime.leaderelection import LeadershipLost
from operators.runtime.looplag import LoopLag
from operators.runtime.metrics import EventMetrics
from operators.runtime.serving import Heartbeat, health_application

log = get_logger(__name__)
#: Seconds that reconciles under way get to end; a second signal cancels them at once.
_DRAIN = 15.0
_BACKGROUND_CONNECTIONS = 8
#: Who reports Events, as the Go operators call themselves.
_COMPONENTS = {
    "GameDeployment": "bcs-gamedeployment-operator",
    "GameStatefulSet": "bcs-gamestatefulset-operator",
    "HookRun": "bcs-hook-operator",
}
_KINDS = {"gamedeployment": "GameDeployment", "gamestatefulset": "GameStatefulSet"}


class CannotListen(Exception):
    """The port of metrics and health is taken, or the address is not ours."""


class Manager:
    """Runs the controllers of one process.

    It has three clients, so that none waits for the others: one for reconciles, one for Events, and in the thread of
    `Leadership` one for the Lease.
    """

    def __init__(self, settings: ManagerSettings, credentials: OfficialCredentials) -> None:
        self.settings, self.credentials = settings, credentials
        self.registry = CollectorRegistry()
        self.heartbeat = Heartbeat()
        self.stopping = asyncio.Event()
        self.exit_code = 0
        rest = RestMetrics(self.registry, credentials.server.partition("://")[2])
        self._background_client = Client(credentials, max_connections=_BACKGROUND_CONNECTIONS, metrics=rest)
        self.leadership = Leadership(settings, self._connect, rest, self.heartbeat.problem)
        fence = self.leadership.remaining if settings.leader_elect else None
        self.client = Client(credentials, metrics=rest, fence=fence)
        counted = EventMetrics(self.registry)
        self.events = EventRecorder(self._background_client, "game-operators", components=_COMPONENTS, metrics=counted)
        self.controllers = Controllers(settings, self.client, self.events, self.registry)
        self._leader = Gauge("game_operators_leader", "1 while this replica leads.", registry=self.registry)
        self._lag = LoopLag(self.registry)
        self._tasks: list[asyncio.Task[None]] = []
        self._worker_tasks: list[asyncio.Task[None]] = []
        self._leader_task: asyncio.Task[None] | None = None
        self._lease_task: asyncio.Task[None] | None = None
        self._stop_now = asyncio.Event()
        self._waiting_for = "the API server"
        self._stopped = False

    @classmethod
    async def prepare(cls, settings: ManagerSettings) -> Self:
        """Load the credentials and build everything; nothing is sent yet.

        Raises:
            NoCredentials: there are none.
        """
        return cls(settings, await OfficialCredentials.load(settings.kubeconfig, settings.context))

    async def listen(self) -> None:
        """Serve metrics and health.

        Raises:
            CannotListen: the address is taken or not ours.
        """
        address, port = self.settings.address, self.settings.metrics_port
        try:
            application = health_application(self.registry, ready=self.missing, alive=self.heartbeat.problem)
            self.leadership.start()
            await self.leadership.serve(application, address, port)
        except OSError as error:
            raise CannotListen(f"cannot listen on {address}:{port}: {error.strerror or error}") from error

    async def start(self) -> None:
        """Wait for the API server and the CRDs, fill the caches, take part in the leader election."""
        self._start(self._keep_heartbeat())
        self._start(self._lag.watch())
        await self._wait_for_api()
        self._waiting_for = ""
        # Caches that are filled after the election hold all that the leader before has written.
        elected = not self.settings.leader_elect or await self._take_lease_if_free()
        for source in self.controllers.sources().values():
            self._start(source.run())
        self._start(self.events.run())
        self._start(self._resync())
        self._start(self._publish_version())
        self._leader_task = self._start(self._lead(elected=elected))

    def missing(self) -> str:
        """What is still missing, for /readyz; "" when nothing is. Standbys are ready too."""
        if self.stopping.is_set():
            return "stopping"
        return f"waiting for {self._waiting_for}" if self._waiting_for else self.controllers.missing()

    def handle_signal(self, number: signal.Signals) -> None:
        """Stop: after the reconciles under way at the first signal, at once at the second."""
        if self.stopping.is_set():
            log.warning("received a second signal, cancelling the reconciles under way", signal=number.name)
            self._stop_now.set()
        else:
            log.info("received signal, shutting down", signal=number.name)
            self.stopping.set()

    async def stop(self) -> None:
        """Drain the controllers, release the Lease, write the last Events, close. The second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.stopping.set()
        await self._drain()
        self._leader.set(0)
        await _cancel([task for task in (self._leader_task, self._lease_task) if task])
        await self.leadership.release()
        await self.events.flush()
        await _cancel(self._tasks)
        await self.leadership.close()
        await self.client.close()
        await self._background_client.close()

    async def _drain(self) -> None:
        for worker in self.controllers.workers:
            worker.drain()
        if not self._worker_tasks:
            return
        try:
            async with asyncio.timeout(_DRAIN), asyncio.TaskGroup() as group:
                stop_now = group.create_task(self._stop_now.wait())
                ended = group.create_task(asyncio.wait(self._worker_tasks))
                await asyncio.wait({stop_now, ended}, return_when=asyncio.FIRST_COMPLETED)
                stop_now.cancel()
                ended.cancel()
        except TimeoutError:
            log.warning("reconciles did not end in time, cancelling them", seconds=_DRAIN)
        await _cancel(self._worker_tasks)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._supervise(work))
        self._tasks.append(task)
        return task

    async def _supervise(self, work: Coroutine[Any, Any, None]) -> None:
        """Stop the process when a part of it fails: without that part it would only look alive."""
        try:
            await work
        except LeadershipLost as error:
            log.error("leadership lost, shutting down", error=str(error))
            self._stop_now.set()
            for task in self._worker_tasks:
                task.cancel()
            self._fail()
        except Exception:  # whatever it was, the process must not go on without this part
            log.exception("background task failed, shutting down")
            self._fail()

    def _fail(self) -> None:
        self.exit_code = 1
        self.stopping.set()

    async def _keep_heartbeat(self) -> None:
        while True:
            self.heartbeat.beat()
            await asyncio.sleep(1.0)

    async def _resync(self) -> None:
        """Queue every object once each resync period, spread over the last tenth of it."""
        period = self.settings.resync_period
        while True:
            await asyncio.sleep(period * 0.9)
            for subject in self.controllers.resynced:
                await subject.resync(period / 10 / len(self.controllers.resynced))

    async def _wait_for_api(self) -> None:
        """Wait until the API server answers and serves our kinds: a start in an outage must not be a crash loop.

        Kopf cancels this when the process is told to stop meanwhile.
        """
        failures = 0
        while True:
            try:
                version = await self.client.version()
                for feed in self.controllers.feeds.values():
                    self._waiting_for = f"the CRD of {feed.resource.kind}"
                    await self.client.list(feed.resource, self.settings.namespace, limit=1)
                log.info("connected to API server", server=self.client.credentials.server, version=version)
                return
            except ApiError as error:
                failures += 1
                wait = backoff(failures, first=0.5, cap=10.0, chance=random.random())  # noqa: S311 - jitter
                what = "not installed" if isinstance(error, NotFound) else str(error)
                log.warning("not ready yet", waiting_for=self._waiting_for, error=what, retry_in=round(wait, 1))
                await asyncio.sleep(wait)

    async def _connect(self) -> OfficialCredentials:
        return await OfficialCredentials.load(self.settings.kubeconfig, self.settings.context)

    async def _take_lease_if_free(self) -> bool:
        if not await self.leadership.try_acquire():
            return False
        self._lease_task = self._start(self.leadership.hold())
        return True

    async def _lead(self, *, elected: bool) -> None:
        """Start the controllers once this replica leads and its caches are no older than its election."""
        sources = self.controllers.sources().values()
        for source in sources:
            await source.synced.wait()
        if not elected:
            await self.leadership.acquire()
            self._lease_task = self._start(self.leadership.hold())
            await asyncio.gather(*(source.refresh() for source in sources))
        self._leader.set(1)
        log.info("controllers started", controllers=", ".join(self.settings.controllers))
        self._worker_tasks = [self._start(worker.run()) for worker in self.controllers.workers]

    async def _publish_version(self) -> None:
        """Publish the version as a metric; the controller of HookRuns publishes its own."""
        build = {
            "git_version": os.environ.get("GAME_OPERATORS_VERSION", ""),
            "git_commit": os.environ.get("GAME_OPERATORS_GIT_COMMIT", ""),
            "build_date": os.environ.get("GAME_OPERATORS_BUILD_DATE", ""),
        }
        image = os.environ.get("GAME_OPERATORS_IMAGE", "")
        for controller, kind in _KINDS.items():
            if controller in self.settings.controllers:
                crd = await self._crd_version(f"{controller}s")
                operator_version(self.registry, controller, kind, image, build, crd_version=crd)

    async def _crd_version(self, plural: str) -> str:
        """The annotation ``version`` of a CRD; "" where it has none or may not be read."""
        try:
            crd = await self.client.get(CUSTOM_RESOURCE_DEFINITIONS, None, f"{plural}.{keys.GROUP}")
        except ApiError as error:
            log.info("cannot read the version of a CRD", name=plural, error=str(error))
            return ""
        return str((crd["metadata"].get("annotations") or {}).get("version", ""))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
