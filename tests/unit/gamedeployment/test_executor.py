"""What becomes of a plan: writes that fail, names that are taken, events that wake.

Rules: docs/spec/gamedeployment.md 2.1, 2.10.

And its cases 18, 61, 133, 134, 138, 140 and 150 of section 10; docs/spec/hooks.md case 111.
"""

import asyncio
from dataclasses import replace

import pytest

from operators.api import keys
from operators.kube.errors import ApiError, Forbidden, Invalid, Unavailable
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES, PODS
from operators.planning.views import HookRunView, OwnerView
from operators.runtime.store import Change
from operators.simulation.cluster import UID, hook_template
from tests.unit.gamedeployment.controllers import KEY, Harness
from tests.unit.gamedeployment.observations import NEW, NOW, OLD, OWNER, decide, new, pod, raw_pod

QUOTA = Forbidden(403, "Forbidden", "exceeded quota: pods, used 7, limited 7")
PRE_DELETE = {"preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 3}
MINE = OwnerView("GameDeployment", "gd", UID)


def olds(*instances, **how):
    return [raw_pod(i, OLD, **how) for i in instances]


# ---- creations


async def test_gd_18_a_first_creation_that_fails_is_the_only_one_and_is_tried_again():
    harness = Harness(spec={"replicas": 5})
    harness.api.refuse["POST", "pods"] = QUOTA
    outcome = await harness.one_pass()
    assert len(harness.api.sent("POST", "pods")) == 1, "batches of 1, 2, 4: the first one failed"
    assert harness.expectations.pending(KEY, 0.0) is None
    assert outcome.requeue_after == 0.0
    waits = (await harness.one_pass()).requeue_after
    assert len(harness.api.sent("POST", "pods")) == 1, "not in a hot loop"
    assert waits == pytest.approx(1.0)
    failed = harness.condition("FailedScale")
    assert failed["message"] == "5 pods to create are refused: exceeded quota: pods, used 7, limited 7 (403 Forbidden)"
    assert harness.condition("Blocked")["reason"] == "FailedScale"
    reasons = {(t, r) for t, r, _ in await harness.told()}
    assert ("Warning", "FailedCreate") in reasons
    harness.api.refuse.clear()
    harness.time += 1
    await harness.one_pass()
    assert len(harness.api.names("pods")) == 5
    await harness.one_pass()
    assert harness.condition("FailedScale") is None


async def test_gd_18_a_creation_of_unknown_outcome_is_waited_for():
    """The pod may exist all the same; a pass that made up a new name would create one too many."""
    harness = Harness(spec={"replicas": 1})

    async def lost(verb, name):
        if verb == "POST":
            raise Unavailable(0, "NoAnswer", "connection lost")

    harness.api.lose = lost
    harness.sync()
    await harness.controller.reconcile(KEY)
    (name,) = harness.api.names("pods")
    assert harness.expectations.pending(KEY, 0.0).describe == f"creation of {name}"
    assert (await harness.controller.reconcile(KEY)).requeue_after == 1.0
    harness.api.lose = None
    await harness.one_pass()
    assert harness.api.names("pods") == [name]


async def test_a_pass_waits_until_the_caches_show_its_own_writes():
    harness = Harness(spec={"replicas": 3})
    await harness.one_pass()
    count = len(harness.api.requests)
    assert (await harness.controller.reconcile(KEY)).requeue_after == 1.0
    assert len(harness.api.requests) == count
    await harness.one_pass()
    assert len(harness.api.names("pods")) == 3


# ---- one that fails does not hold up the others


async def test_gd_150_one_update_that_is_refused_leaves_the_others_alone_and_is_named():
    harness = Harness(olds("a", "b", "c"), {"replicas": 3}, strategy=IN_PLACE)
    harness.api.refuse["PATCH", "gd-b"] = Invalid(422, "Invalid", "spec.containers[0].image: not allowed here")
    await harness.one_pass()
    await harness.one_pass()
    images = {n: harness.api.named("pods", n)["spec"]["containers"][0]["image"] for n in harness.api.names("pods")}
    assert images == {"gd-a": "game:2", "gd-b": "game:1", "gd-c": "game:2"}
    failed = harness.condition("FailedUpdate")
    text = "pod gd-b is not updated: spec.containers[0].image: not allowed here (422 Invalid)"
    assert (failed["status"], failed["message"]) == ("True", text)
    told = await harness.told()
    assert ("Warning", "FailedUpdate", text) in told
    assert [r for _, r, _ in told].count("FailedUpdatePodInPlace") == 1


async def test_gd_150_one_deletion_that_is_refused_leaves_the_others_alone():
    harness = Harness(olds("a", "b", "c"), {"replicas": 3}, strategy={"maxUnavailable": 3})
    harness.api.refuse["DELETE", "gd-a"] = Forbidden(403, "Forbidden", "a disruption budget says no")
    await harness.one_pass()
    await harness.one_pass()
    assert "gd-a" in harness.api.names("pods")
    assert not {"gd-b", "gd-c"} & set(harness.api.names("pods"))
    assert harness.condition("FailedUpdate")["message"].startswith("pod gd-a is not updated: a disruption budget")


async def test_gd_150_a_refusal_is_tried_later_each_time_and_forgotten_when_the_spec_changes():
    harness = Harness(olds("a"), {"replicas": 1}, strategy=IN_PLACE)
    harness.api.refuse["PATCH", "gd-a"] = Invalid(422, "Invalid", "no")
    tries = []
    for _ in range(40):
        before = len(harness.api.sent("PATCH", "pods"))
        await harness.one_pass()
        if len(harness.api.sent("PATCH", "pods")) > before:
            tries.append(harness.time - NOW)
        harness.time += 0.5
    assert tries == [0.0, 1.0, 3.0, 7.0, 15.0]
    body = harness.api.named("gamedeployments", "gd")
    body["metadata"]["generation"] += 1
    body["metadata"]["resourceVersion"] = str(harness.api.version + 1)
    harness.api.version += 1
    before = len(harness.api.sent("PATCH", "pods"))
    await harness.one_pass()
    assert len(harness.api.sent("PATCH", "pods")) == before + 1


# ---- one that later ones count on


async def test_nothing_is_created_before_an_orphan_is_adopted():
    harness = Harness([raw_pod("a", owner=None)], {"replicas": 2})
    harness.api.refuse["PATCH", "gd-a"] = Forbidden(403, "Forbidden", "no")
    await harness.one_pass()
    assert harness.api.sent("PATCH", "pods") == ["gd-a"]
    assert harness.api.sent("POST", "pods") == []


async def test_nothing_is_done_to_pods_while_an_old_answer_cannot_be_removed():
    """The answer could let a later deletion through."""
    harness = Harness([raw_pod("a")], {"replicas": 2, **PRE_DELETE})
    name = f"predelete-{OLD}-a-check"
    harness.api.put(HOOK_RUNS, _hook_run(name, OWNER, "Successful"))
    harness.api.refuse["DELETE", name] = Unavailable(500, "InternalError", "etcd is slow")
    await harness.one_pass()
    assert harness.api.sent("DELETE", "hookruns") == [name]
    assert harness.api.sent("POST", "pods") == []
    harness.api.refuse.clear()
    harness.time += 1
    await harness.one_pass()
    assert (harness.api.names("hookruns"), len(harness.api.names("pods"))) == ([], 2)


async def test_gd_105_a_mark_that_could_not_be_taken_back_is_not_forgotten():
    """Players would never be sent to the pod again. The run that put it there reminds of it."""
    marked = raw_pod("a", annotations={keys.POD_DELETING_ANNOTATION: "true"})
    harness = Harness([marked], {"replicas": 1, **PRE_DELETE})
    name = f"predelete-{NEW}-a-check"
    harness.api.put(HOOK_RUNS, _hook_run(name, OWNER, "Running", revision=NEW))
    harness.api.refuse["PATCH", "gd-a"] = Unavailable(500, "InternalError", "etcd is slow")
    for _ in range(3):
        await harness.one_pass()
        assert harness.api.names("hookruns") == [name]
    harness.api.refuse.clear()
    harness.time += 2
    await harness.one_pass()
    assert harness.api.names("hookruns") == []
    assert harness.api.named("pods", "gd-a")["metadata"]["annotations"][keys.POD_DELETING_ANNOTATION] == "false"


async def test_gd_105_an_answer_goes_in_the_end_although_its_mark_stays():
    marked = raw_pod("a", annotations={keys.POD_DELETING_ANNOTATION: "true"})
    harness = Harness([marked], {"replicas": 1, **PRE_DELETE})
    harness.api.put(HOOK_RUNS, _hook_run(f"predelete-{NEW}-a-check", OWNER, "Running", revision=NEW))
    harness.api.refuse["PATCH", "gd-a"] = Unavailable(500, "InternalError", "etcd is slow")
    for _ in range(20):
        await harness.one_pass()
        harness.time += 1
    assert harness.api.names("hookruns") == []
    assert ("Warning", "FailedWrite", "AnnotatePod gd-a: etcd is slow") in await harness.told()


@pytest.mark.parametrize(("planning", "least", "most"), [(0.02, 0.2, 0.5), (0.07, 0.5, 0.5)])
async def test_a_workload_rests_for_longer_the_longer_its_plan_took(monkeypatch, planning, least, most):
    harness = Harness(pods=[raw_pod("a")])
    decided, loop = harness.controller.decide, asyncio.get_running_loop()
    clock = loop.time

    def slowly(workload):
        monkeypatch.setattr(loop, "time", lambda: clock() + planning)
        return decided(workload)

    monkeypatch.setattr(harness.controller, "decide", slowly)
    outcome = await harness.one_pass()
    assert least <= outcome.quiet <= most


async def test_a_plan_that_cannot_be_made_is_told_on_the_object(monkeypatch):
    """What stands in the log of the operators alone nobody finds at night."""
    harness = Harness([raw_pod("a")], {"replicas": 1})
    await harness.one_pass()
    before = harness.status

    def broken(_):
        raise KeyError("containers")

    with monkeypatch.context() as patched:
        patched.setattr(harness.controller, "decide", broken)
        for _ in range(2):
            with pytest.raises(KeyError):
                await harness.one_pass()
    blocked = harness.condition("Blocked")
    assert (blocked["reason"], blocked["message"]) == ("InternalError", "no plan can be made: KeyError: 'containers'")
    assert harness.status == {**before, "conditions": harness.status["conditions"]}
    assert len(harness.status["conditions"]) == len(before["conditions"])
    assert [m for _, reason, m in await harness.told() if reason == "InternalError"] == [blocked["message"]]
    await harness.one_pass()
    assert harness.condition("Blocked")["status"] == "False"


# ---- names that are taken


@pytest.mark.parametrize("phase", ["", "Running", "Successful", "Failed"])
async def test_gd_61_hook_111_a_hook_run_of_ours_that_exists_is_taken_as_the_one_wanted(phase):
    """The Go operator makes a second one, ``<name>.1`` (G); names are deterministic here, and the UID is checked."""
    harness = Harness(olds("a"), {"replicas": 1, **PRE_DELETE})
    harness.api.put(HOOK_TEMPLATES, hook_template("check"))
    harness.sync()
    name = f"predelete-{OLD}-a-check"
    body = _hook_run(name, OWNER, phase)
    harness.api.put(HOOK_RUNS, body)  # the cache does not know it yet
    await harness.stale_pass()  # asks whether a pod can be created in its place
    outcome = await harness.controller.reconcile(KEY)
    assert harness.api.sent("POST", "hookruns") == harness.api.names("hookruns") == [name]
    assert outcome.requeue_after != 0.0, "it did not fail"
    assert "gd-a" in harness.api.names("pods"), "its answer counts from the next pass on"
    await harness.one_pass()
    assert ("gd-a" in harness.api.names("pods")) == (phase != "Successful")


async def test_gd_103_an_argument_that_nobody_declared_is_told_of():
    given = {"templateName": "check", "args": [{"name": "zone", "value": "x"}]}
    spec = {"replicas": 0, "preDeleteUpdateStrategy": {"hook": given}}
    harness = Harness(olds("a"), spec)
    harness.api.put(HOOK_TEMPLATES, hook_template("check"))
    await harness.one_pass()
    name = f"predelete-{OLD}-a-check"
    assert harness.api.names("hookruns") == [name]
    text = f"hookrun {name} does without arguments its HookTemplate does not declare: zone"
    assert ("Warning", "HookArgumentDropped", text) in await harness.told()


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other", "uid": "uid-other"},
        {"kind": "Nothing"},
        {"name": "other"},
        {"uid": "2"},
        {"controller": False},
    ],
    ids=str,
)
async def test_gd_61_hook_111_attack_f13_a_hook_run_of_somebody_else_is_no_answer_and_is_named(other):
    harness = Harness(olds("a"), {"replicas": 1, **PRE_DELETE})
    harness.api.put(HOOK_TEMPLATES, hook_template("check"))
    name = f"predelete-{OLD}-a-check"
    stranger = {**OWNER, **other}
    harness.api.put(HOOK_RUNS, _hook_run(name, stranger, "Successful"))
    await harness.one_pass()
    await harness.one_pass()
    assert harness.api.names("pods") == ["gd-a"]
    assert harness.api.names("hookruns") == [name]
    assert harness.condition("Blocked")["message"] == (
        f"HookRun {name} is not created: HookRun {name} exists and belongs to somebody else (409 NameTaken)"
    )


