"""What the chart renders, by its values."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tarfile
from ipaddress import ip_address, ip_network

import pytest
import yaml

from devcluster.helm import helm, values_file
from operators.api.crds import definitions
from operators.cli import check
from operators.manager import settings
from tests.unit.helm.charts import CHART, NAMESPACE, RELEASE, HelmFailed, render

EVERYTHING = {
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "alertLabels": {"team": "games"}},
        "dashboards": {"enabled": True},
    },
    "networkPolicy": {"enabled": True},
}
NAMESPACED = {"watchNamespace": "arena"}


@pytest.mark.parametrize("values", [{}, NAMESPACED, EVERYTHING], ids=["default", "namespaced", "everything"])
def test_the_linter_finds_nothing(values):
    with values_file(values) as file:
        assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "-f", file)


def test_a_release_is_two_operators_behind_a_service_with_a_budget():
    rendered = render()
    deployment = rendered.one("Deployment", RELEASE)
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    selector = deployment["spec"]["selector"]["matchLabels"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert rendered.one("Service", RELEASE)["spec"]["selector"] == selector
    assert rendered.one("PodDisruptionBudget", RELEASE)["spec"]["selector"]["matchLabels"] == selector
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [s["topologyKey"] for s in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert {s["whenUnsatisfiable"] for s in spread} == {"ScheduleAnyway"}
    assert all(s["labelSelector"]["matchLabels"] == selector for s in spread)


@pytest.mark.parametrize("values", [{}, NAMESPACED, EVERYTHING], ids=["default", "namespaced", "everything"])
def test_pkg_26_every_pod_is_what_the_restricted_level_asks_for(values):
    for name, spec in render(values).pod_specs().items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert container["resources"]["requests"], name
            assert container["resources"]["limits"]["memory"], name


def test_only_pods_that_ask_the_api_server_get_a_token():
    tokens = {name: spec["automountServiceAccountToken"] for name, spec in render().pod_specs().items()}
    assert tokens == {
        "Deployment game-operators": True,
        "Deployment game-operators-webhooks": True,
        "Job game-operators-uninstall-guard": True,
        "Pod game-operators-test": False,
    }


def test_probes_tell_alive_from_ready():
    container = render().one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 60
    assert {p["name"] for p in container["ports"]} == {"metrics", "liveness"}


# ---- arguments


def _arguments(values=None):
    container = render(values).one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["game-operators"]
    assert container["args"][0] == "run"
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    settings.add_arguments(parser)
    return settings.from_arguments(parser.parse_args(container["args"][1:]), {"POD_NAME": "pod-1"})


def test_the_arguments_are_the_commands_own_and_say_what_the_values_say():
    chosen = _arguments()
    default = settings.from_arguments(_no_arguments(), {"POD_NAME": "pod-1"})
    assert chosen.leader_elect_namespace == NAMESPACE
    assert chosen.leader_elect_name == RELEASE
    for field in ("workers", "metrics_port", "liveness_port", "resync_period", "lease_duration", "renew_deadline"):
        assert getattr(chosen, field) == getattr(default, field), field
    changed = _arguments(
        {
            "watchNamespace": "arena",
            "hooks": {
                "allowCidrs": ["127.0.0.0/8", "10.96.0.1/32"],
                "denyCidrs": ["10.0.0.0/8"],
                "allowNodePorts": ["7000-8000", "9000"],
            },
            "operators": {
                "concurrentSyncs": 9,
                "resyncPeriod": 120,
                "nodeLostDelay": 30,
                "nodeSickDelay": 0,
                "ports": {"metrics": 8080, "liveness": 8081},
                "leaderElection": {"leaseName": "other", "leaseDuration": 9, "renewDeadline": 6, "retryPeriod": 1.5},
                "log": {"level": "DEBUG", "format": "text"},
                "extraArgs": ["--address=127.0.0.1"],
            },
        }
    )
    assert (changed.namespace, changed.hook_allow_cidr) == ("arena", ("127.0.0.0/8", "10.96.0.1/32"))
    assert changed.hook_deny_cidr == ("10.0.0.0/8",)
    assert changed.hook_allow_node_ports == (range(7000, 8001), range(9000, 9001))
    own = [(NAMESPACE, RELEASE), (NAMESPACE, f"{RELEASE}-webhooks")]
    assert chosen.hook_deny_service == (("default", "kubernetes"), *own)
    assert [(NAMESPACE, s["metadata"]["name"]) for s in render().of("Service")] == own
    assert (changed.workers, changed.resync_period, changed.metrics_port, changed.liveness_port) == (9, 120, 8080, 8081)
    assert (changed.node_lost_delay, changed.node_sick_delay) == (30, 0)
    assert (changed.leader_elect_name, changed.retry_period, changed.lease_duration) == ("other", 1.5, 9)
    assert (changed.log_level, changed.log_format, changed.address) == ("DEBUG", "text", "127.0.0.1")


def _no_arguments():
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    return parser.parse_args([])


#: Flags without a value of the chart, each with its reason; ``extraArgs`` sets them all the same.
LEFT_OUT = {
    "kubeconfig": "the pods have a service account",
    "context": "the pods have a service account",
    "leader_elect": "the election costs nothing with one replica either",
    "address": "probes and scrapes come from other addresses",
    "hook_cpu_limit": "a hook that needs more is a hook to mend",
}
FULL = {
    "watchNamespace": "arena",
    "hooks": {"allowCidrs": ["127.0.0.0/8"], "denyCidrs": ["10.0.0.0/8"], "allowNodePorts": ["7000"]},
    "policies": {"protectNamespaces": True},
}


def test_every_flag_is_a_value_of_the_chart_or_left_out_for_a_reason():
    container = render(FULL).one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"][0]
    given = {argument.removeprefix("--").partition("=")[0] for argument in container["args"]}
    known = {name for flag in settings.FLAGS.flags for name in flag.names}
    assert given - known == {"run", *settings.CONTROLLERS}
    absent = {flag.field for flag in settings.FLAGS.flags if not given & set(flag.names)}
    assert absent == set(LEFT_OUT)


#: Read by the program and not the chart's business: where it runs, and what the image itself says.
OF_THE_PLACE = {"KUBERNETES_SERVICE_HOST", "GAME_OPERATORS_VERSION", "GAME_OPERATORS_GIT_COMMIT"}
OF_THE_PLACE |= {"GAME_OPERATORS_BUILD_DATE", "GAME_OPERATORS_CONTROLLERS"}


def test_what_the_operators_read_of_their_environment_the_chart_gives_them():
    """Read off the sources, but for the variables that stand in for flags; people's own command line is no part."""
    sources, people = CHART.parent.parent / "operators", CHART.parent.parent / "operators" / "cli" / "game"
    text = "\n".join(path.read_text() for path in sources.rglob("*.py") if people not in path.parents)
    read = {name for name in re.findall(r'"([A-Z][A-Z0-9_]+_[A-Z0-9_]+)"', text) if re.search(_READS % name, text)}
    container = render().one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"][0]
    given = {
        entry["name"]: entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") for entry in container["env"]
    }
    assert given.keys() == read - OF_THE_PLACE
    assert (given["POD_NAME"], given["POD_IP"]) == ("metadata.name", "status.podIP")
    assert (given["POD_IPS"], given["HOST_IP"]) == ("status.podIPs", "status.hostIP")


