"""Updates in place (docs/spec/gamedeployment.md 3, 7.1, and 10, cases 73 to 90)."""

import json

import pytest

from operators.api import keys
from operators.planning import actions as act
from tests.unit.gamedeployment.fleets import Fleet, image
from tests.unit.gamedeployment.observations import (
    NEW,
    OLD,
    condition,
    decide,
    deleted,
    new,
    of_type,
    old,
    pod,
    revision,
    template,
    told,
    updated,
)

STATE, GRACE = keys.INPLACE_STATE_ANNOTATION, keys.INPLACE_GRACE_ANNOTATION
IN_PLACE = {"type": "InplaceUpdate"}
CONTAINERS = ("one", "two", "three")


def strategy(grace=0, policy="DisOrdered", **more):
    return {**IN_PLACE, "inPlaceUpdateStrategy": {"gracePeriodSeconds": grace, "policy": policy}, **more}


def fleet_of(replicas=2, *, grace=0, policy="DisOrdered", budget=None, **how):
    """A created fleet that is updated in place."""
    return Fleet(replicas, strategy=strategy(grace, policy, **(budget or {})), **how).created()


def several(*versions):
    """A template of the containers one, two, three in these versions."""
    return {"spec": {"containers": [image(v, n) for n, v in zip(CONTAINERS, versions, strict=True)]}}


def patched(fleet):
    """The images of every patch so far, patches without images left out."""
    return [dict(a.images) for a in fleet.done(act.UpdatePodInPlace) if a.images]


def restarts(fleet):
    return {n: fleet.cluster.pod(n).restarts for n in fleet.names}


def gates(fleet):
    return {n: fleet.cluster.pod(n).gate for n in fleet.names}


def set_ready(fleet, pod_name, container, *, ready):
    """The probe of one container changes its mind."""
    body = fleet.cluster.pods[pod_name]
    next(s for s in body["status"]["containerStatuses"] if s["name"] == container)["ready"] = ready
    fleet.cluster._settle(body)


# ---- without and with a grace period


def test_gd_75_without_grace_images_change_in_the_first_patch():
    decision = decide([pod("a", OLD, gate=True)], {"replicas": 1}, strategy=IN_PLACE)
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert action.images == {"web": "game:2"}
    assert action.labels == {keys.REVISION_LABEL: NEW}
    assert (action.begins, action.close_gate) == (True, True)
    assert set(action.annotations) == {STATE}
    state = json.loads(action.annotations[STATE])
    assert (state["revision"], state["updateTimestamp"]) == (NEW, "1970-01-12T13:46:40Z")
    assert state["lastContainerStatuses"]["web"]["imageID"] == "id-game:1"


def test_gd_73_with_grace_the_first_patch_changes_no_image():
    fleet = fleet_of(1, grace=10)
    fleet.release(2)
    fleet.one_pass()
    decision = fleet.one_pass()
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert action.images == {}
    assert action.labels == {keys.REVISION_LABEL: fleet.update}
    assert set(action.annotations) == {STATE, GRACE}
    grace = json.loads(action.annotations[GRACE])
    assert (grace["revision"], grace["containerImages"], grace["graceSeconds"]) == (fleet.update, {"web": "game:2"}, 10)
    assert fleet.one_pass().wake_after == 10
    assert (fleet.at(1), fleet.status["updatedReplicas"]) == (fleet.names, 1), "counted before its containers change"


def test_gd_74_the_pod_leaves_its_services_first_and_keeps_its_name_and_address():
    fleet = fleet_of(1, grace=30)
    (name,) = fleet.names
    fleet.release(2).settle()
    assert gates(fleet) == {name: False}
    assert fleet.ready == []
    assert fleet.told("InPlaceGrace")[0].startswith(f"pod {name}: grace period of 30 s until ")
    fleet.after(29)
    assert patched(fleet) == []
    fleet.after(1)
    assert patched(fleet) == [{"web": "game:2"}]
    assert (fleet.ready, gates(fleet), restarts(fleet)) == ([name], {name: True}, {name: 1})
    annotations = fleet.cluster.pods[name]["metadata"]["annotations"]
    assert (GRACE in annotations, STATE in annotations) == (False, True)
    assert fleet.condition("Complete")["status"] == "True"