def _hook_run(name, owner, phase, revision=OLD):
    labels = {"hookrun-type": "pre-delete-step", "workload-revision": revision, "instance-id": "a"}
    metadata = {"namespace": "game", "name": name, "labels": labels, "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase} if phase else {}}


async def test_a_pod_of_that_name_of_somebody_else_is_left_alone_and_another_name_taken():
    harness = Harness(spec={"replicas": 1})
    await harness.one_pass()
    (name,) = harness.api.sent("POST", "pods")
    harness = Harness(spec={"replicas": 1})
    harness.sync()
    stranger = raw_pod(name.removeprefix("gd-"), owner=None)
    harness.api.put(PODS, {**stranger, "metadata": {**stranger["metadata"], "labels": {}}})
    await harness.controller.reconcile(KEY)
    assert harness.api.named("pods", name)["metadata"]["ownerReferences"] == []
    harness.time += 2
    await harness.one_pass()
    assert len(harness.api.names("pods")) == 2


# ---- what wakes a workload


async def test_gd_133_pods_of_other_controllers_wake_nobody():
    harness = Harness(spec={"replicas": 1})
    harness.sync()
    stranger = {"kind": "ReplicaSet", "name": "gd", "uid": "uid-rs", "controller": True}
    theirs = pod("a", owner=stranger)
    for change in (Change(None, theirs), Change(theirs, replace(theirs, phase="Failed")), Change(theirs, None)):
        assert await harness.woken(change, harness.controller.on_pod) == []


async def test_gd_133_a_pod_of_ours_wakes_its_workload():
    harness = Harness(spec={"replicas": 1})
    seen = pod("a")
    for change in (Change(None, seen), Change(seen, replace(seen, phase="Failed")), Change(seen, None)):
        assert await harness.woken(change, harness.controller.on_pod) == ["gd"]


async def test_gd_133_an_update_that_is_none_wakes_nobody():
    """Equal versions do not even get out of the cache; a new version in which nothing is of interest does."""
    harness = Harness(spec={"replicas": 1})
    seen = pod("a")
    assert harness.stores.pods.put(seen) is not None
    assert harness.stores.pods.put(replace(seen, phase="Failed")) is None, "an equal resourceVersion says nothing new"
    beat = harness.stores.pods.put(replace(seen, resource_version="6"))
    assert await harness.woken(beat, harness.controller.on_pod) == []


async def test_gd_133_a_change_of_owner_wakes_both():
    harness = Harness(spec={"replicas": 1})
    other = OwnerView("GameDeployment", "other", "uid-other")
    change = Change(pod("a"), replace(pod("a"), owner=other, resource_version="6"))
    assert await harness.woken(change, harness.controller.on_pod) == ["gd", "other"]


async def test_gd_133_orphans_wake_who_may_adopt_them():
    harness = Harness(spec={"replicas": 1})
    harness.sync()
    orphan = pod("a", owner=None)
    assert await harness.woken(Change(None, orphan), harness.controller.on_pod) == ["gd"]
    assert await harness.woken(Change(orphan, None), harness.controller.on_pod) == [], "a deleted one"
    running = Change(orphan, replace(orphan, phase="Failed", resource_version="6"))
    assert await harness.woken(running, harness.controller.on_pod) == [], "neither labels nor owner changed"
    debug = replace(orphan, labels={"app": "debug"})
    assert await harness.woken(Change(debug, orphan), harness.controller.on_pod) == ["gd"], "it matches now"
    assert await harness.woken(Change(None, debug), harness.controller.on_pod) == []


async def test_gd_134_a_hook_run_wakes_its_workload_when_its_phase_changes():
    harness = Harness()
    run = HookRunView("game", "run", "uid-run", "7", NOW, {}, "Running", owner=MINE)
    handler = harness.controller.on_hook_run
    assert await harness.woken(Change(run, replace(run, phase="Successful")), handler) == ["gd"]
    assert await harness.woken(Change(run, replace(run, resource_version="8", message="m: 3 of 5")), handler) == []
    assert await harness.woken(Change(run, replace(run, terminate=True)), handler) == ["gd"], "it may go now"
    assert await harness.woken(Change(None, run), handler) == ["gd"]
    assert await harness.woken(Change(run, None), handler) == ["gd"]
    stranger = replace(run, owner=OwnerView("GameStatefulSet", "gd", UID))
    assert await harness.woken(Change(None, stranger), handler) == []


async def test_what_a_hook_measures_anew_is_shown_a_while_later(monkeypatch):
    """The status says what was measured last; a pass for every measurement would cost more than that is worth."""
    harness, asked = Harness(), []
    monkeypatch.setattr(harness.queue, "add_after", lambda key, delay: asked.append((key, delay)))
    run = HookRunView("game", "run", "uid-run", "7", NOW, {}, "Running", "players: 3", MINE)
    handler = harness.controller.on_hook_run
    assert await harness.woken(Change(run, replace(run, resource_version="8", message="players: 1")), handler) == []
    assert asked == [(KEY, 10.0)]
    await harness.woken(Change(run, replace(run, resource_version="8")), handler)
    assert len(asked) == 1


# ---- expectations and times


async def test_gd_138_a_write_that_was_overtaken_is_not_waited_for():
    """The Go operator expects a revision, and forgets that when it goes for another one. Here a write is seen as soon
    as the cache holds this version of the pod or a newer one, whatever revision that carries."""
    harness = Harness(olds("a"), {"replicas": 1}, strategy=IN_PLACE)
    await harness.one_pass()
    assert harness.expectations.pending(KEY, 0.0) is not None, "the update to NEW is not in the cache"
    body = harness.api.named("pods", "gd-a")
    body["metadata"]["labels"][keys.REVISION_LABEL] = "gd-another"
    harness.api.version += 1
    body["metadata"]["resourceVersion"] = str(harness.api.version)
    harness.sync()
    assert harness.stores.pods.get("game", "gd-a").revision == "gd-another"
    assert harness.expectations.pending(KEY, 0.0) is None


@pytest.mark.parametrize(
    ("young", "leaving", "wanted"),
    [
        pytest.param(None, 1.0, 1.0, id="0, 1"),
        pytest.param(2.0, 1.0, 1.0, id="2, 1"),
        pytest.param(1.0, 2.0, 1.0, id="1, 2"),
        pytest.param(1.0, None, 1.0, id="1, 0"),
        pytest.param(None, None, None, id="0, 0"),
    ],
)
async def test_gd_140_the_earliest_of_several_times_counts(young, leaving, wanted):
    """``young``: seconds until a pod is available; ``leaving``: until one that terminates counts as late."""
    pods = [pod("a", ready_for=500.0 if young is None else 30.0 - young)]
    if leaving is not None:
        pods.append(replace(pod("b", leaving=True), deletion_timestamp=NOW - 30.0 + leaving))
    decision = decide(pods, {"replicas": 1, "minReadySeconds": 30})
    assert decision.wake_after == (None if wanted is None else pytest.approx(wanted))


async def test_gd_140_a_pass_asks_to_be_woken_then():
    strategy = {"maxUnavailable": 0, "maxSurge": 1}
    harness = Harness([raw_pod("a", ready_for=28.0)], {"replicas": 1, "minReadySeconds": 30}, strategy=strategy)
    assert (await harness.one_pass()).requeue_after == pytest.approx(2.0)
    assert harness.condition("Available")["status"] == "False"
    harness.time += 2
    assert (await harness.one_pass()).requeue_after is None
    assert harness.condition("Available")["status"] == "True"


def test_a_settled_workload_asks_for_nothing():
    decision = decide(new("a"), {"replicas": 1}, status={"updateRevision": NEW, "currentRevision": NEW})
    assert (decision.actions, decision.wake_after) == ((), None)


# ---- templates that no pod can have (public F3, F4)

LASTING = [
    ApiError(400, "BadRequest", "Pod in version v1 cannot be handled as a Pod"),
    QUOTA,
    ApiError(413, "RequestEntityTooLarge", "too large"),
    ApiError(415, "UnsupportedMediaType", "what is this"),
    Invalid(422, "Invalid", "spec.containers[0].ports: must be between 1 and 65535"),
]


@pytest.mark.parametrize("error", LASTING, ids=lambda error: str(error.status))
@pytest.mark.parametrize("surge", [0, 1])
async def test_public_f3_f4_no_pod_is_deleted_for_one_that_is_refused(error, surge):
    strategy = {"type": "RollingUpdate", "maxSurge": surge, "maxUnavailable": 2}
    # One is missing already: so its creation is refused, and nothing has to be tried for that.
    harness = Harness(olds("a", "b", "c"), {"replicas": 4}, strategy=strategy)
    harness.api.refuse["POST", "pods"] = error
    for _ in range(20):
        await harness.one_pass()
        harness.time += 30
    assert harness.api.names("pods") == ["gd-a", "gd-b", "gd-c"]
    blocked = harness.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "FailedScale")
    assert str(error) in blocked["message"]
    told = [r for _, r, _ in await harness.told() if r == "FailedScale"]
    assert len(told) == 1, "one Event, not one for each try"