#: A name that is looked up in the environment, by itself or as one of several.
_READS = r'(?:environ\.get\(|variables\.get\(|for name in \([^)]*)"%s"'


def test_volumes_of_the_users_own_reach_the_containers():
    volume = {"name": "authorities", "configMap": {"name": "our-authorities"}}
    mount = {"name": "authorities", "mountPath": "/authorities", "readOnly": True}
    given = {"extraVolumes": [volume], "extraVolumeMounts": [mount]}
    for source, own in (("builtin", []), ("certManager", ["certificate"])):
        rendered = render({"operators": given, "webhooks": {**given, "certificates": {"source": source}}})
        for name, besides in ((RELEASE, []), (f"{RELEASE}-webhooks", own)):
            spec = rendered.one("Deployment", name)["spec"]["template"]["spec"]
            assert [v["name"] for v in spec["volumes"]] == [*besides, "authorities"]
            assert [m["name"] for m in spec["containers"][0]["volumeMounts"]] == [*besides, "authorities"]
            assert volume in spec["volumes"]
    plain = render().one("Deployment", RELEASE)["spec"]["template"]["spec"]
    assert "volumes" not in plain
    assert "volumeMounts" not in plain["containers"][0]


def test_every_controller_the_command_knows_runs_by_default_and_no_other():
    assert _arguments().controllers == settings.CONTROLLERS


