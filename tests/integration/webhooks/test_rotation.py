"""Built-in certificates of two replicas, under a service account with exactly the rights that are printed for it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from devcluster.processes import wait
from operators.kube.credentials import PlainCredentials
from tests.integration.webhooks.conftest import (
    DEFAULT,
    REGISTRY,
    Hooks,
    collection,
    create,
    hook_template,
    only_ours,
    registration,
    workload,
)
from webhooks import authority
from webhooks.configuration import configuration
from webhooks.rbac import roles

ROLES = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}
CONFIGURATIONS = f"{REGISTRY}/validatingwebhookconfigurations"


@pytest.fixture(scope="module")
def account(api, cluster, mark, games, tmp_path_factory) -> Iterator[str]:
    """A kubeconfig of a service account that has these rights and no others."""
    api.good("POST", f"/api/v1/namespaces/{games}/serviceaccounts", {"metadata": {"name": "hooks"}})
    made = []
    try:
        for document in roles(registration(mark), (games, "hooks"), "hooks-tls"):
            path = ROLES[document["kind"]].format(games)
            api.good("POST", path, document)
            made.append(f"{path}/{document['metadata']['name']}")
        request = {"spec": {"expirationSeconds": 3600}}
        token = api.good("POST", f"/api/v1/namespaces/{games}/serviceaccounts/hooks/token", request)["status"]["token"]
        yield kubeconfig(cluster, tmp_path_factory.mktemp("account"), token)
    finally:
        for path in made:
            api.ask("DELETE", path)


def kubeconfig(cluster, folder, token: str):
    view = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    view["users"] = [{"name": view["users"][0]["name"], "user": {"token": token}}]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(view))
    return path


@pytest.fixture(scope="module")
def secret(api, games) -> str:
    path = f"/api/v1/namespaces/{games}/secrets"
    api.good("POST", path, {"metadata": {"name": "hooks-tls"}, "type": "Opaque"})
    return f"{path}/hooks-tls"


@pytest.fixture(scope="module")
def replicas(api, account, secret, mark, games, tmp_path_factory) -> Iterator[list[Hooks]]:
    """Two replicas that race; one configuration points at the first, and its second half at the other."""
    flags = (
        f"--certificate-secret={games}/hooks-tls",
        "--certificate-names=127.0.0.1",
        f"--webhook-configuration={mark}",
        "--authority-validity=24",
        "--certificate-validity=16",
        "--rotation-settle=2",
        "--rotation-overlap=4",
        "--certificate-period=1",
        "--drain=1",
    )
    folder = tmp_path_factory.mktemp("hooks")
    found = [Hooks(folder, account, *flags) for _ in range(2)]
    halves = [configuration(registration(mark, url=f"https://127.0.0.1:{h.port}", timeout_seconds=5)) for h in found]
    document = only_ours(halves, mark)[0]
    document["webhooks"] += [w | {"name": f"second-{w['name']}"} for w in halves[1]["webhooks"]]
    try:
        api.good("POST", CONFIGURATIONS, document)
        yield [h.ready() for h in found]
    finally:
        api.ask("DELETE", f"{CONFIGURATIONS}/{mark}")
        for hooks in found:
            hooks.stop()


def serials(bundle: bytes) -> tuple[int, ...]:
    return tuple(c.serial_number for c in authority.bundle_of(bundle))


def bundles(api, mark) -> set[bytes]:
    found = api.good("GET", f"{CONFIGURATIONS}/{mark}")["webhooks"]
    return {base64.b64decode(w["clientConfig"].get("caBundle", "")) for w in found}


def test_pkg_24_certificates_rotate_with_two_replicas_and_no_failed_delete(api, replicas, secret, mark, games):
    """45 seconds in which the authority changes twice; every deletion meets a verdict, never a stranger."""
    path = create(api, games, workload("rotated", replicas=0))
    assert wait(lambda: all(bundles(api, mark)), 30)
    assert wait(lambda: DEFAULT in api.ask("DELETE", path)[1].get("message", ""), 30)

    strangers, seen, served = [], set(), set()
    pace, end = threading.Event(), time.monotonic() + 45
    while time.monotonic() < end:
        pace.wait(0.05)
        status, answer = api.ask("DELETE", path)
        if DEFAULT not in answer.get("message", ""):
            strangers.append((status, answer.get("message")))
        seen |= {serials(bundle) for bundle in bundles(api, mark)}
        served.add(api.good("GET", secret)["data"]["tls.crt"])

    assert strangers == []
    authorities = {serial for bundle in seen for serial in bundle}
    assert len(authorities) >= 3, seen
    assert any(len(bundle) == 2 for bundle in seen), "old and new are trusted together for a while"
    assert any(len(bundle) == 1 for bundle in seen)
    assert len(served) >= 3
    written = sum(h.metric("bkbcs_admission_certificate_changes_total", what="authority") for h in replicas)
    assert written == len(authorities), "each authority is made by one replica"
    assert [h.metric("bkbcs_admission_ca_bundle_current", configuration=mark) for h in replicas] == [1, 1]


def test_the_printed_rights_are_enough_and_no_more(api, replicas, account, mark, games):
    create(api, games, hook_template("granted", "Always"))
    body = workload("granted", label="Always", preDeleteUpdateStrategy={"hook": {"templateName": "granted"}})
    body["metadata"]["annotations"] = {
        "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
        "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex": 0, "podEndIndex": 3}',
    }
    path = create(api, games, body)
    assert wait(lambda: api.ask("PATCH", f"{path}/scale", {"spec": {"replicas": 4}}, dryRun="All")[0] == 422, 30)
    cascading = create(api, games, hook_template("cascading", "Cascading"))
    api.good("DELETE", cascading)
    for hooks in replicas:
        assert hooks.metric("bkbcs_rest_client_requests_total", code="403") == 0, hooks.text()
        assert hooks.metric("bkbcs_admission_lookup_failures_total") == 0

    found = PlainCredentials.load(str(account))
    with httpx.Client(base_url=found.server, verify=found.tls, headers=dict(asyncio.run(found.headers()))) as as_hooks:
        for forbidden in (
            f"/api/v1/namespaces/{games}/secrets",
            f"/api/v1/namespaces/{games}/secrets/other",
            f"/api/v1/namespaces/{games}/pods",
            CONFIGURATIONS,
            f"{CONFIGURATIONS}/other",
        ):
            assert as_hooks.get(forbidden).status_code == 403, forbidden
        assert as_hooks.delete(path).status_code == 403
        assert as_hooks.get(collection(games, "GameDeployment")).status_code == 200


def test_a_bundle_that_an_upgrade_wiped_comes_back(api, replicas, mark, games):
    assert replicas
    assert wait(lambda: all(bundles(api, mark)), 30)

    def wiped() -> bool:
        document = api.good("GET", f"{CONFIGURATIONS}/{mark}")
        for webhook in document["webhooks"]:
            webhook["clientConfig"].pop("caBundle")
        return api.ask("PUT", f"{CONFIGURATIONS}/{mark}", document)[0] == 200

    assert wait(wiped, 10, 0.05)
    assert wait(lambda: all(bundles(api, mark)), 30)


def test_keys_never_show_in_logs(replicas):
    for hooks in replicas:
        assert not re.search(r"PRIVATE KEY|BEGIN", hooks.text())
