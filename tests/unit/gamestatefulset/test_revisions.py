"""ControllerRevisions of a set: found again, made, numbered, kept (docs/spec/gamestatefulset.md 2.4, and 9.3)."""

import pytest

from operators.planning import actions as act
from operators.planning.revisions import trim
from tests.unit.gamestatefulset.observations import (
    NOW,
    created,
    decide,
    deleted,
    known,
    of_type,
    pods,
    remembered,
    revision,
    rollout,
    template,
)


def named(decision):
    """The current and the update revision of the status."""
    return decision.status.dump()["currentRevision"], decision.status.dump()["updateRevision"]


def seen(at, version="D", stored="ABD", **how):
    """A pass that finds revisions, pods and a template; the status remembers nothing."""
    return decide(pods(3, at) if at else (), {"template": template(version)}, revisions=stored, status={}, **how)


def test_gss_22_the_newest_revision_equals_the_template():
    decision = seen("B")
    assert named(decision) == ("B", "D")
    assert decision.status.dump()["collisionCount"] == 0
    assert not of_type(decision, act.CreateRevision, act.RenumberRevision)
    assert deleted(decision) == ["foo-2"], "the update goes on at once"


def test_gss_23_an_older_revision_that_equals_the_template_gets_the_newest_number():
    decision = seen("D", "B")
    assert [(type(a), a.name, a.revision) for a in decision.actions] == [(act.RenumberRevision, "B", 4)]
    assert named(decision) == ("D", "B")


def test_gss_24_a_template_that_is_new_gets_a_revision_before_any_pod_moves():
    decision = seen("A", "E", "AB")
    (made,) = decision.actions
    assert isinstance(made, act.CreateRevision)
    assert (made.revision, made.template) == (3, template("E"))
    assert named(decision) == ("A", made.name)
    assert made.name.startswith("foo-")
    assert made.labels["controller.kubernetes.io/hash"] == made.name.removeprefix("foo-")


def test_gss_25_without_pods_the_new_revision_is_both():
    revisions = rollout((), {"template": template("E")}, revisions="AB", status={}).revisions
    assert revisions.current == revisions.update
    assert revisions.update not in "AB"
    assert created(seen(None, "B", "AB")) == {"foo-0": "B"}


def test_the_current_revision_is_remembered_and_not_guessed_from_pods():
    """In the Go operator the last old pod takes the current revision along (spec 8.1 B7)."""
    decision = decide(pods(3, "D")[1:], strategy={"rollingUpdate": {"partition": 1}})
    assert named(decision) == ("B", "D")
    assert created(decision) == {"foo-0": "B"}


@pytest.mark.parametrize("unready", [0, 2])
def test_the_current_revision_moves_on_only_when_all_are_updated_and_ready(unready):
    waiting = pods(3)
    waiting[unready] = pods(3, ready=False)[unready]
    assert named(decide(waiting)) == ("B", "D")
    assert named(decide(pods(3))) == ("D", "D")


# ---- history


def kept(numbers, live, limit):
    revisions = [revision(f"r{n}", n) for n in numbers]
    gone = {a.name for a in trim(revisions, {f"r{n}" for n in live}, limit)}
    return sorted(int(r.name[1:]) for r in revisions if r.name not in gone)


@pytest.mark.parametrize(
    ("numbers", "live", "limit", "wanted"),
    [
        pytest.param((1, 2, 3), (2, 4), 1, [2, 3], id="26: limit 1"),
        pytest.param((1, 2, 3), (2, 4), 3, [1, 2, 3], id="26: room for all"),
        pytest.param((3, 1, 2), (2, 4), 1, [2, 3], id="27: sorted, whatever the order of the list"),
        pytest.param((1, 2, 3), (2, 4), 0, [2], id="28: limit 0"),
        pytest.param((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 6, 8), 2, [1, 2, 3, 5, 6, 7], id="28: seven"),
    ],
)
def test_gss_26_to_28_the_oldest_revisions_that_nobody_uses_go(numbers, live, limit, wanted):
    assert kept(numbers, live, limit) == wanted


@pytest.mark.parametrize(("limit", "gone"), [(0, ["A"]), (1, [])])
def test_gss_26_27_28_in_a_pass_what_pods_carry_and_come_from_stays(limit, gone):
    listed = [known("ABD")[i] for i in (2, 0, 1)]
    settled = pods(3, "B")
    decision = decide(settled, {"revisionHistoryLimit": limit}, revisions=listed, strategy={"type": "OnDelete"})
    assert [a.name for a in of_type(decision, act.DeleteRevision)] == gone


def test_no_revision_goes_in_a_pass_that_creates_pods_of_it():
    decision = decide(pods(2, "D"), {"revisionHistoryLimit": 0})
    assert created(decision)
    assert not of_type(decision, act.DeleteRevision)


# ---- names


def test_gss_29_a_name_taken_by_another_template_gives_another_name_and_is_counted():
    (made,) = of_type(seen("A", "E", "AB"), act.CreateRevision)
    stranger = revision(made.name, 9, template("other"), owner={"kind": "Other", "name": "x", "uid": "u"})
    for taken in (stranger, revision(made.name, 3, template("other"))):
        decision = seen("A", "E", [*known("AB"), taken])
        (again,) = of_type(decision, act.CreateRevision)
        assert again.name != made.name
        assert decision.status.dump()["collisionCount"] == 1


def test_gss_29_the_same_payload_is_used_again():
    (made,) = of_type(seen("A", "E", "AB"), act.CreateRevision)
    decision = seen("A", "E", [*known("AB"), revision(made.name, 3, template("E"))])
    assert not of_type(decision, act.CreateRevision)
    assert (decision.status.dump()["updateRevision"], decision.status.dump()["collisionCount"]) == (made.name, 0)


def test_gss_30_orphan_revisions_of_ours_are_adopted_before_they_are_used():
    orphans = [revision("foo-1", 1, template("B"), owner=None), revision("foo-2", 2, template("D"), owner=None)]
    decision = decide(pods(3, "foo-1"), revisions=orphans, status={})
    assert {a.name for a in decision.actions if isinstance(a, act.AdoptRevision)} == {"foo-1", "foo-2"}
    assert decision.actions[0].stage < min(a.stage for a in decision.actions if isinstance(a, act.DeletePod))
    assert named(decision) == ("foo-1", "foo-2")


def test_gss_31_another_spelling_of_the_same_template_makes_no_revision_and_touches_no_pod():
    stored = template("D")
    stored["metadata"]["creationTimestamp"] = None
    spelled = revision("D", 3, dict(reversed(stored.items())))
    decision = decide(pods(3), revisions=[*known("AB"), spelled], status=remembered(current="D"), now=NOW)
    assert decision.actions == ()
