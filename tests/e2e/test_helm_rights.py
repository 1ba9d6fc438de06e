"""Workloads' whole life under exactly the chart's roles: these are enough, none is without use, and all of it is seen.

The tests build on each other, in this order: the last ones look at what the first ones made the operators do.
"""

import json

import pytest

from devcluster import processes, promtool
from devcluster.audit import Audit
from examples.quickstart import demo, stateful
from tests.e2e.board import HOOK, Board, workload
from tests.e2e.installation import NAME, installation
from tests.e2e.scraping import Scraper
from tests.unit.helm import monitoring

TKEX = "tkex.tencent.com"
#: Granted, and not used by the life below. Each has its reason; docs/security.md tells them too.
SELDOM = {
    ("", "pods", "get"): "a creation meets a pod of the same name: whose is it?",
    ("apps", "controllerrevisions", "get"): "a creation meets a revision of the same name: whose is it?",
    (
        TKEX,
        "gamedeployments/finalizers",
        "update",
    ): "owner references that block deletion, where the API server insists",
    (
        TKEX,
        "gamestatefulsets/finalizers",
        "update",
    ): "owner references that block deletion, where the API server insists",
    ("", "pods/finalizers", "update"): "claims that block the deletion of a pod, where the API server insists",
    (TKEX, "gamestatefulsets", "patch"): "a hook annotates a GameStatefulSet",
    (TKEX, "gamestatefulsets", "get"): "a hook asks a GameStatefulSet; a pod is adopted",
    (TKEX, "hookruns", "get"): "a creation meets a HookRun of the same name: whose is it?",
    ("", "nodes", "get"): "a pod on a lost node is given up: is the node still lost?",
    ("", "persistentvolumeclaims", "delete"): "claims of surge pods",
    ("", "events", "patch"): "an Event that repeats",
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "list",
    ): "the framework looks for definitions that come later",
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "watch",
    ): "the framework looks for definitions that come later",
}
TEMPLATES = """
apiVersion: tkex.tencent.com/v1alpha1
kind: HookTemplate
metadata: {name: never}
spec:
  metrics:
    - name: patience
      interval: 1s
      count: 1000
      successfulLimit: 1
      successCondition: "asInt(result) == 7"
      provider: {web: {url: "http://{{ args.PodIP }}:8080/hook", jsonPath: "{$.result}"}}
---
apiVersion: tkex.tencent.com/v1alpha1
kind: HookTemplate
metadata: {name: annotate}
spec:
  policy: Ordered
  metrics:
    - name: tell
      successfulLimit: 1
      interval: 1s
      provider: {kubernetes: {function: patch, fields: [{path: metadata.annotations.weight, value: "0"}]}}
    - name: hear
      successfulLimit: 1
      interval: 1s
      provider: {kubernetes: {function: get, fields: [{path: metadata.annotations.weight, value: "0"}]}}
"""
ALONE = """
apiVersion: tkex.tencent.com/v1alpha1
kind: HookRun
metadata: {name: alone}
spec:
  ttlSecondsAfterFinished: 1
  args: [{name: PodIP, value: "%s"}]
  metrics:
    - name: empty
      successfulLimit: 1
      interval: 1s
      successCondition: "asInt(result) == 1"
      provider: {web: {url: "http://{{ args.PodIP }}:8080/hook", jsonPath: "{$.result}"}}
"""
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
ROLLING = {"type": "RollingUpdate", "maxUnavailable": 2, "maxSurge": 0}


#: A set whose claims go with it. No volume is bound to them, so its pod is not scheduled; the rights are used anyway.
CLAIMS = """
apiVersion: tkex.tencent.com/v1alpha1
kind: GameStatefulSet
metadata: {name: claims, labels: {io.tencent.bcs.dev/deletion-allow: Always}}
spec:
  replicas: 1
  serviceName: claims
  selector: {matchLabels: {app: claims}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}
  template:
    metadata: {labels: {app: claims}}
    spec:
      containers: [{name: web, image: "game:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], storageClassName: nobody-s, resources: {requests: {storage: 1Mi}}}
"""


