"""What each verb does where a canary stands (ux-16), and with what guards it writes."""

import json

import pytest

from operators.api import keys
from operators.cli.game.causes import explain
from operators.cli.game.exits import CommandError, NothingToDo
from operators.cli.game.steering import VERBS, Order, steer
from operators.kube.resources import GAME_DEPLOYMENTS
from tests.unit.cli.game import worlds
from tests.unit.cli.game.golden import around

PAUSE, TIMED, HOOK = {"pause": {}}, {"pause": {"duration": 600}}, {"hook": {"templateName": "test"}}


def released(*steps, passes=None, auto=False, **strategy):
    world = worlds.fleet(canary={"steps": [*steps, {"partition": 0}], "autoRollback": auto}, **strategy).release(2)
    return world.settle() if passes is None else world.turns(passes)


def failed(auto=False):
    world = released({"partition": 6}, HOOK, auto=auto)
    return world.answer_all("Failed").settle()


def aborted():
    world = released({"partition": 6}, PAUSE)
    write = steer(GAME_DEPLOYMENTS, worlds.subject(world), Order("abort", by="ada", at=world.cluster.now))
    metadata = world.cluster.workload["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), keys.CANARY_COMMAND_ANNOTATION: value(write)}
    world.cluster._touch(world.cluster.workload)
    return world.settle()


def under_way():
    world = released({"partition": 2}, passes=1)
    world.one_pass()
    return world


def reached():
    """The partition is reached, and the pass that sees it is still to come."""
    world = released({"partition": 6}, passes=2)
    while worlds.subject(world).standing.counts.missing(6):
        world.turns(1)
        world.kubelets()
    assert world.status["currentStepIndex"] == 0
    return world


SCENES = {
    "partition under way": under_way,
    "partition reached": reached,
    "pause": lambda: released({"partition": 6}, PAUSE),
    "timed pause": lambda: released({"partition": 6}, TIMED),
    "hook running": lambda: released({"partition": 6}, HOOK),
    "hook failed": failed,
    "rolled back": lambda: failed(auto=True),
    "aborted": aborted,
    "done": released,
    "user pause": lambda: released({"partition": 6}, PAUSE, paused=True),
}
#: What is written (a command, or the switch), or what is said instead, by situation.
TABLE = {
    "pause": {
        "partition under way": True,
        "partition reached": True,
        "pause": "holds it already",
        "timed pause": "holds it already",
        "hook running": True,
        "hook failed": "holds it already",
        "rolled back": "holds it already",
        "aborted": "holds it already",
        "done": True,
        "user pause": "it is paused already",
    },
    "resume": {
        "partition under way": "it is not paused",
        "partition reached": "it is not paused",
        "pause": False,
        "timed pause": "Instead: kubectl game promote gd/arena",
        "hook running": "it is not paused",
        "hook failed": False,
        "rolled back": "Instead: kubectl game retry gd/arena",
        "aborted": "Instead: kubectl game retry gd/arena",
        "done": "it is not paused",
        "user pause": False,
    },
    "promote": {
        "partition under way": "pods updated.*Instead: kubectl game skip-step gd/arena",
        "partition reached": "it goes on by itself",
        "pause": False,
        "timed pause": ("skip", 2),
        "hook running": ("skip", 2),
        "hook failed": False,
        "rolled back": "Instead: kubectl game retry gd/arena",
        "aborted": "Instead: kubectl game retry gd/arena",
        "done": "all canary steps are done",
        "user pause": "Instead: kubectl game resume gd/arena",
    },
    "skip-step": {
        "partition under way": ("skip", 1),
        "partition reached": ("skip", 1),
        "pause": ("skip", 2),
        "timed pause": ("skip", 2),
        "hook running": ("skip", 2),
        "hook failed": ("skip", 2),
        "rolled back": "Instead: kubectl game retry gd/arena",
        "aborted": "Instead: kubectl game retry gd/arena",
        "done": "all canary steps are done",
        "user pause": ("skip", 1),
    },
    "abort": {
        **dict.fromkeys(SCENES, ("abort", None)),
        "aborted": "it is aborted already",
        "done": "all canary steps are done",
    },
    "retry": {
        **dict.fromkeys(SCENES, "name the step to go back to by --from"),
        "hook failed": ("retry", 0),
        "rolled back": ("retry", 0),
        "aborted": ("retry", 0),
        "done": "all canary steps are done",
    },
}


def value(write):
    (place,) = write.operations
    return place["value"] if isinstance(place["value"], str) else place["value"][keys.CANARY_COMMAND_ANNOTATION]


@pytest.fixture(scope="module")
def subjects():
    return {name: worlds.subject(make()) for name, make in SCENES.items()}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("scene", SCENES)
def test_ux_16_21_each_verb_from_each_situation(subjects, scene, verb):
    subject, order, expected = subjects[scene], Order(verb, by="ada", at=5.0), TABLE[verb][scene]
    if isinstance(expected, str):
        with pytest.raises(CommandError, match=expected) as told:
            steer(GAME_DEPLOYMENTS, subject, order)
        assert told.value.code == (0 if isinstance(told.value, NothingToDo) else 1)
        return
    write = steer(GAME_DEPLOYMENTS, subject, order)
    assert (write.resource, write.body) == (GAME_DEPLOYMENTS, subject.body)
    assert "kubectl game" in write.back
    if isinstance(expected, bool):
        guard, *_, change = write.operations
        assert guard == {"op": "test", "path": "/metadata/generation", "value": subject.view.generation}
        assert (change["path"], change["value"]) == ("/spec/updateStrategy/paused", expected)
        assert not write.exempt
        return
    body = json.loads(value(write))
    assert (body["do"], body.get("to")) == expected
    assert (body["revision"], body["steps"], body["index"], body["by"]) == (
        subject.view.status["updateRevision"],
        subject.view.status["currentStepHash"],
        subject.view.status["currentStepIndex"],
        "ada",
    )
    assert write.exempt


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order("promote", full=True), ("promote-full", None)),
        (Order("skip-step", 3), ("skip", 2)),
        (Order("skip-step", 4), ("skip", 3)),
        (Order("retry", 2), ("retry", 1)),
        (Order("skip-step", 2), "skips to 3 to 4"),
        (Order("skip-step", 9), "skips to 3 to 4"),
        (Order("retry", 3), "goes back to 1 to 2"),
        (Order("retry", -1), "goes back to 1 to 2"),
        (Order("retry", 0), "goes back to 1 to 2"),
    ],
)
def test_steps_are_counted_from_one(subjects, order, expected):
    if isinstance(expected, str):
        with pytest.raises(CommandError, match=expected):
            steer(GAME_DEPLOYMENTS, subjects["pause"], order)
    else:
        body = json.loads(value(steer(GAME_DEPLOYMENTS, subjects["pause"], order)))
        assert (body["do"], body.get("to")) == expected


