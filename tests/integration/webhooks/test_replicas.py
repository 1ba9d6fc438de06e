"""Two replicas behind a Service, and what happens when they go (docs/spec/admission.md 7, cases 53 to 55)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from devcluster.processes import wait
from tests.integration.webhooks.conftest import (
    DEFAULT,
    LABEL,
    REGISTRY,
    Api,
    Hooks,
    create,
    hook_template,
    only_ours,
    refused,
    registration,
    until_denied,
    workload,
)
from tests.integration.webhooks.storm import RATE, deletions
from webhooks.configuration import configuration

pytestmark = pytest.mark.nodes

SECONDS = 8
SLICES = "/apis/discovery.k8s.io/v1"


class Service:
    """A Service without a selector; each replica has an EndpointSlice of its own."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.slices = f"{SLICES}/namespaces/{namespace}/endpointslices"
        nodes = api.good("GET", "/api/v1/nodes", labelSelector="type!=kwok")["items"]
        addresses = nodes[0]["status"]["addresses"]
        self.address = next(a["address"] for a in addresses if a["type"] == "InternalIP")
        spec = {"ports": [{"name": "hooks", "port": 443, "targetPort": 9443}]}
        api.good("POST", f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "hooks"}, "spec": spec})

    def add(self, hooks: Hooks) -> None:
        body = {
            "metadata": {"name": f"hooks-{hooks.port}", "labels": {"kubernetes.io/service-name": "hooks"}},
            "addressType": "IPv4",
            "ports": [{"name": "hooks", "port": hooks.port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}}],
        }
        self.api.good("POST", self.slices, body)

    def remove(self, hooks: Hooks) -> None:
        """What the endpoints controller does once a replica is not ready."""
        self.api.good("DELETE", f"{self.slices}/hooks-{hooks.port}")


@pytest.fixture
def pair(tmp_path, cluster, api, mark, games, certificates) -> Iterator[tuple[Service, list[Hooks]]]:
    service = Service(api, games)
    replicas = [Hooks(tmp_path, cluster.kubeconfig, *certificates.flags, "--drain=2") for _ in range(2)]
    asked = registration(
        mark, service=(games, "hooks", 443), ca_bundle=certificates.authority.certificate, timeout_seconds=3
    )
    try:
        for replica in replicas:
            service.add(replica.ready())
        (document,) = only_ours([configuration(asked)], mark)
        api.good("POST", f"{REGISTRY}/validatingwebhookconfigurations", document)
        until_denied(api, games)
        yield service, replicas
    finally:
        api.ask("DELETE", f"{REGISTRY}/validatingwebhookconfigurations/{mark}")
        for replica in replicas:
            replica.stop()
            api.ask("DELETE", f"{service.slices}/hooks-{replica.port}")
        api.ask("DELETE", f"/api/v1/namespaces/{games}/services/hooks")


async def test_adm_53_a_replica_killed_under_50_deletions_a_second_lets_none_through(pair, cluster, api, games):
    service, (first, second) = pair
    path = create(api, games, workload("stormed", replicas=0))
    uid = api.good("GET", path)["metadata"]["uid"]

    happenings = {3.0: first.kill, 4.0: lambda: service.remove(first)}
    results = await deletions(cluster.kubeconfig, [path], SECONDS, happenings)

    assert len(results) == RATE * SECONDS
    assert Counter(status for _, status, _, _ in results if status < 400) == Counter()
    found = api.good("GET", path)["metadata"]
    assert found["uid"] == uid
    assert "deletionTimestamp" not in found
    judged = [at for at, _, message, _ in results if DEFAULT in message]
    assert sum(at < 2.5 for at in judged) == 125, "before the kill every deletion is judged"
    settled = [r for r in results if r[0] >= 6.0]
    assert all(DEFAULT in message for _, _, message, _ in settled), "after it the other replica judges alone"
    others = Counter(message[:60] for _, _, message, _ in results if DEFAULT not in message)
    assert all(message.startswith("Internal error occurred: failed calling webhook") for message in others), others
    assert max(took for _, _, _, took in settled) < 3.0
    assert second.metric("bkbcs_admission_requests_total", outcome="denied") > 100


async def test_adm_53_a_replica_that_is_told_to_stop_lets_every_deletion_be_judged(pair, cluster, api, games):
    """SIGTERM: not ready at once, serving on, connections ended one by one; nobody meets a closed door."""
    service, (first, _) = pair
    path = create(api, games, workload("rolled", replicas=0))
    codes: list[int] = []

    def stop() -> None:
        codes.append(first.stop())

    def leave() -> None:
        assert wait(lambda: not first.is_ready(), 5), first.text()
        service.remove(first)

    results = await deletions(cluster.kubeconfig, [path], SECONDS, {3.0: stop, 3.2: leave})
    assert [message for _, _, message, _ in results if DEFAULT not in message] == []
    assert codes == [0]


def test_adm_55_without_any_replica_deletions_are_refused_and_always_goes(pair, api, games):
    _, replicas = pair
    path = create(api, games, workload("orphaned", replicas=0))
    pod = {"metadata": {"name": "free"}, "spec": {"nodeSelector": {"no": "where"}}}
    pod["spec"]["containers"] = [{"name": "game", "image": "game:1"}]
    for replica in replicas:
        replica.kill()
    refused(api.ask("DELETE", path), "failed calling webhook", 500)

    # Nothing else depends on us: pods, other changes of our kinds, and the label that the message names.
    api.good("POST", f"/api/v1/namespaces/{games}/pods", pod)
    api.good("DELETE", f"/api/v1/namespaces/{games}/pods/free", gracePeriodSeconds="0")
    api.good("PATCH", f"{path}/scale", {"spec": {"replicas": 1}})
    api.good("PATCH", path, {"spec": {"minReadySeconds": 3}})
    create(api, games, hook_template("unjudged", "Always", condition="asInt(result) =="))
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "Always"}}})
    api.good("DELETE", path)


def test_adm_54_a_certificate_renewed_on_disk_needs_no_restart(pair, api, games, certificates):
    _, replicas = pair
    path = create(api, games, workload("renewed", replicas=0))

    def expiries() -> list[float]:
        return [r.metric("bkbcs_admission_certificate_expiry_timestamp_seconds") for r in replicas]

    before = expiries()
    certificates.renew()
    assert wait(lambda: all(new > old for new, old in zip(expiries(), before, strict=True)), 20)
    for replica in replicas:
        answer = httpx.get(f"https://127.0.0.1:{replica.port}/healthz", verify=certificates.context(), timeout=5)
        assert (answer.status_code, answer.text) == (200, "ok")
    refused(api.ask("DELETE", path), DEFAULT)
    assert json.dumps(api.good("GET", path)["metadata"]).count("deletionTimestamp") == 0