def test_gd_79_a_tag_of_the_same_digest_completes_after_the_restart():
    fleet = fleet_of(2)
    fleet.cluster.digests["game:2"] = "id-game:1"
    fleet.release(2).settle()
    assert set(restarts(fleet).values()) == {1}
    assert (len(fleet.ready), len(fleet.at(2))) == (2, 2)


def test_gd_80_a_rollback_during_grace_touches_no_container():
    fleet = fleet_of(2, grace=30)
    fleet.release(2).settle()
    assert len(fleet.ready) == 1
    fleet.release(1).settle()
    assert (patched(fleet), set(restarts(fleet).values()), len(fleet.ready)) == ([], {0}, 2)
    assert not any(GRACE in p["metadata"]["annotations"] for p in fleet.cluster.pods.values())
    fleet.after(60)
    assert patched(fleet) == []
    assert fleet.condition("Complete")["status"] == "True"


def test_gd_81_two_changes_during_grace_are_both_made():
    fleet = fleet_of(1, grace=10, template=several(1, 1, 1))
    fleet.change(template=several(2, 1, 1)).settle()
    fleet.after(4)
    fleet.change(template=several(2, 2, 1)).settle()
    assert patched(fleet) == []
    fleet.after(6)  # the pod has been out of its services for 10 seconds
    images = [c["image"] for c in next(iter(fleet.cluster.pods.values()))["spec"]["containers"]]
    assert images == ["game:2", "game:2", "game:1"]
    assert patched(fleet) == [{"one": "game:2", "two": "game:2"}]
    assert len(fleet.ready) == 1


def test_gd_82_a_pause_during_grace_lets_that_pod_finish_and_starts_no_other():
    fleet = fleet_of(3, grace=10)
    fleet.release(2).settle()
    fleet.patch(paused=True).settle()
    fleet.after(10)
    assert (len(fleet.at(2)), len(fleet.at(1)), len(fleet.ready)) == (1, 2, 3)
    fleet.after(100)
    assert len(fleet.at(2)) == 1
    assert fleet.told("Paused") == ["updateStrategy.paused: 2 pods are not updated"]


@pytest.mark.parametrize("paused", [False, True])
def test_gd_80_a_pod_in_grace_that_runs_no_version_whole_goes_back_to_the_one_it_came_from(paused):
    fleet = fleet_of(3, policy="OrderedReady", template=several(1, 1, 1))
    fleet.change(template=several(2, 2, 1))
    fleet.one_pass()
    fleet.one_pass()
    assert patched(fleet) == [{"one": "game:2"}]
    (name,) = set(fleet.names) - set(fleet.ready)
    fleet.change(template=several(3, 3, 1), updateStrategy=strategy(30)).settle()
    assert [c["image"] for c in fleet.cluster.pods[name]["spec"]["containers"]] == ["game:2", "game:1", "game:1"]
    kept = {"paused": True} if paused else {"partition": 3}
    fleet.change(template=several(4, 4, 1), updateStrategy=kept).settle()
    assert patched(fleet) == [{"one": "game:2"}], "the grace period that it was promised goes on"
    fleet.after(30)
    assert (len(fleet.ready), len(fleet.at(1)), restarts(fleet)[name]) == (3, 3, 2)
    assert not any(GRACE in p["metadata"]["annotations"] for p in fleet.cluster.pods.values())
    assert {p["metadata"]["labels"][keys.REVISION_LABEL] for p in fleet.cluster.pods.values()} == {
        fleet.status["currentRevision"]
    }


