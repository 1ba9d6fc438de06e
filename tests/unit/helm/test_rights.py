"""The rights of operators and people: no more than docs/spec/packaging.md 2.2 lists."""

from __future__ import annotations

import pytest

from tests.unit.helm.charts import NAMESPACE, RELEASE, render

TKEX = "tkex.tencent.com"
CLUSTER_ROLE = f"{NAMESPACE}-{RELEASE}"


def only(*controllers, **more):
    names = ("gamedeployment", "gamestatefulset", "hook")
    return {"controllers": {name: {"enabled": name in controllers} for name in names}, **more}


def grants(values=None):
    return render(values).rules("ClusterRole", CLUSTER_ROLE)


def test_pkg_11_hooks_alone_neither_read_secrets_nor_make_pods():
    granted = grants(only("hook"))
    assert {v for g, r, v in granted if r == "pods"} == {"get", "patch"}
    assert {v for g, r, v in granted if r in ("gamedeployments", "gamestatefulsets")} == {"get", "patch"}
    assert {v for g, r, v in granted if r == "hookruns"} == {"list", "watch", "delete"}
    assert {v for g, r, v in granted if r == "hookruns/status"} == {"patch"}
    assert {v for _, r, v in granted if r == "nodes"} == {"list", "watch"}


@pytest.mark.parametrize("values", [None, only("gamedeployment", "gamestatefulset", "hook")], ids=["default", "all"])
def test_pkg_11_nobody_gets_secrets_wildcards_or_rights_to_change_rights(values):
    granted = grants(values)
    assert not {part for grant in granted for part in grant if "*" in part}
    forbidden = {"secrets", "configmaps", "serviceaccounts", "roles", "clusterroles", "pods/exec", "namespaces"}
    assert not forbidden & {r for _, r, _ in granted}
    assert not {v for _, _, v in granted} & {"escalate", "bind", "impersonate", "deletecollection"}


def test_gamedeployments_need_no_claims_and_gamestatefulsets_do():
    assert "persistentvolumeclaims" not in {r for _, r, _ in grants(only("gamedeployment"))}
    claims = {v for _, r, v in grants(only("gamestatefulset")) if r == "persistentvolumeclaims"}
    assert claims == {"list", "watch", "create", "patch", "delete"}
    assert "gamestatefulsets" not in {r for _, r, _ in grants(only("gamedeployment"))}


def test_public_f2_claims_that_block_the_deletion_of_pods_need_their_finalizers():
    """Where the API server checks it (OwnerReferencesPermissionEnforcement), as for native StatefulSets."""
    assert ("", "pods/finalizers", "update") in grants(only("gamestatefulset"))
    assert ("", "pods/finalizers", "update") not in grants(only("gamedeployment", "hook"))


def test_a_canary_hook_can_be_cancelled():
    assert (TKEX, "hookruns", "patch") in grants(only("gamedeployment"))


def test_pkg_25_in_namespaced_mode_only_definitions_are_read_outside_of_the_namespace():
    rendered = render({"watchNamespace": "arena"})
    role = rendered.one("ClusterRole", CLUSTER_ROLE)
    assert role["rules"] == [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "resourceNames": [f"{kind}.{TKEX}" for kind in KINDS],
            "verbs": ["get"],
        }
    ]
    everywhere = {g for g in grants() if g[1] not in ("nodes", "customresourcedefinitions")}
    assert rendered.rules("Role", RELEASE) == everywhere
    for kind in ("Role", "RoleBinding"):
        assert rendered.one(kind, RELEASE)["metadata"]["namespace"] == "arena"
        assert rendered.one(kind, f"{RELEASE}-leader")["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize("values", [None, {"watchNamespace": "arena"}], ids=["everywhere", "namespaced"])
def test_attack_f8_where_the_api_server_and_our_own_pods_are_is_read_where_they_are(values):
    rendered = render(values)
    name = f"{NAMESPACE}-{RELEASE}-endpoints"
    for kind in ("Role", "RoleBinding"):
        found = [o["metadata"]["namespace"] for o in rendered.of(kind) if o["metadata"]["name"] == name]
        assert found == ["default", NAMESPACE]
    rules = [o["rules"] for o in rendered.of("Role") if o["metadata"]["name"] == name]
    listed = [{"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]}]
    listed.append({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]})
    assert rules == [listed, listed]
    workloads = render(only("gamedeployment"))
    assert name not in {o["metadata"]["name"] for o in workloads.of("Role")}


KINDS = ("gamedeployments", "gamestatefulsets", "hookruns", "hooktemplates")


def test_attack_f9_namespaces_are_read_and_labelled_only_where_that_is_asked_for():
    asked = {"policies": {"protectNamespaces": True}}
    everywhere, arena = render(asked), render({**asked, "watchNamespace": "arena"})
    added = {("", "namespaces", "get"), ("", "namespaces", "patch")}
    assert everywhere.rules("ClusterRole", CLUSTER_ROLE) - grants() == {*added, ("", "namespaces", "list")}
    assert {g for g in arena.rules("Role", RELEASE) if g[1] == "namespaces"} == added
    assert "namespaces" not in {r for _, r, _ in arena.rules("ClusterRole", CLUSTER_ROLE)}
    for rendered, flag in ((everywhere, True), (arena, True), (render(), False)):
        (container,) = rendered.one("Deployment", RELEASE)["spec"]["template"]["spec"]["containers"]
        assert ("--protect-namespaces=true" in container["args"]) == flag
    unserved = {**asked, "policies": {"enabled": False, "protectNamespaces": True}}
    assert "namespaces" not in {r for _, r, _ in grants(unserved)}
    one_kind = grants({**only("gamedeployment"), **asked})
    assert {v for _, r, v in one_kind if r == "gamestatefulsets"} == {"list", "watch"}, "whose pods it counts"


def test_the_lease_is_one_by_name_in_the_releases_namespace():
    rules = render({"operators": {"leaderElection": {"leaseName": "other"}}}).one("Role", f"{RELEASE}-leader")["rules"]
    assert [(r["verbs"], r.get("resourceNames")) for r in rules] == [(["create"], None), (["get", "update"], ["other"])]


def test_people_read_with_view_and_write_with_edit_but_make_no_hook_runs():
    rendered = render()
    for role in ("view", "edit", "admin"):
        labels = rendered.one("ClusterRole", f"tkex-{role}")["metadata"]["labels"]
        assert labels[f"rbac.authorization.k8s.io/aggregate-to-{role}"] == "true"
        granted = rendered.rules("ClusterRole", f"tkex-{role}")
        assert {(TKEX, kind, verb) for kind in KINDS for verb in ("get", "list", "watch")} <= granted
        assert (TKEX, "hookruns", "create") not in granted
        assert ((TKEX, "gamedeployments", "create") in granted) == (role != "view")
        assert ((TKEX, "gamedeployments/scale", "patch") in granted) == (role != "view")


def test_every_binding_is_for_the_pods_own_account():
    values = {"operators": {"serviceAccount": {"create": False, "name": "mine"}}, "webhooks": {"enabled": False}}
    rendered = render(values)
    assert not rendered.of("ServiceAccount")
    assert rendered.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in rendered.of(kind):
            assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "mine", "namespace": NAMESPACE}]
