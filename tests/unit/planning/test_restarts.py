"""``restartAt`` of both kinds (docs/spec/gamedeployment.md 3.9)."""

import pytest

from operators.kube.times import rfc3339
from operators.planning import actions as act
from operators.planning.restarts import pinned
from tests.unit.gamedeployment.fleets import Fleet, image
from tests.unit.gamestatefulset.sets import Set

D, E = "sha256:" + "d" * 64, "sha256:" + "e" * 64
PLACE = {"type": "InplaceUpdate"}


class Registry(dict):
    """Image ids as a container runtime gives them; ``game:2`` has bits of its own, all else those of ``game:1``."""

    def get(self, key, default=None):
        tagged = key.partition("@")[0]
        digest = key.partition("@")[2] or (E if tagged.endswith(":2") else D)
        return f"docker.io/library/game@{digest}"


def fleet(replicas=3, *, known=True, grace=0, **how):
    found = Fleet(replicas, strategy={**PLACE, **how.pop("strategy", {})}, **how)
    if grace:
        found.patch(inPlaceUpdateStrategy={"gracePeriodSeconds": grace})
    return running(found, known=known)


def sets(replicas=3, *, known=True, policy="OrderedReady", **how):
    return running(
        Set(replicas, policy=policy, **{**PLACE, "rollingUpdate": {"maxUnavailable": 1}, **how}), known=known
    )


def running(world, *, known=True):
    world.cluster.digests = Registry() if known else {}
    world.settle()
    world.cluster.now += 100
    return world


def restart(world, **more):
    spec = {"restartAt": rfc3339(world.cluster.now), "restartContainers": [], "restartRecreate": False, **more}
    world.cluster.patch_spec(spec)
    world.cluster.now += 5
    return world


def play(world, seconds=60, watch=None):
    """Second by second."""
    for _ in range(seconds):
        world.kubelets()
        if watch:
            watch(world)
        world.one_pass()
        world.cluster.now += 1
    return world


def restarts(world):
    return {n: p["status"]["containerStatuses"][0]["restartCount"] for n, p in sorted(world.cluster.pods.items())}


def uids(world):
    return {n: p["metadata"]["uid"] for n, p in world.cluster.pods.items()}


def images(world):
    return {c["image"] for p in world.cluster.pods.values() for c in p["spec"]["containers"]}


def serving(world):
    """Ready, and not told to restart."""
    return sum(
        world.cluster.pod(n).ready and not any(c.get("stale") for c in p["spec"]["containers"])
        for n, p in world.cluster.pods.items()
        if not p["metadata"].get("deletionTimestamp")
    )


def condition(world, type_):
    return next((c["status"], c["reason"]) for c in world.status["conditions"] if c["type"] == type_)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("game:1", f"game:1@{D}"),
        (f"game:1@{D}", f"game@{D}"),
        (f"game@{D}", f"game:latest@{D}"),
        (f"game:latest@{D}", f"game@{D}"),
        ("game", f"game:latest@{D}"),
        (f"game:1@{E}", f"game:1@{D}"),
    ],
)
def test_ux_28_the_same_image_has_another_text_each_time(text, made):
    known = f"docker.io/library/game@{D}"
    assert pinned(text, known) == made
    assert pinned(text, f"docker-pullable://{known}") == made
    assert pinned(made, known) != made


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("reg.example:5000/a/game:1", "reg.example:5000/a/game"),
        ("a/game:1", "docker.io/a/game"),
        ("docker.io/library/game:1", "docker.io/library/game"),
        ("localhost/game:1", "localhost/game"),
    ],
)
def test_a_digest_counts_for_its_own_repository_alone(image, repository):
    folder = image.rpartition(":")[0]
    assert pinned(image, f"{repository}@{D}") == f"{image}@{D}"
    assert pinned(f"{image}@{D}", f"{repository}@{D}") == f"{folder}@{D}"
    assert pinned(image, f"other.example/game@{D}") == ""


@pytest.mark.parametrize("image_id", ["", "sha256:" + "a" * 64, "id-game:1", "game@sha256:abc"])
def test_without_a_digest_of_a_repository_there_is_no_other_text(image_id):
    assert pinned("game:1", image_id) == ""


@pytest.mark.parametrize("make", [fleet, sets, lambda: sets(policy="Parallel")], ids=["gd", "gsts", "parallel"])
def test_ux_28_in_place_each_container_restarts_once_with_the_bits_it_has_and_the_budget_holds(make):
    world = make()
    before, ids = (
        uids(world),
        {n: p["status"]["containerStatuses"][0]["imageID"] for n, p in world.cluster.pods.items()},
    )
    revision, seen = world.status["updateRevision"], []
    play(restart(world), watch=lambda w: seen.append(serving(w)))
    assert restarts(world) == dict.fromkeys(before, 1)
    assert (uids(world), images(world)) == (before, {f"game:1@{D}"})
    assert {n: p["status"]["containerStatuses"][0]["imageID"] for n, p in world.cluster.pods.items()} == ids
    assert min(seen) >= 2
    assert world.status["updateRevision"] == revision
    assert condition(world, "Complete") == ("True", "AllPodsUpdated")
    log = len(world.cluster.log)
    play(world, 10)
    assert len(world.cluster.log) == log


