"""``undo`` and ``set image``: which template, with what guards, and what is said before it is written."""

import pytest

from operators.cli.game.changing import goal_of_undo, images_of_arguments, restart, set_image, undo
from operators.cli.game.exits import CommandError, Exit, NothingToDo, UsageError
from operators.kube.resources import GAME_DEPLOYMENTS
from operators.kube.times import rfc3339
from tests.unit.cli.game import worlds
from tests.unit.gamedeployment.fleets import image
from tests.unit.gamestatefulset.sets import Set
from tests.unit.planning.test_restarts import Registry

STEPS = [{"partition": 6}, {"pause": {}}, {"partition": 0}]


def undone(subject, to=None):
    return undo(GAME_DEPLOYMENTS, subject, goal_of_undo(subject, to))


def number(subject, version):
    """The number of the revision of a version."""
    (found,) = (
        r for r in subject.observed.revisions if r.template["spec"]["containers"][0]["image"] == f"game:{version}"
    )
    return found.revision


def patched(world, change):
    """The world after the patch of a change."""
    for operation in change.write.operations:
        *way, last = operation["path"].strip("/").split("/")
        place = world.cluster.workload
        for part in way:
            place = place[int(part) if isinstance(place, list) else part]
        if operation["op"] == "test":
            assert place[last] == operation["value"]
        else:
            place[last] = operation["value"]
    world.cluster.workload["metadata"]["generation"] += 1
    world.cluster._touch(world.cluster.workload)
    return world


def test_undo_goes_to_the_stable_revision_and_says_what_it_will_do():
    world = worlds.fleet(canary={"steps": STEPS}).release(2).settle()
    found = worlds.subject(world)
    change = undone(found)
    guard, place = change.write.operations
    assert guard == {"op": "test", "path": "/metadata/generation", "value": found.view.generation}
    assert (place["op"], place["path"]) == ("replace", "/spec/template")
    assert place["value"]["spec"]["containers"][0]["image"] == "game:1"
    told = "template of revision 1 set: 2 pods go in place, at most 2 down, no steps"
    assert (change.write.told, change.warnings) == (told, ())
    assert change.write.back == "kubectl game undo gd/arena --to 2"
    assert change.write.path == "spec.template"


def test_ux_22_undo_then_undo_is_where_one_began_and_no_pod_is_touched_twice():
    world = worlds.fleet(unavailable=8).release(2).settle()
    before = world.cluster.workload["spec"]["template"]
    revision = world.update
    for version in (1, 2):
        log = len(world.cluster.log)
        patched(world, undone(worlds.subject(world))).settle()
        touched = [a.name for a in world.cluster.log[log:] if getattr(a, "images", None)]
        assert sorted(touched) == sorted(set(touched)) == world.names
        assert world.running(version) == 8
    assert world.cluster.workload["spec"]["template"] == before
    assert world.update == revision
    assert sorted(r["metadata"]["name"] for r in world.cluster.revisions.values()) == sorted(world.cluster.revisions)


def test_undo_to_a_revision_by_number_or_name_and_the_present_one_is_nothing_to_do():
    world = worlds.fleet().release(2).settle().release(3).settle()
    found = worlds.subject(world)
    assert number(found, 3) == 3
    assert undone(found, "1").write.told.startswith("template of revision 1 set: 8 pods go in place")
    assert undone(found, found.observed.revisions[0].name).write.told
    with pytest.raises(NothingToDo, match="its template is that of revision 3 already"):
        undone(found, "3")
    with pytest.raises(CommandError, match="has no revision 9; stored are 3, 2, 1"):
        undone(found, "9")


def test_after_a_rollout_the_one_before_is_meant_and_alone_there_is_none():
    world = worlds.fleet(canary={"steps": STEPS})
    with pytest.raises(CommandError, match="no other revision is stored"):
        undone(worlds.subject(world))
    world.release(2).settle().resume().settle()
    change = undone(worlds.subject(world))
    assert change.write.told == "template of revision 1 set: 8 pods go in place, at most 2 down, by steps 1 to 3"


def test_ux_23_undo_to_a_revision_that_cannot_go_in_place_says_so_before_it_writes():
    world = worlds.fleet().change(
        template={"spec": {"containers": [{**image(2), "env": [{"name": "A", "value": "1"}]}]}}
    )
    world.settle()
    world.patch(inPlaceUpdateStrategy={"onIneligible": "Recreate"}).settle()
    world.patch(inPlaceUpdateStrategy={"onIneligible": "Block"}).settle()
    change = undone(worlds.subject(world), "1")
    (said,) = change.warnings
    assert said.startswith("cannot go in place: pod arena-")
    assert "/spec/template/spec/containers/0/env differs; the rollout will block (onIneligible: Block)" in said
    assert change.write.told == "template of revision 1 set: no pod can follow"
    world.patch(inPlaceUpdateStrategy={"onIneligible": "Recreate"}).settle()
    change = undone(worlds.subject(world), "1")
    assert change.warnings[0].endswith("they are replaced (onIneligible: Recreate)")
    assert "8 pods are replaced" in change.write.told


