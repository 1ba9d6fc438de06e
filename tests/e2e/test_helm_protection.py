"""Protection by a release in the cluster: replicas that die under load, none left, the second layer, cert-manager.

The tests build on each other, in this order: the first ones have the webhooks alone, the last ones the policies too.
"""

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from devcluster import foreign
from devcluster.processes import wait
from tests.e2e import board
from tests.e2e.installation import NAME, installation
from tests.integration.webhooks.conftest import (
    DEFAULT,
    LABEL,
    REGISTRY,
    Api,
    create,
    hook_template,
    refused,
    until_denied,
    workload,
)
from tests.integration.webhooks.storm import RATE, deletions
from webhooks import authority

WEBHOOKS = f"{NAME}-webhooks"
SECONDS = 10


@pytest.fixture(scope="module")
def api(cluster, crds):
    return Api(cluster.kubeconfig)


@pytest.fixture(scope="module")
def cert_manager(cluster):
    """Its definitions are there; whether the test has to do its work."""
    with foreign.installed(cluster) as alone:
        yield alone


@pytest.fixture(scope="module")
def installed(cluster, crds, no_operators, operator_image, cert_manager):
    with installation(cluster, operator_image, {"policies": {"enabled": False}}) as made:
        yield made


@pytest.fixture(scope="module")
def games(cluster, api, installed):
    name = f"{installed.namespace}-games"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, installed.guarded)
    try:
        until_denied(api, name)
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def protected(api, games):
    """One object of each protected kind, without the label: path -> uid."""
    bodies = (
        workload("stormed", replicas=0),
        workload("stormed", "GameStatefulSet", replicas=0),
        hook_template("stormed"),
    )
    paths = [create(api, games, body) for body in bodies]
    return {path: api.good("GET", path)["metadata"]["uid"] for path in paths}


def untouched(api, protected):
    for path, uid in protected.items():
        found = api.good("GET", path)["metadata"]
        assert found["uid"] == uid, path
        assert "deletionTimestamp" not in found, path


class Pods:
    """Pods that are created beside, as nodes and controllers would; none may be held up."""

    def __init__(self, api, namespace):
        self.api, self.path, self.answers = api, f"/api/v1/namespaces/{namespace}/pods", []

    def create(self):
        pod = {"metadata": {"generateName": "free-"}, "spec": {"nodeSelector": {"no": "where"}}}
        pod["spec"]["containers"] = [{"name": "game", "image": "game:1"}]
        self.answers.append(self.api.ask("POST", self.path, pod)[0])


def judged(installed, pod):
    """Refusals that this replica has given."""
    lines = installed.ask(pod, "/metrics", 10253).splitlines()
    told = [line for line in lines if line.startswith("bkbcs_admission_requests_total{") and 'outcome="denied"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in told)


def replicas(installed):
    """Names of the replicas that are ready."""
    pods = installed.pods("webhooks")
    return sorted(p["metadata"]["name"] for p in pods if board.condition(p, "Ready")["status"] == "True")


def killed(installed, pod):
    installed.signal(pod, "SIGKILL")


def taken_away(installed, pod):
    installed.kubectl("delete", "pod", pod, "--grace-period=0", "--force")


@pytest.mark.parametrize("end", [killed, taken_away])
async def test_adm_53_a_replica_that_goes_under_50_deletions_a_second_lets_none_through(
    installed, api, games, protected, end
):
    assert wait(lambda: len(replicas(installed)) == 2, 60)
    names = replicas(installed)
    before, pods, gone = {name: judged(installed, name) for name in names}, Pods(api, games), []

    def the_busier_one_goes():
        gone.append(max(names, key=lambda name: judged(installed, name) - before[name]))
        end(installed, gone[0])

    happenings = {3.0: the_busier_one_goes} | {number + 0.25: pods.create for number in range(SECONDS)}

    answers = await deletions(installed.cluster.kubeconfig, list(protected), SECONDS, happenings)

    assert len(answers) == RATE * SECONDS
    told = Counter((a.status, DEFAULT in a.message) for a in answers)
    print(f"answers to {len(answers)} deletions, by code and whether they are judged: {dict(told)}")
    assert not [a for a in answers if a.status < 400]
    untouched(api, protected)
    assert all(a.status == 403 and DEFAULT in a.message for a in answers if a.at < 2.5), "with two replicas"
    others = Counter(a.message[:60] for a in answers if DEFAULT not in a.message)
    assert all(message.startswith("Internal error occurred: failed calling webhook") for message in others), others
    assert all(DEFAULT in a.message for a in answers if a.at >= SECONDS - 1), "the other one judges alone"
    (left,) = set(names) - set(gone)
    assert judged(installed, left) - before[left] > RATE
    assert pods.answers == [201] * SECONDS


def scaled_to_nothing(installed):
    installed.kubectl("scale", f"deployment/{WEBHOOKS}", "--replicas=0")
    slices = ("get", "endpointslices", "-l", f"kubernetes.io/service-name={WEBHOOKS}", "-o", "json")

    def nobody():
        found = json.loads(installed.kubectl(*slices))["items"]
        return not any(s.get("endpoints") for s in found)

    assert wait(nobody, 60), "somebody still answers"


async def test_adm_55_without_any_replica_no_deletion_goes_through_and_pods_are_made(installed, api, games, protected):
    scaled_to_nothing(installed)
    answers = await deletions(installed.cluster.kubeconfig, list(protected), 2, {})
    assert {a.status for a in answers} == {500}
    assert all("failed calling webhook" in a.message for a in answers)
    untouched(api, protected)

    # A whole workload is created, gets its pod, and is scaled: nothing but protected deletions asks the webhooks.
    server = board.Board(installed.cluster, games, "lobby")
    server.apply(board.workload("lobby", 1, {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}))
    server.until("the pod is ready", server.complete("0.0.1", 1))
    server.kubectl("scale", "gamedeployment/lobby", "--replicas=0")
    server.until("the pod is gone", lambda: not server.pods())
    server.kubectl("label", "gamedeployment/lobby", f"{LABEL}=Always")
    server.kubectl("delete", "gamedeployment/lobby")


def issue(installed):
    """What cert-manager does with the chart's Certificate, and its injector with the configuration that names it."""
    assert wait(lambda: "certificate" in installed.kubectl("get", "certificates.cert-manager.io", "-o", "name"), 60)
    (certificate,) = json.loads(installed.kubectl("get", "certificates.cert-manager.io", "-o", "json"))["items"]
    (issuer,) = json.loads(installed.kubectl("get", "issuers.cert-manager.io", "-o", "json"))["items"]
    assert certificate["spec"]["issuerRef"]["name"] == issuer["metadata"]["name"]
    now = datetime.now(UTC)
    signer = authority.new_authority(now, timedelta(days=1))
    pair = authority.issue(signer, certificate["spec"]["dnsNames"], now, timedelta(hours=12))
    parts = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": signer.certificate}
    data = {name: base64.b64encode(content).decode() for name, content in parts.items()}
    metadata = {"name": certificate["spec"]["secretName"]}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}
    installed.kubectl("create", "-f", "-", data=json.dumps(body))
    return f"{installed.namespace}/{certificate['metadata']['name']}", data["ca.crt"]