def test_ux_28_the_longest_running_is_first_and_pods_younger_than_the_instant_are_left_alone():
    world = fleet(3, strategy={"maxUnavailable": 3})
    world.cluster.pods[world.names[0]]["status"]["containerStatuses"][0]["state"] = {
        "running": {"startedAt": rfc3339(world.cluster.now + 50)}}  # fmt: skip
    world.patch(maxUnavailable=1)
    first = world.names[2]
    world.cluster.pods[first]["status"]["containerStatuses"][0]["state"] = {
        "running": {"startedAt": rfc3339(world.cluster.now - 5000)}}  # fmt: skip
    for name in (world.names[0], first):
        world.cluster._touch(world.cluster.pods[name])
    play(restart(world), 30)
    begun = [a.name for a in world.done(act.UpdatePodInPlace) if a.begins]
    assert begun == [first, world.names[1]]


@pytest.mark.parametrize(
    "make", [lambda: fleet(grace=10), lambda: sets(inPlaceUpdateStrategy={"gracePeriodSeconds": 10})]
)
def test_ux_28_a_pod_is_out_of_its_services_for_the_grace_before_it_restarts(make):
    world = make()
    out = {}

    def watch(world):
        for name in world.cluster.pods:
            if not world.cluster.pod(name).ready:
                out[name] = out.get(name, 0) + (restarts(world)[name] == 0)

    play(restart(world), 80, watch)
    assert restarts(world) == dict.fromkeys(uids(world), 1)
    assert all(seconds >= 9 for seconds in out.values())


@pytest.mark.parametrize("kind", ["preInplace", "preDelete"])
@pytest.mark.parametrize("make", [fleet, sets], ids=["gd", "gsts"])
def test_ux_28_hooks_are_asked_before_and_after(make, kind):
    world = make()
    hook = {"hook": {"templateName": "check"}}
    world.cluster.patch_spec({f"{kind}UpdateStrategy": hook, "postInplaceUpdateStrategy": hook})
    play(restart(world), 10)
    assert restarts(world) == dict.fromkeys(uids(world), 0)
    (name,) = world.cluster.hook_runs
    assert name.startswith(kind.lower())
    for _ in range(12):
        for run in list(world.cluster.hook_runs):
            world.cluster.answer_hook(run, "Successful")
        play(world, 6)
    assert restarts(world) == dict.fromkeys(uids(world), 1)
    assert not world.cluster.hook_runs
    asked = [a.name.partition("-")[0] for a in world.cluster.log if isinstance(a, act.CreateHookRun)]
    assert sorted(set(asked)) == sorted({kind.lower(), "postinplace"})
    assert condition(world, "Complete")[0] == "True"


@pytest.mark.parametrize("make", [fleet, sets], ids=["gd", "gsts"])
def test_ux_29_restart_twice(make):
    world = play(restart(play(restart(make()))))
    assert set(restarts(world).values()) == {2}
    assert images(world) == {f"game@{D}"}
    play(restart(world))
    assert set(restarts(world).values()) == {3}
    assert images(world) == {f"game:latest@{D}"}


@pytest.mark.parametrize("make", [fleet, sets], ids=["gd", "gsts"])
def test_ux_29_a_restart_during_a_rollout_restarts_no_pod_that_is_updated_after_it(make):
    world = make()
    world.release(2)
    play(world, 3)
    play(restart(world), 90)
    assert {i.partition("@")[0] for i in images(world)} <= {"game:2", "game"}
    assert {p["status"]["containerStatuses"][0]["imageID"] for p in world.cluster.pods.values()} == {
        f"docker.io/library/game@{E}"}  # fmt: skip
    assert max(restarts(world).values()) <= 2
    assert min(restarts(world).values()) == 1
    assert condition(world, "Complete")[0] == "True"


@pytest.mark.parametrize("make", [fleet, sets], ids=["gd", "gsts"])
def test_ux_29_a_release_during_a_restart_ends_at_the_new_version(make):
    world = restart(make())
    play(world, 3)
    world.release(2)
    play(world, 90)
    assert images(world) == {"game:2"}
    assert set(restarts(world).values()) <= {1, 2}
    assert condition(world, "Complete")[0] == "True"


