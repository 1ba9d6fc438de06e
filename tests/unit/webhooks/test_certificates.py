"""Replicas that share one Secret, and handshakes with what they serve."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from operators.kube.errors import Conflict, Forbidden, NotFound
from operators.kube.resources import VALIDATING_WEBHOOK_CONFIGURATIONS, Resource
from operators.kube.tls import load_chain
from tests.logged import all_told
from webhooks import authority
from webhooks.certificates import CertificateFromFiles, CertificateFromSecret
from webhooks.metrics import Metrics
from webhooks.rotation import BUNDLE, CERTIFICATE, Policy
from webhooks.tls import ServedCertificate, UnusableCertificate

DAY = timedelta(days=1)
SECRET, CONFIGURATION = "secrets/tls", "validatingwebhookconfigurations/game-operators"


class Api:
    """Objects with resource versions and the optimistic lock; every request lets others go first."""

    def __init__(self, *missing: str) -> None:
        webhook = {"clientConfig": {"service": {"name": "hooks"}}}
        objects = {SECRET: {"type": "Opaque"}, CONFIGURATION: {"webhooks": [webhook, {"clientConfig": {}}]}}
        self.objects: dict[str, Any] = {k: self._versioned(v, 1) for k, v in objects.items() if k not in missing}
        self.writes: list[str] = []
        self.refuse: set[str] = set()

    @staticmethod
    def _versioned(body: dict[str, Any], version: int) -> dict[str, Any]:
        return {**body, "metadata": {"resourceVersion": str(version)}}

    def _key(self, resource: Resource, name: str) -> str:
        key = f"{resource.plural}/{name}"
        if key in self.refuse:
            raise Forbidden(403, "Forbidden", f"{key} is forbidden")
        if key not in self.objects:
            raise NotFound(404, "NotFound", f"{key} not found")
        return key

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Any:
        await asyncio.sleep(0)
        return self.objects[self._key(resource, name)]

    def _write(self, key: str, body: dict[str, Any], version: str) -> Any:
        if version != self.objects[key]["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "the object has been modified")
        self.objects[key] = self._versioned(body, int(version) + 1)
        self.writes.append(key)
        return self.objects[key]

    async def replace(self, resource: Resource, namespace: str | None, name: str, body: Any) -> Any:
        await asyncio.sleep(0)
        return self._write(self._key(resource, name), body, body["metadata"]["resourceVersion"])

    async def json_patch(self, resource: Resource, namespace: str | None, name: str, operations: Any) -> Any:
        await asyncio.sleep(0)
        key = self._key(resource, name)
        guard, *adds = operations
        assert guard["path"] == "/metadata/resourceVersion"
        webhooks = [{**w, "clientConfig": dict(w["clientConfig"])} for w in self.objects[key]["webhooks"]]
        for operation in adds:
            webhooks[int(operation["path"].split("/")[2])]["clientConfig"]["caBundle"] = operation["value"]
        return self._write(key, {**self.objects[key], "webhooks": webhooks}, guard["value"])

    def bundles(self) -> list[bytes]:
        found = self.objects[CONFIGURATION]["webhooks"]
        return [base64.b64decode(w["clientConfig"].get("caBundle", "")) for w in found]

    def secret(self, key: str) -> bytes:
        return base64.b64decode(self.objects[SECRET]["data"][key])


class Replica:
    def __init__(self, api: Api, names: tuple[str, ...] = ("localhost",)) -> None:
        self.now = datetime.now(UTC)
        self.served, self.metrics = ServedCertificate(), Metrics(CollectorRegistry())
        policy = Policy(names, 30 * DAY, 10 * DAY, settle=timedelta(minutes=1), overlap=timedelta(hours=1))
        self.source = CertificateFromSecret(
            api,  # type: ignore[arg-type]
            ("games", "tls"),
            ["game-operators"],
            policy,
            self.served,
            self.metrics,
            now=lambda: self.now,
        )

    def trusted(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "bkbcs_admission_ca_bundle_current", {"configuration": "game-operators"}
        )


async def handshake(served: ServedCertificate, trusted: bytes) -> bytes:
    """Connect as an API server does; the certificate it was shown."""
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=served.context)
    context = ssl.create_default_context(cadata=trusted.decode())
    port = server.sockets[0].getsockname()[1]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return bytes(shown)
    finally:
        server.close()


async def test_one_replica_makes_everything_trusted():
    api = Api()
    replica = Replica(api)
    await replica.source.step()
    assert api.bundles() == [api.secret(BUNDLE)] * 2
    assert replica.trusted() == 1
    assert await handshake(replica.served, api.bundles()[0])
    await replica.source.step()
    assert api.writes == [SECRET, CONFIGURATION], "a settled replica writes nothing"


async def test_two_replicas_racing_agree_on_one_authority():
    api = Api()
    replicas = [Replica(api) for _ in range(4)]
    await asyncio.gather(*(r.source.step() for r in replicas))
    await asyncio.gather(*(r.source.step() for r in replicas))
    assert api.writes.count(SECRET) == 1
    shown = {await handshake(r.served, api.bundles()[0]) for r in replicas}
    assert len(shown) == 1


async def test_replicas_rotate_together_and_callers_never_notice():
    """Two replicas take turns over 40 days; a caller with the bundle of any moment gets through to both."""
    api = Api()
    replicas = [Replica(api), Replica(api)]
    hours = 0
    authorities = set()
    await asyncio.gather(*(r.source.step() for r in replicas))
    for hours in range(0, 40 * 24, 6):
        for replica in replicas:
            replica.now = datetime.now(UTC) + timedelta(hours=hours)
            await replica.source.step()
            bundle = authority.bundle_of(api.bundles()[0])
            authorities |= {c.serial_number for c in bundle}
            for other in replicas:
                assert other.served._loaded is not None
                certificate = authority.bundle_of(other.served._loaded[0])[0]
                assert any(authority.signed(certificate, a) for a in bundle), f"after {hours} h"
                assert certificate.not_valid_after_utc > replica.now
    assert hours > 900
    assert len(authorities) >= 2


async def test_a_stale_bundle_never_replaces_a_newer_one():
    api = Api()
    slow, fast = Replica(api), Replica(api)
    await fast.source.step()
    read = await api.get(VALIDATING_WEBHOOK_CONFIGURATIONS, None, "game-operators")
    api.objects[CONFIGURATION] = api._versioned(read, 7)
    assert not await slow.source._write_bundle("game-operators", read, [0, 1], b"stale")
    assert api.bundles() == [api.secret(BUNDLE)] * 2


async def test_a_bundle_that_was_wiped_comes_back():
    api = Api()
    replica = Replica(api)
    await replica.source.step()
    for webhook in api.objects[CONFIGURATION]["webhooks"]:
        webhook["clientConfig"].pop("caBundle")
    await replica.source.step()
    assert api.bundles() == [api.secret(BUNDLE)] * 2


async def test_without_rights_on_the_configuration_it_serves_and_says_so(caplog):
    api = Api()
    api.refuse.add(CONFIGURATION)
    replica = Replica(api)
    await replica.source.step()
    assert replica.served.missing() == ""
    assert replica.trusted() == 0
    assert "is forbidden" in all_told(caplog.records)


async def test_without_a_configuration_it_serves_and_says_so(caplog):
    replica = Replica(Api(CONFIGURATION))
    await replica.source.step()
    assert replica.trusted() == 0
    assert "configuration not found, no reviews will come name=game-operators" in all_told(caplog.records)


async def test_without_the_secret_there_is_nothing_to_serve():
    replica = Replica(Api(SECRET))
    with pytest.raises(NotFound):
        await replica.source.step()
    assert replica.served.missing() == "no certificate yet"


async def test_a_secret_of_nonsense_heals():
    api = Api()
    api.objects[SECRET]["data"] = {CERTIFICATE: "%%%", "tls.key": base64.b64encode(b"x").decode(), BUNDLE: ""}
    replica = Replica(api)
    await replica.source.step()
    assert await handshake(replica.served, api.bundles()[0])


# Files


def issue(names=("localhost",), life=DAY) -> tuple[authority.Pair, authority.Pair]:
    now = datetime.now(UTC)
    ca = authority.new_authority(now, 10 * DAY)
    return ca, authority.issue(ca, names, now, life)


async def test_adm_54_a_certificate_renewed_on_disk_is_served_at_the_next_handshake(tmp_path):
    ca, pair = issue()
    crt, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    crt.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    metrics, served = Metrics(CollectorRegistry()), ServedCertificate()
    source = CertificateFromFiles(crt, key, served, metrics)
    source.load()
    first = await handshake(served, ca.certificate)

    crt.write_bytes((renewed := authority.issue(ca, ("localhost",), datetime.now(UTC), 2 * DAY)).certificate)
    with pytest.raises(UnusableCertificate):  # the key has not been replaced yet
        source.load()
    assert await handshake(served, ca.certificate) == first
    key.write_bytes(renewed.key)
    source.load()
    assert await handshake(served, ca.certificate) != first
    expiry = metrics.registry.get_sample_value("bkbcs_admission_certificate_expiry_timestamp_seconds")
    assert served.expires is not None
    assert expiry == served.expires.timestamp()


async def test_an_open_connection_outlives_the_change():
    ca, pair = issue()
    served = ServedCertificate()
    served.load(pair.certificate, pair.key)

    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=served.context)
    context = ssl.create_default_context(cadata=ca.certificate.decode())
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    renewed = authority.issue(ca, ("localhost",), datetime.now(UTC), DAY)
    assert served.load(renewed.certificate, renewed.key)
    writer.write(b"still there\n")
    assert await reader.readline() == b"still there\n"
    writer.close()
    server.close()


async def test_without_a_certificate_handshakes_fail():
    ca, _ = issue()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(ServedCertificate(), ca.certificate)


async def test_old_tls_is_refused():
    ca, pair = issue()
    served = ServedCertificate()
    served.load(pair.certificate, pair.key)
    assert served.context.minimum_version == ssl.TLSVersion.TLSv1_2
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=served.context)
    context = ssl.create_default_context(cadata=ca.certificate.decode())
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    port = server.sockets[0].getsockname()[1]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    server.close()


def client_certificate() -> tuple[bytes, authority.Pair]:
    """A client's certificate and what to verify it by: it is its own authority."""
    pair = authority.new_authority(datetime.now(UTC), DAY)
    return pair.certificate, pair


async def test_callers_without_a_certificate_are_turned_away_where_one_is_asked_for(tmp_path):
    trusted, client = client_certificate()
    (tmp_path / "clients.crt").write_bytes(trusted)
    ca, pair = issue()
    served = ServedCertificate(str(tmp_path / "clients.crt"))
    served.load(pair.certificate, pair.key)

    async def greet(_, writer):
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=served.context)
    port = server.sockets[0].getsockname()[1]

    async def heard(own: authority.Pair | None) -> bytes:
        context = ssl.create_default_context(cadata=ca.certificate.decode())
        if own:
            load_chain(context, own.certificate, own.key)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            answer = await reader.read()
            writer.close()
        except (ssl.SSLError, ConnectionError):
            return b""
        return answer

    assert await heard(client) == b"hello"
    assert await heard(None) == b""
    assert await heard(client_certificate()[1]) == b""
    server.close()


def test_an_ended_certificate_is_missing():
    _, pair = issue(life=timedelta(hours=1))
    served = ServedCertificate()
    served.load(pair.certificate, pair.key)
    assert served.missing(datetime.now(UTC)) == ""
    assert served.missing(datetime.now(UTC) + DAY).startswith("the certificate ended at")
