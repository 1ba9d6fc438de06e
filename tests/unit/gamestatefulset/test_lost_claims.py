"""No data is lost: which claims go, and which never do (docs/spec/gamestatefulset.md 2.6, 2.11, and 9.2, 9.8)."""

import pytest

from operators.gamestatefulset.claimowners import ClaimOwner
from operators.gamestatefulset.claimviews import SURGE_ANNOTATION, claim_view
from operators.kube.errors import Unavailable
from operators.kube.resources import PERSISTENT_VOLUME_CLAIMS
from operators.planning import actions as act
from tests.unit.gamestatefulset.controllers import Harness
from tests.unit.gamestatefulset.observations import (
    CHECK,
    OWNER,
    decide,
    deeds,
    of_type,
    pod,
    pods,
    raw_pod,
    remembered,
)
from tests.unit.gamestatefulset.sets import DATA, Set

PARALLEL = {"podManagementPolicy": "Parallel"}
WITH_DATA = {"volumeClaimTemplates": [DATA]}
SURGE = {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}
WHEN_SCALED = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
MANAGED = [{}, PARALLEL]


def raw_claim(ordinal, *, owner=None, surge=False, template="data"):
    name = f"{template}-foo-{ordinal}"
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"}
    metadata["annotations"] = {SURGE_ANNOTATION: "true"} if surge else {}
    metadata["ownerReferences"] = [owner] if owner else []
    return {"metadata": metadata, "spec": {}}


def of(ordinal, uid=None):
    """An owner reference to the pod of an ordinal."""
    return ClaimOwner("Pod", f"foo-{ordinal}", uid or f"uid-{ordinal}").reference()


def claims(*raw):
    return {c["metadata"]["name"]: claim_view(c) for c in raw}


def gone(decision):
    return [a.name for a in of_type(decision, act.DeleteClaim)]


def disowned(decision):
    """Claims that are no longer to go with their pod."""
    owned = of_type(decision, act.OwnClaim)
    return [a.name for a in owned if all(e.get("$patch") == "delete" for e in a.owners)]


# ---- claims of surge pods


def test_gss_77_claims_of_surge_pods_go_only_after_their_pods():
    held = claims(*(raw_claim(i) for i in range(3)), raw_claim(3, surge=True), raw_claim(4, surge=True))
    how = {"claims": held, "status": remembered(current="D")}
    leaving = [*pods(3), pod(3, leaving=True), pod(4)]
    assert gone(decide(leaving, {**WITH_DATA, **PARALLEL}, **how)) == []
    assert gone(decide(pods(3), {**WITH_DATA, **PARALLEL}, **how)) == ["data-foo-3", "data-foo-4"]
    assert gone(decide(pods(3), {**WITH_DATA, **PARALLEL, "replicas": 4}, **how)) == ["data-foo-4"]


def test_gss_77_an_ordinal_of_surge_that_became_a_replica_keeps_its_claim_for_ever():
    """Its pod has served as a replica: what it wrote is nobody's to delete, also after the next scale-in."""
    story = Set(2, policy="Parallel", claims=[DATA], rollingUpdate={"maxSurge": 1}).settle().release(2)
    while 2 not in story.versions():
        story.kubelets()
        story.one_pass()
    uid = story.cluster.claims["data-gs-2"]["metadata"]["uid"]
    story.scale(3).settle()
    story.scale(2).settle()
    story.release(3).settle()
    assert story.cluster.claims["data-gs-2"]["metadata"]["uid"] == uid
    assert set(story.versions()) == {0, 1}


def test_the_mark_is_taken_off_once_and_in_the_first_pass_that_sees_a_replica_there():
    marked = claims(*(raw_claim(i) for i in range(3)), raw_claim(3, surge=True))
    spec = {**WITH_DATA, **PARALLEL, "replicas": 4}
    for held in (pods(4), pods(3), [*pods(3), pod(3, leaving=True)]):
        decision = decide(held, spec, claims=marked, status=remembered(current="D"))
        assert [a.name for a in of_type(decision, act.KeepClaim)] == ["data-foo-3"]
    plain = claims(*(raw_claim(i) for i in range(4)))
    assert of_type(decide(pods(4), spec, claims=plain, status=remembered(current="D")), act.KeepClaim) == []


async def test_the_mark_is_taken_off_at_the_api_server():
    harness = Harness([raw_pod(0)], {**WITH_DATA, "replicas": 1}, status=remembered(current="D"))
    harness.api.put(PERSISTENT_VOLUME_CLAIMS, raw_claim(0, surge=True))
    await harness.one_pass()
    assert harness.api.named("persistentvolumeclaims", "data-foo-0")["metadata"]["annotations"] == {}
    count = len(harness.api.requests)
    await harness.one_pass()
    assert harness.writes(count) == []


@pytest.mark.parametrize("strategy", [SURGE, {"type": "OnDelete"}, {"paused": True}])
@pytest.mark.parametrize("held", [(), pods(1, "B"), pods(3, "B"), [*pods(3, "B"), pod(3, "B")]])
@pytest.mark.parametrize("more", MANAGED)
def test_gss_18_a_claim_without_the_mark_is_never_deleted(held, strategy, more):
    known = claims(*(raw_claim(i) for i in range(9)), raw_claim(0, template="other", surge=True))
    decision = decide(held, {**WITH_DATA, **more, "replicas": 2}, strategy=strategy, claims=known)
    assert gone(decision) == []


# ---- whenScaled: Delete


