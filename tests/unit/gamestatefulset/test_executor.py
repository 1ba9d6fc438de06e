"""What becomes of a set's plan: writes that fail, caches that lag, events that wake.

Rules: docs/spec/gamestatefulset.md 2.1, 8.5.

Its cases 7, 30, 82, 93, 133, 134, 136, 140, 141, 146 to 148 of section 9.
"""

from dataclasses import replace

import pytest

from operators.api import keys
from operators.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from operators.kube.resources import (
    CONTROLLER_REVISIONS,
    GAME_STATEFUL_SETS,
    HOOK_TEMPLATES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
)
from operators.planning.views import HookRunView, OwnerView, node_view
from operators.runtime.store import Change
from operators.simulation.cluster import hook_template
from operators.workload.context import status_patch
from tests.unit.gamestatefulset.controllers import KEY, Harness
from tests.unit.gamestatefulset.observations import (
    CHECK,
    NOW,
    UID,
    pod,
    raw_pod,
    raw_revision,
    raw_set,
    remembered,
    template,
)

PARALLEL = {"podManagementPolicy": "Parallel"}
IN_PLACE = {"type": "InplaceUpdate"}
QUOTA = Forbidden(403, "Forbidden", "exceeded quota: pods, used 7, limited 7")
DATA = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
MINE = OwnerView("GameStatefulSet", "foo", UID)
OPT_IN = {keys.NODE_LOST_ANNOTATION: "true"}


def raws(count, revision="D", **how):
    return [raw_pod(i, revision, **how) for i in range(count)]


def node(ready, name="node"):
    metadata = {"name": name, "uid": "uid-node", "resourceVersion": "1"}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


# ---- the world has moved on


async def test_gss_7_a_repair_of_a_pod_that_is_gone_is_tried_once_and_is_no_failure():
    harness = Harness([*raws(2), raw_pod(2, labels={keys.ORDINAL_LABEL: None})])
    harness.sync()
    harness.api.drop(PODS, "default", "foo-2")
    outcome = await harness.stale_pass()
    assert harness.writes() == [("PATCH", "pods", "foo-2")]
    assert outcome.requeue_after != 0.0
    assert not [r for _, r, _ in await harness.told() if r.startswith("Failed")]
    await harness.one_pass()
    assert ("POST", "pods", "foo-2") in harness.writes()


async def test_gss_82_a_pod_that_vanished_before_its_update_is_created_anew_in_the_next_pass():
    harness = Harness(raws(3, "B"), strategy=IN_PLACE)
    harness.sync()
    harness.api.drop(PODS, "default", "foo-2")
    await harness.stale_pass()
    assert {n for _, _, n in harness.writes()} == {"foo-2"}
    assert harness.status["replicas"] == 3, "as far as was known"
    await harness.one_pass()
    assert harness.api.named("pods", "foo-2")["spec"]["containers"][0]["image"] == "nginx:D"


async def test_a_pod_that_is_another_one_by_now_is_neither_deleted_nor_updated():
    for strategy in ({}, IN_PLACE):
        harness = Harness(raws(3, "B"), strategy=strategy)
        harness.sync()
        harness.api.drop(PODS, "default", "foo-2")
        harness.api.put(PODS, raw_pod(2, "D", uid="uid-another"))
        await harness.stale_pass()
        held = harness.api.named("pods", "foo-2")
        assert (held["metadata"]["uid"], held["spec"]["containers"][0]["image"]) == ("uid-another", "nginx:D")
        assert keys.INPLACE_STATE_ANNOTATION not in held["metadata"]["annotations"]


async def test_gss_93_what_was_patched_is_not_patched_again_while_the_cache_lags():
    harness = Harness(raws(1, "B"), {"replicas": 1}, strategy=IN_PLACE)
    await harness.one_pass()
    record = harness.api.named("pods", "foo-0")["metadata"]["annotations"][keys.INPLACE_STATE_ANNOTATION]
    restarted(harness, "foo-0")
    count = len(harness.api.requests)
    assert (await harness.stale_pass()).requeue_after == 1.0
    assert harness.writes(count) == []
    await harness.one_pass()
    held = harness.api.named("pods", "foo-0")
    assert held["metadata"]["annotations"][keys.INPLACE_STATE_ANNOTATION] == record
    assert gate(held) == "True"


