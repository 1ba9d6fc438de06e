"""What is told to the API server, and the command lines."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from webhooks import main
from webhooks.configuration import configuration
from webhooks.manifests import documents
from webhooks.policies import policies
from webhooks.protection import DEFAULT
from webhooks.rbac import roles
from webhooks.registration import Registration
from webhooks.settings import Files

PROTECTED = ["gamedeployments", "gamestatefulsets", "hooktemplates"]


def webhooks(**fields: Any) -> dict[str, dict[str, Any]]:
    return {w["name"].split(".")[0]: w for w in configuration(Registration(**fields))["webhooks"]}


def test_deletions_fail_closed_and_changes_do_not():
    found = {name: w["failurePolicy"] for name, w in webhooks().items()}
    assert found == {"deletion-workload": "Fail", "deletion-crd": "Fail", "spec": "Ignore", "scale": "Ignore"}
    assert webhooks(validation_failure_policy="Fail")["spec"]["failurePolicy"] == "Fail"


def test_nothing_is_registered_for_pods_or_nodes_or_other_groups():
    for webhook in webhooks().values():
        for rule in webhook["rules"]:
            assert rule["apiGroups"] in (["tkex.tencent.com"], ["apiextensions.k8s.io"])
            assert "*" not in (*rule["resources"], *rule["apiGroups"], *rule["operations"], *rule["apiVersions"])
    assert webhooks()["deletion-workload"]["rules"][0]["resources"] == PROTECTED
    assert webhooks()["deletion-crd"]["rules"][0]["operations"] == ["DELETE"]


def test_definitions_of_others_never_depend_on_us():
    ours = webhooks()["deletion-crd"]["matchConditions"][0]
    assert ours["name"] == "ours"
    for plural in (*PROTECTED, "hookruns"):
        assert f"'{plural}.tkex.tencent.com'" in ours["expression"]


def test_every_webhook_says_what_the_api_server_needs():
    for webhook in webhooks(timeout_seconds=3).values():
        assert webhook["sideEffects"] == "None"
        assert webhook["admissionReviewVersions"] == ["v1"]
        assert webhook["timeoutSeconds"] == 3
        assert webhook["matchPolicy"] == "Equivalent"


def test_where_the_webhooks_are():
    client = webhooks(service=("games", "hooks", 8443))["spec"]["clientConfig"]
    assert client == {"service": {"namespace": "games", "name": "hooks", "port": 8443, "path": "/validate-spec"}}
    client = webhooks(url="https://127.0.0.1:9443/", ca_bundle=b"pem")["deletion-crd"]["clientConfig"]
    assert client == {"url": "https://127.0.0.1:9443/validate-crd", "caBundle": "cGVt"}
    annotated = configuration(Registration(inject_ca_from="games/hooks"))
    assert annotated["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "games/hooks"}


def test_owners_narrow_what_is_asked():
    registration = Registration(
        excluded_namespaces=["sandbox"],
        namespace_selector={"matchLabels": {"games": "yes"}},
        match_conditions={"mine": "request.userInfo.username != 'root'"},
        exempt_users=["system:serviceaccount:ops:o'clock"],
    )
    for webhook in configuration(registration)["webhooks"]:
        names = [c["name"] for c in webhook["matchConditions"]]
        assert names[-2:] == ["mine", "not-exempt"]
        assert webhook["matchConditions"][-1]["expression"].endswith("'system:serviceaccount:ops:o\\'clock'])")
    outside = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["sandbox"]}
    selector = {"matchLabels": {"games": "yes"}, "matchExpressions": [outside]}
    assert configuration(registration)["webhooks"][0]["namespaceSelector"] == selector
    bound = [d for d in policies(registration) if d["kind"].endswith("Binding")]
    assert bound[0]["spec"]["matchResources"] == {"namespaceSelector": selector}


def test_policies_deny_without_the_label_and_leave_counting_to_the_webhooks():
    for policy in (d for d in policies(Registration()) if d["kind"] == "ValidatingAdmissionPolicy"):
        first = policy["spec"]["validations"][0]
        assert first["message"] == DEFAULT
        assert first["reason"] == "Forbidden"
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert not any("not installed" in v["message"] for v in policy["spec"]["validations"])


def test_without_webhooks_policies_refuse_what_they_cannot_count():
    parts = documents(Registration(webhooks=False))
    assert parts["configuration"] == []
    for policy in (d for d in parts["policy"] if d["kind"] == "ValidatingAdmissionPolicy"):
        assert policy["spec"]["validations"][-1]["message"].endswith("they are not installed")


def test_policies_of_hookruns_exist_only_for_named_creators():
    names = {d["metadata"]["name"] for d in policies(Registration(hookrun_creators=["system:serviceaccount:a:b"]))}
    assert "game-operators-hookrun-owner" in names
    assert not any("hookrun" in d["metadata"]["name"] for d in policies(Registration()))
    none = Registration(hookrun_creators=["system:serviceaccount:a:b"], hookrun_kinds=[])
    assert not any("hookrun" in d["metadata"]["name"] for d in policies(none))


def policy(name: str, **fields: Any) -> dict[str, Any]:
    (found,) = [
        d["spec"]
        for d in policies(Registration(**fields))
        if d["kind"] == "ValidatingAdmissionPolicy" and d["metadata"]["name"] == f"game-operators-{name}"
    ]
    return found


def test_attack_f13_owners_of_hookruns_are_compared_by_kind_name_and_uid():
    """An update keeps the owner that was there, and brings no other one."""
    rule = policy("hookrun-owner", hookrun_creators=["operators"])["validations"][0]["expression"]
    for part in ("b.kind == r.kind", "b.name == r.name", "b.uid == r.uid", "b.controller"):
        assert part in rule
    assert "r.kind in ['GameDeployment', 'GameStatefulSet']" in rule
    one = policy("hookrun-owner", hookrun_creators=["operators"], hookrun_kinds=["GameStatefulSet"])
    assert "r.kind in ['GameStatefulSet']" in one["validations"][0]["expression"]


def test_attack_f9_namespaces_are_protected_where_that_is_asked_for():
    assert not any(d["metadata"]["name"].endswith("-namespace") for d in policies(Registration()))
    fields: dict[str, Any] = {"protect_namespaces": True, "exempt_users": ["root"], "excluded_namespaces": ["a"]}
    found = policy("namespace", **fields)
    (rule,) = found["matchConstraints"]["resourceRules"]
    assert (rule["operations"], rule["apiGroups"], rule["resources"]) == (["DELETE"], [""], ["namespaces"])
    assert found["failurePolicy"] == "Fail"
    assert [c["name"] for c in found["matchConditions"]] == ["not-ending", "not-exempt"]
    (said,) = [v["message"] for v in found["validations"]]
    assert said.startswith(DEFAULT + "; deleting a namespace ends its pods within seconds")
    (bound,) = [
        d["spec"]
        for d in policies(Registration(**fields))
        if d["kind"].endswith("Binding") and d["spec"]["policyName"] == "game-operators-namespace"
    ]
    assert bound["validationActions"] == ["Deny"]
    assert bound["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"] == ["a"]


def test_attack_f9_the_command_prints_the_policy_of_namespaces(capsys):
    assert main.main(["manifests", "--only=policy", "--protect-namespaces"]) == 0
    printed = {d["metadata"]["name"] for d in yaml.safe_load_all(capsys.readouterr().out)}
    assert "game-operators-namespace" in printed


def test_rights_are_the_least():
    """Lists of our kinds; one Secret and one configuration by name; nothing else, and never a watch or a create."""
    found = roles(Registration(name="games", try_templates=False), ("games", "hooks"), "hooks-tls")
    rules = [(d["kind"], r) for d in found for r in d.get("rules", ())]
    assert {v for _, r in rules for v in r["verbs"]} == {"get", "list", "patch", "update"}
    written = [(k, r) for k, r in rules if {"patch", "update"} & set(r["verbs"])]
    assert [(k, r["resources"], r["resourceNames"]) for k, r in written] == [
        ("ClusterRole", ["validatingwebhookconfigurations"], ["games"]),
        ("Role", ["secrets"], ["hooks-tls"]),
    ]
    assert not any("resourceNames" in r for d in roles(Registration(), ("a", "b"), "") for r in d.get("rules", ()))


@pytest.mark.parametrize("fields", [{"try_templates": False}, {"validation": False}], ids=str)
def test_templates_are_tried_by_a_right_that_goes_with_it(fields):
    """Where nothing is tried, nothing can be created."""
    tried = {"apiGroups": [""], "resources": ["pods", "podtemplates"], "verbs": ["create"]}
    on, off = (
        [r for d in roles(registration, ("games", "hooks"), "hooks-tls") for r in d.get("rules", ())]
        for registration in (Registration(), Registration(**fields))
    )
    assert tried in on
    assert [r for r in on if r not in off] == [tried]
    assert not any("create" in r["verbs"] for r in off)


def test_manifests_are_printed_as_yaml(capsys):
    flags = ["manifests", "--service=games/hooks:8443", "--service-account=games/hooks", "--labels", '{"app": "x"}']
    assert main.main(flags) == 0
    found = list(yaml.safe_load_all(capsys.readouterr().out))
    registration = Registration(service=("games", "hooks", 8443), labels={"app": "x"})
    assert found == [d for part in documents(registration, ("games", "hooks")).values() for d in part]
    assert main.main(["manifests", "--only=policy"]) == 0
    kinds = {d["kind"] for d in yaml.safe_load_all(capsys.readouterr().out)}
    assert kinds == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["serve"], "reviews need TLS"),
        (["serve", "--tlscert=a"], "--tlscert and --tlskey go together"),
        (["--tlscert=a", "--tlskey=b", "--certificate-secret=a/b"], "either --tlscert"),
        (["--certificate-secret=a/b"], "what is the certificate for?"),
        (["--certificate-secret=b"], "--certificate-secret: 'b': must be namespace/name"),
        (["--no-such-flag"], "unrecognized arguments"),
        (["--drain=-1"], "a positive number of seconds"),
        (["manifests", "--protection-failure-policy=Maybe"], "must be one of Fail, Ignore"),
        (["manifests", "--namespace-selector=x"], "must be a JSON object"),
        (["manifests", "--timeout-seconds=31"], "must be from 1 to 30"),
    ],
)
def test_wrong_flags_end_with_code_2_and_a_reason(flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(flags)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_environment_stands_in_for_flags(monkeypatch):
    from webhooks import settings

    monkeypatch.setenv("GAME_WEBHOOKS_TLSCERT", "/tls/tls.crt")
    monkeypatch.setenv("GAME_WEBHOOKS_TLSKEY", "/tls/tls.key")
    monkeypatch.setenv("GAME_WEBHOOKS_STRICT_INPLACE", "true")
    monkeypatch.setenv("GAME_WEBHOOKS_EXEMPT_USERS", "a, b")
    monkeypatch.setenv("GAME_WEBHOOKS_DRAIN", "3")
    found = settings.from_arguments(main._parser().parse_args(["serve", "--drain=4"]))
    assert isinstance(found.certificate, Files)
    assert found.options.strict_inplace
    assert not found.options.enable_hotpatch
    assert found.options.rules.exempt_users == {"a", "b"}
    assert found.drain == 4