@pytest.mark.parametrize("controller", settings.CONTROLLERS)
def test_each_controller_runs_alone(controller):
    values = {"controllers": {name: {"enabled": name == controller} for name in ALL}}
    assert _arguments(values).controllers == (controller,)


ALL = ("gamedeployment", "gamestatefulset", "hook")


def test_without_controllers_there_are_definitions_and_nothing_that_runs():
    rendered = render({"controllers": {name: {"enabled": False} for name in ALL}, "webhooks": {"enabled": False}})
    assert rendered.pod_specs() == {}
    assert len(rendered.of("CustomResourceDefinition")) == 4
    assert not rendered.of("ServiceAccount")


def test_commands_of_other_pods_are_the_commands_own():
    rendered = render(EVERYTHING)
    parser = argparse.ArgumentParser(exit_on_error=False)
    check.add_commands(parser.add_subparsers())
    guard = rendered.one("Job")["spec"]["template"]["spec"]["containers"][0]
    options = parser.parse_args(guard["args"])
    assert options.kinds == ["gamedeployments", "gamestatefulsets"]
    assert (options.release, options.release_namespace, options.revision) == (RELEASE, NAMESPACE, "1")
    test = rendered.one("Pod")["spec"]["containers"][0]
    assert parser.parse_args(test["args"]).url == "http://$(GAME_OPERATORS_SERVICE_HOST):10251"


# ---- image


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "game-operators:0.1.0"),
        ({"registry": "registry:5000", "repository": "ns/img"}, "registry:5000/ns/img:0.1.0"),
        ({"registry": "hub.example/", "repository": "/ns/img", "tag": "2"}, "hub.example/ns/img:2"),
        ({"repository": "img", "tag": "2", "digest": f"sha256:{'a' * 64}"}, f"img@sha256:{'a' * 64}"),
    ],
)
def test_the_image_is_named_in_every_pod(values, image):
    for spec in render({"image": values}).pod_specs().values():
        assert [c["image"] for c in spec["containers"]] == [image]


# ---- definitions


def test_definitions_are_part_of_the_release_kept_and_otherwise_as_generated():
    rendered = {o["metadata"]["name"]: o for o in render().of("CustomResourceDefinition")}
    generated = {o["metadata"]["name"]: o for o in map(yaml.safe_load, map(json.dumps, definitions().values()))}
    assert rendered.keys() == generated.keys()
    for name, definition in rendered.items():
        assert definition["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
        assert definition["metadata"].pop("labels")["app.kubernetes.io/managed-by"] == "Helm"
        assert "io.tencent.bcs.dev/deletion-allow" not in json.dumps(definition["metadata"])
        assert definition == generated[name]


def test_definitions_can_be_left_to_somebody_else():
    assert not render({"crds": {"install": False}}).of("CustomResourceDefinition")


# ---- values


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"operators": {"replica": 3}},
        {"operators": {"replicas": "3"}},
        {"controllers": {"gamedaemonset": {"enabled": True}}},
        {"image": {"digest": "latest"}},
        {"image": {"pullPolicy": "Sometimes"}},
        {"operators": {"extraEnv": [{"name": "A", "valuefrom": {}}]}},
        {"operators": {"log": {"level": "LOUD"}}},
        {"watchNamespace": "Arena"},
        {"metrics": {"serviceMonitor": {"interval": 30}}},
    ],
    ids=json.dumps,
)
def test_values_nobody_knows_are_refused(values):
    with pytest.raises(HelmFailed, match="values don't meet the specifications"):
        render(values)


