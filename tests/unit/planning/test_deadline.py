"""progressDeadlineSeconds (docs/spec/gamedeployment.md 1.3), and what the conditions for tools say.

Time stands still in `Set` unless a test moves it.
"""

import pytest

from operators.planning.deadline import NOT_COUNTED
from tests.unit.gamestatefulset.sets import Set

DEADLINE = {"progressDeadlineSeconds": 100}
IN_PLACE = {"type": "InplaceUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def conditions(story):
    return {c["type"]: c for c in story.status["conditions"]}


def holds(story):
    return {kind: c["status"] == "True" for kind, c in conditions(story).items()}


def later(story, seconds):
    story.cluster.now += seconds
    return story.one_pass()


def broken_rollout(**also):
    """A version whose pods never get ready, with nothing left to do but wait."""
    story = Set(3, policy="Parallel", spec={**DEADLINE, **also}, **IN_PLACE).settle()
    story.cluster.now += 1000
    story.broken.add("2")
    return story.release(2).settle()


@pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate"])
def test_ready_is_neither_reconciling_nor_stalled_in_every_pass(type_):
    story, seen = Set(3, type=type_).settle(), set()
    assert (conditions(story)["Ready"]["status"], conditions(story)["Ready"]["reason"]) == ("True", "Complete")
    story.release(2)
    for _ in range(30):
        story.one_pass()
        found = holds(story)
        assert found["Ready"] == (not found["Reconciling"] and not found["Stalled"])
        assert found["Ready"] == found["Complete"]
        assert found["Reconciling"] == found["Progressing"]
        seen.add(found["Ready"])
        story.kubelets()
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("spec", "held"), [({"type": "OnDelete"}, "OnDelete"), ({**IN_PLACE, "paused": True}, "Paused")]
)
def test_what_a_person_holds_is_ready_and_says_so(spec, held):
    story = Set(3, **spec).settle().release(2).settle()
    assert (conditions(story)["Ready"]["reason"], holds(story)["Ready"]) == ("Held", True)
    assert conditions(story)["Progressing"]["reason"] == held
    assert not holds(story)["Complete"]


def test_a_rollout_that_does_not_come_on_is_stalled_after_its_deadline_and_looked_at_then():
    story = broken_rollout()
    assert holds(story)["Reconciling"]
    assert not holds(story)["Stalled"]
    assert later(story, 60).wake_after == pytest.approx(40, abs=1)
    later(story, 41)
    told = conditions(story)["Stalled"]
    assert (told["status"], told["reason"]) == ("True", "ProgressDeadlineExceeded")
    assert "progressDeadlineSeconds 100" in told["message"]
    assert holds(story)["Blocked"]
    story.broken.clear()
    story.settle()
    assert (holds(story)["Stalled"], holds(story)["Complete"]) == (False, True)


def test_without_the_field_nothing_is_overdue():
    story = broken_rollout(progressDeadlineSeconds=None)
    later(story, 1_000_000)
    assert not holds(story)["Stalled"]


def test_a_paused_rollout_is_not_overdue():
    story = broken_rollout()
    story.strategy(paused=True)
    story.settle()
    later(story, 1_000)
    assert not holds(story)["Stalled"]


def test_a_rollout_that_hooks_are_asked_about_is_not_overdue():
    story = Set(3, policy="Parallel", hooks=("preInplace",), spec=DEADLINE, **IN_PLACE).settle()
    story.cluster.now += 1000
    story.release(2).settle()
    later(story, 1_000)
    assert conditions(story)["Progressing"]["reason"] == "HookRunning"
    assert not holds(story)["Stalled"]


def test_what_holds_by_wish_and_what_has_a_length_of_its_own_is_not_counted():
    waits = {"HookRunning", "HookErrors", "CanaryHookRunning", "InPlaceGrace", "MinReadySeconds"}
    assert {"Paused", "OnDelete", "PartitionReached", "CanaryPaused", "RestartHeld", *waits} == NOT_COUNTED


def test_a_pod_is_not_updated_and_ready_before_its_containers_are():
    story = Set(1, type="InplaceUpdate", rollingUpdate={"maxUnavailable": 1}).settle().release(2)
    seen = []
    for _ in range(6):
        story.one_pass()
        seen.append((story.status["updatedReplicas"], story.status["updatedReadyReplicas"]))
        for pod in story.cluster.pods.values():  # its node has not seen the closed gate yet
            ready = next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")
            ready.update(status="True", lastTransitionTime=pod["metadata"]["creationTimestamp"])
    assert seen[-1] == (1, 0)
    assert all(ready == 0 for _, ready in seen)
