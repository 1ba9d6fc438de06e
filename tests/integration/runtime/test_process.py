"""``game-operators run`` as a process against the real API server."""

import json
import signal
import socket
import time

import pytest

from devcluster.processes import free_port


def lease(cluster, namespace):
    text = cluster.kubectl("-n", namespace, "get", "lease", "games", "-o", "json")
    return json.loads(text)["spec"]


def workload(name, namespace, replicas=0):
    container = {"name": "c", "image": "hub.bktencent.com/blueking/game-demo:0.0.1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    body = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "spec": spec}
    return json.dumps({**body, "metadata": {"name": name, "namespace": namespace}})


def passed(process, namespace, name):
    """Whether this process, and no other that may run beside it, has made a pass over the workload."""
    labels = f'{{gd="{namespace}/{name}",status="success"}}'
    return process.value(f"bkbcs_gamedeployment_reconcile_duration_seconds_count{labels}")


def test_it_starts_answers_works_and_ends_politely(cluster, namespace, start):
    process = start()
    process.until("it is ready", lambda: process.ready)
    assert process.read("/healthz") == (200, "ok")
    assert process.read("/readyz") == (200, "ok")
    status, text = process.read("/healthz", process.liveness_port)
    assert status == 200
    assert "heartbeat_age_seconds" in text
    process.until("it leads", lambda: process.leads)
    assert lease(cluster, namespace)["holderIdentity"] == "one"
    for metric in (
        'bkbcs_workqueue_depth{name="GameDeployment"}',
        'bkbcs_workqueue_depth{name="HookRun"}',
        'game_operators_cache_objects{cache="pods"}',
    ):
        assert process.value(metric) == 0.0, metric
    cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace))
    process.until("the workload is seen", lambda: passed(process, namespace, "lobby"))
    began = time.monotonic()
    assert process.end() == 0
    assert time.monotonic() - began < 20
    assert lease(cluster, namespace)["holderIdentity"] == "", "released, so that a standby need not wait"
    assert "received signal, shutting down SIGTERM" in process.messages()
    assert not [r for r in process.log if r["level"] in ("error", "critical", "warning")], process.log


def test_sigint_ends_it_too(start):
    process = start()
    process.until("it leads", lambda: process.leads)
    assert process.end(number=signal.SIGINT) == 0


def test_gd_136_a_standby_is_warm_and_takes_over_from_a_killed_leader(cluster, namespace, start):
    first = start(name="first")
    first.until("the first leads", lambda: first.leads)
    second = start(name="second")
    second.until("the second is ready", lambda: second.ready)
    cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace))
    first.until("the workload is seen", lambda: passed(first, namespace, "lobby"))
    cached = 'game_operators_cache_objects{cache="gamedeployments"}'
    second.until("the standby's cache is warm", lambda: second.value(cached) == 1)
    assert not second.leads
    assert second.value('bkbcs_workqueue_work_duration_seconds_count{name="GameDeployment"}') == 0
    first.process.kill()
    killed = time.monotonic()
    second.until("the second leads", lambda: second.leads)
    assert time.monotonic() - killed < 4 + 0.5 + 3
    cluster.kubectl("apply", "-f", "-", input=workload("arena", namespace))
    second.until("it works", lambda: passed(second, namespace, "arena"))


def test_pkg_15_a_leader_that_ends_politely_is_followed_at_once(start):
    first = start(name="first")
    first.until("the first leads", lambda: first.leads)
    second = start(name="second")
    second.until("the second is ready", lambda: second.ready)
    assert first.end() == 0
    ended = time.monotonic()
    second.until("the second leads", lambda: second.leads, 5)
    assert time.monotonic() - ended < 2.5


def test_a_leader_whose_lease_is_taken_away_ends_with_code_1(cluster, namespace, start):
    process = start()
    process.until("it leads", lambda: process.leads)
    patch = json.dumps({"spec": {"holderIdentity": "somebody-else"}})
    cluster.kubectl("-n", namespace, "patch", "lease", "games", "--type=merge", "-p", patch)
    assert process.wait() == 1
    assert any("leadership lost, shutting down" in m for m in process.messages())
    assert lease(cluster, namespace)["holderIdentity"] == "somebody-else"


def test_without_leader_election_it_writes_no_lease(cluster, namespace, start):
    process = start("--leader-elect=false")
    process.until("it works", lambda: process.leads)
    cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace))
    process.until("the workload is seen", lambda: passed(process, namespace, "lobby"))
    assert "games" not in cluster.kubectl("-n", namespace, "get", "lease", "-o", "name")
    assert process.end() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["painter"], "unknown controller 'painter'"),
        (["--concurrent-syncs=none"], "--concurrent-syncs: 'none'"),
        (["--no-such-flag"], "unrecognized arguments"),
    ],
)
def test_pkg_23_a_wrong_argument_is_exit_code_2(start, arguments, said):
    process = start(*arguments)
    assert process.wait() == 2
    text = process.log_file.read_text()
    assert said in text
    assert "usage:" in text


def test_a_wrong_variable_is_exit_code_2(start):
    process = start(GAME_OPERATORS_RESYNC_PERIOD="often")
    assert process.wait() == 2
    assert "GAME_OPERATORS_RESYNC_PERIOD" in process.log_file.read_text()


