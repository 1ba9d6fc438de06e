"""A user's pause, and whose pods are whose.

Rules: docs/spec/gamedeployment.md 2.3, 7.2, 7.4, and 10, cases 126 to 132, 149.
"""

import pytest

from operators.api import keys
from operators.gamedeployment.observed import gamedeployment_view
from operators.planning import actions as act
from operators.planning.refusals import Refusal
from operators.planning.views import pod_view
from operators.simulation.cluster import gamedeployment
from operators.workload.announcements import EventDeduplicator
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.observations import (
    NEW,
    NOW,
    OLD,
    created,
    decide,
    deleted,
    new,
    of_type,
    old,
    pod,
    raw_pod,
    told,
)

STRANGER = {"kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True}
STRATEGIES = pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate"])


# ---- paused


@STRATEGIES
def test_gd_126_a_users_pause_holds_updates_and_lasts(type_):
    fleet = Fleet(3, strategy={"type": type_}).created()
    before = fleet.names
    fleet.patch(paused=True)
    fleet.release(2).turns(10)
    assert (fleet.at(1), fleet.paused) == (before, True)
    assert fleet.told("Paused") == ["updateStrategy.paused: 3 pods are not updated"]
    fleet.scale(5).settle()
    assert (len(fleet.ready), fleet.paused) == (5, True)
    assert fleet.at(2) == [], "nothing of a version that is not released (7.2)"


@STRATEGIES
def test_gd_127_taken_back_the_update_goes_on(type_):
    fleet = Fleet(3, strategy={"type": type_, "paused": True}).created()
    fleet.release(2).settle()
    assert fleet.at(2) == []
    fleet.patch(paused=None).settle()
    assert (len(fleet.at(2)), fleet.condition("Complete")["status"]) == (3, "True")


def test_gd_127_paused_in_mid_rollout_what_has_begun_ends_and_the_rest_stays():
    fleet = Fleet(4, strategy={"type": "InplaceUpdate"}).created().release(2)
    fleet.turns(2)
    assert len(fleet.at(2)) == 1
    fleet.patch(paused=True).settle()
    assert (len(fleet.at(2)), len(fleet.ready)) == (1, 4)
    fleet.patch(paused=False).settle()
    assert len(fleet.at(2)) == 4


def test_no_surge_while_paused():
    decision = decide(old("a", "b"), {"replicas": 2}, strategy={"maxSurge": 1, "paused": True})
    assert decision.actions == ()


@pytest.mark.parametrize(
    ("pods", "partition", "wanted"),
    [
        pytest.param(old("a", "b"), 0, [OLD, OLD], id="nothing is updated yet: old"),
        pytest.param([*old("a"), *new("b")], 0, [NEW, NEW], id="some are: by the partition"),
        pytest.param([*old("a"), *new("b")], 2, [OLD, NEW], id="the partition is filled first"),
        pytest.param(new("a", "b"), 0, [NEW, NEW], id="all are"),
    ],
)
def test_gd_126_of_which_version_pods_created_under_a_pause_are(pods, partition, wanted):
    decision = decide(pods, {"replicas": 4}, strategy={"paused": True, "partition": partition})
    assert created(decision) == wanted


def test_housekeeping_goes_on_while_paused():
    """Spec 2.7 step 1: retry, answers nobody waits for, and named pods."""
    fleet = Fleet(2, strategy={"paused": True}, hooks=["preDelete"]).created()
    first = fleet.names[0]
    fleet.change(scaleStrategy={"podsToDelete": [first]}).settle()
    fleet.answer_all("Failed").settle()
    ((_, run),) = fleet.runs.items()
    fleet.change(preDeleteUpdateStrategy={"retry": True}).settle()
    ((_, again),) = fleet.runs.items()
    assert again.uid != run.uid
    fleet.answer_all().settle()
    assert (fleet.gone(), len(fleet.ready), fleet.runs) == ([first], 2, {})


# ---- ownership


def owned(decision, kind):
    return sorted(a.name.removeprefix("gd-") for a in of_type(decision, kind))


def test_gd_131_an_orphan_is_adopted_and_no_pod_is_created_in_its_place():
    decision = decide([pod("a", owner=None), *new("b")], {"replicas": 3})
    assert owned(decision, act.AdoptPod) == ["a"]
    assert created(decision) == [NEW], "one is missing, not two"


def test_gd_131_a_workload_made_anew_takes_over_what_it_finds():
    """As after ``kubectl delete --cascade=orphan``: nothing is created, nothing is lost."""
    fleet = Fleet(3).created()
    before = fleet.names
    count = len(fleet.done(act.CreatePod))
    fleet.cluster.workload["status"] = {}
    for body in (*fleet.cluster.pods.values(), *fleet.cluster.revisions.values()):
        body["metadata"]["ownerReferences"] = []
        fleet.cluster._touch(body)
    fleet.settle()
    assert [a.name for a in fleet.done(act.AdoptPod)] == before
    assert (fleet.ready, len(fleet.done(act.CreatePod)), fleet.gone()) == (before, count, [])
    assert {p["metadata"]["ownerReferences"][0]["uid"] for p in fleet.cluster.pods.values()} == {"uid-workload"}
    assert len(fleet.done(act.CreateRevision)) == 1


@pytest.mark.parametrize(("revision", "wanted"), [(OLD, [NEW]), (NEW, [OLD])])
def test_gd_131_an_adopted_pod_counts_for_the_partition(revision, wanted):
    decision = decide(
        [pod("a", revision, owner=None), *new("b"), *old("c")], {"replicas": 4}, strategy={"partition": 2}
    )
    assert created(decision) == wanted


def test_gd_131_an_orphan_that_cannot_be_adopted_is_not_counted_on():
    refused = {"AdoptPod/uid-a": Refusal("pods may not be adopted", NOW + 10)}
    decision = decide([pod("a", owner=None), *new("b")], {"replicas": 2}, refusals=refused)
    assert (owned(decision, act.AdoptPod), created(decision)) == ([], [NEW])
    assert told(decision, "WriteRefused") == ["AdoptPod gd-a is refused: pods may not be adopted"]


@pytest.mark.parametrize(
    "orphan",
    [
        pytest.param({"labels": {"app": "other"}}, id="does not match"),
        pytest.param({"leaving": True}, id="terminates"),
        pytest.param({"phase": "Failed"}, id="failed"),
        pytest.param({"phase": "Succeeded"}, id="completed"),
        pytest.param({"owner": STRANGER}, id="is another's"),
    ],
)
def test_gd_131_what_is_not_adopted(orphan):
    decision = decide([pod("a", **{"owner": None, **orphan}), *new("b")], {"replicas": 1})
    assert decision.actions == ()


def test_gd_131_a_pod_of_ours_that_no_longer_matches_is_released_and_replaced():
    decision = decide([pod("a", labels={"app": "debug"}), *new("b")], {"replicas": 2})
    assert owned(decision, act.ReleasePod) == ["a"]
    assert (created(decision), deleted(decision)) == ([NEW], [])


def test_gd_131_a_workload_that_is_deleted_adopts_and_releases_nobody():
    fleet = Fleet(2).created()
    fleet.cluster.workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    for name, changed in zip(fleet.names, ({"ownerReferences": []}, {"labels": {}}), strict=True):
        fleet.cluster.pods[name]["metadata"].update(changed)
        fleet.cluster._touch(fleet.cluster.pods[name])
    assert fleet.one_pass().actions == ()


@pytest.mark.parametrize("labels", [{}, {"app": "debug"}])
def test_gd_132_a_terminating_pod_keeps_its_owner(labels):
    """The Go operator drops the reference (9.1 #9)."""
    decision = decide([pod("a", leaving=True, labels=labels), *new("b", "c")], {"replicas": 2})
    assert decision.actions == ()


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_gd_132_a_pod_that_has_ended_keeps_its_owner_and_is_replaced_at_once(phase):
    decision = decide([pod("a", phase=phase), *new("b")], {"replicas": 2})
    assert owned(decision, act.ReleasePod) == []
    assert [(a.name, a.why) for a in of_type(decision, act.DeletePod)] == [("gd-a", "failedPod")]
    assert created(decision) == [NEW]


@pytest.mark.parametrize("version", [1, 2])
def test_an_adopted_pod_is_told_its_revision_by_its_template(version):
    """Spec 7.4 [REQ]; the instance id is the end of its name."""
    body = raw_pod(
        "a", owner=None, image=f"game:{version}", labels={keys.REVISION_LABEL: None, keys.INSTANCE_LABEL: None}
    )
    (adopted,) = of_type(decide([pod_view(body), *new("b")], {"replicas": 2}), act.AdoptPod)
    assert adopted.labels == {keys.REVISION_LABEL: OLD if version == 1 else NEW, keys.INSTANCE_LABEL: "a"}


def test_an_adopted_pod_of_no_revision_is_replaced_in_its_turn():
    fleet = Fleet(2).created()
    body = raw_pod("stray", owner=None, image="other:7", labels={keys.REVISION_LABEL: None, keys.INSTANCE_LABEL: None})
    fleet.cluster.add_pod(body)
    fleet.settle()
    assert "gd-stray" in fleet.gone()
    assert len(fleet.ready) == 2


# ---- selectors that overlap


def rival(name, created_at, **spec):
    body = gamedeployment(spec)
    body["metadata"] |= {"name": name, "uid": f"uid-{name}", "creationTimestamp": created_at}
    return gamedeployment_view(body)


@pytest.mark.parametrize(("created_at", "taken"), [("1969-01-01T00:00:00Z", []), ("2000-01-01T00:00:00Z", ["o"])])
def test_gd_149_pods_stay_with_their_owner_and_an_orphan_goes_to_the_older_workload(created_at, taken):
    theirs = {"kind": "GameDeployment", "name": "rival", "uid": "uid-rival", "controller": True}
    pods = [*new("a"), pod("b", owner=theirs), pod("o", owner=None)]
    decision = decide(pods, {"replicas": 2 if taken else 1}, overlapping=(rival("rival", created_at),))
    assert owned(decision, act.AdoptPod) == taken
    assert owned(decision, act.ReleasePod) == deleted(decision) == []
    (text,) = told(decision, "SelectorOverlap")
    assert text == (
        "spec.selector overlaps with that of GameDeployment rival: each pod stays with its owner, "
        "a pod without owner goes to the older workload"
    )


def test_gd_149_the_overlap_is_an_event_once():
    decision = decide(new("a"), {"replicas": 1}, overlapping=(rival("rival", "2000-01-01T00:00:00Z"),))
    told_ = EventDeduplicator()
    (announced,) = told_.new_notes(decision.blocked, NOW)
    assert (announced.type, announced.reason) == ("Warning", "SelectorOverlap")
    assert told_.new_notes(decision.blocked, NOW + 600) == []


# ---- pods of no known revision that can follow in place (docs/decisions/0051-adopted-in-place.md)


def stray(image="game:9", env=None, labels=None, annotations=None, **how):
    """The body of a pod that a Deployment left, say."""
    gone = {keys.REVISION_LABEL: None, keys.INSTANCE_LABEL: None}
    body = raw_pod(
        "stray", owner=None, image=image, labels={**gone, **(labels or {})}, annotations=annotations or {}, **how
    )
    if env is not None:
        body["spec"]["containers"][0]["env"] = env
    return body


def adopting(body, hooks=(), **spec):
    fleet = Fleet(2, strategy={"type": "InplaceUpdate"}, hooks=hooks, **spec).created()
    fleet.cluster.add_pod(body)
    fleet.scale(3)
    return fleet


def stays(fleet):
    return "gd-stray" not in fleet.gone()


def test_public_f2_an_adopted_pod_that_differs_in_its_image_alone_is_updated_in_place():
    fleet = adopting(stray())
    fleet.settle()
    assert stays(fleet)
    found = fleet.cluster.pods["gd-stray"]
    assert found["spec"]["containers"][0]["image"] == "game:1"
    assert found["metadata"]["labels"][keys.REVISION_LABEL] == fleet.status["updateRevision"]
    assert len(fleet.ready) == 3


def test_public_f2_its_hook_is_the_one_of_updates_in_place():
    fleet = adopting(stray(), hooks=("preInplace", "preDelete"))
    fleet.settle()
    assert stays(fleet)
    assert [name.split("-")[0] for name in fleet.runs] == ["preinplace"]


def test_public_f2_an_adopted_pod_that_differs_in_more_is_replaced():
    fleet = adopting(
        stray(env=[]),
        template={"spec": {"containers": [{"name": "web", "image": "game:1", "env": [{"name": "A", "value": "1"}]}]}},
    )
    fleet.settle()
    assert not stays(fleet)
    assert len(fleet.ready) == 3


def test_public_f2_labels_and_annotations_alone_restart_nothing():
    metadata = {"labels": {"app": "game", "tier": "front"}, "annotations": {"owner": "us"}}
    fleet = adopting(stray(image="game:1", labels={"tier": "back"}), template={"metadata": metadata})
    fleet.settle()
    assert stays(fleet)
    found = fleet.cluster.pods["gd-stray"]
    assert found["metadata"]["labels"]["tier"] == "front"
    assert found["metadata"]["annotations"]["owner"] == "us"
    assert found["status"]["containerStatuses"][0]["restartCount"] == 0


def test_public_f2_a_pod_without_one_of_the_containers_is_replaced():
    containers = [{"name": "web", "image": "game:1"}, {"name": "log", "image": "log:1"}]
    fleet = adopting(stray(), template={"spec": {"containers": containers}})
    fleet.settle()
    assert not stays(fleet)


def test_public_f2_a_grace_period_holds_for_it_too():
    details = {"gracePeriodSeconds": 30}
    fleet = Fleet(2, strategy={"type": "InplaceUpdate", "inPlaceUpdateStrategy": details}).created()
    fleet.cluster.add_pod(stray(gate=True))
    fleet.scale(3)
    fleet.settle()
    assert fleet.cluster.pods["gd-stray"]["spec"]["containers"][0]["image"] == "game:9"
    fleet.after(30)
    assert stays(fleet)
    assert fleet.cluster.pods["gd-stray"]["spec"]["containers"][0]["image"] == "game:1"