@pytest.mark.parametrize("more", MANAGED)
def test_only_a_pod_that_scaling_in_has_chosen_takes_its_claim_along(more):
    known = claims(*(raw_claim(i) for i in range(3)))
    spec = {**WITH_DATA, **WHEN_SCALED, **more}
    chosen = decide(pods(3), {**spec, "replicas": 2}, claims=known, status=remembered(current="D"))
    (owned,) = of_type(chosen, act.OwnClaim)
    assert (owned.name, [e["uid"] for e in owned.owners]) == ("data-foo-2", ["uid-2"])
    assert deeds(chosen) == [], "the pod goes when that is on record"
    known |= claims(raw_claim(2, owner=of(2)))
    assert deeds(decide(pods(3), {**spec, "replicas": 2}, claims=known, status=remembered(current="D"))) == [
        ("DeletePod", "foo-2")
    ]
    replaced = decide(pods(3, "B"), spec, claims=claims(*(raw_claim(i) for i in range(3))))
    assert deeds(replaced) == [("DeletePod", "foo-2")]
    assert of_type(replaced, act.OwnClaim) == []


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(pod(2), id="serving"),
        pytest.param(pod(2, "B"), id="to be updated at once"),
        pytest.param(pod(2, leaving=True), id="being deleted by somebody"),
        pytest.param(pod(2, phase="Failed"), id="evicted"),
        pytest.param(pod(2, phase="Succeeded"), id="ended"),
        pytest.param(pod(2, phase="Pending"), id="not running yet"),
    ],
)
@pytest.mark.parametrize("more", MANAGED)
def test_a_scale_in_that_is_taken_back_takes_the_claim_back_whatever_the_pod_does_meanwhile(there, more):
    """Otherwise the garbage collector takes the data of a replica along when its pod goes for another reason."""
    known = claims(raw_claim(0), raw_claim(1), raw_claim(2, owner=of(2)))
    decision = decide([*pods(2), there], {**WITH_DATA, **WHEN_SCALED, **more}, claims=known)
    assert disowned(decision) == ["data-foo-2"]
    stages = [a.stage for a in of_type(decision, act.DeletePod)]
    assert all(a.stage < stage for a in of_type(decision, act.OwnClaim) for stage in stages)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
async def test_a_claim_that_could_not_be_taken_back_keeps_its_pod(policy):
    spec = {**WITH_DATA, **WHEN_SCALED, "podManagementPolicy": policy}
    harness = Harness([*(raw_pod(i, "B") for i in range(3))], spec)
    for ordinal in range(3):
        harness.api.put(PERSISTENT_VOLUME_CLAIMS, raw_claim(ordinal, owner=of(ordinal) if ordinal == 2 else None))
    harness.api.refuse["PATCH", "persistentvolumeclaims"] = Unavailable(503, "ServiceUnavailable", "try later")
    await harness.one_pass()
    assert harness.api.sent("PATCH", "persistentvolumeclaims") == ["data-foo-2"]
    assert harness.api.sent("DELETE", "pods") == []


@pytest.mark.parametrize("more", MANAGED)
def test_owners_of_claims_that_are_not_ours_stay(more):
    backup = {"apiVersion": "v1", "kind": "Backup", "name": "nightly", "uid": "uid-b"}
    known = claims(*(raw_claim(i, owner=backup) for i in range(3)))
    for replicas in (3, 2):
        decision = decide(pods(3), {**WITH_DATA, **WHEN_SCALED, **more, "replicas": replicas}, claims=known)
        assert all(e.get("uid") != "uid-b" for a in of_type(decision, act.OwnClaim) for e in a.owners)


def test_a_pod_whose_hook_is_still_asked_keeps_its_claim_with_it_and_gives_it_back():
    spec = {**WITH_DATA, **WHEN_SCALED, "preDeleteUpdateStrategy": CHECK}
    known = claims(raw_claim(0), raw_claim(1), raw_claim(2, owner=of(2)))
    waiting = decide(pods(3), {**spec, "replicas": 2}, claims=known, status=remembered(current="D"))
    assert (deeds(waiting), disowned(waiting)) == ([], [])
    back = decide(pods(3), spec, claims=known, status=remembered(current="D"))
    assert disowned(back) == ["data-foo-2"]


# ---- when there is to be a pod


@pytest.mark.parametrize("more", MANAGED)
def test_gss_20_no_pod_is_created_beside_a_claim_that_goes(more):
    leaving = claims(raw_claim(0), raw_claim(1))
    held = {**leaving, "data-foo-1": claim_view(_leaving(raw_claim(1)))}
    decision = decide([pod(0), pod(2)], {**WITH_DATA, **more}, claims=held, status=remembered(current="D"))
    assert "foo-1" not in [n for _, n in deeds(decision)]
    text = "pod foo-1 is not created before its claim data-foo-1, which is being deleted, is gone"
    assert text in [b.message for b in decision.blocked]


def _leaving(raw):
    raw["metadata"]["deletionTimestamp"] = "1970-01-12T13:00:00Z"
    return raw


def test_gss_14_all_claims_of_a_pod_that_are_missing_come_with_it():
    log = {"metadata": {"name": "log"}, "spec": {}}
    decision = decide((), {"volumeClaimTemplates": [DATA, log]}, claims=claims(raw_claim(0)), status={})
    (create,) = of_type(decision, act.CreatePod)
    assert [c["metadata"]["name"] for c in create.claims] == ["log-foo-0"]
    names = [(v["name"], v["persistentVolumeClaim"]["claimName"]) for v in create.body["spec"]["volumes"]]
    assert names == [("data", "data-foo-0"), ("log", "log-foo-0")]
    assert OWNER["uid"] not in str(create.claims), "claims are nobody's by default"
