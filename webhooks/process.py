"""The server process from start to drained end."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from operators.kube.client import Client
from operators.kube.credentials import PlainCredentials
from operators.kube.metrics import RestMetrics
from operators.logs import get_logger
from operators.runtime.serving import health_application, listen
from operators.sandbox.errors import Unavailable
from operators.sandbox.limits import Limits
from operators.sandbox.pool import WorkerPool
from webhooks.certificates import CertificateFromFiles, CertificateFromSecret, CertificateSource
from webhooks.connections import Connections
from webhooks.handlers import ReviewHandlers
from webhooks.largereviews import LargeReviews
from webhooks.load import LoadLimits
from webhooks.lookups import Lookups
from webhooks.metrics import Metrics
from webhooks.server import Admission
from webhooks.settings import Files, WebhookSettings
from webhooks.tls import ServedCertificate
from webhooks.trials import SECONDS, Trials

_LOG: Final = get_logger(__name__)
_FILE_PERIOD: Final = 5.0
#: Of the worker that reads what users write. The wall time leaves the API server time to hear of it.
VALIDATION_LIMITS: Final = Limits(cpu_seconds=0.25, wall_seconds=2.0, memory_bytes=128 << 20)


async def run(settings: WebhookSettings) -> int:
    """Serve until told to stop; the exit code.

    Raises:
        NoCredentials: nobody to ask.
        OSError: a port is taken, or the file of ``--tlsca`` cannot be read.
    """
    gc.freeze()  # what is loaded by now stays: no collection need look at it again while a caller waits
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    metrics = Metrics(registry)
    client = _client(settings, registry)
    served = ServedCertificate(settings.client_authority or None)
    pool = WorkerPool("webhooks.validation.functions", limits=VALIDATION_LIMITS)
    limits = LoadLimits()
    connections = Connections(limits)
    trials = None
    if settings.try_templates:
        trials = Trials(client, settings.template_strictness, seconds=min(SECONDS, settings.lookup_timeout))
    handlers = ReviewHandlers(settings.options, Lookups(client), metrics, pool, trials)
    large = LargeReviews(pool, settings.options)
    admission = Admission(handlers, metrics, limits, connections, large)

    def missing() -> str:
        return "stopping" if admission.draining else served.missing()

    runners = []
    starting = asyncio.create_task(_start(pool), name="worker")
    try:
        health = health_application(registry, ready=missing)
        runners.append(await listen(health, settings.address, settings.metrics_port))
        await connections.listen(admission.application, settings.address, settings.port, served.context)
        return await _until_stopped(settings, admission, _certificate_source(settings, client, served, metrics))
    finally:
        starting.cancel()
        await connections.close()
        for runner in runners:
            await runner.cleanup()
        await pool.close()
        await client.close()


async def _start(pool: WorkerPool) -> None:
    """Have a worker ready before the first review needs it; one that cannot be started is tried again then."""
    try:
        await pool.start()
    except Unavailable as error:
        _LOG.warning("HookTemplates and large reviews are not validated", error=str(error))


def _client(settings: WebhookSettings, registry: CollectorRegistry) -> Client:
    """A client that repeats nothing: a caller of ours has little time, and the certificates' next pass comes anyway."""
    credentials = PlainCredentials.load(settings.kubeconfig or None, settings.context or None)
    return Client(
        credentials,
        name="game-webhooks",
        timeout=settings.lookup_timeout,
        list_timeout=settings.lookup_timeout,
        attempts=1,
        max_connections=32,
        metrics=RestMetrics(registry, credentials.server.partition("://")[2]),
    )


def _certificate_source(
    settings: WebhookSettings, client: Client, served: ServedCertificate, metrics: Metrics
) -> CertificateSource:
    chosen = settings.certificate
    if isinstance(chosen, Files):
        return CertificateFromFiles(chosen.certificate, chosen.key, served, metrics, period=_FILE_PERIOD)
    return CertificateFromSecret(
        client,
        chosen.secret,
        chosen.configurations,
        chosen.policy,
        served,
        metrics,
        period=chosen.period,
    )


async def _until_stopped(settings: WebhookSettings, admission: Admission, source: CertificateSource) -> int:
    """Wait for SIGTERM or SIGINT, then go on serving while callers turn away; a second signal ends that wait."""
    signals: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number.name)
    certificates = asyncio.create_task(source.run(), name="certificates")
    stopping = asyncio.create_task(signals.get(), name="signals")
    await asyncio.wait((certificates, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        stopping.cancel()
        _LOG.critical("certificate manager stopped", exc_info=certificates.exception())
        return 1
    _LOG.info("received signal, draining", signal=stopping.result(), seconds=settings.drain)
    admission.draining = True
    try:
        async with asyncio.timeout(settings.drain):
            await signals.get()
    except TimeoutError:
        _LOG.info("drain period over")
    certificates.cancel()
    await asyncio.gather(certificates, return_exceptions=True)
    return 0
