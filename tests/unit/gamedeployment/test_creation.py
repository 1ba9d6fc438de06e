"""Creating pods: which version, which ids, which index.

Rules: docs/spec/gamedeployment.md 6.3, 6.6, and 10, cases 1 to 20.
"""

import pytest

from operators.api import keys
from operators.planning import actions as act
from operators.planning.identity import free_indexes
from operators.planning.scaling import AT_ONCE
from operators.planning.views import pod_view
from tests.unit.gamedeployment.fleets import Fleet, image
from tests.unit.gamedeployment.observations import (
    NEW,
    NOW,
    OLD,
    condition,
    created,
    decide,
    deleted,
    new,
    of_type,
    old,
    pod,
    raw_pod,
    revision,
    template,
    told,
)

INDEX = keys.INDEX_ID_ANNOTATION


def indexed(start, end, prefix="tkex.bkbcs.tencent.com/"):
    """The annotations that switch index injection on."""
    text = f'{{"podStartIndex": {start}, "podEndIndex": {end}}}'
    return {prefix + "gamedeployment-index-on": "true", prefix + "gamedeployment-index-range": text}


def indexes(fleet):
    """Indexes of the pods that are not gone yet, terminating ones included; failed ones hold none."""
    pods = fleet.cluster.pods.values()
    return sorted(int(p["metadata"]["annotations"][INDEX]) for p in pods if p["status"]["phase"] != "Failed")


def environment(container):
    return [(e["name"], e["value"]) for e in container.get("env", ())]


# ---- which pods


def test_gd_1_a_new_workload_gets_its_revision_then_its_pods_and_a_status():
    fleet = Fleet(3)
    fleet.one_pass()
    assert [type(a) for a in fleet.cluster.log] == [act.CreateRevision]
    fleet.settle()
    assert [type(a) for a in fleet.cluster.log[1:4]] == [act.CreatePod] * 3
    assert (len(fleet.names), len(fleet.cluster.revisions)) == (3, 1)
    shown = {k: fleet.status[k] for k in ("replicas", "readyReplicas", "updatedReplicas", "updatedReadyReplicas")}
    assert set(shown.values()) == {3}
    assert fleet.update in fleet.cluster.revisions


@pytest.mark.parametrize(
    ("replicas", "wanted"),
    [
        pytest.param(3, [OLD], id="gd_2"),
        pytest.param(4, [OLD, OLD], id="gd_3"),
        pytest.param(5, [OLD, OLD, NEW], id="gd_4"),
    ],
)
def test_gd_2_to_4_pods_that_the_partition_lacks_are_created_first_and_old(replicas, wanted):
    """Two new pods live, both that the partition 2 keeps are lost: one, two, three pods are missing."""
    decision = decide(new("a", "b"), {"replicas": replicas}, strategy={"partition": 2})
    assert created(decision) == wanted
    names = [a.name for a in of_type(decision, act.CreatePod)]
    assert names == sorted(names), "ids are handed out in sorted order"


@pytest.mark.parametrize(("free", "wanted"), [(0, []), (2, [OLD, OLD])])
def test_gd_5_where_identities_run_out_the_old_pods_come_first(free, wanted):
    """The case speaks of ids, which never run out here (spec 6.3 [REQ]); what can run out are indexes."""
    leaving = [pod(f"x{i}", OLD, leaving=True, index=i) for i in range(5 - free)]
    held = [pod("a", index=5), pod("b", index=6)]
    decision = decide([*held, *leaving], {"replicas": 5}, strategy={"partition": 2}, annotations=indexed(0, 7))
    assert created(decision) == wanted


def test_gd_6_no_pod_is_created_without_an_index():
    """The Go operator creates the third one without (G); it is not created (R), and why is said."""
    leaving = pod("gone", OLD, leaving=True, index=3)
    decision = decide([leaving], {"replicas": 3}, annotations=indexed(1, 4), status={})
    bodies = [a.body["metadata"]["annotations"][INDEX] for a in of_type(decision, act.CreatePod)]
    assert bodies == ["1", "2"]
    assert told(decision, "IndexesExhausted") == [
        "3 pods to create, 2 free indexes in 1..3: waiting for pods to leave: gd-gone"
    ]