@pytest.mark.parametrize(
    ("more", "label", "images"),
    [({}, OLD, {"web": "game:1"}), ({"env": [{"name": "A", "value": "1"}]}, None, {"web": "game:9"})],
)
def test_a_pod_in_grace_that_cannot_go_back_in_place_ends_the_update_it_is_in(more, label, images):
    own = {
        STATE: json.dumps({"revision": "gd-x", "updateTimestamp": "1970-01-12T13:45:00Z", "containers": ["web"]}),
        GRACE: json.dumps({"revision": "gd-x", "containerImages": {"web": "game:9"}, "graceSeconds": 5}),
    }
    waiting = pod("a", "gd-x", image="game:7", gate=False, ready=False, annotations=own)
    templates = {OLD: template(1), "gd-x": template(9), NEW: template(2)}
    templates["gd-x"]["spec"]["containers"][0].update(more)
    revisions = [revision(name, number, t) for number, (name, t) in enumerate(templates.items())]
    decision = decide([waiting], {"replicas": 1}, strategy={**IN_PLACE, "partition": 1}, revisions=revisions)
    (action,) = of_type(decision, act.UpdatePodInPlace)
    assert (action.images, action.labels.get(keys.REVISION_LABEL), action.begins) == (images, label, False)
    assert action.annotations[GRACE] is None


def test_gd_83_pods_created_while_paused_become_ready():
    fleet = fleet_of(2)
    fleet.patch(paused=True).scale(4).settle()
    assert (len(fleet.ready), set(gates(fleet).values())) == (4, {True})


def test_a_grace_annotation_without_a_state_heals():
    """Spec 3.4 (c): nobody knows when the grace period began; it ends."""
    fleet = fleet_of(2, grace=30)
    fleet.release(2).settle()
    (waiting,) = set(fleet.names) - set(fleet.ready)
    del fleet.cluster.pods[waiting]["metadata"]["annotations"][STATE]
    fleet.cluster._touch(fleet.cluster.pods[waiting])
    fleet.settle()
    assert waiting in fleet.ready
    assert waiting in fleet.at(2)


# ---- what can change in place


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        pytest.param({}, {"nodeName": "n1"}, "/spec/template/spec/nodeName", id="node"),
        pytest.param(
            {},
            {"containers": [{**image(2), "env": [{"name": "A", "value": "1"}]}]},
            "/spec/template/spec/containers/0/env",
            id="env",
        ),
        pytest.param(
            {"initContainers": [image(1, "init")]},
            {"initContainers": [image(2, "init")]},
            "/spec/template/spec/initContainers/0/image",
            id="init image",
        ),
        pytest.param(
            {}, {"containers": [image(1), image(1, "side")]}, "/spec/template/spec/containers", id="container"
        ),
    ],
)
def test_gd_76_a_change_that_is_not_possible_touches_nothing_and_is_named(before, after, path):
    fleet = fleet_of(2, template={"spec": before}, hooks=["preInplace"])
    fleet.change(template={"spec": after}).settle()
    assert (fleet.done(act.UpdatePodInPlace), fleet.gone(), fleet.runs) == ([], [], {})
    text = (
        f"pod {fleet.names[0]} (and 1 more) cannot be updated in place: {path} changed; only images, labels and "
        "annotations can; revert the template, or choose RollingUpdate or onIneligible: Recreate"
    )
    for type_ in ("Blocked", "FailedUpdate"):
        assert (fleet.condition(type_)["reason"], fleet.condition(type_)["message"]) == ("InPlaceNotPossible", text)
    fleet.scale(3).settle()
    assert (fleet.status["replicas"], fleet.status["readyReplicas"]) == (3, 3), "scaling goes on, the status is fresh"


def test_gd_76_pods_that_can_be_updated_are_not_held_up_by_one_that_cannot():
    stuck, unknown = pod("a", OLD), pod("b", "gd-trimmed", image="game:1")
    decision = decide([stuck, unknown], {"replicas": 2}, strategy={**IN_PLACE, "maxUnavailable": 2})
    assert updated(decision) == ["a"]
    assert told(decision, "InPlaceNotPossible")[0].startswith(
        "pod gd-b cannot be updated in place: (the pod's revision is unknown) changed"
    )