def hook(template):
    return {"hook": {"templateName": template}}


def live(cluster, namespace):
    """Creation, updates of every kind, canary, scaling, hooks of every kind, adoption, history: one workload's life."""
    board = Board(cluster, namespace, "life")
    board.apply(HOOK)
    board.apply(TEMPLATES)
    given = {"preInplaceUpdateStrategy": hook("annotate"), "revisionHistoryLimit": 0}
    board.apply(workload("life", 3, IN_PLACE, hooks=("preDelete",), **given))
    board.until("three pods are ready", board.complete("0.0.1", 3))
    _adopt_and_release(board)
    board.apply(workload("life", 3, IN_PLACE, image="0.0.2", hooks=("preDelete",), **given))
    board.until("all are updated in place", board.complete("0.0.2", 3), 120)
    assert {p["metadata"]["annotations"]["weight"] for p in board.pods()} == {"0"}
    _cancel_a_canary_hook(board)
    board.patch({"replicas": 1, "scaleStrategy": {"podsToDelete": [board.pods()[0]["metadata"]["name"]]}})
    board.until("it is scaled in", board.complete("0.0.2", 1))
    board.until("the list is cleaned", lambda: not _spec(board).get("scaleStrategy", {}).get("podsToDelete"))
    board.apply(ALONE % board.pods()[0]["status"]["podIP"])
    board.until("a HookRun of nobody goes after its time", lambda: "alone" not in _runs(board))
    _claims_that_go(board)
    board.kubectl("label", "gamedeployments,hooktemplates", "--all", "io.tencent.bcs.dev/deletion-allow=Always")
    board.kubectl("delete", "gamedeployments,hooktemplates", "--all")
    assert processes.wait(lambda: not board.pods(), 60)


def _spec(board):
    return board.get("gamedeployment", board.name)["spec"]


def _runs(board):
    return [r["metadata"]["name"] for r in board.get("hookruns")["items"]]


def _adopt_and_release(board):
    pod = board.pods()[0]["metadata"]["name"]
    owned = board.get("pod", pod)["metadata"]["ownerReferences"]
    board.kubectl("label", "pod", pod, "app=elsewhere", "--overwrite")
    board.until("the pod is released", lambda: not board.get("pod", pod)["metadata"].get("ownerReferences"))
    board.kubectl("label", "pod", pod, "app=life", "--overwrite")
    board.until("it is adopted again", lambda: len(board.pods()) == 3 and _owned(board) in (3, len(board.pods())))
    assert owned
    board.until("three pods are ready again", board.complete("0.0.1", 3), 120)


def _owned(board):
    return len([p for p in board.pods() if p["metadata"].get("ownerReferences")])


def _claims_that_go(board):
    board.apply(CLAIMS)

    def owned():
        claims = board.get("pvc")["items"]
        return [o["kind"] for c in claims for o in c["metadata"].get("ownerReferences", [])] == ["GameStatefulSet"]

    board.until("the claim belongs to its set", owned)
    board.kubectl("scale", "gamestatefulset", "claims", "--replicas=0")
    board.until("the claim goes with the pod that scaling in takes", lambda: not board.get("pvc")["items"])
    board.kubectl("delete", "gamestatefulset", "claims")


def _cancel_a_canary_hook(board):
    steps = [{"partition": 2}, hook("never"), {"pause": {}}]
    strategy = {**ROLLING, "canary": {"steps": steps}}
    board.apply(workload("life", 3, strategy, image="0.0.1", revisionHistoryLimit=0))
    board.until("the step's hook is asked", lambda: _runs(board), 120)
    board.apply(workload("life", 3, ROLLING, image="0.0.2", revisionHistoryLimit=0))
    board.until("the canary is taken back, its hook cancelled", board.complete("0.0.2", 3), 120)


@pytest.fixture(scope="module")
def installed(cluster, crds, no_operators, operator_image):
    with installation(cluster, operator_image) as made:
        yield made


