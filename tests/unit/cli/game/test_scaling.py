"""``scale``: one write for number and names, and what is said before it (ux-27)."""

import pytest

from operators.cli.game.exits import CommandError, NothingToDo, UsageError
from operators.cli.game.scaling import Wish, scale, wish
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS
from operators.planning.views import OwnerView
from tests.unit.cli.game import worlds
from tests.unit.gamestatefulset.sets import Set


def scaled(found, autoscalers=(), **wanted):
    resource = GAME_DEPLOYMENTS if found.kind == "GameDeployment" else GAME_STATEFUL_SETS
    return scale(resource, found, Wish(**wanted), autoscalers)


def values(change):
    return {o["path"]: o["value"] for o in change.write.operations if o["op"] == "add"}


def test_replicas_are_guarded_by_the_generation_and_taken_back_by_the_number_before():
    found = worlds.subject(worlds.fleet())
    change = scaled(found, replicas=6)
    assert change.write.operations[0] == {"op": "test", "path": "/metadata/generation", "value": found.view.generation}
    assert values(change) == {"/spec/replicas": 6}
    assert (change.write.told, change.write.back) == ("replicas 8 → 6", "kubectl game scale gd/arena --replicas 8")
    (said,) = change.warnings
    assert said.startswith("deleted at once, without being asked: arena-")
    with pytest.raises(NothingToDo):
        scaled(found, replicas=8)


def test_remove_takes_replicas_and_names_in_one_write():
    world = worlds.fleet()
    first, second = world.names[:2]
    change = scaled(worlds.subject(world), remove=(first, second))
    assert values(change) == {"/spec/replicas": 6, "/spec/scaleStrategy": {"podsToDelete": [first, second]}}
    assert change.write.told == f"{first}, {second} go, replicas 8 → 6"
    assert change.warnings == (f"deleted at once, without being asked: {first}, {second}",)


def test_replace_leaves_the_replicas():
    world = worlds.fleet()
    change = scaled(worlds.subject(world), replace=(world.names[0],))
    assert values(change) == {"/spec/scaleStrategy": {"podsToDelete": [world.names[0]]}}
    assert "is replaced, replicas stay 8" in change.write.told
    assert change.write.path == "spec.scaleStrategy.podsToDelete"


def test_names_that_stand_there_stay_and_count_once():
    world = worlds.fleet(hooks=("preDelete",))
    first, second = world.names[:2]
    world.change(scaleStrategy={"podsToDelete": [first]})
    found = worlds.subject(world)
    change = scaled(found, remove=(first, second))
    assert values(change) == {"/spec/replicas": 7, "/spec/scaleStrategy/podsToDelete": [first, second]}
    with pytest.raises(NothingToDo, match="podsToDelete names it already"):
        scaled(found, remove=(first,))


def test_pods_with_players_are_named_before_they_are_asked():
    world = worlds.fleet(hooks=("preDelete",))
    (said,) = scaled(worlds.subject(world), remove=(world.names[0],)).warnings
    assert said == f"players may be inside: {world.names[0]} is asked by the hook first"


def test_ux_27_an_autoscaler_that_has_a_say_is_named():
    world = worlds.fleet()
    target = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": "arena"}
    scaler = {
        "metadata": {"name": "by-players"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }
    other = {"metadata": {"name": "other"}, "spec": {"scaleTargetRef": {**target, "name": "b"}, "maxReplicas": 9}}
    found = worlds.subject(world)
    said = scaled(found, [other, scaler], remove=(world.names[0],)).warnings[0]
    assert said == "HorizontalPodAutoscaler by-players sets the replicas too, 2 to 9: it may take this back"
    assert not any("Autoscaler" in w for w in scaled(found, [scaler], replace=(world.names[0],)).warnings)


def test_ux_27_a_pod_that_is_gone_is_leaving_or_is_anothers_is_refused():
    world = worlds.fleet()
    found = worlds.subject(world)
    with pytest.raises(CommandError, match="nothing was written: it has no pod arena-gone"):
        scaled(found, remove=("arena-gone",))
    stranger = found.observed.pods[0]
    from dataclasses import replace

    theirs = replace(stranger, name="other-1", owner=OwnerView("ReplicaSet", "other", "uid"))
    with pytest.raises(CommandError, match="pod other-1 belongs to ReplicaSet other"):
        scaled(replace(found, foreign=(theirs,)), remove=("other-1",))
    leaving = replace(stranger, deleting=True)
    pods = (leaving, *found.observed.pods[1:])
    with pytest.raises(CommandError, match="is being deleted already"):
        scaled(replace(found, observed=replace(found.observed, pods=pods)), replace=(leaving.name,))


def test_what_the_planner_would_refuse_is_said_first():
    world = worlds.fleet(replicas=4)
    world.cluster.workload["metadata"]["annotations"] = {
        "tkex.bkbcs.tencent.com/gamedeployment-index-on": "true",
        "tkex.bkbcs.tencent.com/gamedeployment-index-range": '{"podStartIndex": 100, "podEndIndex": 104}',
    }
    world.settle()
    said = scaled(worlds.subject(world), replicas=6).warnings
    assert any("index" in text for text in said), said


def test_a_set_loses_its_highest_ordinals_and_replaces_any():
    found = worlds.subject(Set(4, policy="Parallel").settle())
    with pytest.raises(CommandError, match="here gs-3; gs-1 can be replaced"):
        scaled(found, remove=("gs-1",))
    assert values(scaled(found, remove=("gs-2", "gs-3"))) == {"/spec/replicas": 2}
    assert values(scaled(found, replace=("gs-1",))) == {"/spec/scaleStrategy": {"podsToDelete": ["gs-1"]}}


@pytest.mark.parametrize("given", [(None, None, None), (1, "a", None), (None, "a", "b"), (-1, None, None),
                                   (None, "a,,b", None), (None, "a,a", None), (None, None, "")])  # fmt: skip
def test_one_wish_at_a_time(given):
    with pytest.raises(UsageError):
        wish(*given)


def test_wishes_of_the_command_line():
    assert wish(4, None, None) == Wish(4)
    assert wish(None, "a,b", None) == Wish(remove=("a", "b"))
    assert wish(None, None, "a") == Wish(replace=("a",))