def test_gd_76_reverting_the_template_and_choosing_another_type_both_recover():
    fleet = fleet_of(2)
    fleet.change(template={"spec": {"nodeName": "n1"}}).settle()
    fleet.change(template={"spec": {"nodeName": None}}).settle()
    assert fleet.condition("Blocked")["status"] == "False"
    assert fleet.gone() == []
    fleet.change(template={"spec": {"nodeName": "n1"}}).settle()
    fleet.patch(type="RollingUpdate").settle()
    assert (len(fleet.gone()), len(fleet.ready), fleet.condition("Complete")["status"]) == (2, 2, "True")


def test_gd_76_recreate_replaces_pods_within_the_budget():
    """Decision 8: an option, off by default."""
    fleet = fleet_of(3)
    fleet.patch(inPlaceUpdateStrategy={"onIneligible": "Recreate"})
    fleet.change(template={"spec": {"nodeName": "n1"}})
    fleet.settle(watch=lambda f: len(f.ready) >= 2 or pytest.fail("more than one pod is down"))
    assert (len(fleet.gone()), len(fleet.ready), fleet.done(act.UpdatePodInPlace)) == (3, 3, [])


def test_gd_77_metadata_changes_without_restart_and_without_a_flip():
    fleet = fleet_of(3, grace=30)
    since = {n: fleet.cluster.pod(n).ready_since for n in fleet.names}
    fleet.change(template={"metadata": {"labels": {"season": "2"}, "annotations": {"note": "x"}}})
    fleet.cluster.now += 5
    fleet.settle(watch=lambda f: len(f.ready) == 3 or pytest.fail("a pod is not ready"))
    for name, body in fleet.cluster.pods.items():
        assert (body["metadata"]["labels"]["season"], body["metadata"]["annotations"]["note"]) == ("2", "x")
        assert (restarts(fleet)[name], fleet.cluster.pod(name).ready_since) == (0, since[name])
    assert fleet.condition("Complete")["status"] == "True"


def test_gd_78_what_the_template_no_longer_says_goes_and_what_others_said_stays():
    noted = {"metadata": {"labels": {"season": "1"}, "annotations": {"note": "x", "kept": "y"}}}
    fleet = fleet_of(1, template=noted)
    (body,) = fleet.cluster.pods.values()
    body["metadata"]["annotations"]["agent"] = "z"
    fleet.cluster._touch(body)
    fleet.change(template={"metadata": {"labels": {"season": None}, "annotations": {"note": None}}}).settle()
    annotations = {k: v for k, v in body["metadata"]["annotations"].items() if k != STATE}
    assert annotations == {"kept": "y", "agent": "z"}
    assert "season" not in body["metadata"]["labels"]


def test_gd_78_metadata_goes_with_the_images_after_a_grace_period():
    fleet = fleet_of(1, grace=10, template={"metadata": {"annotations": {"note": "x"}}})
    (body,) = fleet.cluster.pods.values()
    fleet.change(
        template={"metadata": {"annotations": {"note": None, "more": "y"}}, "spec": {"containers": [image(2)]}}
    )
    fleet.settle()
    assert {"note", "more"} & set(body["metadata"]["annotations"]) == {"note"}
    fleet.after(10)
    assert {"note", "more"} & set(body["metadata"]["annotations"]) == {"more"}


# ---- the order of containers


def test_gd_84_disordered_is_one_patch():
    fleet = fleet_of(1, template=several(1, 1, 1))
    fleet.change(template=several(2, 2, 2)).settle()
    assert patched(fleet) == [{"one": "game:2", "two": "game:2", "three": "game:2"}]


@pytest.mark.parametrize(("policy", "waits"), [("OrderedReady", True), ("OrderedUpdated", False)])
def test_gd_84_containers_follow_one_another(policy, waits):
    fleet = fleet_of(1, policy=policy, template=several(1, 1, 1))
    (name,) = fleet.names
    fleet.change(template=several(2, 2, 2))
    fleet.one_pass()
    for number, container in enumerate(CONTAINERS):
        fleet.one_pass()
        assert patched(fleet)[number:] == [{container: "game:2"}]
        fleet.one_pass()
        assert len(patched(fleet)) == number + 1, "it has not restarted yet"
        fleet.cluster.restart_containers(name)
        set_ready(fleet, name, container, ready=False)
        if waits:
            fleet.one_pass()
            assert len(patched(fleet)) == number + 1
            assert fleet.told("InPlaceUpdating") == [f"pod {name}: container {container} with game:2: not ready yet"]
            set_ready(fleet, name, container, ready=True)
    for container in CONTAINERS:
        set_ready(fleet, name, container, ready=True)
    fleet.settle()
    assert (gates(fleet), restarts(fleet)) == ({name: True}, {name: 3})


