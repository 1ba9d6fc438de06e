"""Claims and their owners on the real API server, with the real garbage collector.

Nothing schedules the pods: they exist, and that is all that claims ask of them.
"""

import json
import time

import pytest

UIDS = ("7d3e7f0e-0000-4000-8000-00000000000b", "7d3e7f0e-0000-4000-8000-00000000000c")
BACKUP = {"apiVersion": "backup.example.com/v1", "kind": "Backup", "name": "b", "uid": UIDS[0]}
POD_BEFORE = {"apiVersion": "v1", "kind": "Pod", "name": "gs-1", "uid": UIDS[1]}
HOLD = "example.com/hold"


class Sets:
    """GameStatefulSets and claims in a namespace."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace

    def kubectl(self, *args, data=None):
        return self.cluster.kubectl("-n", self.namespace, *args, input=data)

    def create(self, name="gs", **retention):
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "schedulerName": "nobody",
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "web", "image": "game:1"}],
            },
        }
        spec = {
            "replicas": 2,
            "serviceName": "game",
            "podManagementPolicy": "Parallel",
            "persistentVolumeClaimRetentionPolicy": retention,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": self.claim_spec()}],
        }
        kind = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameStatefulSet"}
        body = {**kind, "metadata": {"name": name}, "spec": spec}
        self.kubectl("create", "-f", "-", data=json.dumps(body))

    def claim_spec(self):
        return {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Mi"}},
        }

    def make_claim(self, *owners):
        metadata = {"name": "data-gs-1", "ownerReferences": list(owners)}
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": self.claim_spec()}
        self.kubectl("create", "-f", "-", data=json.dumps(body))

    def names(self, kind):
        return set(self.kubectl("get", kind, "-o", "jsonpath={.items[*].metadata.name}").split())

    def claim(self, name):
        return json.loads(self.kubectl("get", "pvc", name, "-o", "json"))["metadata"]

    def patch(self, kind, name, body):
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(body))

    def scale(self, replicas):
        self.patch("gamestatefulset", "gs", {"spec": {"replicas": replicas}})

    def blocked(self):
        held = json.loads(self.kubectl("get", "gamestatefulset", "gs", "-o", "json")).get("status", {})
        return next((c for c in held.get("conditions", ()) if c["type"] == "Blocked" and c["status"] == "True"), None)

    def until(self, condition):
        deadline = time.monotonic() + 40
        while not (found := condition()):
            assert time.monotonic() < deadline, self.kubectl("get", "gamestatefulset,pod,pvc", "-o", "yaml")
            time.sleep(0.1)
        return found


@pytest.fixture
def sets(cluster, operators, namespace):
    found = Sets(cluster, namespace)
    yield found
    for name in found.names("pvc"):
        found.patch("pvc", name, {"metadata": {"finalizers": None}})


def test_public_f1_a_claim_that_another_controller_has_keeps_no_ordinal_away(sets):
    sets.create(whenScaled="Delete")
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})
    uid = sets.claim("data-gs-1")["uid"]
    theirs = {**BACKUP, "controller": True}
    sets.patch("pvc", "data-gs-1", {"metadata": {"ownerReferences": [theirs]}})
    sets.scale(1)
    sets.until(lambda: sets.names("pod") == {"gs-0"})
    sets.scale(2)
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})
    held = sets.claim("data-gs-1")
    assert (held["uid"], held["ownerReferences"]) == (uid, [theirs])


def test_public_f1_references_of_ours_go_from_a_claim_of_another_controller_before_there_is_a_pod(sets):
    theirs = {**BACKUP, "controller": True}
    sets.make_claim(POD_BEFORE, theirs)
    sets.create(whenScaled="Delete", whenDeleted="Delete")
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})
    sets.until(lambda: sets.claim("data-gs-1")["ownerReferences"] == [theirs])


def test_public_f1_an_owner_that_the_collector_cannot_judge_is_told_and_the_advice_helps(sets):
    sets.make_claim(POD_BEFORE, BACKUP)
    sets.create(whenScaled="Delete")
    told = sets.until(sets.blocked)
    assert told["reason"] == "ClaimTerminating"
    for part in ("claim data-gs-1", "other owners: Backup b", "remove its owner reference to pod gs-1"):
        assert part in told["message"]
    assert sets.names("pod") == {"gs-0"}
    sets.patch("pvc", "data-gs-1", {"metadata": {"ownerReferences": [BACKUP]}})
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})
    sets.until(lambda: sets.blocked() is None)


def test_public_f1_a_finalizer_that_holds_a_claim_is_told(sets):
    sets.make_claim()
    sets.patch("pvc", "data-gs-1", {"metadata": {"finalizers": [HOLD]}})
    sets.kubectl("delete", "pvc", "data-gs-1", "--wait=false")
    sets.create()
    told = sets.until(sets.blocked)
    assert told["reason"] == "ClaimTerminating"
    assert f"finalizers hold it: {HOLD}" in told["message"]
    sets.patch("pvc", "data-gs-1", {"metadata": {"finalizers": None}})
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})


def test_public_f2_a_deletion_in_the_foreground_waits_for_claims(sets):
    """The other set's deletion, asked for later, is over: the collector has been there."""
    for name in ("gs", "other"):
        sets.create(name, whenDeleted="Delete")
    sets.until(lambda: sets.names("pvc") == {"data-gs-0", "data-gs-1", "data-other-0", "data-other-1"})
    sets.until(lambda: len(sets.names("pod")) == 4)
    sets.patch("pvc", "data-gs-0", {"metadata": {"finalizers": [HOLD]}})
    for name in ("gs", "other"):
        sets.kubectl("delete", "gamestatefulset", name, "--cascade=foreground", "--wait=false")
    sets.until(lambda: sets.names("gamestatefulset") == {"gs"})
    sets.until(lambda: sets.claim("data-gs-0").get("deletionTimestamp") and sets.names("pvc") == {"data-gs-0"})
    assert sets.names("gamestatefulset") == {"gs"}
    sets.patch("pvc", "data-gs-0", {"metadata": {"finalizers": None}})
    sets.until(lambda: sets.names("gamestatefulset") == set())


def test_public_f2_references_without_flags_are_mended_and_new_ones_come_last(sets):
    sets.create(whenDeleted="Delete", whenScaled="Delete")
    sets.until(lambda: sets.names("pod") == {"gs-0", "gs-1"})
    (ours,) = sets.claim("data-gs-1")["ownerReferences"]
    assert (ours["kind"], ours["controller"], ours["blockOwnerDeletion"]) == ("GameStatefulSet", True, True)
    bare = {k: v for k, v in ours.items() if k not in ("controller", "blockOwnerDeletion")}
    other = {**BACKUP, "name": "c", "uid": POD_BEFORE["uid"]}
    for before, after in (
        ([bare], [ours]),
        ([BACKUP, {**ours, "controller": False}, other], [BACKUP, ours, other]),
        ([BACKUP, other], [BACKUP, other, ours]),
    ):
        sets.patch("pvc", "data-gs-1", {"metadata": {"ownerReferences": before}})
        sets.until(lambda wanted=after: _alike(sets.claim("data-gs-1")["ownerReferences"], wanted))


def _alike(held, wanted):
    return [{**o, "controller": o.get("controller", False)} for o in held] == [
        {**o, "controller": o.get("controller", False)} for o in wanted
    ]