def test_gd_7_ids_are_new_and_differ_within_a_batch():
    decision = decide(new("bbbbb", "ccccc", "ddddd"), {"replicas": 6})
    bodies = [a.body["metadata"] for a in of_type(decision, act.CreatePod)]
    ids = {b["labels"][keys.INSTANCE_LABEL] for b in bodies}
    assert len(ids) == 3
    assert not ids & {"bbbbb", "ccccc", "ddddd"}
    assert all(len(i) == 5 and set(i) <= set("bcdfghjklmnpqrstvwxz2456789") for i in ids)
    assert [b["name"] for b in bodies] == [f"gd-{b['labels'][keys.INSTANCE_LABEL]}" for b in bodies]
    assert {b["generateName"] for b in bodies} == {"gd-"}


def test_gd_7_ids_of_terminating_pods_are_taken_too():
    def drawn(taken):
        decision = decide([pod(taken, leaving=True)], {"replicas": 1}, status={})
        return of_type(decision, act.CreatePod)[0].name.removeprefix("gd-")

    first = drawn("zzzzz")
    assert drawn("yyyyy") == first, "the same draw, as long as nobody holds what is drawn"
    assert drawn(first) != first


def test_gd_17_absent_replicas_are_one():
    """The Go operator ends with "spec.Replicas is nil" (G); the documented default is applied in code, too (1.2)."""
    decision = decide([], {"replicas": None}, status={})
    assert len(created(decision)) == 1
    assert condition(decision, "Blocked")["status"] == "False"


def test_what_a_slip_of_the_keyboard_asks_for_is_created_bit_by_bit():
    decision = decide([], {"replicas": 1_000_000}, status={})
    assert len(created(decision)) == AT_ONCE


def test_gd_20_the_first_creation_goes_in_batches():
    fleet = Fleet(10, scaleStrategy={"createBatch": "50%"})
    fleet.one_pass()
    fleet.one_pass()
    fleet.one_pass()
    assert len(fleet.names) == 5, "the first five are not ready yet"
    assert fleet.told("CreateBatch")[0].startswith(
        "5 of 10 pods are created, the next 5 (createBatch 50%) when these are ready: "
    )
    fleet.kubelets()
    fleet.one_pass()
    assert len(fleet.names) == 10
    fleet.settle()
    fleet.scale(20)
    fleet.one_pass()
    assert len(fleet.names) == 20, "a scale-out is no first creation"


# ---- indexes


def test_gd_8_free_indexes_are_those_nobody_holds():
    held = [pod("a", index=1), pod("b", index=2), pod("c", index=3)]
    assert free_indexes(range(1, 5), held, 9) == [4]
    assert free_indexes(range(1, 10**15), held, 2) == [4, 5], "a range is as wide as its user likes"
    assert free_indexes(range(1, 5), [pod("a", index=2, leaving=True)], 9) == [1, 3, 4], (
        "a terminating pod holds its own"
    )


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        pytest.param(
            {"tkex.bkbcs.tencent.com/gamedeployment-index-on": "true"},
            "gamedeployment gd inject index on, get index-range failed",
            id="gd_9",
        ),
        pytest.param(
            {
                "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
                "tkex.bkbcs.tencent.com/gamedeployment-index-range": "1-2",
            },
            "gamedeployment gd index range '1-2' is not valid JSON",
            id="gd_10",
        ),
        pytest.param(indexed(3, "1e999"), "gamedeployment gd index range", id="gd_10-infinite"),
        pytest.param(indexed(3, 2), "gamedeployment gd invalid index range", id="gd_11"),
        pytest.param(indexed(1, 2), "deploy gd scale replicas gt available indexs", id="gd_12"),
    ],
)
def test_gd_9_to_12_a_range_that_cannot_be_used_scales_nothing(annotations, message):
    for pods in ([], new("a", "b", "c", "d")):
        decision = decide(pods, {"replicas": 2}, annotations=annotations)
        assert not created(decision)
        assert not of_type(decision, act.DeletePod)
        blocked = condition(decision, "FailedScale")
        assert blocked["message"].startswith(message)
        assert condition(decision, "Blocked")["reason"] == "InvalidIndexRange"


