"""``game-operators run``: one process, every controller, led by one replica at a time.

Kopf is the frame: it starts and ends the runtime, brings the events of custom resources and answers the liveness probe.
Pods, HookRuns, revisions and nodes come by informers of our own (docs/decisions/0003-kopf.md). Standbys keep their
caches warm; only the leader works, and one that loses the Lease ends the process.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Iterator
from typing import Any

import kopf
import prometheus_client

from operators.api import keys
from operators.kube.credentials import NoCredentials
from operators.kube.wire import read_deep
from operators.logs import get_logger
from operators.manager.manager import CannotListen, Manager
from operators.manager.settings import ManagerSettings

log = get_logger(__name__)


class _EndlessBackoff:
    """Pauses between kopf's requests that fail: longer each time, and never the last one.

    After a last pause kopf would give up, and an outage of the API server would end the process.
    """

    def __iter__(self) -> Iterator[float]:
        for pause in (0.5, 1.0):
            yield float(pause)
        while True:
            yield 1.5


class _NoDifferences(kopf.DiffBaseStorage):
    """Nothing is compared: all our handlers are of events.

    Kopf's own storages copy the whole object several times at each of its events, in the event loop: seconds for one of
    a megabyte.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


class _NoProgress(kopf.ProgressStorage):
    """Handlers of events have no progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _configure(settings: kopf.OperatorSettings, *, everywhere: bool) -> None:
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.persistence.progress_storage = _NoProgress()
    settings.watching.inactivity_timeout = 90
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _EndlessBackoff()
    # Watching CRDs and namespaces takes rights in the whole cluster.
    settings.scanning.disabled = not everywhere


def _registry(manager: Manager) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings, everywhere=manager.settings.namespace is None)
        await manager.start()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        await manager.credentials.reload()
        return kopf.ConnectionInfo(**await manager.credentials.kopf_connection())

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await manager.stop()

    @kopf.on.probe(registry=registry, id="heartbeat_age_seconds")
    async def heartbeat(**_: Any) -> float:
        return manager.heartbeat.age

    def feed(plural: str) -> None:
        @kopf.on.event(keys.GROUP, keys.VERSION, plural, registry=registry)
        async def observe(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
            manager.controllers.feeds[plural].observe(type, dict(body))

    for plural in manager.controllers.feeds:
        feed(plural)
    return registry


async def _main(settings: ManagerSettings) -> int:
    """Run until told to stop; the exit code."""
    manager = await Manager.prepare(settings)
    try:
        await manager.listen()
        await _run_kopf(manager)
    finally:
        await manager.stop()  # kopf leaves the clean-up out when it is ended in mid-start
    return manager.exit_code


async def _run_kopf(manager: Manager) -> None:
    settings, loop = manager.settings, asyncio.get_running_loop()
    mine = set(asyncio.all_tasks())
    tasks = await kopf.spawn_tasks(
        registry=_registry(manager),
        clusterwide=settings.namespace is None,
        namespaces=[settings.namespace] if settings.namespace else (),
        standalone=True,
        stop_flag=manager.stopping,
        liveness_endpoint=f"http://{settings.address}:{settings.liveness_port}/healthz",
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, manager.handle_signal, number)
    await kopf.run_tasks(tasks, ignored=mine)


def _tune_garbage_collector() -> None:
    """Look for cycles less often: a page of pods is 100,000 objects without one (docs/decisions/0002-client.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def run(settings: ManagerSettings) -> int:
    """Run until told to stop.

    Returns:
        0 after a stop that was asked for, 1 when the process could not start or a part of it failed.
    """
    _tune_garbage_collector()
    read_deep()
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # series the dashboards do not know
    try:
        return asyncio.run(_main(settings))
    except (NoCredentials, CannotListen) as error:
        log.critical(str(error))
    except Exception:  # the last line before the exit code
        log.critical("unexpected error, the process ends", exc_info=True)
    return 1
