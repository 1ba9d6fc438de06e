"""Lease and health of the process, in a thread with an event loop of its own.

Whatever holds up the main loop (a reconcile over a huge workload, a page of a list that takes long to decode) holds up
neither the renewal of the Lease nor the probes of the kubelet (docs/decisions/0040-lease-thread.md). A main loop that
stands still for good is noticed here: the probe turns red, and the Lease is not renewed any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from operators.kube.client import Client
from operators.kube.credentials import Credentials
from operators.kube.metrics import RestMetrics
from operators.manager.settings import ManagerSettings
from operators.runtime.leaderelection import LeaderElector
from operators.runtime.loopthread import LoopThread
from operators.runtime.serving import listen

_CONNECTIONS = 2


class Leadership:
    """Takes part in the leader election, and serves health and metrics, beside the main loop.

    ``connect`` loads credentials: the thread needs some of its own, because connections and locks belong to one loop.
    ``problem`` says why the main loop does not count as alive, "" while it does.
    """

    def __init__(
        self,
        settings: ManagerSettings,
        connect: Callable[[], Awaitable[Credentials]],
        metrics: RestMetrics,
        problem: Callable[[], str],
    ) -> None:
        self._settings, self._connect, self._metrics, self._problem = settings, connect, metrics, problem
        self._thread = LoopThread("lease")
        self._client: Client | None = None
        self._elector: LeaderElector | None = None
        self._server: web.AppRunner | None = None

    def start(self) -> None:
        """Start the thread; everything else needs it."""
        self._thread.start()

    async def serve(self, application: web.Application, host: str, port: int) -> None:
        """Serve the endpoints of health and metrics.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._server = await self._thread.run(listen(application, host, port))

    def remaining(self) -> float:
        """Seconds for which nobody else can have taken the Lease: the fence of every write. Any thread may ask."""
        return self._elector.remaining() if self._elector is not None else 0.0

    async def try_acquire(self) -> bool:
        """Take the Lease if it is free at this moment."""
        return await self._thread.run(self._try())

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        await self._thread.run(self._wait())

    async def hold(self) -> None:
        """Renew the Lease for ever.

        Raises:
            LeadershipLost: it could not be renewed in time, or somebody else has it.
        """
        await self._thread.run(self._hold())

    async def release(self) -> None:
        """Give the Lease away. `hold` must have ended."""
        if self._elector is not None:
            await self._thread.run(self._elector.release())

    async def close(self) -> None:
        """Stop serving, close the connections, end the thread. The second call does nothing."""
        if self._thread.running:
            await self._thread.run(self._end())
            await self._thread.close()

    async def _prepared(self) -> LeaderElector:
        if self._elector is None:
            settings = self._settings
            self._client = Client(await self._connect(), max_connections=_CONNECTIONS, metrics=self._metrics)
            self._elector = LeaderElector(
                self._client,
                settings.leader_elect_namespace,
                settings.leader_elect_name,
                settings.identity,
                lease_duration=settings.lease_duration,
                renew_deadline=settings.renew_deadline,
                retry_period=settings.retry_period,
                unfit=self._problem,
            )
        return self._elector

    async def _try(self) -> bool:
        return await (await self._prepared()).try_acquire()

    async def _wait(self) -> None:
        await (await self._prepared()).acquire()

    async def _hold(self) -> None:
        await (await self._prepared()).hold()

    async def _end(self) -> None:
        if self._server is not None:
            await self._server.cleanup()
            self._server = None
        if self._client is not None:
            await self._client.close()
