"""``why``: the first line names the cause."""

from dataclasses import replace

import pytest

from operators.api.reasons import BlockedReason
from operators.cli.game.causes import WORDS, explain
from operators.cli.game.circumstances import Circumstances
from operators.kube.times import rfc3339
from operators.planning import actions
from operators.planning.actions import Blocked
from operators.planning.explain import HELD
from tests.unit.cli.game import worlds
from tests.unit.cli.game.golden import around, lease
from tests.unit.cli.game.worlds import fleet, subject


def first(found, circumstances=None):
    return explain(found, circumstances or around(found)).findings[0]


@pytest.mark.parametrize(
    ("make", "cause", "said"),
    [
        (worlds.waiting, "HookRunning", "Hook check is asked about 2 pods, the longest for 12m: arena-"),
        (
            worlds.errors,
            "HookErrors",
            "nothing but errors since 1970-01-12T14:46:40Z: metric players: $.count is not in",
        ),
        (worlds.partition, "PartitionReached", "partition 5 keeps 5 of 8"),
        (worlds.canary_pause, "CanaryPaused", "for a person to set updateStrategy.paused to false"),
        (worlds.user_pause, "Paused", "updateStrategy.paused: 8 pods are not updated"),
        (worlds.hook_failed, "CanaryHookFailed", "metric players: value 12"),
        (worlds.rolled_back, "CanaryRolledBack", "autoRollback: 8 of 8 pods are at the stable revision"),
        (worlds.on_delete, "OnDelete", "7 pods are updated when somebody deletes them"),
        (worlds.failing, "ContainerFailing", "container web with game:2: CrashLoopBackOff"),
        (worlds.refused, "InPlaceNotPossible", "/spec/template/spec/containers/0/env changed"),
        (worlds.unseen, "GenerationNotSeen", "Generation 2 was not seen by the operators for 45s"),
        (worlds.deleting, "Deleting", "finalizers keep.example.com hold it"),
        (worlds.rolling, "BudgetExhausted", "down are arena-"),
        (worlds.ordered_set, "OrderedReady", "the others wait for it"),
    ],
)
def test_ux_36_the_first_line_names_the_cause(make, cause, said):
    finding = first(make())
    assert finding.cause == cause
    assert said in finding.text
    assert finding.text.endswith(".")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"template": {"spec": {"containers": [{"name": "web", "image": ""}]}, "metadata": {"labels": {"app": "x"}}}},
         "InvalidSpec"),
        ({"updateStrategy": {"maxUnavailable": 0, "maxSurge": 0},
          "template": {"spec": {"containers": [{"name": "web", "image": "game:2"}]}}}, "NoBudget"),
        ({"updateStrategy": {"type": "HotPatchUpdate"},
          "template": {"spec": {"containers": [{"name": "web", "image": "game:2"}]}}}, "HotPatchNotEnabled"),
        ({"preInplaceUpdateStrategy": {"hook": {"templateName": "gone"}},
          "template": {"spec": {"containers": [{"name": "web", "image": "game:2"}]}}}, "HookTemplateMissing"),
        ({"updateStrategy": {"canary": {"steps": [{"partition": 1, "pause": {}}]}},
          "template": {"spec": {"containers": [{"name": "web", "image": "game:2"}]}}}, "InvalidCanaryStep"),
    ],
)  # fmt: skip
def test_ux_36_what_the_planner_refuses_is_the_first_line(change, cause):
    world = fleet().change(**change)
    for _ in range(3):
        world.one_pass()
    assert first(subject(world)).cause == cause


def test_ux_36_pods_that_cannot_be_scheduled_are_told_in_the_schedulers_words():
    world = fleet().scale(9)
    world.one_pass()
    name = next(n for n, p in world.cluster.pods.items() if p["status"]["phase"] == "Pending")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: cpu"}
    world.cluster.pods[name]["status"]["conditions"] = [condition]
    world.cluster.pods[name]["metadata"]["resourceVersion"] += "1"
    finding = first(subject(world))
    assert (finding.cause, "0/3 nodes: cpu" in finding.text) == ("PodUnschedulable", True)


@pytest.mark.parametrize(
    ("leases", "said"),
    [
        ([{"holder": "", "ago": 360.0}], "Lease game-operators/game-operators has no holder for 6m"),
        ([{"ago": 400.0}], "was not renewed for 6m40s, its holder was game-operators-0"),
    ],
)
def test_ux_37_operators_that_do_not_work_are_line_1_whatever_else_is_wrong(leases, said):
    found = worlds.hook_failed()
    finding = first(found, Circumstances(leases=tuple(lease(found.now, **one) for one in leases)))
    assert finding.cause == "OperatorsAbsent"
    assert said in finding.text
    assert finding.look == "kubectl -n game-operators get pods"


def test_a_lease_of_another_set_that_died_does_not_matter_while_one_lives():
    found = worlds.complete()
    leases = (lease(found.now), lease(found.now, holder="", ago=9999.0))
    assert explain(found, Circumstances(leases=leases)).healthy


def test_two_sets_of_operators_are_told_of():
    found = worlds.complete()
    finding = first(found, Circumstances(leases=(lease(found.now), lease(found.now))))
    assert finding.cause == "OperatorsSeveral"


