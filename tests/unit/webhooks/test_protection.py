"""Deletion protection, as pure decisions (docs/spec/admission.md 7, cases 1 to 44)."""

from __future__ import annotations

import dataclasses

import pytest

from tests.unit.webhooks.builders import (
    DEFAULT,
    LABEL,
    WHILE,
    definition,
    delete,
    hook_template,
    labelled,
    review,
    workload,
)
from webhooks.protection import (
    CountInstances,
    FindUsers,
    Rules,
    check_definition_deletion,
    check_object_deletion,
    depends_on_namespace,
    verdict_after_count,
    verdict_after_failure,
    verdict_after_search,
)
from webhooks.reviews import Resource
from webhooks.verdicts import Verdict

WORKLOADS = ("GameDeployment", "GameStatefulSet")
NONE = Rules()


def judged(asked, rules: Rules = NONE) -> Verdict:
    answer = check_object_deletion(asked, rules)
    assert isinstance(answer, Verdict), answer
    return answer


def assert_denied(verdict: Verdict, message: str) -> None:
    assert not verdict.allowed
    assert verdict.message.startswith(message), verdict.message
    assert (verdict.code, verdict.reason) == (403, "Forbidden")


@pytest.mark.parametrize("kind", WORKLOADS)
def test_adm_1_11_without_the_label_nothing_is_deleted(kind):
    assert_denied(judged(delete(kind)), DEFAULT + "; ")


@pytest.mark.parametrize("kind", WORKLOADS)
def test_adm_2_12_labelled_always_is_deleted_with_its_pods(kind):
    assert judged(delete(kind, "Always")).allowed


@pytest.mark.parametrize("kind", WORKLOADS)
def test_adm_3_13_cascading_with_replicas_is_kept(kind):
    assert_denied(judged(delete(kind, "Cascading")), WHILE + "replicas 2>0")


@pytest.mark.parametrize("kind", WORKLOADS)
def test_adm_4_14_cascading_at_zero_is_deleted(kind):
    gone = delete(kind, "Cascading", spec={"replicas": 0}, status={"replicas": 0})
    assert judged(gone).allowed


@pytest.mark.parametrize("kind", WORKLOADS)
def test_adm_5_cascading_waits_for_the_last_pod(kind):
    last = delete(kind, "Cascading", spec={"replicas": 0}, status={"replicas": 1})
    assert_denied(judged(last), WHILE + "replicas 1>0; its last pods are still being deleted")


def test_adm_6_absent_replicas_are_one():
    old = workload(label="Cascading")
    del old["spec"]["replicas"]
    assert_denied(judged(delete("GameDeployment", old=old)), WHILE + "replicas 1>0")


@pytest.mark.parametrize("value", ["", "always", "NotAllow", "ALWAYS", "true", " Always", "cascading"])
def test_adm_7_8_9_other_values_protect(value):
    assert_denied(judged(delete("GameDeployment", value)), DEFAULT)


def test_adm_10_an_annotation_is_no_label():
    old = workload()
    old["metadata"]["annotations"] = {LABEL: "Always"}
    assert_denied(judged(delete("GameDeployment", old=old)), DEFAULT)