def test_undo_of_a_set_and_of_one_that_is_paused():
    world = Set(3, type="InplaceUpdate", rollingUpdate={"maxUnavailable": 1}).settle().release(2).settle()
    world.strategy(paused=True).settle()
    change = undone(worlds.subject(world))
    assert "template of revision 1 set: 3 pods go in place, at most 1 down, no steps" in change.write.told
    assert change.warnings == ("updates are paused by a person: nothing goes before kubectl game resume",)


# ---- set image


def test_ux_26_set_image_writes_one_text_guarded_by_name_and_old_image():
    found = worlds.subject(worlds.fleet())
    change = set_image(GAME_DEPLOYMENTS, found, {"web": "games/game:2"})
    path = "/spec/template/spec/containers/0"
    assert list(change.write.operations) == [
        {"op": "test", "path": f"{path}/name", "value": "web"},
        {"op": "test", "path": f"{path}/image", "value": "game:1"},
        {"op": "replace", "path": f"{path}/image", "value": "games/game:2"},
    ]
    assert change.write.told == "image web game:1 → game:2: 8 pods go in place, at most 2 down, no steps"
    assert change.write.back == "kubectl game set image gd/arena web=game:1"


def test_set_image_of_what_is_not_there_or_is_so_already():
    found = worlds.subject(worlds.fleet())
    with pytest.raises(UsageError, match="gd/arena has no container side; there are web"):
        set_image(GAME_DEPLOYMENTS, found, {"side": "x"})
    with pytest.raises(NothingToDo) as told:
        set_image(GAME_DEPLOYMENTS, found, {"web": "game:1"})
    assert told.value.code == Exit.REACHED


@pytest.mark.parametrize(("type_", "ineligible", "refused"),
                         [("InplaceUpdate", "Block", True), ("InplaceUpdate", "Recreate", False),
                          ("RollingUpdate", "Block", False)])  # fmt: skip
def test_set_image_of_an_init_container(type_, ineligible, refused):
    world = worlds.fleet(type_=type_, inPlaceUpdateStrategy={"onIneligible": ineligible})
    world.change(template={"spec": {"initContainers": [image(1, "setup")]}})
    if refused:
        with pytest.raises(CommandError, match="onIneligible"):
            set_image(GAME_DEPLOYMENTS, worlds.subject(world), {"setup": "game:2"})
    else:
        write = set_image(GAME_DEPLOYMENTS, worlds.subject(world), {"setup": "game:2"}).write
        assert write.operations[-1]["path"] == "/spec/template/spec/initContainers/0/image"


@pytest.mark.parametrize("given", [["web"], ["=x"], ["web="], ["web= x"], ["web=a", "web=b"]])
def test_what_sets_no_image_is_wrong_usage(given):
    with pytest.raises(UsageError):
        images_of_arguments(given)


# ---- restart


def restarted(world, *containers, recreate=False):
    found = worlds.subject(world)
    return restart(GAME_DEPLOYMENTS, found, containers, found.now, recreate=recreate)


def pinned(**how):
    """A fleet whose images have digests, running for an hour."""
    world = worlds.fleet(**how)
    world.cluster.digests = Registry()
    for body in world.cluster.pods.values():
        for status in body["status"]["containerStatuses"]:
            status["imageID"] = world.cluster.digests.get("game:1")
        world.cluster._touch(body)
    return world


def test_restart_is_an_instant_and_says_what_it_will_do():
    world = pinned()
    change = restarted(world)
    guard, place = change.write.operations
    assert guard["path"] == "/metadata/generation"
    assert place == {"op": "add", "path": "/spec/restartAt", "value": rfc3339(world.cluster.now)}
    told = "restart: 8 pods restart in place, at most 2 down, the longest running first"
    assert (change.write.told, change.warnings) == (told, ())
    assert '{"spec":{"restartAt":null}}' in change.write.back
    world = worlds.fleet(type_="RollingUpdate")
    assert restarted(world).write.told == "restart: 8 pods are replaced, at most 2 down, the longest running first"


def test_restart_of_chosen_containers_and_by_other_pods_and_what_an_earlier_one_said_is_taken_off():
    world = pinned()
    change = restarted(world, "web")
    assert [o["path"] for o in change.write.operations[1:]] == ["/spec/restartAt", "/spec/restartContainers"]
    assert change.write.told.startswith("containers web: 8 pods restart in place")
    patched(world, change)
    change = restarted(world, recreate=True)
    assert [(o["op"], o["path"]) for o in change.write.operations[1:]] == [
        ("add", "/spec/restartAt"),
        ("remove", "/spec/restartContainers"),
        ("add", "/spec/restartRecreate"),
    ]
    assert "8 pods are replaced" in change.write.told


def test_restart_says_what_stands_against_it():
    change = restarted(worlds.fleet())
    assert change.write.told == "restart: no pod can restart"
    assert "(--recreate)" in change.warnings[0]
    change = restarted(pinned(paused=True))
    assert change.warnings == ("updates are held: nothing restarts before they go on",)
    with pytest.raises(UsageError, match="gd/arena has no container side; there are web"):
        restarted(pinned(), "side")
    with pytest.raises(UsageError, match="--container is for restarts in place"):
        restarted(worlds.fleet(type_="RollingUpdate"), "web")
