"""The life of one process: start, lead or wait, work, drain, end."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import Coroutine
from typing import Any, Self

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from operators.api import keys
from operators.kube.client import Client
from operators.kube.errors import ApiError, NotFound
from operators.kube.metrics import RestMetrics
from operators.kube.official import OfficialCredentials
from operators.kube.resources import CUSTOM_RESOURCE_DEFINITIONS
from operators.kube.retries import backoff
from operators.manager.controllers import Assembly
from operators.manager.settings import Settings
from operators.runtime.events import EventRecorder
from operators.runtime.leaderelection import LeaderElector, LeadershipLost
from operators.runtime.metrics import EventMetrics, Heartbeat, operator_version
from operators.runtime.serving import serve

log = logging.getLogger(__name__)
#: Seconds that passes under way get to end; a second signal cuts them short.
_DRAIN = 15.0
_ASIDE = 8
#: Who reports Events, as the Go operators call themselves.
_COMPONENTS = {
    "GameDeployment": "bcs-gamedeployment-operator",
    "GameStatefulSet": "bcs-gamestatefulset-operator",
    "HookRun": "bcs-hook-operator",
}
_KINDS = {"gamedeployment": "GameDeployment", "gamestatefulset": "GameStatefulSet"}


class CannotListen(Exception):
    """The port of metrics and health cannot be had."""


class Operators:
    """The runtime of one process. Two clients: passes use one, Lease and Events the other, so that neither waits."""

    def __init__(self, settings: Settings, credentials: OfficialCredentials) -> None:
        self.settings, self.credentials = settings, credentials
        self.registry = CollectorRegistry()
        self.heartbeat = Heartbeat()
        self.ending = asyncio.Event()
        self.exit_code = 0
        rest = RestMetrics(self.registry, credentials.server.partition("://")[2])
        self._aside = Client(credentials, max_connections=_ASIDE, metrics=rest)
        self.elector = LeaderElector(
            self._aside,
            settings.leader_elect_namespace,
            settings.leader_elect_name,
            settings.identity,
            lease_duration=settings.lease_duration,
            renew_deadline=settings.renew_deadline,
            retry_period=settings.retry_period,
        )
        fence = self.elector.remaining if settings.leader_elect else None
        self.client = Client(credentials, metrics=rest, fence=fence)
        counted = EventMetrics(self.registry)
        self.events = EventRecorder(self._aside, "game-operators", components=_COMPONENTS, metrics=counted)
        self.assembly = Assembly(settings, self.client, self.events, self.registry)
        self._leader = Gauge("game_operators_leader", "1 while this replica leads.", registry=self.registry)
        self._server: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._working: list[asyncio.Task[None]] = []
        self._leading: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._waiting_for = "the API server"
        self._stopped = False

    @classmethod
    async def prepare(cls, settings: Settings) -> Self:
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
            self._server = await serve(self.registry, self.heartbeat, self.missing, address, port)
        except OSError as error:
            raise CannotListen(f"cannot listen on {address}:{port}: {error.strerror or error}") from error

    async def start(self) -> None:
        """Wait for the API server and the CRDs, fill the caches, begin to lead or to wait for it."""
        self._spawn(self._beat())
        await self._until_served()
        self._waiting_for = ""
        for source in self.assembly.sources().values():
            self._spawn(source.run())
        self._spawn(self.events.run())
        self._spawn(self._resync())
        self._spawn(self._tell_version())
        self._leading = self._spawn(self._lead())

    def missing(self) -> str:
        """What is still missing, for /readyz; "" when nothing is. Standbys are ready too."""
        if self.ending.is_set():
            return "ending"
        return f"waiting for {self._waiting_for}" if self._waiting_for else self.assembly.missing()

    def signalled(self, number: signal.Signals) -> None:
        """End: politely at the first signal, at once at the second."""
        if self.ending.is_set():
            log.warning("%s again: passes under way are cut off", number.name)
            self._hurry.set()
        else:
            log.info("%s: ending", number.name)
            self.ending.set()

    async def stop(self) -> None:
        """Let passes under way end, give the lease away, write the last events, close. The second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.ending.set()
        await self._drain()
        self._leader.set(0)
        await _cancel([self._leading] if self._leading else [])
        await self.elector.release()
        await self.events.flush()
        await _cancel(self._tasks)
        if self._server is not None:
            await self._server.cleanup()
        await self.client.close()
        await self._aside.close()

    async def _drain(self) -> None:
        for worker in self.assembly.workers:
            worker.drain()
        if not self._working:
            return
        try:
            async with asyncio.timeout(_DRAIN), asyncio.TaskGroup() as group:
                hurry = group.create_task(self._hurry.wait())
                ended = group.create_task(asyncio.wait(self._working))
                await asyncio.wait({hurry, ended}, return_when=asyncio.FIRST_COMPLETED)
                hurry.cancel()
                ended.cancel()
        except TimeoutError:
            log.warning("passes under way did not end within %g s and are cut off", _DRAIN)
        await _cancel(self._working)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks.append(task)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """A part that ends on its own would leave a zombie: the process ends instead."""
        try:
            await work
        except LeadershipLost as error:
            log.error("%s; ending, so that only the new leader works", error)
            self._hurry.set()
            for task in self._working:
                task.cancel()
            self._fail()
        except Exception:  # whatever it was, the process must not go on without this part
            log.exception("a part of the operators failed; ending")
            self._fail()

    def _fail(self) -> None:
        self.exit_code = 1
        self.ending.set()

    async def _beat(self) -> None:
        while True:
            self.heartbeat.beat()
            await asyncio.sleep(1.0)

    async def _resync(self) -> None:
        """Look at everything once each resync period, a tenth of it long."""
        period = self.settings.resync_period
        while True:
            await asyncio.sleep(period * 0.9)
            for subject in self.assembly.subjects:
                await subject.resync(period / 10 / len(self.assembly.subjects))

    async def _until_served(self) -> None:
        """Wait until the API server answers and serves our kinds: a start in an outage must not be a crash loop.

        Kopf cancels it when the process is to end meanwhile.
        """
        failures = 0
        while True:
            try:
                version = await self.client.version()
                for feed in self.assembly.feeds.values():
                    self._waiting_for = f"the CRD of {feed.resource.kind}"
                    await self.client.list(feed.resource, self.settings.namespace, limit=1)
                log.info("API server %s, version %s", self.client.credentials.server, version)
                return
            except ApiError as error:
                failures += 1
                wait = backoff(failures, first=0.5, cap=10.0, chance=random.random())  # noqa: S311 - jitter
                what = "not installed" if isinstance(error, NotFound) else str(error)
                log.warning("waiting for %s: %s; again in %.1f s", self._waiting_for, what, wait)
                await asyncio.sleep(wait)

    async def _lead(self) -> None:
        for source in self.assembly.sources().values():
            await source.synced.wait()
        if self.settings.leader_elect:
            await self.elector.acquire()
        self._leader.set(1)
        log.info("working: %s", ", ".join(self.settings.controllers))
        self._working = [self._spawn(worker.run()) for worker in self.assembly.workers]
        if self.settings.leader_elect:
            await self.elector.hold()

    async def _tell_version(self) -> None:
        """What runs, as a metric; HookRuns' own controller tells of itself."""
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
            log.info("version of the CRD %s not known: %s", plural, error)
            return ""
        return str((crd["metadata"].get("annotations") or {}).get("version", ""))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