def _walk(schema, values, path=""):
    """(path, schema, value) of every value, down to maps that are free."""
    for name, inner in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        if "properties" in inner:
            yield from _walk(inner, values[name], here)
        elif name in values:
            yield here, inner, values[name]
        else:
            yield here, inner, None


def test_the_schema_knows_every_value_its_default_and_its_meaning():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path, inner, value in _walk(schema, values):
        if path == "global":
            continue
        assert value == inner["default"], path
        assert inner["description"].endswith("."), path


def _objects(schema, path=""):
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _objects(inner, f"{path}.{name}")


def test_the_schema_is_closed_everywhere():
    for path, schema in _objects(json.loads((CHART / "values.schema.json").read_text())):
        if "properties" in schema:
            assert schema["additionalProperties"] is False, path


# ---- names


def test_long_names_stay_within_what_kubernetes_allows():
    for item in render(release="r" * 53):
        assert len(item["metadata"]["name"]) <= 63
    for item in render({"fullnameOverride": "n" * 63}):
        assert len(item["metadata"]["name"]) <= 63


def test_two_releases_in_two_namespaces_share_no_name_in_the_cluster():
    def cluster_wide(namespace):
        rendered = render({"crds": {"install": False}, "watchNamespace": namespace}, namespace=namespace)
        return {(o["kind"], o["metadata"]["name"]) for o in rendered if "namespace" not in o["metadata"]}

    assert cluster_wide("one")
    assert not cluster_wide("one") & cluster_wide("two")


def test_common_labels_reach_objects_and_pods():
    rendered = render({**EVERYTHING, "commonLabels": {"team": "games"}})
    for item in rendered:
        assert item["metadata"]["labels"]["team"] == "games", item["kind"]
    for deployment in rendered.of("Deployment"):
        assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "games"


def test_one_replica_has_no_budget_that_would_block_a_drain():
    values = {"operators": {"replicas": 1}, "webhooks": {"replicas": 1}}
    assert not render(values).of("PodDisruptionBudget")