def test_a_workload_without_steps_or_a_spec_that_is_not_seen_is_not_commanded():
    plain = worlds.subject(worlds.fleet())
    with pytest.raises(CommandError, match="it has no canary steps"):
        steer(GAME_DEPLOYMENTS, plain, Order("abort"))
    world = released({"partition": 6}, PAUSE).release(3)
    with pytest.raises(CommandError, match="have not begun with the present spec"):
        steer(GAME_DEPLOYMENTS, worlds.subject(world), Order("abort"))


# ---- hooks of pods that have failed


def pod_hooks_failed(*hooks, **strategy):
    return worlds.fleet(hooks=hooks, **strategy).release(2).settle().answer_all("Failed").settle()


def test_retry_sets_the_switches_of_hooks_of_pods_that_have_failed():
    found = worlds.subject(pod_hooks_failed("preInplace", "preDelete"))
    write = steer(GAME_DEPLOYMENTS, found, Order("retry"))
    assert list(write.operations) == [
        {"op": "test", "path": "/metadata/generation", "value": found.view.generation},
        {"op": "add", "path": "/spec/preInplaceUpdateStrategy/retry", "value": True},
    ]
    assert write.told == "hooks are asked again: preInplace of 2 pods"
    assert write.path == "spec.preInplaceUpdateStrategy.retry"
    assert not write.exempt


def test_retry_of_a_canary_that_is_halted_goes_before_that_of_its_pods():
    world = aborted()
    world.change(preInplaceUpdateStrategy={"hook": {"templateName": "check"}}).settle()
    assert json.loads(value(steer(GAME_DEPLOYMENTS, worlds.subject(world), Order("retry"))))["do"] == "retry"


def test_retry_of_steps_is_asked_for_by_number_while_hooks_of_pods_have_failed():
    world = pod_hooks_failed("preInplace", canary={"steps": [{"partition": 6}, PAUSE, {"partition": 0}]})
    found = worlds.subject(world)
    assert steer(GAME_DEPLOYMENTS, found, Order("retry")).told.startswith("hooks are asked again")
    assert json.loads(value(steer(GAME_DEPLOYMENTS, found, Order("retry", 1))))["do"] == "retry"


def test_promote_full_says_the_way_back_that_is_left_then(subjects):
    write = steer(GAME_DEPLOYMENTS, subjects["pause"], Order("promote", full=True))
    assert write.back == "kubectl game undo gd/arena --to 1"


#: ``promote --full`` by situation.
FULL = {
    **dict.fromkeys(SCENES, ("promote-full", None)),
    "rolled back": "Instead: kubectl game retry gd/arena",
    "aborted": "Instead: kubectl game retry gd/arena",
    "done": "all canary steps are done",
}


@pytest.mark.parametrize("scene", SCENES)
def test_ux_16_promote_full_from_each_situation(subjects, scene):
    expected, order = FULL[scene], Order("promote", full=True)
    if isinstance(expected, str):
        with pytest.raises(CommandError, match=expected):
            steer(GAME_DEPLOYMENTS, subjects[scene], order)
    else:
        body = json.loads(value(steer(GAME_DEPLOYMENTS, subjects[scene], order)))
        assert (body["do"], body.get("to")) == expected


@pytest.mark.parametrize("scene", ["pause", "user pause"])
def test_why_names_the_verb_that_goes_on(subjects, scene):
    found = subjects[scene]
    assert explain(found, around(found)).findings[0].look == "kubectl game resume gd/arena"