def test_gd_84_only_containers_that_change_take_part():
    fleet = fleet_of(1, policy="OrderedReady", template=several(1, 1, 1))
    fleet.change(template=several(2, 1, 2)).settle()
    assert patched(fleet) == [{"one": "game:2"}, {"three": "game:2"}]


@pytest.mark.parametrize("budget", [1, 2])
def test_gd_85_a_container_that_never_gets_ready_holds_its_pod_and_uses_up_the_budget(budget):
    fleet = fleet_of(4, policy="OrderedReady", template=several(1, 1, 1), budget={"maxUnavailable": budget})
    fleet.change(template=several(2, 2, 1))
    for _ in range(8):
        fleet.kubelets()
        for name in fleet.names:
            if fleet.cluster.pods[name]["spec"]["containers"][0]["image"] == "game:2":
                set_ready(fleet, name, "one", ready=False)
        fleet.one_pass()
    assert patched(fleet) == [{"one": "game:2"}] * budget
    assert len(fleet.ready) == 4 - budget
    assert (fleet.status["updatedReplicas"], fleet.status["availableReplicas"]) == (budget, 4 - budget)


# ---- readiness


@pytest.mark.parametrize(
    ("how", "taken"),
    [
        pytest.param({}, True, id="no gate"),
        pytest.param({"gate": None}, True, id="condition absent"),
        pytest.param({"gate": True}, True, id="condition True"),
        pytest.param({"gate": False}, False, id="condition False"),
        pytest.param({"phase": "Pending"}, False, id="Pending"),
        pytest.param({"ready": False}, False, id="not ready"),
    ],
)
def test_gd_86_the_next_pod_is_taken_when_the_updated_one_is_ready(how, taken):
    decision = decide([pod("a", NEW, **how), *old("b")], {"replicas": 2}, strategy=IN_PLACE)
    assert updated(decision) == (["b"] if taken else [])


def test_gd_87_without_the_gate_pods_are_updated_within_the_budget_all_the_same():
    fleet = fleet_of(3, disableReadinessGate=True)
    assert not any(p["spec"].get("readinessGates") for p in fleet.cluster.pods.values())
    before = fleet.names
    fleet.release(2).settle(watch=lambda f: len(f.ready) >= 2 or pytest.fail("more than one pod is down"))
    assert (fleet.at(2), fleet.done(act.SetGate)) == (before, [])
    assert set(restarts(fleet).values()) == {1}


def test_gd_88_existing_pods_are_handled_by_their_own_gates():
    """Admission refuses the change under InplaceUpdate; an object that has it all the same is handled (7.1)."""
    fleet = fleet_of(2)
    fleet.change(disableReadinessGate=True).scale(3).settle()
    with_gate = [n for n in fleet.names if fleet.cluster.pod(n).gated]
    assert len(with_gate) == 2
    fleet.release(2).settle()
    assert (len(fleet.at(2)), len(fleet.ready)) == (3, 3)
    assert {a.name for a in fleet.done(act.UpdatePodInPlace) if a.close_gate} == set(with_gate)


def test_a_template_that_lists_the_gate_gets_it_once():
    gate = {"conditionType": keys.INPLACE_READY_GATE}
    fleet = fleet_of(1, template={"spec": {"readinessGates": [gate]}})
    assert [p["spec"]["readinessGates"] for p in fleet.cluster.pods.values()] == [[gate]]


# ---- admission that writes images otherwise