def test_placement_is_the_users():
    placement = {
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"pool": "control"},
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
    }
    rendered = render({"operators": placement, "webhooks": placement})
    for deployment in rendered.of("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        assert {key: spec[key] for key in placement} == placement


def test_the_network_policy_lets_hooks_reach_pods_and_metrics_be_read():
    policy = render(EVERYTHING).one("NetworkPolicy", RELEASE)["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [p["port"] for p in policy["ingress"][0]["ports"]] == ["metrics", "liveness"]
    blocks = [to["ipBlock"] for rule in policy["egress"] for to in rule.get("to", ())]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    kept_out = [ip_network(network) for block in blocks for network in block["except"]]
    for metadata in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"):
        assert any(ip_address(metadata) in network for network in kept_out), metadata
    without = render({**EVERYTHING, "controllers": {"hook": {"enabled": False}}}).one("NetworkPolicy", RELEASE)["spec"]
    assert not [to for rule in without["egress"] for to in rule.get("to", ())]


def test_an_uninstall_is_guarded_unless_one_says_otherwise():
    job = render().one("Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert job["metadata"]["annotations"]["helm.sh/hook-output-log-policy"] == "hook-failed"
    assert job["spec"]["backoffLimit"] == 0
    assert not render({"uninstall": {"refuseWithWorkloads": False}}).of("Job")


def test_a_packaged_chart_has_everything_inside(tmp_path):
    """The definitions are linked from their folder; a package holds them."""
    helm("package", str(CHART), "-d", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as tar:
        names = {m.name.removeprefix("game-operators/") for m in tar.getmembers()}
    assert {f"files/crds/{path.name}" for path in (CHART / "files" / "crds").glob("*.yaml")} <= names
    text = helm("template", RELEASE, str(package), "-n", NAMESPACE, "--kube-version", "1.34.4")
    packaged = [o for o in yaml.safe_load_all(text) if o]
    assert [o["metadata"]["name"] for o in packaged] == [o["metadata"]["name"] for o in render()]


# ---- what is said after an installation


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """Renders NOTES.txt, which Helm shows only where it reaches a cluster: here as the content of an object."""
    chart = tmp_path_factory.mktemp("notes") / "game-operators"
    shutil.copytree(CHART, chart)
    text = (chart / "templates" / "NOTES.txt").read_text()
    (chart / "templates" / "_notes.tpl").write_text('{{- define "told" -}}\n' + text + "{{- end }}\n")
    body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata:\n  text: {{ include "told" . | quote }}\n'
    (chart / "templates" / "told.yaml").write_text(body)

    def told(values=None):
        with values_file(values or {}) as file:
            where = ("-n", NAMESPACE, "--kube-version", "1.34.4", "--show-only", "templates/told.yaml")
            return yaml.safe_load(helm("template", RELEASE, str(chart), *where, "-f", file))["data"]["text"]

    return told


def test_notes_say_what_runs_and_how_to_get_rid_of_it(notes):
    said = notes()
    assert "It runs: gamedeployment, gamestatefulset, hook, in all namespaces." in said
    assert "WARNING" not in said
    assert f"helm test {RELEASE} -n {NAMESPACE}" in said
    assert "is refused while workloads exist, and names them" in said
    assert "The CRDs stay, and with them every workload." in said


def test_notes_say_who_reaches_the_webhooks(notes):
    told = "The webhooks answer whoever reaches their port"
    assert told in notes()
    assert told in notes({"networkPolicy": {"enabled": True}})
    for closed in (
        {"webhooks": {"enabled": False}},
        {"webhooks": {"clientAuthority": {"secretName": "api-server"}}},
        {"networkPolicy": {"enabled": True, "webhooksFrom": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}},
    ):
        assert told not in notes(closed)


def test_only_api_servers_reach_the_webhooks_where_they_are_known():
    name = f"{RELEASE}-webhooks"
    assert "from" not in render(EVERYTHING).one("NetworkPolicy", name)["spec"]["ingress"][0]
    peers = [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    policy = render({"networkPolicy": {"enabled": True, "webhooksFrom": peers}}).one("NetworkPolicy", name)["spec"]
    assert policy["ingress"][0] == {"ports": [{"port": "webhook"}], "from": peers}


def test_the_webhooks_ask_for_client_certificates_where_their_authority_is_known():
    name = f"{RELEASE}-webhooks"

    def pod(**webhooks):
        return render({"webhooks": webhooks}).one("Deployment", name)["spec"]["template"]["spec"]

    (container,) = pod()["containers"]
    assert not [argument for argument in container["args"] if "tlsca" in argument]
    spec = pod(clientAuthority={"secretName": "api-server"})
    (container,) = spec["containers"]
    assert "--tlsca=/client-authority/ca.crt" in container["args"]
    (volume,) = spec["volumes"]
    assert volume["secret"]["secretName"] == "api-server"
    assert container["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/client-authority", "readOnly": True},
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (NAMESPACED, "in namespace arena only"),
        ({"operators": {"replicas": 1}}, "WARNING: with 1 replicas nobody takes over"),
        ({"controllers": {"hook": {"enabled": False}}}, "no hook is ever answered"),
        ({"controllers": {name: {"enabled": False} for name in ALL}}, "the release holds the CRDs only"),
        ({"uninstall": {"refuseWithWorkloads": False}}, "leaves workloads without an operator"),
        ({"webhooks": {"enabled": False}, "policies": {"enabled": False}}, "WARNING: nothing protects"),
    ],
    ids=json.dumps,
)
def test_notes_warn_of_what_is_unusual(notes, values, told):
    assert told in notes(values)
