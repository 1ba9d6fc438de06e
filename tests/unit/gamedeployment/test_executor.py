"""What becomes of a plan: writes that fail, names that are taken, events that wake.

Rules: docs/spec/gamedeployment.md 2.1, 2.10.

And its cases 18, 61, 133, 134, 138, 140 and 150 of section 10; docs/spec/hooks.md case 111.
"""

import asyncio
from dataclasses import replace

import pytest

from operators.api import keys
from operators.kube.errors import Forbidden, Invalid, Unavailable
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES, PODS
from operators.planning.views import HookRunView, OwnerView
from operators.runtime.store import Change
from operators.simulation.cluster import UID, hook_template
from tests.unit.gamedeployment.controllers import KEY, Station
from tests.unit.gamedeployment.observations import NEW, NOW, OLD, OWNER, decide, new, pod, raw_pod

QUOTA = Forbidden(403, "Forbidden", "exceeded quota: pods, used 7, limited 7")
PRE_DELETE = {"preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 3}
MINE = OwnerView("GameDeployment", "gd", UID)


def olds(*instances, **how):
    return [raw_pod(i, OLD, **how) for i in instances]


# ---- creations


async def test_gd_18_a_first_creation_that_fails_is_the_only_one_and_is_tried_again():
    station = Station(spec={"replicas": 5})
    station.api.refuse["POST", "pods"] = QUOTA
    outcome = await station.one_pass()
    assert len(station.api.sent("POST", "pods")) == 1, "batches of 1, 2, 4: the first one failed"
    assert station.expectations.pending(KEY, 0.0) is None
    assert outcome.requeue_after == 0.0
    waits = (await station.one_pass()).requeue_after
    assert len(station.api.sent("POST", "pods")) == 1, "not in a hot loop"
    assert waits == pytest.approx(1.0)
    failed = station.condition("FailedScale")
    assert failed["message"] == "5 pods to create are refused: exceeded quota: pods, used 7, limited 7 (403 Forbidden)"
    assert station.condition("Blocked")["reason"] == "FailedScale"
    reasons = {(t, r) for t, r, _ in await station.told()}
    assert ("Warning", "FailedCreate") in reasons
    station.api.refuse.clear()
    station.time += 1
    await station.one_pass()
    assert len(station.api.names("pods")) == 5
    await station.one_pass()
    assert station.condition("FailedScale") is None


async def test_gd_18_a_creation_of_unknown_outcome_is_waited_for():
    """The pod may exist all the same; a pass that made up a new name would create one too many."""
    station = Station(spec={"replicas": 1})

    async def lost(verb, name):
        if verb == "POST":
            raise Unavailable(0, "NoAnswer", "connection lost")

    station.api.lose = lost
    station.sync()
    await station.controller.reconcile(KEY)
    (name,) = station.api.names("pods")
    assert station.expectations.pending(KEY, 0.0).describe == f"creation of {name}"
    assert (await station.controller.reconcile(KEY)).requeue_after == 1.0
    station.api.lose = None
    await station.one_pass()
    assert station.api.names("pods") == [name]


async def test_a_pass_waits_until_the_caches_show_its_own_writes():
    station = Station(spec={"replicas": 3})
    await station.one_pass()
    count = len(station.api.requests)
    assert (await station.controller.reconcile(KEY)).requeue_after == 1.0
    assert len(station.api.requests) == count
    await station.one_pass()
    assert len(station.api.names("pods")) == 3


# ---- one that fails does not hold up the others


async def test_gd_150_one_update_that_is_refused_leaves_the_others_alone_and_is_named():
    station = Station(olds("a", "b", "c"), {"replicas": 3}, strategy=IN_PLACE)
    station.api.refuse["PATCH", "gd-b"] = Invalid(422, "Invalid", "spec.containers[0].image: not allowed here")
    await station.one_pass()
    await station.one_pass()
    images = {n: station.api.named("pods", n)["spec"]["containers"][0]["image"] for n in station.api.names("pods")}
    assert images == {"gd-a": "game:2", "gd-b": "game:1", "gd-c": "game:2"}
    failed = station.condition("FailedUpdate")
    text = "pod gd-b is not updated: spec.containers[0].image: not allowed here (422 Invalid)"
    assert (failed["status"], failed["message"]) == ("True", text)
    told = await station.told()
    assert ("Warning", "FailedUpdate", text) in told
    assert [r for _, r, _ in told].count("FailedUpdatePodInPlace") == 1


async def test_gd_150_one_deletion_that_is_refused_leaves_the_others_alone():
    station = Station(olds("a", "b", "c"), {"replicas": 3}, strategy={"maxUnavailable": 3})
    station.api.refuse["DELETE", "gd-a"] = Forbidden(403, "Forbidden", "a disruption budget says no")
    await station.one_pass()
    await station.one_pass()
    assert "gd-a" in station.api.names("pods")
    assert not {"gd-b", "gd-c"} & set(station.api.names("pods"))
    assert station.condition("FailedUpdate")["message"].startswith("pod gd-a is not updated: a disruption budget")


async def test_gd_150_a_refusal_is_tried_later_each_time_and_forgotten_when_the_spec_changes():
    station = Station(olds("a"), {"replicas": 1}, strategy=IN_PLACE)
    station.api.refuse["PATCH", "gd-a"] = Invalid(422, "Invalid", "no")
    tries = []
    for _ in range(40):
        before = len(station.api.sent("PATCH", "pods"))
        await station.one_pass()
        if len(station.api.sent("PATCH", "pods")) > before:
            tries.append(station.time - NOW)
        station.time += 0.5
    assert tries == [0.0, 1.0, 3.0, 7.0, 15.0]
    body = station.api.named("gamedeployments", "gd")
    body["metadata"]["generation"] += 1
    body["metadata"]["resourceVersion"] = str(station.api.version + 1)
    station.api.version += 1
    before = len(station.api.sent("PATCH", "pods"))
    await station.one_pass()
    assert len(station.api.sent("PATCH", "pods")) == before + 1


# ---- one that later ones count on


async def test_nothing_is_created_before_an_orphan_is_adopted():
    station = Station([raw_pod("a", owner=None)], {"replicas": 2})
    station.api.refuse["PATCH", "gd-a"] = Forbidden(403, "Forbidden", "no")
    await station.one_pass()
    assert station.api.sent("PATCH", "pods") == ["gd-a"]
    assert station.api.sent("POST", "pods") == []


async def test_nothing_is_done_to_pods_while_an_old_answer_cannot_be_removed():
    """The answer could let a later deletion through."""
    station = Station([raw_pod("a")], {"replicas": 2, **PRE_DELETE})
    name = f"predelete-{OLD}-a-check"
    station.api.put(HOOK_RUNS, _hook_run(name, OWNER, "Successful"))
    station.api.refuse["DELETE", name] = Unavailable(500, "InternalError", "etcd is slow")
    await station.one_pass()
    assert station.api.sent("DELETE", "hookruns") == [name]
    assert station.api.sent("POST", "pods") == []
    station.api.refuse.clear()
    station.time += 1
    await station.one_pass()
    assert (station.api.names("hookruns"), len(station.api.names("pods"))) == ([], 2)


async def test_gd_105_a_mark_that_could_not_be_taken_back_is_not_forgotten():
    """Players would never be sent to the pod again. The run that put it there reminds of it."""
    marked = raw_pod("a", annotations={keys.POD_DELETING_ANNOTATION: "true"})
    station = Station([marked], {"replicas": 1, **PRE_DELETE})
    name = f"predelete-{NEW}-a-check"
    station.api.put(HOOK_RUNS, _hook_run(name, OWNER, "Running", revision=NEW))
    station.api.refuse["PATCH", "gd-a"] = Unavailable(500, "InternalError", "etcd is slow")
    for _ in range(3):
        await station.one_pass()
        assert station.api.names("hookruns") == [name]
    station.api.refuse.clear()
    station.time += 2
    await station.one_pass()
    assert station.api.names("hookruns") == []
    assert station.api.named("pods", "gd-a")["metadata"]["annotations"][keys.POD_DELETING_ANNOTATION] == "false"


async def test_gd_105_an_answer_goes_in_the_end_although_its_mark_stays():
    marked = raw_pod("a", annotations={keys.POD_DELETING_ANNOTATION: "true"})
    station = Station([marked], {"replicas": 1, **PRE_DELETE})
    station.api.put(HOOK_RUNS, _hook_run(f"predelete-{NEW}-a-check", OWNER, "Running", revision=NEW))
    station.api.refuse["PATCH", "gd-a"] = Unavailable(500, "InternalError", "etcd is slow")
    for _ in range(20):
        await station.one_pass()
        station.time += 1
    assert station.api.names("hookruns") == []
    assert ("Warning", "FailedWrite", "AnnotatePod gd-a: etcd is slow") in await station.told()


@pytest.mark.parametrize(("planning", "least", "most"), [(0.02, 0.2, 0.5), (0.07, 0.5, 0.5)])
async def test_a_workload_rests_for_longer_the_longer_its_plan_took(monkeypatch, planning, least, most):
    station = Station(pods=[raw_pod("a")])
    decided, loop = station.controller.decide, asyncio.get_running_loop()
    clock = loop.time

    def slowly(workload):
        monkeypatch.setattr(loop, "time", lambda: clock() + planning)
        return decided(workload)

    monkeypatch.setattr(station.controller, "decide", slowly)
    outcome = await station.one_pass()
    assert least <= outcome.quiet <= most


async def test_a_plan_that_cannot_be_made_is_told_on_the_object(monkeypatch):
    """What stands in the log of the operators alone nobody finds at night."""
    station = Station([raw_pod("a")], {"replicas": 1})
    await station.one_pass()
    before = station.status

    def broken(_):
        raise KeyError("containers")

    with monkeypatch.context() as patched:
        patched.setattr(station.controller, "decide", broken)
        for _ in range(2):
            with pytest.raises(KeyError):
                await station.one_pass()
    blocked = station.condition("Blocked")
    assert (blocked["reason"], blocked["message"]) == ("InternalError", "no plan can be made: KeyError: 'containers'")
    assert station.status == {**before, "conditions": station.status["conditions"]}
    assert len(station.status["conditions"]) == len(before["conditions"])
    assert [m for _, reason, m in await station.told() if reason == "InternalError"] == [blocked["message"]]
    await station.one_pass()
    assert station.condition("Blocked")["status"] == "False"


# ---- names that are taken


@pytest.mark.parametrize("phase", ["", "Running", "Successful", "Failed"])
async def test_gd_61_hook_111_a_hook_run_of_ours_that_exists_is_taken_as_the_one_wanted(phase):
    """The Go operator makes a second one, ``<name>.1`` (G); names are deterministic here, and the UID is checked."""
    station = Station(olds("a"), {"replicas": 1, **PRE_DELETE})
    station.api.put(HOOK_TEMPLATES, hook_template("check"))
    station.sync()
    name = f"predelete-{OLD}-a-check"
    body = _hook_run(name, OWNER, phase)
    station.api.put(HOOK_RUNS, body)  # the cache does not know it yet
    outcome = await station.controller.reconcile(KEY)
    assert station.api.sent("POST", "hookruns") == station.api.names("hookruns") == [name]
    assert outcome.requeue_after != 0.0, "it did not fail"
    assert "gd-a" in station.api.names("pods"), "its answer counts from the next pass on"
    await station.one_pass()
    assert ("gd-a" in station.api.names("pods")) == (phase != "Successful")


async def test_gd_103_an_argument_that_nobody_declared_is_told_of():
    given = {"templateName": "check", "args": [{"name": "zone", "value": "x"}]}
    spec = {"replicas": 0, "preDeleteUpdateStrategy": {"hook": given}}
    station = Station(olds("a"), spec)
    station.api.put(HOOK_TEMPLATES, hook_template("check"))
    await station.one_pass()
    name = f"predelete-{OLD}-a-check"
    assert station.api.names("hookruns") == [name]
    text = f"hookrun {name} does without arguments its HookTemplate does not declare: zone"
    assert ("Warning", "HookArgumentDropped", text) in await station.told()


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
    station = Station(olds("a"), {"replicas": 1, **PRE_DELETE})
    station.api.put(HOOK_TEMPLATES, hook_template("check"))
    name = f"predelete-{OLD}-a-check"
    stranger = {**OWNER, **other}
    station.api.put(HOOK_RUNS, _hook_run(name, stranger, "Successful"))
    await station.one_pass()
    await station.one_pass()
    assert station.api.names("pods") == ["gd-a"]
    assert station.api.names("hookruns") == [name]
    assert station.condition("Blocked")["message"] == (
        f"HookRun {name} is not created: HookRun {name} exists and belongs to somebody else (409 NameTaken)"
    )


def _hook_run(name, owner, phase, revision=OLD):
    labels = {"hookrun-type": "pre-delete-step", "workload-revision": revision, "instance-id": "a"}
    metadata = {"namespace": "game", "name": name, "labels": labels, "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase} if phase else {}}


async def test_a_pod_of_that_name_of_somebody_else_is_left_alone_and_another_name_taken():
    station = Station(spec={"replicas": 1})
    await station.one_pass()
    (name,) = station.api.sent("POST", "pods")
    station = Station(spec={"replicas": 1})
    station.sync()
    stranger = raw_pod(name.removeprefix("gd-"), owner=None)
    station.api.put(PODS, {**stranger, "metadata": {**stranger["metadata"], "labels": {}}})
    await station.controller.reconcile(KEY)
    assert station.api.named("pods", name)["metadata"]["ownerReferences"] == []
    station.time += 2
    await station.one_pass()
    assert len(station.api.names("pods")) == 2


# ---- what wakes a workload


async def test_gd_133_pods_of_other_controllers_wake_nobody():
    station = Station(spec={"replicas": 1})
    station.sync()
    stranger = {"kind": "ReplicaSet", "name": "gd", "uid": "uid-rs", "controller": True}
    theirs = pod("a", owner=stranger)
    for change in (Change(None, theirs), Change(theirs, replace(theirs, phase="Failed")), Change(theirs, None)):
        assert await station.woken(change, station.controller.on_pod) == []


async def test_gd_133_a_pod_of_ours_wakes_its_workload():
    station = Station(spec={"replicas": 1})
    seen = pod("a")
    for change in (Change(None, seen), Change(seen, replace(seen, phase="Failed")), Change(seen, None)):
        assert await station.woken(change, station.controller.on_pod) == ["gd"]


async def test_gd_133_an_update_that_is_none_wakes_nobody():
    """Equal versions do not even get out of the cache; a new version in which nothing is of interest does."""
    station = Station(spec={"replicas": 1})
    seen = pod("a")
    assert station.stores.pods.put(seen) is not None
    assert station.stores.pods.put(replace(seen, phase="Failed")) is None, "an equal resourceVersion says nothing new"
    beat = station.stores.pods.put(replace(seen, resource_version="6"))
    assert await station.woken(beat, station.controller.on_pod) == []


async def test_gd_133_a_change_of_owner_wakes_both():
    station = Station(spec={"replicas": 1})
    other = OwnerView("GameDeployment", "other", "uid-other")
    change = Change(pod("a"), replace(pod("a"), owner=other, resource_version="6"))
    assert await station.woken(change, station.controller.on_pod) == ["gd", "other"]


async def test_gd_133_orphans_wake_who_may_adopt_them():
    station = Station(spec={"replicas": 1})
    station.sync()
    orphan = pod("a", owner=None)
    assert await station.woken(Change(None, orphan), station.controller.on_pod) == ["gd"]
    assert await station.woken(Change(orphan, None), station.controller.on_pod) == [], "a deleted one"
    running = Change(orphan, replace(orphan, phase="Failed", resource_version="6"))
    assert await station.woken(running, station.controller.on_pod) == [], "neither labels nor owner changed"
    debug = replace(orphan, labels={"app": "debug"})
    assert await station.woken(Change(debug, orphan), station.controller.on_pod) == ["gd"], "it matches now"
    assert await station.woken(Change(None, debug), station.controller.on_pod) == []


async def test_gd_134_a_hook_run_wakes_its_workload_when_its_phase_changes():
    station = Station()
    run = HookRunView("game", "run", "uid-run", "7", NOW, {}, "Running", owner=MINE)
    handler = station.controller.on_hook_run
    assert await station.woken(Change(run, replace(run, phase="Successful")), handler) == ["gd"]
    assert await station.woken(Change(run, replace(run, resource_version="8", message="m: 3 of 5")), handler) == []
    assert await station.woken(Change(run, replace(run, terminate=True)), handler) == ["gd"], "it may go now"
    assert await station.woken(Change(None, run), handler) == ["gd"]
    assert await station.woken(Change(run, None), handler) == ["gd"]
    stranger = replace(run, owner=OwnerView("GameStatefulSet", "gd", UID))
    assert await station.woken(Change(None, stranger), handler) == []


async def test_what_a_hook_measures_anew_is_shown_a_while_later(monkeypatch):
    """The status says what was measured last; a pass for every measurement would cost more than that is worth."""
    station, asked = Station(), []
    monkeypatch.setattr(station.queue, "add_after", lambda key, delay: asked.append((key, delay)))
    run = HookRunView("game", "run", "uid-run", "7", NOW, {}, "Running", "players: 3", MINE)
    handler = station.controller.on_hook_run
    assert await station.woken(Change(run, replace(run, resource_version="8", message="players: 1")), handler) == []
    assert asked == [(KEY, 10.0)]
    await station.woken(Change(run, replace(run, resource_version="8")), handler)
    assert len(asked) == 1


# ---- expectations and times


async def test_gd_138_a_write_that_was_overtaken_is_not_waited_for():
    """The Go operator expects a revision, and forgets that when it goes for another one. Here a write is seen as soon
    as the cache holds this version of the pod or a newer one, whatever revision that carries."""
    station = Station(olds("a"), {"replicas": 1}, strategy=IN_PLACE)
    await station.one_pass()
    assert station.expectations.pending(KEY, 0.0) is not None, "the update to NEW is not in the cache"
    body = station.api.named("pods", "gd-a")
    body["metadata"]["labels"][keys.REVISION_LABEL] = "gd-another"
    station.api.version += 1
    body["metadata"]["resourceVersion"] = str(station.api.version)
    station.sync()
    assert station.stores.pods.get("game", "gd-a").revision == "gd-another"
    assert station.expectations.pending(KEY, 0.0) is None


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
    station = Station([raw_pod("a", ready_for=28.0)], {"replicas": 1, "minReadySeconds": 30}, strategy=strategy)
    assert (await station.one_pass()).requeue_after == pytest.approx(2.0)
    assert station.condition("Available")["status"] == "False"
    station.time += 2
    assert (await station.one_pass()).requeue_after is None
    assert station.condition("Available")["status"] == "True"


def test_a_settled_workload_asks_for_nothing():
    decision = decide(new("a"), {"replicas": 1}, status={"updateRevision": NEW, "currentRevision": NEW})
    assert (decision.actions, decision.wake_after) == ((), None)