def test_ux_29_what_a_partition_keeps_is_restarted_as_it_is():
    world = fleet(4, strategy={"partition": 2})
    world.release(2)
    play(world, 40)
    play(restart(world), 60)
    running_ = sorted(p["status"]["containerStatuses"][0]["imageID"][-64:][0] for p in world.cluster.pods.values())
    assert running_ == ["d", "d", "e", "e"]
    assert all(c >= 1 for c in restarts(world).values())
    world.patch(partition=0)
    play(world, 60)
    assert {i for i in images(world) if i == "game:2"} or images(world) <= {"game:2", f"game:2@{E}"}


def test_ux_30_a_tag_that_was_moved_brings_nothing_new():
    world = fleet()
    moved = {**world.cluster.digests}
    world.cluster.digests = type("Moved", (dict,), {"get": lambda self, key, default=None: (
        f"docker.io/library/game@{key.partition('@')[2] or E}")})(moved)  # fmt: skip
    play(restart(world))
    assert {p["status"]["containerStatuses"][0]["imageID"] for p in world.cluster.pods.values()} == {
        f"docker.io/library/game@{D}"}  # fmt: skip
    assert set(restarts(world).values()) == {1}


@pytest.mark.parametrize("make", [fleet, sets], ids=["gd", "gsts"])
def test_an_image_without_a_digest_needs_a_person_and_recreate_goes_on(make):
    world = make(known=False)
    play(restart(world), 10)
    for type_ in ("Blocked", "Stalled"):
        assert condition(world, type_) == ("True", "RestartNotPossible")
    assert set(restarts(world).values()) == {0}
    before = uids(world)
    play(restart(world, restartRecreate=True), 60)
    assert len(uids(world)) == 3
    assert not set(before.values()) & set(uids(world).values())
    assert condition(world, "Blocked")[0] == "False"


@pytest.mark.parametrize("surge", [0, 1])
def test_rolling_pods_are_replaced_within_the_budget(surge):
    world = fleet(4, strategy={"type": "RollingUpdate", "maxUnavailable": 1 - surge, "maxSurge": surge})
    before, seen = uids(world), []
    play(restart(world), 60, lambda w: seen.append((serving(w), len(w.names))))
    assert not set(before.values()) & set(uids(world).values())
    assert min(s for s, _ in seen) >= 3 + surge
    assert max(n for _, n in seen) <= 4 + surge
    assert len(world.names) == 4
    assert images(world) == {"game:1"}


def test_in_place_with_surge_alone_another_pod_stands_in():
    world = fleet(3, strategy={"maxUnavailable": 0, "maxSurge": 1})
    before, seen = uids(world), []
    play(restart(world), 80, lambda w: seen.append(serving(w)))
    assert min(seen) >= 3
    assert len(world.names) == 3
    assert len(set(before.values()) & set(uids(world).values())) >= 2
    assert condition(world, "Complete")[0] == "True"


def test_only_the_chosen_containers_restart():
    world = Fleet(2, strategy=PLACE, template={"spec": {"containers": [image(1), image(1, "side")]}})
    running(world)
    play(restart(world, restartContainers=["side"]), 40)
    for pod in world.cluster.pods.values():
        assert {s["name"]: s["restartCount"] for s in pod["status"]["containerStatuses"]} == {"web": 0, "side": 1}


def test_an_instant_ahead_is_waited_for_and_one_that_is_taken_back_restarts_nothing_more():
    world = fleet()
    world.cluster.patch_spec({"restartAt": rfc3339(world.cluster.now + 30)})
    decision = world.one_pass()
    assert 29 <= decision.wake_after <= 30
    assert set(restarts(play(world, 20)).values()) == {0}
    play(world, 12)
    world.cluster.patch_spec({"restartAt": None})
    play(world, 40)
    assert sorted(restarts(world).values()) == [0, 0, 1]


@pytest.mark.parametrize("hold", [{"updateStrategy": {"paused": True}}, {"updateStrategy": {"type": "OnDelete"}}])
def test_what_holds_updates_holds_restarts(hold):
    world = fleet()
    world.cluster.patch_spec(hold)
    world.settle()
    play(restart(world), 20)
    assert set(restarts(world).values()) == {0}
    assert condition(world, "Progressing")[0] == "False"
    assert condition(world, "Complete")[0] == "False"
    assert condition(world, "Ready") == ("True", "Held")
    (said,) = [b.message for b in world.blocked if b.reason == "RestartHeld"]
    assert said.startswith("3 of 3 pods are to be restarted")


def test_a_clock_of_a_node_that_is_behind_restarts_no_pod_twice():
    world = fleet()

    def behind(world):
        for body in world.cluster.pods.values():
            for status in body["status"]["containerStatuses"]:
                status["state"] = {"running": {"startedAt": rfc3339(world.cluster.now - 3600)}}

    play(restart(world), 60, behind)
    assert set(restarts(world).values()) == {1}