@pytest.fixture(scope="module")
def audit(cluster, installed):
    """From the installation's first request on; a cluster of the user's own keeps its log for itself."""
    if not Audit.readable(cluster):
        pytest.skip("the audit log is read on the cluster that is built here")
    since = Audit(installed.user)
    installed.kubectl("delete", "lease", NAME)
    installed.kubectl("rollout", "restart", f"deployment/{NAME}")
    installed.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=90s")
    return since


@pytest.fixture(scope="module")
def scraper(installed):
    found = Scraper(installed)
    yield found
    found.end()


def test_pkg_10_a_whole_life_under_the_chart_s_roles(installed, audit, scraper, namespace):
    installed.cluster.kubectl("label", "namespace", namespace, installed.guarded)
    live(installed.cluster, namespace)


def test_pkg_10_the_quick_start_of_gamedeployment_under_the_chart_s_roles(installed, audit, namespace):
    demo.play(demo.Story(installed.cluster, namespace, lambda line: None))


def test_pkg_10_the_quick_start_of_gamestatefulset_under_the_chart_s_roles(installed, audit, namespace):
    stateful.play(stateful.StatefulStory(installed.cluster, namespace, lambda line: None))


def test_pkg_10_nothing_was_refused_and_no_right_is_without_use(installed, audit):
    """Of what the tests above made the operators do."""
    requests = audit.settled()
    refused = {(*r.right, r.namespace, r.name) for r in requests if r.refused}
    assert not refused, f"refused: {sorted(refused)}"
    ending = "because it is being terminated"  # the tests' namespaces end with workloads in them
    assert not [line for line in installed.logs().splitlines() if "orbidden" in line and ending not in line]
    granted, used = _granted(installed), {r.right for r in requests}
    assert used - granted == set(), "used by other rights than the chart's"
    idle = granted - used
    assert idle <= SELDOM.keys(), f"granted without use: {sorted(idle - SELDOM.keys())}"
    assert SELDOM.keys() <= granted, f"not granted at all: {sorted(SELDOM.keys() - granted)}"


def _granted(installed):
    own = f"{installed.namespace}-{NAME}"
    roles = [f"clusterrole/{own}", f"role/{NAME}-leader", f"role/{own}-endpoints"]
    rules = [rule for role in roles for rule in json.loads(installed.kubectl("get", role, "-o", "json"))["rules"]]
    return {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}


def test_pkg_18_21_dashboards_and_alerts_ask_for_what_the_operators_tell(installed, scraper):
    told = scraper.names | {"up"}
    asked = {**monitoring.alerts(namespace=installed.namespace), **monitoring.panels()}
    unknown = {name: monitoring.metrics(expression) - told for name, expression in asked.items()}
    assert not {name: found for name, found in unknown.items() if found}
    for name, expression in asked.items():
        seen = (scraper.labels(m) or monitoring.documented(m) for m in monitoring.metrics(expression))
        known = {"job", "namespace", "pod", "le"}.union(*seen)
        assert monitoring.labels(expression) <= known, name
    for metric, label in monitoring.variables().items():
        assert label in scraper.labels(metric), metric


def test_pkg_21_every_panel_shows_something(installed, scraper):
    scraper.end()
    assert promtool.empty(monitoring.panels(), scraper.written()) == []


def test_pkg_11_the_account_can_neither_read_secrets_nor_reach_other_objects(installed):
    def can(*what):
        command = ["auth", "can-i", *what, f"--as={installed.user}"]
        try:
            return installed.cluster.kubectl(*command).strip()
        except AssertionError as refused:
            return str(refused).rpartition(":")[2].strip() or "no"

    for what in (
        ("get", "secrets", "-A"),
        ("get", "secrets", "-n", installed.namespace),
        ("create", "serviceaccounts", "--subresource=token", "-n", installed.namespace),
        ("create", "pods", "--subresource=exec", "-A"),
        ("update", "clusterroles"),
        ("delete", "gamedeployments.tkex.tencent.com", "-A"),
        ("delete", "customresourcedefinitions"),
    ):
        assert can(*what) != "yes", what
    assert can("delete", "pods", "-A") == "yes"