def test_adm_15_claims_are_no_cascading_resources():
    old = workload("GameStatefulSet", "Cascading", replicas=0, volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    assert judged(delete("GameStatefulSet", old=old)).allowed


def test_adm_16_hooktemplate_without_the_label_stays():
    assert_denied(judged(delete("HookTemplate")), DEFAULT)


def test_adm_17_hooktemplate_labelled_always_goes():
    assert judged(delete("HookTemplate", "Always")).allowed


class TestAdm18HookTemplateLabelledCascading:
    asked = delete("HookTemplate", "Cascading")

    def test_its_users_are_looked_for(self):
        assert check_object_deletion(self.asked, NONE) == FindUsers("games", "may-go")

    def test_unused_it_goes(self):
        assert verdict_after_search(self.asked, []).allowed

    def test_used_it_stays_and_says_by_whom(self):
        verdict = verdict_after_search(self.asked, ["GameDeployment lobby", "HookRun predelete-a-may-go"])
        assert_denied(verdict, WHILE + "references 2>0; it is used by GameDeployment lobby")

    def test_unknown_it_stays(self):
        verdict = verdict_after_failure(FindUsers("games", "may-go"), "no answer within 3 s")
        assert_denied(verdict, "failed to list CRs of GameDeployments, GameStatefulSets, HookRuns: no answer")


@pytest.mark.parametrize("username", ["ann", "system:serviceaccount:game-system:game-operators"])
def test_adm_19_20_hookruns_are_not_protected(username):
    assert judged(delete("HookRun", username=username, old={"metadata": {"name": "run"}})).allowed


def test_adm_21_pods_of_a_protected_workload_are_not_ours_to_judge():
    assert judged(review("DELETE", "Pod", group="", old={"metadata": {"name": "lobby-abcde"}})).allowed


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(review("CREATE", "GameDeployment", new=workload()), id="22-create"),
        pytest.param(review("UPDATE", "GameDeployment", old=workload(), new=workload(label="Always")), id="23-label"),
        pytest.param(review("UPDATE", "GameDeployment", old=workload(label="Always"), new=workload()), id="24-unlabel"),
        pytest.param(review("UPDATE", "GameDeployment", old=workload(), subresource="scale"), id="25-scale"),
        pytest.param(delete("GameDeployment", subresource="status"), id="26-status"),
        pytest.param(review("CONNECT", "GameDeployment"), id="connect"),
    ],
)
def test_adm_22_23_24_25_26_only_deletions_of_the_object_itself_are_judged(asked):
    assert judged(asked).allowed


def test_adm_27_without_an_old_object_there_is_no_label():
    assert_denied(judged(review("DELETE", "GameDeployment")), DEFAULT)


def test_adm_28_the_old_object_decides():
    asked = review("DELETE", "GameDeployment", old=workload(), new=workload(label="Always"))
    assert_denied(judged(asked), DEFAULT)


def test_adm_29_a_dry_run_is_judged_alike():
    assert_denied(judged(delete("GameDeployment", dry_run=True)), DEFAULT)


def test_adm_30_a_collection_is_judged_object_by_object():
    verdicts = [
        judged(dataclasses.replace(delete("GameDeployment", label), name="")) for label in (None, "Always", "Cascading")
    ]
    assert [v.allowed for v in verdicts] == [False, True, False]
    assert "GameDeployment lobby" in verdicts[0].message


class TestAdm31NamespaceBeingDeleted:
    controller = "system:serviceaccount:kube-system:namespace-controller"

    def test_its_controller_is_told_the_label_and_what_waits(self):
        verdict = judged(delete("GameDeployment", username=self.controller))
        assert_denied(verdict, DEFAULT)
        assert verdict.message.endswith("namespace games stays Terminating until then")

    def test_cascading_tells_it_too(self):
        verdict = judged(delete("GameDeployment", "Cascading", username=self.controller))
        assert_denied(verdict, WHILE + "replicas 2>0")
        assert "namespace games stays Terminating" in verdict.message

    @pytest.mark.parametrize(
        ("username", "said"),
        [
            ("system:serviceaccount:kube-system:generic-garbage-collector", "its owner is gone"),
            ("system:kube-controller-manager", "its namespace games or its owner is gone"),
        ],
    )
    def test_so_are_garbage_collection_and_a_controller_manager_of_one_identity(self, username, said):
        verdict = judged(delete("GameStatefulSet", username=username))
        assert_denied(verdict, DEFAULT)
        assert said in verdict.message

    def test_the_namespace_is_asked_about_only_where_its_end_counts(self):
        asked = delete("GameDeployment")
        denied = judged(asked)
        assert not depends_on_namespace(asked, denied, NONE)
        assert depends_on_namespace(asked, denied, Rules(allow_namespace_termination=True))
        allowed = judged(delete("GameDeployment", "Always"))
        assert not depends_on_namespace(asked, allowed, Rules(allow_namespace_termination=True))