@pytest.mark.parametrize(
    "prefix",
    [pytest.param("tkex.bkbcs.tencent.com/", id="gd_13"), pytest.param("tkex.bkbc.tencent.com/", id="gd_14")],
)
def test_gd_13_14_every_container_is_told_its_index(prefix):
    containers = [image(1), {**image(1, "side"), "env": [{"name": "MODE", "value": "arena"}]}]
    template = {"spec": {"containers": containers, "initContainers": [image(1, "init")]}}
    fleet = Fleet(2, annotations=indexed(100, 110, prefix), template=template).created()
    assert indexes(fleet) == [100, 101]
    for body in fleet.cluster.pods.values():
        index = ("POD_INDEX", body["metadata"]["annotations"][INDEX])
        assert environment(body["spec"]["containers"][0]) == [index]
        assert environment(body["spec"]["containers"][1]) == [("MODE", "arena"), index], "appended as the last one"
        assert environment(body["spec"]["initContainers"][0]) == []
    assert "env" not in fleet.spec["template"]["spec"]["containers"][0]


def test_gd_15_a_rolling_update_with_a_range_just_large_enough():
    def unique(fleet):
        found = indexes(fleet)
        assert len(found) == len(set(found)) == len(fleet.cluster.pods)
        assert set(found) <= set(range(100, 110))

    fleet = Fleet(10, annotations=indexed(100, 110)).created()
    fleet.release(2).settle(watch=unique)
    assert len(fleet.at(2)) == 10
    assert indexes(fleet) == list(range(100, 110))


def test_gd_15_surge_beyond_the_range_does_without():
    fleet = Fleet(3, annotations=indexed(0, 3), strategy={"maxSurge": 1}).created()
    fleet.release(2)
    fleet.turns(3, watch=lambda f: len(f.cluster.pods) <= 3 or pytest.fail("a pod beyond the range"))
    fleet.settle()
    assert len(fleet.at(2)) == 3
    assert indexes(fleet) == [0, 1, 2]


def test_gd_16_an_evicted_pod_gives_its_index_back_at_once():
    fleet = Fleet(3, annotations=indexed(100, 103)).created()
    lost = fleet.names[1]
    index = fleet.cluster.pods[lost]["metadata"]["annotations"][INDEX]
    fleet.cluster.held.add(lost)  # its node never confirms that it is gone
    fleet.cluster.fail_pod(lost)
    fleet.one_pass()
    (replacement,) = fleet.done(act.CreatePod)[3:]
    assert replacement.body["metadata"]["annotations"][INDEX] == index
    assert [(a.name, a.why) for a in fleet.done(act.DeletePod)] == [(lost, "failedPod")]
    assert fleet.settle().status["readyReplicas"] == 3


def odd(container=(), pod=(), **metadata):
    """A template with something in it that has not the shape it should have."""
    containers = [{"name": "web", "image": "game:2", **dict(container)}]
    return {"metadata": {"labels": {"app": "game"}, **metadata}, "spec": {"containers": containers, **dict(pod)}}


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (odd(pod={"initContainers": {"name": "a"}}), "spec.initContainers must be a list"),
        (odd(pod={"volumes": "data"}), "spec.volumes must be a list"),
        (odd(pod={"readinessGates": 5}), "spec.readinessGates must be a list"),
        (odd({"env": {"A": "1"}}), "spec.containers[0].env must be a list"),
        (odd(annotations=["a"]), "metadata.annotations must be an object"),
        (odd(annotations={"a": 5}), "metadata.annotations[a] must be a string"),
        (odd(finalizers="x"), "metadata.finalizers must be a list"),
    ],
)
def test_a_template_of_the_wrong_shape_is_refused_in_words(shape, said):
    """The forgotten dash of a list: nothing is touched, and describe says which field it is."""
    decision = decide(old("a"), {"replicas": 2, "template": shape})
    assert decision.actions == ()
    assert condition(decision, "Blocked")["reason"] == "InvalidSpec"
    assert said in condition(decision, "Blocked")["message"]


@pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate"])
@pytest.mark.parametrize(
    "shape",
    [
        odd({"image": 5, "imagePullPolicy": {}}),
        odd({"resources": {"limits": "500m", "requests": {"cpu": 1}}}),
        odd({"resources": {"limits": {"cpu": "1e999999999"}}}),
        odd(pod={"initContainers": ["a", None], "serviceAccount": {"a": 1}}),
    ],
)
def test_what_only_the_api_server_can_judge_is_put_before_it(shape, type_):
    known = [revision(OLD, 1, template(1)), revision(NEW, 2, shape)]
    how = {"strategy": {"type": type_}, "annotations": indexed(0, 9), "revisions": known}
    assert created(decide([], {"replicas": 1, "template": shape}, **how)) == [NEW]
    assert decide(old("a", "b"), {"replicas": 2, "template": shape}, **how).status.dump()["updateRevision"] == NEW


def test_pods_that_their_node_refuses_are_not_made_again_and_again():
    """A sysctl that the node forbids, a device that it lacks: the next pod fails just as fast."""
    fleet = Fleet(3).settle()
    refused, *others = fleet.names
    fleet.cluster.refuse_pod(refused)
    fleet.settle()
    assert (fleet.names, fleet.gone()) == (sorted([refused, *others]), [])
    assert fleet.told("PodFailing") == [
        f"pod {refused} failed right after it was created: SysctlForbidden; it is replaced at 1970-01-12T13:46:50Z"
    ]
    assert fleet.condition("Blocked")["reason"] == "PodFailing"
    fleet.after(9)
    assert fleet.gone() == []
    fleet.after(1)
    assert (fleet.gone(), len(fleet.ready), fleet.told("PodFailing")) == ([refused], 3, [])


def test_where_all_pods_are_refused_the_rest_is_longer():
    """So that it is two pods a second at most, however many replicas there are."""
    refused = [pod(str(i), phase="Failed", age=40.0) for i in range(100)]
    decision = decide(refused, {"replicas": 100})
    assert (decision.actions, decision.wake_after) == ((), 10.0)
    assert len(deleted(decide(refused, {"replicas": 100}, now=NOW + 10))) == 100


def test_a_pod_that_had_run_for_a_while_is_replaced_at_once_and_its_end_is_told():
    body = raw_pod("a", phase="Failed", age=400.0)
    body["status"] |= {"reason": "Evicted", "message": "The node was low on resource: memory."}
    decision = decide([pod_view(body)], {"replicas": 1})
    (gone,) = of_type(decision, act.DeletePod)
    assert gone.ended == "Evicted: The node was low on resource: memory."
    assert len(created(decision)) == 1


def test_a_container_that_ended_tells_why():
    body = raw_pod("a", age=400.0)
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    body["status"] = {"phase": "Failed", "containerStatuses": [{"name": "web", "state": ended}]}
    (gone,) = of_type(decide([pod_view(body)], {"replicas": 1}), act.DeletePod)
    assert gone.ended == "container web: OOMKilled, exit code 137"


def test_an_index_survives_an_update_in_place():
    fleet = Fleet(2, annotations=indexed(100, 110), strategy={"type": "InplaceUpdate"}).created()
    before = {n: p["metadata"]["annotations"][INDEX] for n, p in fleet.cluster.pods.items()}
    fleet.release(2).settle()
    assert {n: p["metadata"]["annotations"][INDEX] for n, p in fleet.cluster.pods.items()} == before
    assert len(fleet.at(2)) == 2


def test_switched_on_later_only_new_pods_get_an_index():
    fleet = Fleet(2).created()
    fleet.cluster.workload["metadata"]["annotations"] = indexed(100, 110)
    fleet.scale(3).settle()
    found = [p["metadata"]["annotations"].get(INDEX) for p in fleet.cluster.pods.values()]
    assert sorted(i for i in found if i) == ["100"]
    assert found.count(None) == 2


def test_a_scale_out_of_old_and_new_pods_keeps_their_templates_apart():
    decision = decide([*old("a"), *new("b")], {"replicas": 4}, strategy={"partition": 2})
    images = [a.body["spec"]["containers"][0]["image"] for a in of_type(decision, act.CreatePod)]
    assert (created(decision), images) == ([OLD, NEW], ["game:1", "game:2"])