def test_hook_103_104_106_hooks_reach_no_secret_no_other_namespace_and_nothing_of_the_operators(installed, namespace):
    """Runs that somebody writes by hand: each ends in an error that says why, or is not even stored."""
    board = Board(installed.cluster, namespace, "nobody")
    leader = board.cluster.kubectl("-n", installed.namespace, "get", "pod", installed.leader(), "-o", "json")
    pod = json.loads(leader)["status"]["podIP"]
    api = json.loads(installed.cluster.kubectl("get", "service", "kubernetes", "-o", "json"))["spec"]["clusterIP"]
    refused = "is refused by policy"
    standbys = [a for a in addresses_of(installed, NAME) if a != pod]
    webhooks = addresses_of(installed, f"{NAME}-webhooks")
    behind = addresses_of(installed, "kubernetes", "default")
    node = json.loads(leader)["status"]["hostIP"]
    assert standbys
    assert webhooks
    assert behind
    asked = {
        **{f"standby-{n}": (web(f"http://{a}:10251/metrics"), {}, refused) for n, a in enumerate(standbys)},
        **{f"webhook-{n}": (web(f"https://{a}:9443/"), {}, refused) for n, a in enumerate(webhooks)},
        **{f"api-{n}": (web(f"https://{a}:6443/version"), {}, refused) for n, a in enumerate(behind)},
        "kubelet": (web(f"https://{node}:10250/pods"), {}, refused),
        "own-pod": (web(f"http://{pod}:10251/metrics"), {}, "is refused by policy"),
        "api-server": (
            web(f"https://{api}/api/v1/namespaces/{installed.namespace}/secrets"),
            {},
            "is refused by policy",
        ),
        "loopback": (web("http://localhost:10251/metrics"), {}, "is refused by policy"),
        "elsewhere": (ANNOTATION, {"PodNamespace": installed.namespace}, "is not the run's own"),
    }
    for name, (provider, arguments, _) in asked.items():
        given = {"PodName": installed.leader(), "PodNamespace": namespace, **arguments}
        board.apply(reaching(name, provider, given))
    for name, (_, _, why) in asked.items():

        def ended(run=name):
            return board.get("hookrun", run).get("status", {}).get("phase") in ("Error", "Failed", "Successful")

        board.until(f"the run {name} ends", ended)
        status = board.get("hookrun", name)["status"]
        assert status["phase"] == "Error", status
        assert why in json.dumps(status), status

    # The API server refuses these before anybody executes them.
    for provider, arguments, why in (
        (web("file:///var/run/secrets/kubernetes.io/serviceaccount/token"), {}, "url must begin with http"),
        (ANNOTATION, {"Group": "", "Version": "v1", "Kind": "Secret"}, "hooks reach no other objects"),
    ):
        with pytest.raises(AssertionError, match=why):
            board.apply(reaching("refused", provider, arguments))


def addresses_of(installed, service, namespace=""):
    """Addresses of a Service, its own and those of its endpoints."""
    where = ("-n", namespace or installed.namespace, "-o", "json")
    labelled = ("endpointslices", "-l", f"kubernetes.io/service-name={service}")
    slices = json.loads(installed.cluster.kubectl("get", *labelled, *where))["items"]
    found = [a for s in slices for endpoint in s["endpoints"] for a in endpoint["addresses"]]
    return [*found, json.loads(installed.cluster.kubectl("get", "service", service, *where))["spec"]["clusterIP"]]


def reaching(name, provider, arguments):
    metric = {"name": "reach", "successfulLimit": 1, "provider": provider}
    spec = {"metrics": [metric], "args": [{"name": n, "value": v} for n, v in arguments.items()]}
    return {"apiVersion": f"{TKEX}/v1alpha1", "kind": "HookRun", "metadata": {"name": name}, "spec": spec}


def web(url):
    return {"web": {"url": url, "jsonPath": "{$.result}"}}


ANNOTATION = {"kubernetes": {"function": "get", "fields": [{"path": "metadata.annotations.weight", "value": "0"}]}}


