"""Updates in place of a set's pods (docs/spec/gamestatefulset.md 3, and 9.9).

Where the Go operator leaves pods unready for ever, the record on the pod is shown as it left it.
"""

import json

import pytest

from operators.api import keys
from operators.planning import actions as act
from tests.unit.gamestatefulset.observations import (
    CHECK,
    NOW,
    condition,
    decide,
    deeds,
    known,
    look,
    of_type,
    patched,
    pod,
    pods,
    raw_pod,
    revision,
    started,
    state,
    template,
    told,
    updated,
)
from tests.unit.gamestatefulset.sets import Set

GRACE, STATE = keys.INPLACE_GRACE_ANNOTATION, keys.INPLACE_STATE_ANNOTATION
PARALLEL = {"podManagementPolicy": "Parallel"}
BOTH = ("a", "b")


def in_place(held, spec=None, *, policy="DisOrdered", grace=0, ineligible="Block", unavailable=1, **how):
    """A pass over a set of as many replicas as there are pods."""
    details = {"policy": policy, "gracePeriodSeconds": grace, "onIneligible": ineligible}
    strategy = {"type": "InplaceUpdate", "inPlaceUpdateStrategy": details}
    strategy["rollingUpdate"] = {"maxUnavailable": unavailable}
    return decide(held, {"replicas": len(held), **(spec or {})}, strategy=strategy, **how)


# ---- what can change


def test_gss_81_a_pod_of_an_unknown_revision_is_not_touched_and_the_rule_is_named():
    decision = in_place(pods(2, "gone", image="nginx:B"), revisions="D")
    assert deeds(decision) == []
    (text,) = told(decision, "InPlaceNotPossible")
    assert text.startswith("pod foo-1 cannot be updated in place: (the pod's revision is unknown) changed; only images")
    assert condition(decision, "Blocked")["status"] == "True"


def changed(**spec):
    """The template of D with more than another image."""
    return template("D", **spec)


@pytest.mark.parametrize(
    ("new", "path"),
    [
        pytest.param(changed(initContainers=[{"name": "i", "image": "i:2"}]), "/initContainers", id="init container"),
        pytest.param(changed(containers=("nginx", "side")), "/containers", id="added container"),
        pytest.param(changed(containers=("side",)), "/containers/0/name", id="another container"),
        pytest.param(changed(nodeSelector={"zone": "b"}), "/nodeSelector", id="node"),
        pytest.param(changed(terminationGracePeriodSeconds=5), "/terminationGracePeriodSeconds", id="grace"),
    ],
)
@pytest.mark.parametrize("more", [{}, PARALLEL])
def test_gss_84_what_is_not_an_image_is_not_possible_and_no_hook_is_asked_for_it(new, path, more):
    """The Go operator asks the hook first, takes the pod out of service, and then fails (spec 3.7)."""
    spec = {"template": new, "preInplaceUpdateStrategy": CHECK, **more}
    decision = in_place(pods(3, "B"), spec, revisions=[*known("AB"), revision("D", 3, new)])
    assert (deeds(decision), started(decision)) == ([], [])
    assert f"/spec/template/spec{path} changed" in told(decision, "InPlaceNotPossible")[0]
    assert (decision.status.dump()["replicas"], decision.status.dump()["readyReplicas"]) == (3, 3)


@pytest.mark.parametrize(
    "more", [{"env": [{"name": "A", "value": "1"}]}, {"resources": {"limits": {"cpu": "2"}}}, {"args": ["-x"]}]
)
def test_gss_84_nothing_of_a_container_but_its_image(more):
    new = template("D")
    new["spec"]["containers"][0].update(more)
    decision = in_place(pods(3, "B"), {"template": new}, revisions=[*known("AB"), revision("D", 3, new)])
    assert deeds(decision) == []
    assert f"/spec/template/spec/containers/0/{next(iter(more))} changed" in told(decision, "InPlaceNotPossible")[0]


def test_gss_84_containers_in_another_order_are_not_eligible():
    old, new = template("B", containers=BOTH), template("D", containers=("b", "a"))
    held = pods(2, "B", images=dict.fromkeys(BOTH, "nginx:B"))
    revisions = [revision("B", 1, old), revision("D", 2, new)]
    decision = in_place(held, {"template": new}, revisions=revisions)
    assert deeds(decision) == []
    assert "/spec/template/spec/containers/0/name changed" in told(decision, "InPlaceNotPossible")[0]


