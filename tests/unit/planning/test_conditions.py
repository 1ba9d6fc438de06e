"""Conditions are merged by type: whose they are decides who writes them (docs/spec/gamestatefulset.md 8.4)."""

from dataclasses import replace

from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.api.reasons import BlockedReason
from operators.kube.times import rfc3339
from operators.planning.actions import Blocked
from operators.planning.conditions import OURS, condition, with_transition_times
from operators.planning.status import failed_pass_status
from operators.planning.workloads import workload_view
from operators.simulation.statefulset import gamestatefulset
from tests.unit.gamestatefulset.sets import Set

NOW = 5000.0
THEIRS = {"type": "example.org/Rated", "status": "True", "reason": "Good", "lastTransitionTime": rfc3339(10.0)}


def ours(type_, *, holds, since=None):
    made = condition(type_, "Because", "text", 1, holds=holds)
    return made if since is None else replace(made, last_transition_time=rfc3339(since)).dump()


def test_a_condition_keeps_its_time_until_its_status_changes():
    old = [ours("Complete", holds=True, since=100.0), ours("Blocked", holds=True, since=200.0)]
    found = with_transition_times(old, [ours("Complete", holds=True), ours("Blocked", holds=False)], NOW)
    assert [c.last_transition_time for c in found] == [rfc3339(100.0), rfc3339(NOW)]


def test_conditions_of_others_stay_and_ours_that_no_longer_hold_go():
    old = [THEIRS, ours("FailedUpdate", holds=True, since=1.0)]
    assert with_transition_times(old, [ours("Complete", holds=True)], NOW)[1:] == (THEIRS,)


def test_every_condition_that_a_pass_writes_is_known_as_ours():
    story = Set(2).settle()
    story.cluster.workload["status"]["conditions"].append(THEIRS)
    story.release(2).settle()
    types = {c["type"] for c in story.status["conditions"]}
    assert THEIRS in story.status["conditions"]
    assert types - {THEIRS["type"]} <= OURS
    story.patch(selector={"matchLabels": {"app": "other"}})
    story.one_pass()
    assert THEIRS in story.status["conditions"]
    assert len(story.status["conditions"]) == len({c["type"] for c in story.status["conditions"]})


def test_a_pass_that_failed_leaves_each_condition_once():
    workload = workload_view(gamestatefulset({"replicas": 1}), GameStatefulSetSpec.model_validate)
    status = {"replicas": 1, "conditions": [THEIRS, ours("Complete", holds=True, since=100.0)]}
    problem = Blocked(BlockedReason.INTERNAL_ERROR, "text", waiting=False)
    found = failed_pass_status(replace(workload, status=status), problem, NOW).dump()
    assert found["replicas"] == 1
    assert found["conditions"][0] == ours("Complete", holds=True, since=100.0)
    told = ["Complete", "Stalled", "Reconciling", "Ready", "Blocked", THEIRS["type"]]
    assert [c["type"] for c in found["conditions"]] == told