def inject(api, installed, source, bundle):
    path = f"{REGISTRY}/validatingwebhookconfigurations/{installed.namespace}-{NAME}"

    def done():
        found = api.good("GET", path)
        if found["metadata"].get("annotations", {}).get("cert-manager.io/inject-ca-from") != source:
            return False
        for webhook in found["webhooks"]:
            webhook["clientConfig"]["caBundle"] = bundle
        return api.ask("PUT", path, found)[0] == 200

    assert wait(done, 60), "the configuration does not say whom it trusts"


def test_certificates_of_cert_manager_are_served_and_policies_join(installed, api, games, cert_manager):
    """From built-in certificates to cert-manager's by an upgrade, which brings the second layer along."""
    changes = {"webhooks": {"certificates": {"source": "certManager"}}, "policies": {"enabled": True}}
    with ThreadPoolExecutor() as aside:
        upgrade = aside.submit(installed.install, **changes)
        if cert_manager:
            inject(api, installed, *issue(installed))
        upgrade.result()
    mounted = json.loads(installed.kubectl("get", f"deployment/{WEBHOOKS}", "-o", "json"))["spec"]["template"]["spec"]
    assert [v["secret"]["secretName"] for v in mounted["volumes"]] == [f"{WEBHOOKS}-tls"]

    # The policies leave counting to the webhooks, so this answer comes by the new certificate.
    path = create(api, games, hook_template("used", "Cascading"))
    create(api, games, workload("user", replicas=0, preDeleteUpdateStrategy={"hook": {"templateName": "used"}}))

    def counted():
        said.append(api.ask("DELETE", path, dryRun="All")[1].get("message", ""))
        return said[-1].startswith("admission webhook") and "references 1>0" in said[-1]

    said = []
    assert wait(counted, 60), said[-1]


async def test_adm_1_11_16_without_any_replica_the_second_layer_judges(installed, api, games, protected):
    assert wait(lambda: "ValidatingAdmissionPolicy" in api.ask("DELETE", next(iter(protected)))[1]["message"], 60)
    scaled_to_nothing(installed)
    pods = Pods(api, games)
    answers = await deletions(installed.cluster.kubeconfig, list(protected), 2, {0.5: pods.create})
    assert {a.status for a in answers} == {403}
    assert all("ValidatingAdmissionPolicy" in a.message and DEFAULT in a.message for a in answers)
    untouched(api, protected)
    assert pods.answers == [201]
    refused(
        api.ask("DELETE", create(api, games, hook_template("uncounted", "Cascading"))), "failed calling webhook", 500
    )
    path = next(iter(protected))
    api.good("PATCH", path, {"metadata": {"labels": {LABEL: "Always"}}})
    api.good("DELETE", path)
