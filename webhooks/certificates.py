"""Where the served certificate comes from: files that somebody else renews, or a Secret that we renew ourselves."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from operators.kube.client import Client
from operators.kube.errors import ApiError, Conflict, NotFound
from operators.kube.resources import SECRETS, VALIDATING_WEBHOOK_CONFIGURATIONS
from operators.logs import get_logger
from webhooks import rotation
from webhooks.metrics import Metrics
from webhooks.objects import Json, entries, part, text, texts
from webhooks.rotation import BUNDLE, CERTIFICATE, KEY, Policy
from webhooks.tls import ServedCertificate, UnusableCertificate

_LOG: Final = get_logger(__name__)
_ATTEMPTS: Final = 5


def _serve(served: ServedCertificate, metrics: Metrics, certificate: bytes, key: bytes) -> None:
    if served.load(certificate, key) and served.expires:
        metrics.expiry.set(served.expires.timestamp())
        _LOG.info("serving a certificate", valid_until=f"{served.expires:%Y-%m-%dT%H:%M:%SZ}")


class CertificateFromFiles:
    """A certificate in files, as cert-manager and mounted Secrets have it, read again when it changes."""

    def __init__(
        self, certificate: Path, key: Path, served: ServedCertificate, metrics: Metrics, *, period: float = 5.0
    ) -> None:
        self._certificate, self._key, self._period = certificate, key, period
        self._served, self._metrics = served, metrics

    def load(self) -> None:
        """Serve what the files hold now.

        Raises:
            UnusableCertificate: nothing usable; while a file is replaced they may not belong together.
            OSError: a file cannot be read.
        """
        _serve(self._served, self._metrics, self._certificate.read_bytes(), self._key.read_bytes())

    async def run(self) -> None:
        """Look again and again. A certificate that cannot be used is logged once, and the one before stays in use."""
        last_error = ""
        while True:
            try:
                self.load()
                last_error = ""
            except (UnusableCertificate, OSError) as error:
                self._metrics.certificate_changed("error")
                if str(error) != last_error:
                    last_error = str(error)
                    _LOG.error("cannot use the certificate", file=str(self._certificate), error=str(last_error))
            await asyncio.sleep(self._period)


class CertificateFromSecret:
    """An authority and a certificate of our own, in a Secret that all replicas share (see `rotation`).

    The Secret and the webhook configurations exist already: rights to make one cannot be limited to a name. Replicas
    race; the API server's optimistic lock lets one of them win, and the others read what it wrote.
    """

    def __init__(
        self,
        client: Client,
        secret: tuple[str, str],
        configurations: Sequence[str],
        policy: Policy,
        served: ServedCertificate,
        metrics: Metrics,
        *,
        period: float = 30.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client, self._configurations, self._policy = client, configurations, policy
        self._secret = secret
        self._served, self._metrics, self._period, self._now = served, metrics, period, now

    async def run(self) -> None:
        """Pass after pass; a pass that failed is repeated sooner while there is nothing to serve."""
        while True:
            failed = False
            try:
                await self.step()
            except (ApiError, UnusableCertificate) as error:
                failed = True
                self._metrics.certificate_changed("error")
                _LOG.warning("cannot renew the certificate", secret=self._secret_name, error=str(error))
            pause = min(self._period, 2.0) if failed and self._served.expires is None else self._period
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - replicas should not move in step

    @property
    def _secret_name(self) -> str:
        return "/".join(self._secret)

    async def step(self) -> None:
        """One pass: read, take the next step of `rotation` if there is one, serve, make it trusted.

        The configurations are read before the Secret and written only if nobody wrote them since, so a bundle that is
        older than the Secret can never replace a newer one.

        Raises:
            ApiError: the Secret could not be read or written.
            UnusableCertificate: it holds a certificate that cannot be served.
        """
        for _ in range(_ATTEMPTS):
            configurations = [await self._configuration(name) for name in self._configurations]
            secret = await self._client.get(SECRETS, *self._secret)
            contents = _contents(secret)
            trusted = all(
                c is not None and _webhooks_without(c, contents.get(BUNDLE, b"")) == [] for c in configurations
            )
            change = rotation.plan(contents, self._policy, self._now(), trusted=trusted)
            if change is not None:
                try:
                    await self._client.replace(SECRETS, *self._secret, _with_contents(secret, change.contents))
                except Conflict:
                    self._metrics.certificate_changed("conflict")
                    continue
                contents = dict(change.contents)
                self._metrics.certificate_changed(change.what)
                _LOG.info("certificates updated", secret=self._secret_name, change=change.what)
            _serve(self._served, self._metrics, contents[CERTIFICATE], contents[KEY])
            for name, configuration in zip(self._configurations, configurations, strict=True):
                await self._ensure_trusted(name, configuration, contents[BUNDLE])
            return
        text = f"Secret {self._secret_name} changed {_ATTEMPTS} times while it was being read"
        raise Conflict(409, "Conflict", text)

    async def _configuration(self, name: str) -> Json | None:
        """A webhook configuration; an empty one when there is none, None when that is not known."""
        try:
            return await self._client.get(VALIDATING_WEBHOOK_CONFIGURATIONS, None, name)
        except NotFound:
            return {}
        except ApiError as error:
            _LOG.warning("cannot read webhook configuration", name=name, error=str(error))
            return None

    async def _ensure_trusted(self, name: str, configuration: Json | None, bundle: bytes) -> None:
        """Write the bundle into a configuration that does not carry it; what fails is tried in the next pass."""
        current = False
        if configuration:
            without = _webhooks_without(configuration, bundle)
            current = not without or await self._write_bundle(name, configuration, without, bundle)
        elif configuration is not None:
            _LOG.warning("webhook configuration not found, no reviews will come", name=name)
        self._metrics.bundle.labels(name).set(1 if current else 0)

    async def _write_bundle(self, name: str, configuration: Json, without: Sequence[int], bundle: bytes) -> bool:
        version = text(part(configuration, "metadata"), "resourceVersion")
        value = base64.b64encode(bundle).decode()
        operations: list[dict[str, Any]] = [{"op": "replace", "path": "/metadata/resourceVersion", "value": version}]
        operations += [{"op": "add", "path": f"/webhooks/{i}/clientConfig/caBundle", "value": value} for i in without]
        try:
            await self._client.json_patch(VALIDATING_WEBHOOK_CONFIGURATIONS, None, name, operations)
        except ApiError as error:
            _LOG.warning("cannot write caBundle of webhook configuration", name=name, error=str(error))
            return False
        _LOG.info("caBundle of webhook configuration updated", name=name)
        return True


def _webhooks_without(configuration: Json, bundle: bytes) -> list[int]:
    """Which webhooks of a configuration do not carry the bundle."""
    wanted = base64.b64encode(bundle).decode()
    return [
        index
        for index, webhook in enumerate(entries(configuration, "webhooks"))
        if text(part(webhook, "clientConfig"), "caBundle") != wanted
    ]


def _contents(secret: Json) -> dict[str, bytes]:
    found = {}
    for key, value in texts(secret, "data").items():
        try:
            found[key] = base64.b64decode(value, validate=True)
        except binascii.Error:
            found[key] = b""
    return found


def _with_contents(secret: Json, contents: Mapping[str, bytes]) -> dict[str, Any]:
    return {**secret, "data": {key: base64.b64encode(value).decode() for key, value in contents.items()}}


CertificateSource = CertificateFromFiles | CertificateFromSecret