def mirrored(replicas=3, **how):
    """A fleet in a cluster whose admission has every image come from a mirror, whoever asks for it."""
    fleet = Fleet(replicas, strategy=strategy(how.pop("grace", 0), how.pop("policy", "DisOrdered")), **how)
    fleet.cluster.admitted = lambda image: image if image.startswith("mirror/") else f"mirror/{image}"
    return fleet.created()


def test_gd_77_metadata_alone_restarts_nothing_although_pods_do_not_run_what_the_template_says():
    fleet = mirrored()
    fleet.change(template={"metadata": {"annotations": {"motd": "hello"}}})
    fleet.settle(watch=lambda fleet: check(len(fleet.ready) == 3))
    assert (patched(fleet), set(restarts(fleet).values())) == ([], {0})
    assert fleet.condition("Complete")["status"] == "True"


def check(holds):
    assert holds


@pytest.mark.parametrize("policy", ["DisOrdered", "OrderedReady", "OrderedUpdated"])
@pytest.mark.parametrize("grace", [0, 10])
def test_only_containers_whose_image_the_templates_changed_are_touched(grace, policy):
    fleet = mirrored(2, template=several(1, 1, 1), grace=grace, policy=policy)
    fleet.change(template=several(2, 1, 2)).settle()
    for _ in range(2 if grace else 0):
        fleet.after(grace)
    assert {name for images in patched(fleet) for name in images} == {"one", "three"}
    assert set(restarts(fleet).values()) == {2}
    assert fleet.condition("Complete")["status"] == "True"


def test_gd_80_a_rollback_during_grace_is_one_behind_a_mirror_too():
    fleet = mirrored(2, grace=30)
    fleet.release(2).settle()
    assert len(fleet.ready) == 1
    fleet.release(1).settle()
    assert (patched(fleet), set(restarts(fleet).values()), len(fleet.ready)) == ([], {0}, 2)


def test_an_update_during_an_ordered_one_ends_although_admission_leaves_nothing_to_restart():
    """What an update leaves in the middle is compared with the pod: a patch that admission undoes is not waited for."""
    fleet = mirrored(1, template=several(1, 1, 1), policy="OrderedReady")
    fleet.change(template=several(2, 2, 1)).one_pass()
    fleet.one_pass()
    assert patched(fleet) == [{"one": "game:2"}]
    fleet.change(template=several(2, 2, 2)).settle()
    images = [c["image"] for c in next(iter(fleet.cluster.pods.values()))["spec"]["containers"]]
    assert images == ["mirror/game:2"] * 3
    assert len(fleet.ready) == 1
    assert fleet.condition("Complete")["status"] == "True"


# ---- other types


def test_gd_90_in_place_with_surge_ends_with_the_pods_it_began_with():
    fleet = fleet_of(3, budget={"maxSurge": 1, "maxUnavailable": 0})
    before = fleet.names
    most = []
    fleet.release(2)

    def watch(fleet):
        most.append(len(fleet.names))
        assert len(fleet.ready) >= 3

    fleet.settle(watch=watch)
    assert (fleet.names, fleet.at(2), max(most)) == (before, before, 4)


def test_gd_90_surge_stays_until_the_last_pod_is_ready_and_goes_before_veterans():
    state = {STATE: json.dumps({"revision": NEW, "updateTimestamp": "1970-01-12T13:40:00Z"})}
    veteran, surge = pod("v", gate=True, annotations=state, cost=1), pod("s", gate=True, cost=9)
    budget = {**IN_PLACE, "maxSurge": 1, "maxUnavailable": 0}
    restarting = pod("r", gate=False, ready=False, annotations=state)
    decision = decide([veteran, surge, restarting], {"replicas": 2}, strategy=budget)
    assert deleted(decision) == []
    assert told(decision, "SurgeKept") == ["1 surge pods stay until the pods being updated are ready"]
    restarted = pod("r", gate=True, annotations=state, cost=1)
    assert deleted(decide([veteran, surge, restarted], {"replicas": 2}, strategy=budget)) == ["s"]


DONE = {"observedGeneration": 1, "updateRevision": NEW, "currentRevision": NEW}
VETERAN = {STATE: json.dumps({"revision": NEW, "updateTimestamp": "1970-01-12T13:40:00Z"})}