@pytest.mark.parametrize(
    ("manager", "operation", "subresource", "said"),
    [
        ("kubectl-edit", "Update", "", "kubectl-edit (by hand)"),
        ("kubectl-patch", "Update", "", "kubectl-patch (by hand)"),
        ("kubectl", "Apply", "", "kubectl (by apply)"),
        ("kubectl-client-side-apply", "Update", "", "kubectl-client-side-apply (by apply)"),
        ("argocd-controller", "Apply", "", "argocd-controller (by argo-cd)"),
        ("kustomize-controller", "Apply", "", "kustomize-controller (by flux)"),
        ("kube-controller-manager", "Update", "scale", "kube-controller-manager (by an autoscaler)"),
        ("our-release-tool", "Update", "", "our-release-tool at"),
    ],
)
def test_ux_38_who_has_set_a_field_and_when(manager, operation, subresource, said):
    found = worlds.user_pause()
    fields = {"f:spec": {"f:updateStrategy": {"f:paused": {}}}}
    entry = {
        "manager": manager,
        "operation": operation,
        "subresource": subresource,
        "time": rfc3339(found.now - 480),
        "fieldsV1": fields,
    }
    body = {**found.body, "metadata": {**found.body["metadata"], "managedFields": [entry]}}
    finding = first(replace(found, body=body))
    assert f"spec.updateStrategy.paused was set by {said}" in finding.text
    assert "8m ago" in finding.text


def test_ux_39_healthy_is_one_sentence_with_its_time():
    found = explain(worlds.complete(), around(worlds.complete()))
    assert found.healthy
    assert found.verdict == "Nothing is wrong: complete for 60m."
    assert found.findings == ()


def test_ux_40_what_could_not_be_read_is_named():
    found = worlds.complete()
    told = explain(found, Circumstances(leases=None, nodes=None, unreadable=("Leases", "nodes")))
    assert told.unreadable == ("Leases", "nodes")
    assert told.healthy
    assert not any("Lease" in one or "node" in one for one in told.looked_at)


def test_warnings_of_others_are_told_while_they_are_fresh():
    found = worlds.complete()
    event = {
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/3 nodes are available",
        "lastTimestamp": rfc3339(found.now - 30),
        "involvedObject": {"kind": "Pod", "name": "arena-x"},
    }
    fresh = explain(found, replace(around(found), events=(event,)))
    assert "FailedScheduling of arena-x, 30s ago: 0/3 nodes are available." in [f.text for f in fresh.findings]
    stale = {**event, "lastTimestamp": rfc3339(found.now - 1200)}
    assert explain(found, replace(around(found), events=(stale,))).healthy


def test_a_quota_that_is_used_up_and_a_node_in_trouble_are_told():
    found = worlds.complete()
    quota = {"metadata": {"name": "pods"}, "status": {"hard": {"pods": "8"}, "used": {"pods": "8"}}}
    node = {
        "metadata": {"name": "node"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]},
    }
    told = explain(found, replace(around(found), quotas=(quota,), nodes=(node,)))
    assert [f.cause for f in told.findings] == ["QuotaExhausted", "NodeTrouble"]
    assert "Node node, with 8 pods of it, reports DiskPressure." in told.findings[1].text


def test_a_namespace_that_waits_for_a_protected_workload_names_the_label():
    found = worlds.complete()
    finding = first(found, replace(around(found), namespace={"status": {"phase": "Terminating"}}))
    assert finding.cause == "DeletionProtected"
    assert finding.look == "kubectl -n game label gd arena io.tencent.bcs.dev/deletion-allow=Always"


def test_the_planner_is_a_second_opinion():
    world = fleet().release(2)
    told = explain(subject(world), around(subject(world)))
    assert told.next_actions == ("store a revision arena-76944c75fb",)
    assert any("The status says Complete True (AllPodsUpdated)" in one for one in told.status_differs)


def test_refusals_that_only_the_operators_know_are_taken_from_the_status():
    world = fleet()
    blocked = next(c for c in world.status["conditions"] if c["type"] == "Blocked")
    blocked.update(status="True", reason="FailedScale", message="2 pods to create are refused: quota")
    finding = first(subject(world))
    assert finding.cause == "FailedScale"
    assert finding.text == "The operators say: 2 pods to create are refused: quota."


#: What merely goes on: nothing stops it, and the status says how far it has come.
GOES_ON = {"InPlaceUpdating", "InPlaceGrace", "CanaryStep"}


@pytest.mark.parametrize("reason", BlockedReason)
@pytest.mark.parametrize("waiting", [True, False])
def test_ux_36_no_reason_of_the_planner_is_passed_over(reason, waiting):
    found = worlds.rolling()
    one = Blocked(reason, f"something is {reason}", "arena-x", waiting=waiting)
    told = explain(replace(found, plan=replace(found.plan, blocked=(one,))), around(found))
    causes = {f.cause for f in told.findings if str(reason) in f.text}
    held = reason in HELD and waiting
    assert causes == (set() if waiting and (reason in GOES_ON or held) else {reason})


def test_every_action_of_the_planner_has_its_words():
    def leaves(kind):
        return {leaf for sub in kind.__subclasses__() for leaf in leaves(sub)} or {kind}

    # Classes with slots leave an empty twin of themselves behind.
    assert {a.__name__ for a in WORDS} == {a.__name__ for a in leaves(actions.Action)}
