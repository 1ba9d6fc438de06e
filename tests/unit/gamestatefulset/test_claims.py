"""Volume claims of a pod: names, bodies, volumes, owners."""

from operators.gamestatefulset.claims import (
    ClaimOwner,
    Retention,
    claim_body,
    claim_view,
    ownership_patch,
    storage_matches,
    surplus,
    wanted_owner,
    with_volumes,
)

DATA = {"metadata": {"name": "data", "labels": {"x": "1", "foo": "theirs"}}, "spec": {"resources": {"requests": {}}}}
LOG = {"metadata": {"name": "log"}, "spec": {}}
SET = ClaimOwner("GameStatefulSet", "foo", "uid-foo")
POD = ClaimOwner("Pod", "foo-2", "uid-2")
STRANGER = ("Backup", "nightly", "uid-b")


def claim(name, *owners, surge=False, deleting=False):
    metadata = {
        "namespace": "default",
        "name": name,
        "uid": "uid-" + name,
        "resourceVersion": "1",
        "ownerReferences": [{"kind": k, "name": n, "uid": u} for k, n, u in owners],
    }
    if surge:
        metadata["annotations"] = {"tkex.tencent.com/surge-claim": "true"}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return claim_view({"metadata": metadata})


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


def test_owner_references_are_set_once_and_those_of_strangers_stay():
    fresh = claim("data-foo-2", STRANGER)
    assert ownership_patch(fresh, SET, SET.uid) == [
        {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameStatefulSet", "name": "foo", "uid": "uid-foo"}
    ]
    owned = claim("data-foo-2", STRANGER, ("GameStatefulSet", "foo", "uid-foo"))
    assert ownership_patch(owned, SET, SET.uid) == []
    assert ownership_patch(owned, None, SET.uid) == [{"$patch": "delete", "uid": "uid-foo"}]


def test_a_scale_in_that_is_taken_back_takes_back_the_reference_of_the_pod():
    leaving = claim("data-foo-2", ("Pod", "foo-2", "uid-2"))
    assert ownership_patch(leaving, None, SET.uid) == [{"$patch": "delete", "uid": "uid-2"}]


def test_a_reference_of_a_past_pod_gives_way_to_that_of_the_present_one():
    past = claim("data-foo-2", ("Pod", "foo-2", "uid-past"))
    patch = ownership_patch(past, POD, SET.uid)
    assert [e["uid"] for e in patch] == ["uid-past", "uid-2"]


def test_gss_77_only_claims_made_for_surge_pods_that_are_gone_are_surplus():
    claims = [
        claim("data-foo-0"),
        claim("data-foo-8", surge=True),
        claim("data-foo-9", surge=True),
        claim("data-foo-10"),
        claim("data-foo-11", surge=True, deleting=True),
        claim("data-bar-12", surge=True),
    ]
    assert [c.name for c in surplus(claims, [DATA], "foo", {0, 8})] == ["data-foo-9"]


def test_a_surge_claim_of_an_ordinal_that_became_a_replica_stays():
    assert not list(surplus([claim("data-foo-8", surge=True)], [DATA], "foo", set(range(9))))