def test_scaling_in_after_an_update_goes_by_cost_and_not_by_who_was_updated():
    pods = [pod(i, gate=True, annotations=VETERAN, cost=c) for i, c in (("a", -5), ("b", 3), ("c", 3))]
    pods.append(pod("d", gate=True, cost=9))  # a scale-out came after the update
    decision = decide(pods, {"replicas": 3}, strategy={**IN_PLACE, "maxSurge": 1}, status=DONE)
    assert deleted(decision) == ["a"]


def test_scaling_in_after_an_update_waits_for_nobody_that_broke_later():
    pods = [pod("a", gate=True, annotations=VETERAN, ready=False), *new("b", "c", gate=True, annotations=VETERAN)]
    decision = decide([*pods, pod("d", gate=True)], {"replicas": 3}, strategy={**IN_PLACE, "maxSurge": 1}, status=DONE)
    assert (deleted(decision), told(decision, "SurgeKept")) == (["a"], [])


def test_scaling_in_during_an_update_takes_the_pod_in_grace_before_one_that_serves():
    """Decision 10: a pod that is not ready never outlives a ready one of equal cost."""
    state = {"revision": NEW, "updateTimestamp": "1970-01-12T13:46:35Z"}
    grace = {"revision": NEW, "containerImages": {"web": "game:2"}, "graceSeconds": 60, "originRevision": OLD}
    marks = {STATE: json.dumps(state), GRACE: json.dumps(grace)}
    waiting = pod("a", NEW, image="game:1", gate=False, ready=False, annotations=marks)
    decision = decide([waiting, *old("b", "c", "d", gate=True)], {"replicas": 3}, strategy=strategy(60))
    assert deleted(decision) == ["a"]


def test_a_rollback_in_place_ends_with_the_pods_it_began_with():
    fleet = fleet_of(4, budget={"maxSurge": 1, "maxUnavailable": 0})
    before = fleet.names
    fleet.cluster.now += 60  # the surge pod is the youngest
    fleet.release(2).turns(4)
    assert len(fleet.names) == 5
    fleet.release(1).settle(watch=lambda fleet: check(len(fleet.ready) >= 4))
    assert (fleet.names, fleet.at(1)) == (before, before)


def test_a_same_digest_tag_completes_whatever_the_clock_of_the_node_says():
    record = {"web": {"imageID": "id-game:2", "containerID": "c-before", "patchedAt": "1970-01-12T13:46:40Z"}}
    state = {"revision": NEW, "updateTimestamp": "1970-01-12T13:46:40Z", "lastContainerStatuses": record}
    behind = pod("a", gate=False, annotations={STATE: json.dumps(state)}, ready_for=90.0)
    (action,) = of_type(decide([behind], {"replicas": 1}, strategy=IN_PLACE), act.SetGate)
    assert action.ready


@pytest.mark.parametrize("text", ['{"graceSeconds":1e999}', '{"graceSeconds":-1e308}', '{"graceSeconds":"nan"}'])
def test_a_grace_period_that_cannot_be_is_over(text):
    held = pod("a", gate=False, image="game:1", annotations={**VETERAN, GRACE: text})
    (action,) = of_type(decide([held], {"replicas": 1}, strategy=IN_PLACE), act.UpdatePodInPlace)
    assert action.images == {"web": "game:2"}


def test_hot_patches_are_not_made_and_that_is_said():
    """Decision 7: refused at admission; what is stored all the same touches no pod."""
    decision = decide(old("a", "b"), {"replicas": 2}, strategy={"type": "HotPatchUpdate", "maxSurge": 1})
    assert decision.actions == ()
    assert condition(decision, "Blocked")["reason"] == "HotPatchNotEnabled"


def test_a_new_pod_gets_ready_by_its_first_refresh():
    (action,) = of_type(decide(new("a", gate=None), {"replicas": 1}, strategy=IN_PLACE), act.SetGate)
    assert (action.name, action.ready) == ("gd-a", True)