async def test_gss_93_nor_by_another_process_whose_cache_lags():
    """A new leader remembers nothing, and its caches may be older than the last write of the one before."""
    harness = Harness(raws(1, "B"), {"replicas": 1}, strategy=IN_PLACE)
    await harness.one_pass()
    record = harness.api.named("pods", "foo-0")["metadata"]["annotations"][keys.INPLACE_STATE_ANNOTATION]
    restarted(harness, "foo-0")
    harness.restart()
    harness.time += 40
    harness.sync(PODS)
    assert (await harness.stale_pass()).requeue_after == 1.0, "nothing else might wake it"
    await harness.one_pass()
    held = harness.api.named("pods", "foo-0")
    assert held["metadata"]["annotations"][keys.INPLACE_STATE_ANNOTATION] == record
    assert gate(held) == "True"


def restarted(harness, name, digest="id-nginx:B"):
    """The kubelet has restarted the container 20 seconds after its update; the new tag has the same digest."""
    body = harness.api.named("pods", name)
    status = body["status"]["containerStatuses"][0]
    status.update(imageID=digest, containerID="c-after", restartCount=1)
    status["state"] = {"running": {"startedAt": "1970-01-12T13:47:00Z"}}
    harness.api.put(PODS, body)


def gate(body):
    return next(c["status"] for c in body["status"]["conditions"] if c["type"] == keys.INPLACE_READY_GATE)


# ---- ownership


async def test_gss_30_orphan_revisions_are_adopted_if_the_set_is_the_one_that_was_seen():
    def harness():
        made = Harness(status={})
        for name, number in (("B", 1), ("D", 2)):
            made.api.drop(CONTROLLER_REVISIONS, "default", name)
            body = raw_revision(f"foo-{number}", number, template(name), owner=None)
            made.api.put(CONTROLLER_REVISIONS, body)
        made.sync()
        return made

    def owners(made):
        return [made.api.named("controllerrevisions", f"foo-{n}")["metadata"]["ownerReferences"] for n in (1, 2)]

    good = harness()
    await good.stale_pass()
    assert [[o["uid"] for o in refs] for refs in owners(good)] == [[UID], [UID]]
    gone = harness()
    gone.api.drop(GAME_STATEFUL_SETS, "default", "foo")
    with pytest.raises(NotFound):
        await gone.stale_pass()  # its status cannot be written either
    assert owners(gone) == [[], []]
    another = harness()
    another.api.drop(GAME_STATEFUL_SETS, "default", "foo")
    another.api.put(GAME_STATEFUL_SETS, raw_set(uid="uid-another"))
    with pytest.raises(Conflict):
        await another.stale_pass()
    assert owners(another) == [[], []]
    lost = harness()
    lost.api.drop(CONTROLLER_REVISIONS, "default", "foo-2")
    await lost.stale_pass()
    assert [o["uid"] for o in lost.api.named("controllerrevisions", "foo-1")["metadata"]["ownerReferences"]] == [UID]


