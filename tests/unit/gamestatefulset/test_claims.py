"""Volume claims of a pod: names, bodies, volumes, owners."""

import pytest

from operators.gamestatefulset.claimowners import ClaimOwner, Retention, wanted_owner
from operators.gamestatefulset.claims import claim_body, hindrance, storage_matches, surplus, with_volumes
from operators.gamestatefulset.claimviews import claim_view
from operators.kube.times import rfc3339

DATA = {"metadata": {"name": "data", "labels": {"x": "1", "foo": "theirs"}}, "spec": {"resources": {"requests": {}}}}
LOG = {"metadata": {"name": "log"}, "spec": {}}
SET = ClaimOwner("GameStatefulSet", "foo", "uid-foo")
POD = ClaimOwner("Pod", "foo-2", "uid-2")
NOW = 1_000_000.0


def claim(name, *owners, surge=False, deleted=None, finalizers=()):
    metadata = {"namespace": "default", "name": name, "uid": "uid-" + name, "resourceVersion": "1"}
    metadata["ownerReferences"] = list(owners)
    metadata["finalizers"] = list(finalizers)
    if surge:
        metadata["annotations"] = {"tkex.tencent.com/surge-claim": "true"}
    if deleted is not None:
        metadata["deletionTimestamp"] = rfc3339(deleted)
    return claim_view({"metadata": metadata})


def backup(**flags):
    return {"apiVersion": "backup.example.com/v1", "kind": "Backup", "name": "b", "uid": "uid-b", **flags}


def volumes(**claims):
    return list(claims.items())


def test_gss_13_a_pod_mounts_its_own_claims():
    match = storage_matches
    both = [DATA, LOG]
    assert match("test-set", both, "test-set-0", volumes(data="data-test-set-0", log="log-test-set-0"))
    assert not match("test-set", both, "test-set-0", volumes(data="data-test-set-0", backup="backup-test-set-0"))
    assert not match("test-set", both, "test-set-0", [])
    assert not match("test-set", both, "test-set-0", volumes(data="data-test-set-1", log="log-test-set-0"))
    assert match("test-set", [], "test-set-0", [])


def test_gss_4_a_pod_without_ordinal_matches_no_storage():
    assert not storage_matches("test-set", [DATA], "test-set-f", volumes(data="data-test-set-f"))


def test_gss_16_volumes_made_for_a_pod_match_again():
    for old in ([], [{"name": "data"}], [{"name": "data", "persistentVolumeClaim": {"claimName": "data-foo-7"}}]):
        spec = with_volumes({"volumes": old}, [DATA, LOG], "foo-1")
        found = [(v["name"], v["persistentVolumeClaim"]["claimName"]) for v in spec["volumes"]]
        assert storage_matches("foo", [DATA, LOG], "foo-1", found)


def test_gss_17_and_21_claims_shadow_volumes_of_their_names_and_come_first_in_template_order():
    template = {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]}
    for claims in ([DATA, LOG], [LOG, DATA]):
        names = [v["name"] for v in with_volumes(template, claims, "foo-1")["volumes"]]
        assert names == [*(c["metadata"]["name"] for c in claims), "tmp"]
    assert template["volumes"][0]["name"] == "tmp", "the template was changed"


def test_gss_19_labels_of_the_selector_win_over_those_of_the_template():
    body = claim_body(DATA, "foo-1", {"foo": "bar"})
    assert body["metadata"]["name"] == "data-foo-1"
    assert body["metadata"]["labels"] == {"x": "1", "foo": "bar"}
    assert "ownerReferences" not in body["metadata"]


def test_claims_are_nobodys_by_default():
    assert wanted_owner(Retention(), SET, POD, leaving=False) is None
    assert wanted_owner(Retention(), SET, POD, leaving=True) is None


def test_claims_go_with_the_set_or_with_a_pod_that_scaling_in_chose():
    both = Retention(when_deleted=True, when_scaled=True)
    assert wanted_owner(both, SET, POD, leaving=False) == SET
    assert wanted_owner(both, SET, POD, leaving=True) == POD
    assert wanted_owner(Retention(when_deleted=True), SET, POD, leaving=True) == SET
    assert wanted_owner(Retention(when_scaled=True), SET, POD, leaving=False) is None


def test_gss_77_only_claims_made_for_surge_pods_that_are_gone_are_surplus():
    claims = [
        claim("data-foo-0"),
        claim("data-foo-8", surge=True),
        claim("data-foo-9", surge=True),
        claim("data-foo-10"),
        claim("data-foo-11", surge=True, deleted=NOW),
        claim("data-bar-12", surge=True),
    ]
    assert [c.name for c in surplus(claims, [DATA], SET, {0, 8})] == ["data-foo-9"]


def test_a_surge_claim_of_an_ordinal_that_became_a_replica_stays():
    assert not list(surplus([claim("data-foo-8", surge=True)], [DATA], SET, set(range(9))))


def test_a_surge_claim_that_another_controller_has_is_not_deleted():
    theirs = claim("data-foo-8", backup(controller=True), surge=True)
    ours = claim("data-foo-9", backup(), ClaimOwner("Pod", "foo-9", "uid-9").reference(), surge=True)
    assert list(surplus([theirs, ours], [DATA], SET, {0})) == [ours]


# ---- what a missing pod waits for

PROTECTION = "kubernetes.io/pvc-protection"
OF_THE_POD = POD.reference()


@pytest.mark.parametrize(
    ("held", "waiting", "told"),
    [
        pytest.param(claim("data-foo-2", deleted=NOW - 5, finalizers=[PROTECTION]), True, "", id="in use a moment ago"),
        pytest.param(claim("data-foo-2", deleted=NOW - 61, finalizers=[PROTECTION]), False, PROTECTION, id="in use"),
        pytest.param(claim("data-foo-2", deleted=NOW - 900), True, "", id="going"),
        pytest.param(
            claim("data-foo-2", deleted=NOW, finalizers=[PROTECTION, "a.example/hold", "b.example/hold"]),
            False,
            "finalizers hold it: a.example/hold, b.example/hold",
            id="held by finalizers of others",
        ),
        pytest.param(claim("data-foo-2", OF_THE_POD), True, "", id="the collector comes"),
        pytest.param(claim("data-foo-2", SET.reference(), OF_THE_POD), True, "", id="the set is an owner too"),
        pytest.param(
            claim("data-foo-2", backup(), OF_THE_POD),
            False,
            "other owners: Backup b; remove its owner reference to pod foo-2",
            id="the collector may not know the other owner",
        ),
    ],
)
def test_public_f1_what_does_not_go_by_itself_needs_a_person_and_is_named(held, waiting, told):
    found = hindrance(held, "foo-2", SET.uid, NOW)
    assert found.waiting == waiting
    said, _, why = found.text.partition(", is gone")
    assert said.startswith("pod foo-2 is not created before its claim data-foo-2")
    assert why.endswith(told)
    assert bool(told) == bool(why)


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [backup()],
        [backup(controller=True)],
        [backup(controller=True), {**OF_THE_POD, "controller": None}],
        [{**OF_THE_POD, "name": "foo-20"}],
        [SET.reference()],
    ],
)
def test_public_f1_a_claim_that_stays_hinders_nobody(owners):
    assert hindrance(claim("data-foo-2", *owners), "foo-2", SET.uid, NOW) is None
