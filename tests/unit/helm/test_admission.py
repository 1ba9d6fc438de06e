"""The chart registers the webhooks and policies exactly as ``game-webhooks manifests`` says."""

from __future__ import annotations

import argparse

import pytest

from devcluster.helm import helm
from tests.unit.helm.charts import CHART, NAMESPACE, RELEASE, HelmFailed, render
from webhooks import settings
from webhooks.manifests import documents
from webhooks.registration import Registration

NAME, WEBHOOKS, SECRET = f"{NAMESPACE}-{RELEASE}", f"{RELEASE}-webhooks", f"{RELEASE}-webhooks-certificate"
SERVICE = (NAMESPACE, WEBHOOKS, 443)
OPERATORS = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
CASES = {
    "default": ({}, {}, SECRET),
    "everything": (
        {
            "webhooks": {"failurePolicy": {"protection": "Ignore", "validation": "Fail"}, "timeoutSeconds": 9},
            "admission": {
                "excludedNamespaces": ["a", "b"],
                "namespaceSelector": {"matchLabels": {"games": "yes"}},
                "matchConditions": {"not-robots": "request.userInfo.username != 'robot'"},
                "exemptUsers": ["u1", "o'neil"],
                "allowNamespaceTermination": True,
            },
            "policies": {"otherHookRunMakers": ["backup"], "protectNamespaces": True},
        },
        {
            "protection_failure_policy": "Ignore",
            "validation_failure_policy": "Fail",
            "timeout_seconds": 9,
            "excluded_namespaces": ["a", "b"],
            "namespace_selector": {"matchLabels": {"games": "yes"}},
            "match_conditions": {"not-robots": "request.userInfo.username != 'robot'"},
            "exempt_users": ["u1", "o'neil"],
            "allow_namespace_termination": True,
            "hookrun_creators": ["backup", OPERATORS],
            "protect_namespaces": True,
        },
        SECRET,
    ),
    "everybody makes HookRuns": ({"policies": {"onlyOperatorsMakeHookRuns": False}}, {"hookrun_creators": []}, SECRET),
    "one kind of workload": (
        {"controllers": {"gamestatefulset": {"enabled": False}}},
        {"hookrun_kinds": ["GameDeployment"]},
        None,
    ),
    "no kind of workload": (
        {"controllers": {"gamedeployment": {"enabled": False}, "gamestatefulset": {"enabled": False}}},
        {"hookrun_kinds": []},
        None,
    ),
    "without validation": (
        {"webhooks": {"validation": {"enabled": False}}},
        {"validation": False},
        SECRET,
    ),
    "templates are not tried": ({"webhooks": {"tryTemplates": False}}, {"try_templates": False}, SECRET),
    "policies alone": ({"webhooks": {"enabled": False}}, {"webhooks": False}, None),
    "webhooks alone": ({"policies": {"enabled": False}}, {"policy": False}, SECRET),
    "cert-manager": (
        {"webhooks": {"certificates": {"source": "certManager"}}},
        {"inject_ca_from": f"{NAMESPACE}/{WEBHOOKS}"},
        "",
    ),
    "own certificate": (
        {"webhooks": {"certificates": {"source": "secret", "secretName": "mine", "caBundle": "PEM"}}},
        {"ca_bundle": b"PEM"},
        "",
    ),
    "one namespace": (
        {"watchNamespace": "arena"},
        {
            "namespace_selector": {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["arena"]},
                ]
            }
        },
        None,
    ),
}
REGISTRY = "admissionregistration.k8s.io/v1"
KINDS = ("ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def bare(item):
    """Without the labels of a release."""
    metadata = {k: v for k, v in item["metadata"].items() if k != "labels"}
    return {**item, "metadata": metadata}


def keyed(items):
    return {(i["kind"], i["metadata"].get("namespace", ""), i["metadata"]["name"]): bare(i) for i in items}


@pytest.mark.parametrize("case", CASES)
def test_webhooks_and_policies_are_registered_as_the_webhooks_say(case):
    values, registration, _ = CASES[case]
    registration = {"hookrun_creators": [OPERATORS], **registration}
    parts = documents(Registration(name=NAME, service=SERVICE, **registration), (NAMESPACE, WEBHOOKS))
    rendered = [o for o in render(values) if o["kind"] in KINDS]
    assert keyed(rendered) == keyed(parts["configuration"] + parts["policy"])


@pytest.mark.parametrize("case", [c for c in CASES if CASES[c][2] is not None])
def test_rights_of_the_webhooks_are_those_they_ask_for(case):
    values, registration, secret = CASES[case]
    wanted = documents(Registration(name=NAME, service=SERVICE, **registration), (NAMESPACE, WEBHOOKS), secret)["rbac"]
    rendered = [o for o in render(values) if o["metadata"]["name"] == f"{NAME}-webhooks"]
    assert keyed(rendered) == keyed(wanted)


def test_attack_f13_only_the_operators_make_hookruns_of_workloads_unless_the_owner_wants_it_otherwise():
    policy = render().one("ValidatingAdmissionPolicy", f"{NAME}-hookrun-owner")["spec"]
    assert policy["matchConditions"] == [
        {"name": "foreign", "expression": f"!(request.userInfo.username in ['{OPERATORS}'])"}
    ]
    named = render({"operators": {"serviceAccount": {"create": False, "name": "ours"}}})
    (condition,) = named.one("ValidatingAdmissionPolicy", f"{NAME}-hookrun-owner")["spec"]["matchConditions"]
    assert f"'system:serviceaccount:{NAMESPACE}:ours'" in condition["expression"]
    account = named.one("Deployment", RELEASE)["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == "ours"
    assert "hookrun-owner" not in str(render({"policies": {"onlyOperatorsMakeHookRuns": False}}).objects)


def test_attack_f9_namespaces_are_protected_only_where_that_is_asked_for():
    names = {o["metadata"]["name"] for o in render() if o["kind"] in KINDS}
    more = {o["metadata"]["name"] for o in render({"policies": {"protectNamespaces": True}}) if o["kind"] in KINDS}
    assert more - names == {f"{NAME}-namespace"}


def test_pkg_25_webhooks_of_one_namespace_read_it_alone():
    rendered = render({"watchNamespace": "arena"})
    everywhere = {r for _, r, _ in rendered.rules("ClusterRole", f"{NAME}-webhooks")}
    assert everywhere == {"validatingwebhookconfigurations"}
    assert rendered.one("Role", f"{NAME}-webhooks-reads")["metadata"]["namespace"] == "arena"


def test_without_either_nothing_is_registered():
    rendered = render({"webhooks": {"enabled": False}, "policies": {"enabled": False}})
    assert not [o for o in rendered if o["kind"] in KINDS]


def _settings(values=None):
    container = render(values).one("Deployment", WEBHOOKS)["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["game-webhooks"]
    assert container["args"][0] == "serve"
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    settings.FLAGS.add_to(parser)
    return settings.from_arguments(parser.parse_args(container["args"][1:]))


def test_arguments_are_the_commands_own_and_say_what_the_values_say():
    chosen = _settings()
    assert chosen.certificate.secret == (NAMESPACE, SECRET)
    assert chosen.certificate.configurations == (NAME,)
    changed = _settings(
        {
            "webhooks": {
                "ports": {"webhook": 8443, "metrics": 8080},
                "drainSeconds": 20,
                "validation": {"strictInplace": True, "enableHotpatch": True},
                "tryTemplates": False,
                "templateStrictness": "Warn",
                "certificates": {"source": "certManager"},
                "log": {"level": "DEBUG", "format": "text"},
            },
            "admission": {"exemptUsers": ["a", "b"], "allowNamespaceTermination": True},
        }
    )
    assert (changed.port, changed.metrics_port, changed.drain) == (8443, 8080, 20)
    assert str(changed.certificate.certificate) == "/certificate/tls.crt"
    assert (changed.log_level, changed.log_format) == ("DEBUG", "text")
    assert changed.options != chosen.options
    assert (chosen.try_templates, chosen.template_strictness) == (True, "Refuse")
    assert (changed.try_templates, changed.template_strictness) == (False, "Warn")


@pytest.mark.parametrize(("patience", "reading"), [(1, 1), (2, 1), (5, 3), (30, 3)])
def test_reading_ends_before_the_api_server_gives_up(patience, reading):
    assert _settings({"webhooks": {"timeoutSeconds": patience}}).lookup_timeout == reading


def test_a_pod_serves_on_until_nobody_asks_it_and_has_time_to_end():
    spec = render({"webhooks": {"drainSeconds": 30}}).one("Deployment", WEBHOOKS)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= 30 + 10
    service = render().one("Service", WEBHOOKS)["spec"]
    assert {"name": "webhook", "port": 443, "targetPort": "webhook"} in service["ports"]


def test_an_upgrade_keeps_certificates_because_templates_do_not_mention_them():
    rendered = render()
    secret = rendered.one("Secret", SECRET)
    assert "data" not in secret
    assert "stringData" not in secret
    assert "caBundle" not in str(rendered.one("ValidatingWebhookConfiguration"))


def test_with_cert_manager_its_certificate_is_for_the_service():
    values = {"webhooks": {"certificates": {"source": "certManager"}}}
    rendered = render(values)
    certificate = rendered.one("Certificate")["spec"]
    assert certificate["dnsNames"] == [f"{WEBHOOKS}.{NAMESPACE}.svc"]
    assert certificate["issuerRef"]["name"] == rendered.one("Issuer")["metadata"]["name"]
    volume = rendered.one("Deployment", WEBHOOKS)["spec"]["template"]["spec"]["volumes"][0]
    assert volume["secret"]["secretName"] == certificate["secretName"]
    named = {
        "webhooks": {"certificates": {"source": "certManager", "issuerRef": {"name": "x", "kind": "ClusterIssuer"}}}
    }
    assert not render(named).of("Issuer")


def test_a_certificate_of_ones_own_needs_its_name():
    with pytest.raises(HelmFailed, match=r"source=secret needs webhooks\.certificates\.secretName"):
        render({"webhooks": {"certificates": {"source": "secret"}}})


#: Flags of the webhooks without a value of the chart; ``extraArgs`` sets them all the same.
LEFT_OUT = {
    "webhook-address": "the API server comes from another address",
    "tlsca": "needs an API server that is told to show a certificate; extraVolumes brings the file",
    "certificate-names": "the Service has all the names that are used",
    "certificate-validity": "a year, renewed by itself",
    "authority-validity": "three years, renewed by itself",
    "rotation-settle": "for tests",
    "rotation-overlap": "for tests",
    "certificate-period": "for tests",
    "kubeconfig": "the pods have a service account",
    "context": "the pods have a service account",
}


def test_every_flag_is_a_value_of_the_chart_or_left_out_for_a_reason():
    given = set()
    for values in ({"admission": {"exemptUsers": ["a"]}}, {"webhooks": {"certificates": {"source": "certManager"}}}):
        container = render(values).one("Deployment", WEBHOOKS)["spec"]["template"]["spec"]["containers"][0]
        given |= {argument.removeprefix("--").partition("=")[0] for argument in container["args"][1:]}
    parser = argparse.ArgumentParser(add_help=False)
    settings.FLAGS.add_to(parser)
    known = {option.removeprefix("--") for action in parser._actions for option in action.option_strings}
    assert given <= known
    assert known - given == set(LEFT_OUT)


@pytest.mark.parametrize(
    ("cluster", "made"),
    [
        (["--kube-version=1.29.9"], False),
        (["--kube-version=1.30.0"], True),
        (["--kube-version=1.34.0", "--api-versions=v1/Pod"], False),
        (["--kube-version=1.34.0", f"--api-versions=v1/Pod,{REGISTRY}/ValidatingAdmissionPolicy"], True),
    ],
)
def test_policies_are_made_where_they_are_served(cluster, made):
    """By version, and by what the API server says where Helm has asked it."""
    text = helm("template", RELEASE, str(CHART), "-n", NAMESPACE, *cluster)
    assert ("kind: ValidatingAdmissionPolicy" in text) is made