def test_a_port_that_is_taken_is_exit_code_1_and_one_line(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(port=port)
        assert process.wait() == 1
        (message,) = process.messages()
        assert message.startswith(f"cannot listen on 127.0.0.1:{port}: ")
        assert "address already in use" in message


def test_started_while_the_api_server_is_away_it_waits_alive_and_says_so(start, tmp_path):
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    body = {"clusters": [cluster], "users": [{"name": "u", "user": {}}], "contexts": [context], "current-context": "x"}
    file = tmp_path / "nobody"
    file.write_text(json.dumps(body))
    process = start(kubeconfig=file)
    process.until("it says what it waits for", lambda: process.read("/readyz") == (503, "waiting for the API server"))
    process.until("it tried more than once", lambda: len(process.messages()) >= 3)
    assert process.read("/healthz") == (200, "ok")
    assert process.end(10) == 0


# ---- rights


def account(cluster, namespace, tmp_path, rules):
    """A kubeconfig of a service account with these rights in its namespace, and no others."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules, "metadata": {"name": "r"}}
    subject = {"kind": "ServiceAccount", "name": "operators", "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    binding = {"apiVersion": role["apiVersion"], "kind": "RoleBinding", "metadata": {"name": "r"}}
    binding |= {"subjects": [subject], "roleRef": reference}
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "operators")
    for body in (role, binding):
        cluster.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(body))
    token = cluster.kubectl("-n", namespace, "create", "token", "operators").strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    file = tmp_path / "account"
    file.write_text(json.dumps(config))
    return file


def rule(group, resources, *verbs):
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


READ = ("get", "list", "watch")
TKEX = "tkex.tencent.com"
COMMON = [
    rule("coordination.k8s.io", ["leases"], "get", "create", "update"),
    rule("", ["events"], "create", "patch"),
]


def test_pkg_25_in_one_namespace_rights_in_it_are_enough(cluster, namespace, start, tmp_path):
    rules = [
        *COMMON,
        rule("", ["pods"], *READ, "create", "patch", "delete"),
        rule("", ["pods/status"], "patch"),
        rule("apps", ["controllerrevisions"], *READ, "create", "update", "patch", "delete"),
        rule(TKEX, ["gamedeployments"], *READ, "patch"),
        rule(TKEX, ["gamedeployments/status", "hookruns/status"], "patch"),
        rule(TKEX, ["gamedeployments/finalizers"], "update"),
        rule(TKEX, ["hookruns"], *READ, "create", "patch", "delete"),
        rule(TKEX, ["hooktemplates"], *READ),
    ]
    process = start("gamedeployment", "hook", kubeconfig=account(cluster, namespace, tmp_path, rules))
    process.until("it leads", lambda: process.leads)
    cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace, replicas=1))

    labels = f'{{gd="{namespace}/lobby",status="success"}}'
    created = f"bkbcs_gamedeployment_pod_create_duration_seconds_count{labels}"
    process.until("it created a pod", lambda: process.value(created) == 1)
    assert any("nodes" in m and "forbidden" in m for m in process.messages()), "what it does without is told"
    assert process.end() == 0


def test_the_hook_controller_alone_needs_rights_on_hookruns_alone(cluster, namespace, start, tmp_path):
    rules = [*COMMON, rule(TKEX, ["hookruns"], *READ), rule(TKEX, ["hookruns/status"], "patch")]
    process = start("hook", kubeconfig=account(cluster, namespace, tmp_path, rules))
    process.until("it leads", lambda: process.leads)
    metric = {
        "name": "players",
        "provider": {"web": {"url": "http://192.0.2.1/", "jsonPath": "{$.a}", "timeoutSeconds": 1}},
        "successCondition": "asInt(result) == 1",
        "count": 1,
    }
    run = {
        "apiVersion": f"{TKEX}/v1alpha1",
        "kind": "HookRun",
        "metadata": {"name": "r"},
        "spec": {"metrics": [metric]},
    }
    cluster.kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(run))

    def begun():
        return cluster.kubectl("-n", namespace, "get", "hookrun", "r", "-o", "jsonpath={.status.phase}") != ""

    process.until("the run has begun", begun)
    # What hooks may not reach is asked of these, where that is allowed (docs/security.md).
    guarded = ("nodes", "services", "endpointslices")
    forbidden = [m for m in process.messages() if "forbidden" in m]
    assert [m for m in forbidden if not any(f" {plural}" in m for plural in guarded)] == []
    told = process.read("/metrics")[1].splitlines()
    refused = [line for line in told if 'code="403"' in line and "url=" in line]
    assert [line for line in refused if not any(f"/{plural}" in line for plural in guarded)] == []
    assert process.end() == 0


def test_one_object_nested_absurdly_deep_hides_no_other(cluster, namespace, start):
    """The API server stores it, and every list that the operators ask for holds it from then on."""
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    odd = workload("deep", namespace, 1).replace('"name": "c"', f'"name": "c", "odd": {deep}', 1)
    for body in (odd, workload("plain", namespace, 1)):
        cluster.kubectl("create", "-f", "-", input=body)

    def blocked(name):
        path = "jsonpath={.status.conditions[?(@.type=='Blocked')].reason}"
        return cluster.kubectl("-n", namespace, "get", "gamedeployment", name, "-o", path)

    def pods():
        return cluster.kubectl("-n", namespace, "get", "pods", "-o", "name")

    process = start()
    process.until("the deep one is refused in words", lambda: blocked("deep") == "InvalidSpec")
    process.until("the other gets its pod", lambda: "pod/plain-" in pods())
    assert "pod/deep-" not in pods()
    cluster.kubectl("-n", namespace, "delete", "gamedeployment", "deep")
    assert process.end() == 0
    assert not [r for r in process.log if r["level"] in ("error", "critical")], process.log