def test_pkg_25_in_one_namespace_the_rights_of_that_namespace_are_enough(
    cluster, crds, no_operators, operator_image, installed, namespace
):
    installed.kubectl("scale", f"deployment/{NAME}", "--replicas=0")
    with installation(cluster, operator_image, {"watchNamespace": namespace}) as alone:
        audit = Audit(alone.user) if Audit.readable(cluster) else None
        board = Board(cluster, namespace, "life")
        board.apply(HOOK)
        board.apply(workload("life", 2, IN_PLACE, hooks=("preInplace", "preDelete")))
        board.until("two pods are ready", board.complete("0.0.1", 2))
        board.apply(workload("life", 2, IN_PLACE, image="0.0.2", hooks=("preInplace", "preDelete")))
        board.until("both are updated in place", board.complete("0.0.2", 2))
        board.patch({"replicas": 1})
        board.until("one is gone", board.complete("0.0.2", 1))
        _webhooks_count(board, alone)
        if audit is not None:
            requests = audit.settled()
            outside = {r.right for r in requests if r.namespace not in (namespace, alone.namespace)}
            assert outside <= NODES, f"beyond its namespace: {outside}"
            refused = {r.right for r in requests if r.code == 403}
            assert refused <= NODES, f"refused: {refused}"


def _webhooks_count(board, alone):
    """Its webhooks read what they need there: the policies leave this question to them."""
    board.cluster.kubectl("label", "namespace", board.namespace, alone.guarded)
    board.kubectl("label", "hooktemplate", "players", "io.tencent.bcs.dev/deletion-allow=Cascading")

    def counted():
        try:
            said.append(board.kubectl("delete", "hooktemplate", "players", "--dry-run=server"))
        except AssertionError as refused:
            said.append(str(refused))
        return "references 1>0; it is used by GameDeployment life" in said[-1]

    said = []
    assert processes.wait(counted, 30), said[-1]


#: Deletion costs of nodes are good to have: where they may not be read, pods are chosen without.
NODES = {("", "nodes", "list"), ("", "nodes", "watch")}


def _tried(installed, namespace, image):
    """A template with a misspelt probe, applied by a dry run: what the API server answers."""
    body = workload("tried", 0, ROLLING, image=image)
    body["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    try:
        done = installed.cluster.kubectl(
            "-n", namespace, "create", "--dry-run=server", "-f", "-", input=json.dumps(body)
        )
    except AssertionError as refused:
        return str(refused)
    return done


def test_pkg_11_public_f5_templates_are_tried_by_a_right_that_is_good_for_nothing_else(installed, namespace):
    """With the chart's value on, and off: this test is the last one, because it changes the release."""
    kubectl = installed.cluster.kubectl
    kubectl("label", "namespace", namespace, installed.guarded)
    user = f"--as=system:serviceaccount:{installed.namespace}:{NAME}-webhooks"
    pod = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
    )

    def can(verb, what):
        try:
            return kubectl("auth", "can-i", verb, what, "-n", namespace, user).strip()
        except AssertionError:
            return "no"

    assert (can("create", "pods"), can("create", "podtemplates")) == ("yes", "yes")
    assert {can(verb, "pods") for verb in ("get", "list", "watch", "patch", "update", "delete")} == {"no"}
    kubectl("-n", namespace, "create", "--dry-run=server", user, "-f", "-", input=pod)

    def stored():
        try:
            kubectl("-n", namespace, "create", user, "-f", "-", input=pod)
        except AssertionError as refused:
            return "" if "by dry runs only" in str(refused) else str(refused)
        kubectl("-n", namespace, "delete", "pod", "p")
        return "it was created"

    assert processes.wait(lambda: stored() == "", 30), stored()
    unknown = 'unknown field "spec.template.spec.containers[0].livenesProbe"'
    assert processes.wait(lambda: unknown in _tried(installed, namespace, "0.0.1"), 30), _tried(
        installed, namespace, "0.0.1"
    )

    installed.install(webhooks={"tryTemplates": False})
    installed.kubectl("rollout", "status", f"deployment/{NAME}-webhooks", "--timeout=90s")
    assert (can("create", "pods"), can("create", "podtemplates")) == ("no", "no")
    assert processes.wait(lambda: "created" in _tried(installed, namespace, "0.0.1"), 60), _tried(
        installed, namespace, "0.0.1"
    )