def test_gss_86_recreate_replaces_what_cannot_change_in_place_and_asks_as_for_a_deletion():
    new = changed(nodeSelector={"zone": "b"})
    how = {"revisions": [*known("AB"), revision("D", 3, new)], "ineligible": "Recreate"}
    assert deeds(in_place(pods(3, "B"), {"template": new}, **how)) == [("DeletePod", "foo-2")]
    hooks = {"template": new, "preDeleteUpdateStrategy": CHECK, "preInplaceUpdateStrategy": CHECK}
    decision = in_place(pods(3, "B"), hooks, **how)
    assert (deeds(decision), started(decision)) == ([], ["predelete-B-2-check"])


@pytest.mark.parametrize("grace", [0, 30])
def test_gss_83_labels_and_annotations_change_at_once_and_the_pod_stays_ready(grace):
    old = template("B", metadata={"labels": {"foo": "bar", "season": "1"}, "annotations": {"note": "x"}})
    new = template("B", metadata={"labels": {"foo": "bar", "season": "2"}, "annotations": {"more": "y"}})
    revisions = [revision("B", 1, old), revision("D", 2, new)]
    decision = in_place(pods(3, "B"), {"template": new}, revisions=revisions, grace=grace)
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert (action.name, action.images, action.close_gate) == ("foo-2", {}, False)
    assert action.labels == {"season": "2", keys.REVISION_LABEL: "D"}
    assert {k: v for k, v in action.annotations.items() if k != STATE} == {"note": None, "more": "y"}


def test_gss_83_in_parallel_metadata_costs_no_budget():
    new = template("B", metadata={"annotations": {"more": "y"}, "labels": {"foo": "bar"}})
    revisions = [revision("B", 1), revision("D", 2, new)]
    decision = in_place(pods(4, "B"), {"template": new, **PARALLEL}, revisions=revisions)
    assert updated(decision) == ["foo-3", "foo-2", "foo-1", "foo-0"]


# ---- grace


def in_grace(since, ordinal=0, seconds=30):
    """A pod that was taken out of its services, and whose image is still the old one."""
    grace = {"revision": "D", "containerImages": {"nginx": "nginx:D"}, "graceSeconds": seconds}
    annotations = {**state("D", since=since), GRACE: json.dumps(grace)}
    return pod(ordinal, "D", image="nginx:B", gate=False, annotations=annotations)


def test_gss_90_what_is_left_of_the_grace_period_is_slept_through():
    """The Go operator rounds up to whole seconds (G); here the pass comes at the very moment, never before it."""
    decision = in_place([in_grace(NOW - 18)], grace=30, now=NOW - 0.3)
    assert decision.wake_after == pytest.approx(12.3)
    assert patched(decision) == {}
    assert told(decision, "InPlaceGrace")[0].startswith("pod foo-0: grace period of 30 s until ")
    assert patched(in_place([in_grace(NOW - 18)], grace=30, now=NOW + 12)) == {"foo-0": {"nginx": "nginx:D"}}


def test_gss_89_a_pod_in_grace_is_down_and_no_other_is_taken():
    for more in ({}, PARALLEL):
        assert updated(in_place([pod(0, "B"), in_grace(NOW - 5, 1)], more, grace=30)) == []


# ---- completion


@pytest.mark.parametrize("recorded", [("id-nginx:D", "c-before"), ("id-nginx:B", "c-before")])
def test_gss_92_a_tag_of_the_same_digest_completes_when_the_container_is_another(recorded):
    restarted = pod(0, "D", gate=False, annotations=state("D", nginx=recorded), since=NOW - 20)
    decision = in_place([restarted])
    assert [(a.name, a.ready) for a in of_type(decision, act.SetGate)] == [("foo-0", True)]


def test_gss_92_before_the_restart_it_does_not():
    same = pod(0, "D", gate=False, annotations=state("D", nginx=("id-nginx:D", "c-0")), since=NOW - 500)
    decision = in_place([same])
    assert of_type(decision, act.SetGate) == []
    assert told(decision, "InPlaceUpdating") == ["pod foo-0: container nginx with nginx:D: not ready yet"]


def test_gss_92_from_release_to_the_end():
    story = Set(2, type="InplaceUpdate").settle()
    story.cluster.digests["game:2"] = "id-game:1"
    before = {story.uid(0), story.uid(1)}
    story.release(2).settle()
    assert story.columns() == (2, 2, 2, 2)
    assert {story.uid(0), story.uid(1)} == before
    assert story.condition("Complete")[0]