def test_an_exempt_user_is_not_judged():
    rules = Rules(exempt_users=frozenset({"system:serviceaccount:ops:cleaner"}))
    assert judged(delete("GameDeployment", username="system:serviceaccount:ops:cleaner"), rules).allowed
    assert not judged(delete("GameDeployment"), rules).allowed


@pytest.mark.parametrize("metadata", [{}, {"labels": None}, {"labels": [LABEL]}, {"labels": {LABEL: True}}])
def test_labels_of_a_wrong_shape_are_no_labels(metadata):
    assert_denied(judged(delete("GameDeployment", old={"metadata": metadata})), DEFAULT)


# Definitions


def defined(asked, rules: Rules = NONE):
    return check_definition_deletion(asked, rules)


@pytest.mark.parametrize("plural", ["gamedeployments", "gamestatefulsets", "hooktemplates", "hookruns"])
def test_adm_32_a_definition_without_the_label_stays(plural):
    assert_denied(defined(definition(plural)), DEFAULT + "; ")


def test_adm_33_a_definition_labelled_always_goes_uncounted():
    assert defined(definition("gamedeployments", "Always")).allowed


@pytest.mark.parametrize(
    ("plural", "kind"),
    [
        pytest.param("gamedeployments", "GameDeployments", id="35"),
        pytest.param("hooktemplates", "HookTemplates", id="37"),
        pytest.param("hookruns", "HookRuns", id="38"),
        pytest.param("gamestatefulsets", "GameStatefulSets", id="gamestatefulsets"),
    ],
)
def test_adm_34_35_37_38_57_a_definition_labelled_cascading_goes_once_it_has_no_instances(plural, kind):
    question = defined(definition(plural, "Cascading"))
    assert question == CountInstances(plural)
    assert verdict_after_count(question, 0).allowed
    assert_denied(verdict_after_count(question, 2), WHILE + f"active CRs 2>0; delete all {kind} first")


def test_adm_39_a_count_that_fails_protects():
    verdict = verdict_after_failure(CountInstances("gamestatefulsets"), "etcd is away")
    assert_denied(verdict, "failed to list CRs of GameStatefulSets: etcd is away")


def test_adm_40_definitions_of_others_go():
    assert defined(definition("certificates", group="cert-manager.io")).allowed


def test_adm_41_a_kind_of_the_same_name_in_another_group_goes():
    assert defined(definition("gamedeployments", group="example.com")).allowed
    assert judged(delete("GameDeployment", group="example.com")).allowed


def test_adm_42_a_definition_can_be_upgraded():
    assert defined(dataclasses.replace(definition("gamedeployments"), operation="UPDATE")).allowed


def test_adm_43_another_resource_at_the_endpoint_of_definitions_is_refused():
    asked = dataclasses.replace(definition("gamedeployments"), resource=Resource("", "v1", "pods"))
    verdict = defined(asked)
    assert not verdict.allowed
    assert verdict.message == (
        "expect resource to be one of [apiextensions.k8s.io/v1beta1, Resource=customresourcedefinitions, "
        "apiextensions.k8s.io/v1, Resource=customresourcedefinitions] but got /v1, Resource=pods"
    )


def test_adm_44_v1beta1_definitions_have_the_same_rules():
    assert_denied(defined(definition("gamedeployments", version="v1beta1")), DEFAULT)
    assert defined(definition("gamedeployments", "Always", version="v1beta1")).allowed
    assert defined(definition("hookruns", "Cascading", version="v1beta1")) == CountInstances("hookruns")


def test_every_refusal_without_the_label_names_a_way_out():
    for kind in (*WORKLOADS, "HookTemplate"):
        assert f"set labels {LABEL}=Always" in judged(delete(kind)).message
        assert "Cascading" in judged(delete(kind)).message
    assert hook_template(label=None)["metadata"] == {"name": "may-go", "namespace": "games"} | labelled(None)