# ---- creations


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
async def test_gss_146_a_creation_that_is_refused_is_told_counted_and_tried_later(policy):
    harness = Harness(raws(2), {"replicas": 5, "podManagementPolicy": policy}, status=remembered(current="D"))
    harness.api.refuse["POST", "pods"] = QUOTA
    assert (await harness.one_pass()).requeue_after == 0.0
    assert harness.api.sent("POST", "pods") == ["foo-2"], "in batches of 1, 2, 4: the first one failed"
    waits = (await harness.one_pass()).requeue_after
    assert len(harness.api.sent("POST", "pods")) == 1, "not in a hot loop"
    assert waits == pytest.approx(1.0)
    assert [harness.status[f] for f in ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")] == [2] * 4
    failed = harness.condition("FailedScale")
    missing = 1 if policy == "OrderedReady" else 3
    assert failed["message"] == f"{missing} pods to create are refused: {QUOTA.message} (403 Forbidden)"
    assert ("Warning", "FailedCreate") in {(t, r) for t, r, _ in await harness.told()}
    assert harness.counted("bkbcs_gamestatefulset_reconcile_duration_seconds_count", status="failure") == 1
    assert harness.counted("bkbcs_gamestatefulset_pod_create_duration_seconds_count", status="failure") == 1
    harness.api.refuse.clear()
    harness.time += 1
    await harness.one_pass()
    assert "foo-2" in harness.api.names("pods")
    await harness.one_pass()
    assert harness.condition("FailedScale") is None


async def test_gss_14_without_its_claim_no_pod_is_created():
    harness = Harness(spec={"replicas": 1, "volumeClaimTemplates": [DATA]}, status={})
    harness.api.refuse["POST", "persistentvolumeclaims"] = Forbidden(403, "Forbidden", "exceeded quota: storage")
    await harness.one_pass()
    assert harness.api.sent("POST", "pods") == []
    await harness.one_pass()
    assert "exceeded quota: storage" in harness.condition("FailedScale")["message"]
    harness.api.refuse.clear()
    harness.time += 1
    await harness.one_pass()
    assert harness.writes()[-2:] == [("POST", "persistentvolumeclaims", "data-foo-0"), ("POST", "pods", "foo-0")]


async def test_gss_15_a_claim_and_a_pod_of_ours_that_exist_already_are_taken_as_made():
    harness = Harness(spec={"replicas": 1, "volumeClaimTemplates": [DATA]}, status={})
    harness.sync()
    harness.api.put(PERSISTENT_VOLUME_CLAIMS, {"metadata": {"namespace": "default", "name": "data-foo-0"}, "spec": {}})
    harness.api.put(PODS, raw_pod(0))
    outcome = await harness.stale_pass()
    assert outcome.requeue_after != 0.0
    assert not [r for _, r, _ in await harness.told() if r.startswith("Failed")]
    assert harness.api.named("pods", "foo-0")["metadata"]["uid"] == "uid-0"


async def test_a_creation_of_unknown_outcome_makes_no_second_pod():
    harness = Harness(spec={"replicas": 1}, status={})

    async def lost(verb, name):
        if verb == "POST":
            raise Unavailable(0, "NoAnswer", "connection lost")

    harness.api.lose = lost
    await harness.one_pass()
    harness.api.lose = None
    harness.restart()
    await harness.stale_pass()  # tried again under the same name
    assert harness.api.sent("POST", "pods") == ["foo-0", "foo-0"]
    assert len([n for p, _, n in harness.api.objects if p == "pods"]) == 1


async def test_one_update_that_is_refused_leaves_the_others_alone_and_is_named():
    spec, strategy = {"replicas": 3, **PARALLEL}, {**IN_PLACE, "rollingUpdate": {"maxUnavailable": 3}}
    harness = Harness(raws(3, "B"), spec, strategy=strategy)
    harness.api.refuse["PATCH", "foo-1"] = Invalid(422, "Invalid", "image: not allowed here")
    await harness.one_pass()
    await harness.one_pass()
    images = [harness.api.named("pods", f"foo-{i}")["spec"]["containers"][0]["image"] for i in range(3)]
    assert images == ["nginx:D", "nginx:B", "nginx:D"]
    text = "pod foo-1 is not updated: image: not allowed here (422 Invalid)"
    assert harness.condition("FailedUpdate")["message"] == text


# ---- nodes


async def test_gss_136_140_a_node_that_goes_silent_wakes_the_set_and_its_pod_is_given_up():
    stuck = raw_pod(2, leaving=True, annotations=OPT_IN)
    harness = Harness([*raws(2), stuck], status=remembered(current="D"))
    harness.api.put(NODES, node("True"))
    await harness.one_pass()
    assert harness.api.graceless == []
    well, silent = node_view(node("True")), node_view(node("Unknown"))
    assert await harness.woken(Change(well, silent), harness.controller.on_node) == ["foo"]
    assert await harness.woken(Change(well, replace(well, resource_version="2")), harness.controller.on_node) == []
    harness.api.put(NODES, node("Unknown"))
    await harness.one_pass()
    assert harness.api.graceless == ["foo-2"]
    assert ("Warning", "ForceDeletedNodeLostPod") in {(t, r) for t, r, _ in await harness.told()}
    await harness.one_pass()
    assert harness.api.sent("POST", "pods") == ["foo-2"]


async def test_gss_136_a_node_that_is_back_by_now_keeps_its_pod():
    harness = Harness([*raws(2), raw_pod(2, leaving=True, annotations=OPT_IN)])
    harness.api.put(NODES, node("Unknown"))
    harness.sync()
    harness.api.put(NODES, node("True"))
    await harness.stale_pass()
    assert (harness.api.graceless, harness.writes()) == ([], [])


async def test_gss_136_a_pod_that_is_gone_by_now_is_done():
    harness = Harness([*raws(2), raw_pod(2, leaving=True, annotations=OPT_IN)])
    harness.api.put(NODES, node("Unknown"))
    harness.sync()
    harness.api.drop(PODS, "default", "foo-2")
    assert (await harness.stale_pass()).requeue_after != 0.0
    await harness.one_pass()
    assert harness.api.sent("POST", "pods") == ["foo-2"]


# ---- what wakes a set


async def test_gss_141_a_pod_of_ours_wakes_its_set_and_those_of_others_wake_nobody():
    harness = Harness()
    harness.sync()
    handler, seen = harness.controller.on_pod, pod(0)
    for change in (Change(None, seen), Change(seen, replace(seen, phase="Failed")), Change(seen, None)):
        assert await harness.woken(change, handler) == ["foo"]
    theirs = replace(seen, owner=OwnerView("ReplicaSet", "foo", "uid-rs"))
    for change in (Change(None, theirs), Change(theirs, replace(theirs, phase="Failed")), Change(theirs, None)):
        assert await harness.woken(change, handler) == []
    assert await harness.woken(Change(None, None), handler) == []


async def test_gss_141_a_change_of_owner_wakes_both():
    harness = Harness()
    other = OwnerView("GameStatefulSet", "other", "uid-other")
    change = Change(pod(0), replace(pod(0), owner=other, resource_version="6"))
    assert await harness.woken(change, harness.controller.on_pod) == ["foo", "other"]


async def test_gss_141_an_orphan_wakes_every_set_that_may_adopt_it():
    harness = Harness()
    harness.api.put(GAME_STATEFUL_SETS, raw_set(name="bar"))
    harness.api.put(GAME_STATEFUL_SETS, raw_set({"selector": {"matchLabels": {"foo": "baz"}}}, name="baz"))
    harness.sync()
    handler, orphan = harness.controller.on_pod, pod(0, owner=None)
    assert await harness.woken(Change(None, orphan), handler) == ["bar", "foo"]
    stranger = replace(orphan, labels={"app": "else"})
    assert await harness.woken(Change(None, stranger), handler) == []
    assert await harness.woken(Change(stranger, orphan), handler) == ["bar", "foo"]
    assert await harness.woken(Change(orphan, None), handler) == [], "a deleted one"
    fresh = Harness().stores.pods
    assert fresh.put(pod(0)) is not None
    assert fresh.put(replace(pod(0), phase="Failed")) is None, "an equal resourceVersion says nothing new"


async def test_gss_133_a_hook_run_wakes_its_set_when_its_phase_changes():
    harness = Harness()
    run = HookRunView("default", "run", "uid-run", "7", NOW, {}, "Running", owner=MINE)
    handler = harness.controller.on_hook_run
    assert await harness.woken(Change(run, replace(run, phase="Successful")), handler) == ["foo"]
    assert await harness.woken(Change(run, replace(run, resource_version="8", message="3 of 5")), handler) == []
    assert await harness.woken(Change(None, run), handler) == ["foo"]
    assert await harness.woken(Change(run, None), handler) == ["foo"]
    stranger = replace(run, owner=OwnerView("GameDeployment", "foo", UID))
    assert await harness.woken(Change(None, stranger), handler) == []


async def test_gss_134_a_template_that_is_made_later_wakes_the_set_and_the_hook_is_asked():
    harness = Harness(raws(3, "B"), {"preDeleteUpdateStrategy": CHECK})
    await harness.one_pass()
    assert harness.api.sent("POST", "hookruns") == []
    told = [(t, r) for t, r, _ in await harness.told()]
    assert told.count(("Warning", "HookTemplateMissing")) == 1
    body = hook_template("check")
    body["metadata"]["namespace"] = "default"
    harness.api.put(HOOK_TEMPLATES, body)
    harness.sync()
    made = harness.stores.templates.get("default", "check")
    assert await harness.woken(Change(None, made), harness.controller.on_template) == ["foo"]
    await harness.one_pass()
    assert harness.api.sent("POST", "hookruns") == ["predelete-B-2-check"]
    labels = harness.api.named("hookruns", "predelete-B-2-check")["metadata"]["labels"]
    assert (labels["instance-id"], labels["pod-uid"]) == ("2", "uid-2")


# ---- status and metrics


@pytest.mark.parametrize("field", ["updateRevision", "currentRevision", "replicas", "collisionCount", "labelSelector"])
def test_gss_148_one_field_that_differs_is_a_change(field):
    old = {**remembered(), "replicas": 3, "collisionCount": 0, "labelSelector": "foo=bar"}
    new = {**old, field: "other"}
    assert status_patch(old, new) == {field: "other"}
    assert status_patch(old, dict(old)) == {}


async def test_what_overtakes_an_update_is_looked_at_again_although_it_wakes_nobody():
    """An agent's annotation is nothing that planning reads; the update must not wait for the next event that is."""
    harness = Harness(raws(1, "B"), {"replicas": 1}, strategy=IN_PLACE)
    harness.sync()
    body = harness.api.named("pods", "foo-0")
    body["metadata"]["annotations"]["agent"] = "beat"
    harness.api.put(PODS, body)
    assert (await harness.stale_pass()).requeue_after == 1.0
    assert harness.api.named("pods", "foo-0")["spec"]["containers"][0]["image"] == "nginx:B"
    await harness.one_pass()
    assert harness.api.named("pods", "foo-0")["spec"]["containers"][0]["image"] == "nginx:D"


async def test_gss_149_a_settled_set_of_the_go_operator_gets_one_write_of_its_status_and_no_other():
    status = remembered(current="D", replicas=3, readyReplicas=3, currentReplicas=3, updatedReplicas=3)
    status |= {"updatedReadyReplicas": 3, "collisionCount": 0, "labelSelector": "foo=bar"}
    harness = Harness(raws(3), status=status)
    await harness.one_pass()
    await harness.one_pass()
    assert harness.writes() == []
    assert harness.api.sent("PATCH", "gamestatefulsets") == ["foo"]


async def test_gss_147_series_of_a_set_that_is_gone_disappear():
    """An hour of changes to 20 sets, the other half of the case, is not tried here."""
    harness = Harness(raws(3, "B"), strategy={"paused": True})
    await harness.one_pass()
    assert {"bkbcs_gamestatefulset_replicas", "bkbcs_gamestatefulset_blocked"} <= harness.series()
    harness.api.drop(GAME_STATEFUL_SETS, "default", "foo")
    await harness.one_pass()
    left = harness.series()
    assert not left & {"bkbcs_gamestatefulset_replicas", "bkbcs_gamestatefulset_blocked"}
    assert harness.expectations.pending(KEY, 0.0) is None


# ---- templates that no pod can have (public F3, F4)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_public_f3_f4_no_pod_is_deleted_for_one_that_is_refused(policy, status):
    harness = Harness(raws(3, "B"), {"podManagementPolicy": policy})
    harness.api.refuse["POST", "pods"] = ApiError(status, "Refused", "no such pod")
    for _ in range(20):
        await harness.one_pass()
        harness.time += 30
    assert harness.api.sent("DELETE", "pods") == []
    blocked = harness.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "FailedScale")
    assert "no such pod" in blocked["message"]
    harness.api.refuse.clear()
    harness.time += 60
    await harness.one_pass()
    await harness.one_pass()
    assert harness.api.sent("DELETE", "pods") == ["foo-2"]