# ---- the order of containers


TWO = [revision("B", 1, template("B", containers=BOTH)), revision("D", 2, template("D", containers=BOTH))]


def containers(a, b, **how):
    """The pod 0 with the containers a and b in these versions."""
    return pod(0, how.pop("revision", "D"), images={"a": f"nginx:{a}", "b": f"nginx:{b}"}, **how)


def ordered(held, policy, **how):
    spec = {"template": template("D", containers=BOTH)}
    return in_place([held], spec, policy=policy, revisions=how.pop("revisions", TWO), **how)


def under_way(a="D", b="B", *, before="c-before", ran=None, unready=(), since=NOW - 20):
    """Container a was patched 50 seconds ago; it has started since, unless ``before`` is the one that runs."""
    record = state("D", a=("id-nginx:B", before))
    return containers(a, b, gate=False, annotations=record, unready=unready, ran=ran or {}, since=since)


def test_gss_94_disordered_changes_all_images_in_one_patch():
    decision = ordered(containers("B", "B", revision="B"), "DisOrdered")
    assert patched(decision) == {"foo-0": {"a": "nginx:D", "b": "nginx:D"}}


@pytest.mark.parametrize("policy", ["OrderedReady", "OrderedUpdated"])
def test_gss_95_96_the_first_container_in_order_comes_first(policy):
    decision = ordered(containers("B", "B", revision="B"), policy)
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert (action.images, action.close_gate) == ({"a": "nginx:D"}, True)


def test_gss_95_ordered_updated_goes_on_although_the_first_is_not_ready():
    assert patched(ordered(under_way(unready=("a",)), "OrderedUpdated")) == {"foo-0": {"b": "nginx:D"}}
    not_yet = under_way(ran={"a": "id-nginx:B"}, before="c-0", since=NOW - 500)
    assert patched(ordered(not_yet, "OrderedUpdated")) == {}, "it does not run the new image yet"


def test_gss_96_ordered_ready_waits_for_the_first_to_be_ready():
    decision = ordered(under_way(unready=("a",)), "OrderedReady")
    assert patched(decision) == {}
    assert told(decision, "InPlaceUpdating") == ["pod foo-0: container a with nginx:D: not ready yet"]
    assert patched(ordered(under_way(), "OrderedReady")) == {"foo-0": {"b": "nginx:D"}}


def test_gss_96_a_template_that_repairs_the_first_patches_it_again():
    fixed = [*TWO, revision("E", 3, template("E", containers=BOTH))]
    stuck = under_way(unready=("a",))
    how = {"policy": "OrderedReady", "revisions": fixed}
    decision = in_place([stuck], {"template": template("E", containers=BOTH)}, **how)
    assert patched(decision) == {"foo-0": {"a": "nginx:E"}}
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert action.labels == {keys.REVISION_LABEL: "E"}


@pytest.mark.parametrize("policy", ["OrderedReady", "OrderedUpdated"])
def test_gss_97_what_is_on_the_pod_is_enough_to_go_on_with_the_second(policy):
    """A pass knows nothing but what it sees: the operator may have been restarted at any moment."""
    (action,) = of_type(ordered(under_way(), policy), act.UpdatePodInPlace)
    assert (action.images, action.begins) == ({"b": "nginx:D"}, False)
    recorded = json.loads(action.annotations[STATE])
    assert recorded["revision"] == "D"
    assert set(recorded["lastContainerStatuses"]) == {"a", "b"}
    finished = containers("D", "D", gate=False, annotations=action.annotations, id="c-after", since=NOW + 5)
    done = ordered(finished, policy, now=NOW + 10)
    assert [(a.name, a.ready) for a in of_type(done, act.SetGate)] == [("foo-0", True)]


def test_gss_99_gates_open_although_an_earlier_ordinal_holds_everything_up():
    held = [pod(0, "D", ready=False), pod(1, "D"), pod(2, "D", gate=None)]
    assert [a.name for a in of_type(in_place(held), act.SetGate)] == ["foo-2"]
    missing = [pod(0, "D", leaving=True), pod(2, "D", gate=None)]
    assert [a.name for a in of_type(in_place(missing, {"replicas": 3}), act.SetGate)] == ["foo-2"]


def test_the_builders_pods_are_what_they_seem():
    assert look([pod(0)]).pods[0].ready
    assert raw_pod(0, gate=None)["status"]["conditions"][0]["status"] == "False"