@pytest.mark.parametrize("error", [e for e in LASTING if e.status != 403], ids=lambda error: str(error.status))
async def test_public_f3_a_template_is_tried_before_the_first_pod_goes_for_it(error):
    strategy = {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": "50%"}
    harness = Harness(olds("a", "b", "c", "d"), {"replicas": 4}, strategy=strategy)
    harness.api.refuse["POST", "pods"] = error
    for _ in range(20):
        await harness.one_pass()
        harness.time += 30
    assert harness.api.names("pods") == ["gd-a", "gd-b", "gd-c", "gd-d"]
    assert harness.api.sent("POST", "pods") == []
    assert len(harness.api.sent("DRYRUN", "pods")) > 3, "it is tried again"
    blocked = harness.condition("Blocked")
    assert (blocked["status"], blocked["reason"]) == ("True", "FailedScale")
    assert blocked["message"].startswith(f"no pod is replaced, because pods of revision {NEW} are refused: {error}")
    harness.api.refuse.clear()
    harness.time += 60
    for _ in range(3):
        await harness.one_pass()
    assert len(harness.api.sent("DELETE", "pods")) == 2, "it goes on by itself"


async def test_public_f3_a_quota_that_is_full_keeps_no_update_without_surge_away():
    """What is refused while the old pod is there may fit when it is gone."""
    strategy = {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": 1}
    harness = Harness(olds("a", "b"), {"replicas": 2}, strategy=strategy)
    harness.api.refuse["POST", "pods"] = QUOTA
    await harness.one_pass()
    assert len(harness.api.sent("DELETE", "pods")) == 1


async def test_public_f3_a_template_is_tried_once():
    strategy = {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": 1}
    harness = Harness(olds("a", "b", "c"), {"replicas": 3}, strategy=strategy)
    for _ in range(6):
        await harness.one_pass()
    assert len(harness.api.sent("DRYRUN", "pods")) == 1


async def test_public_f3_a_webhook_that_no_dry_run_may_ask_says_nothing_of_the_pod():
    strategy = {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": 1}
    harness = Harness(olds("a", "b"), {"replicas": 2}, strategy=strategy)
    said = 'admission webhook "inject.example.com" does not support dry run'
    harness.api.refuse["POST", "pods"] = ApiError(400, "BadRequest", said)
    await harness.one_pass()
    assert len(harness.api.sent("DELETE", "pods")) == 1


# ---- warnings

MISSPELT = 'unknown field "spec.containers[0].livenesProbe"'


async def test_public_f5_warnings_of_creations_are_told_once_and_shown():
    harness = Harness(spec={"replicas": 3})
    harness.api.warn = (MISSPELT,)
    for _ in range(3):
        await harness.one_pass()
    shown = harness.condition("TemplateWarning")
    revision = harness.status["updateRevision"]
    assert (shown["status"], shown["reason"]) == ("True", "PodWarning")
    assert shown["message"] == f"pods of revision {revision} are created with warnings: {MISSPELT}"
    told = [e for e in await harness.told() if e[1] == "PodWarning"]
    assert told == [("Warning", "PodWarning", f"pods of revision {revision}: {MISSPELT}")]
    assert harness.condition("Blocked")["status"] == "False", "it goes on"


async def test_public_f5_what_was_told_outlives_the_process_and_is_not_told_again():
    harness = Harness(spec={"replicas": 2})
    harness.api.warn = (MISSPELT,)
    for _ in range(2):
        await harness.one_pass()
    before = harness.condition("TemplateWarning")
    assert len([e for e in await harness.told() if e[1] == "PodWarning"]) == 1
    harness.restart()
    for _ in range(2):
        await harness.one_pass()
    assert harness.condition("TemplateWarning") == before
    del harness.api.objects["pods", KEY[0], harness.api.names("pods")[0]]
    for _ in range(2):
        await harness.one_pass()
    assert len(harness.api.names("pods")) == 2
    assert harness.condition("TemplateWarning") == before
    assert len([e for e in await harness.told() if e[1] == "PodWarning"]) == 1


async def test_public_f5_a_creation_without_warnings_ends_the_condition():
    harness = Harness(spec={"replicas": 2})
    harness.api.warn = ('would violate PodSecurity "restricted:latest"',)
    for _ in range(2):
        await harness.one_pass()
    assert harness.condition("TemplateWarning") is not None
    harness.api.warn = ()
    del harness.api.objects["pods", KEY[0], harness.api.names("pods")[0]]
    for _ in range(2):
        await harness.one_pass()
    assert harness.condition("TemplateWarning") is None


async def test_public_f5_warnings_that_differ_with_every_pod_are_one_event():
    harness = Harness(spec={"replicas": 5})
    for number in range(5):
        harness.api.warn = tuple(f"pod {number}-{i} is odd" for i in range(20))
        await harness.one_pass()
        del harness.api.objects["pods", KEY[0], harness.api.names("pods")[0]]
    assert len([e for e in await harness.told() if e[1] == "PodWarning"]) == 1
    assert harness.condition("TemplateWarning")["message"].count("is odd") == 8


async def test_public_f5_warnings_of_a_dry_run_are_shown_before_a_pod_goes():
    strategy = {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": 1}
    harness = Harness(olds("a", "b"), {"replicas": 2}, strategy=strategy)
    harness.api.warn = (MISSPELT,)
    await harness.one_pass()
    assert harness.condition("TemplateWarning")["message"].endswith(MISSPELT)
