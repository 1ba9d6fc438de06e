"""ControllerRevisions: found again, made, numbered, kept.

Rules: docs/spec/gamedeployment.md 2.5, and 10, cases 64 to 72, 145.
"""

import pytest

from operators.planning import actions as act
from operators.planning.revisions import trim
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.observations import created, decide, of_type, pod, revision, template


def known(*numbers):
    """Revisions ``r1``, ``r2``, …, each with the template of its number."""
    return [revision(f"r{n}", n, template(n)) for n in numbers]


def seen(version, pods_at, count=3, **how):
    """A pass that finds the revisions 1 to ``count``, a template and pods; the status remembers nothing."""
    pods = [pod(i, pods_at) for i in "ab"] if pods_at else []
    spec = {"replicas": 2, "template": template(version), "revisionHistoryLimit": 10}
    return decide(pods, spec, revisions=known(*range(1, count + 1)), status={}, **how)


# ---- which is the current one, which the update


def test_gd_66_the_newest_revision_equals_the_template():
    decision = seen(3, "r2")
    assert (decision.status.dump()["currentRevision"], decision.status.dump()["updateRevision"]) == ("r2", "r3")
    assert not of_type(decision, act.CreateRevision)


def test_gd_67_an_older_revision_that_equals_the_template_gets_the_newest_number():
    decision = seen(2, "r3")
    assert [(a.name, a.revision) for a in decision.actions] == [("r2", 4)]
    assert isinstance(decision.actions[0], act.RenumberRevision)
    assert (decision.status.dump()["currentRevision"], decision.status.dump()["updateRevision"]) == ("r3", "r2")


def test_gd_68_a_template_that_is_new_gets_a_revision():
    decision = seen(4, "r1")
    (made,) = decision.actions
    assert isinstance(made, act.CreateRevision)
    assert (made.revision, made.template) == (4, template(4))
    assert made.name.startswith("gd-")
    assert (decision.status.dump()["currentRevision"], decision.status.dump()["updateRevision"]) == ("r1", made.name)


def test_gd_68_without_pods_all_are_of_the_update_revision():
    decision = seen(3, None)
    assert created(decision) == ["r3", "r3"]


def test_gd_68_the_name_of_a_new_revision_says_its_hash():
    made = seen(4, "r1").actions[0]
    assert made.labels == {"app": "game", "controller.kubernetes.io/hash": made.name.removeprefix("gd-")}
    assert set(made.labels["controller.kubernetes.io/hash"]) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_gd_68_a_name_that_is_taken_by_another_template_gives_another_name_and_is_counted():
    made = seen(4, "r1").actions[0]
    stranger = revision(made.name, 4, template(9))
    decision = decide(
        [pod("a", "r1")], {"replicas": 1, "template": template(4)}, revisions=[*known(1, 2, 3), stranger], status={}
    )
    (again,) = of_type(decision, act.CreateRevision)
    assert again.name != made.name
    assert decision.status.dump()["collisionCount"] == 1


def test_gd_145_lost_old_pods_come_back_old():
    """The Go operator guesses from living pods and creates new ones (G); the status remembers (R)."""
    fleet = Fleet(3).created()
    fleet.release(2, partition=3).settle()
    before = fleet.status["currentRevision"]
    for name in fleet.names:
        fleet.cluster.kill_pod(name)
    fleet.settle()
    assert (len(fleet.at(1)), len(fleet.at(2))) == (3, 0)
    assert fleet.status["currentRevision"] == before != fleet.update


def test_the_current_revision_moves_on_when_every_pod_is_updated():
    fleet = Fleet(3).created()
    first = fleet.update
    fleet.release(2).turns(2)
    assert (fleet.status["currentRevision"], fleet.update == first) == (first, False)
    fleet.settle()
    assert fleet.status["currentRevision"] == fleet.update


# ---- rolling back


def test_gd_64_a_rollback_uses_the_old_revision_again():
    fleet = Fleet(3).created()
    first = fleet.update
    fleet.release(2).settle()
    second = fleet.update
    fleet.release(1).settle()
    assert (fleet.update, len(fleet.at(1))) == (first, 3)
    numbers = {n: r["revision"] for n, r in fleet.cluster.revisions.items()}
    assert numbers == {first: 3, second: 2}
    assert len(fleet.done(act.CreateRevision)) == 2


def test_gd_72_other_changes_of_the_workload_make_no_revision():
    fleet = Fleet(3).created()
    first = fleet.update
    fleet.cluster.workload["metadata"]["annotations"] = {"note": "changed"}
    fleet.change(minReadySeconds=0, revisionHistoryLimit=3, disableReadinessGate=True)
    fleet.patch(maxUnavailable=2, partition=1).scale(4).settle()
    assert list(fleet.cluster.revisions) == [first]
    assert len(fleet.names) == 4
    assert fleet.gone() == []


def test_gd_72_the_revision_carries_the_annotations_that_the_workload_had():
    fleet = Fleet(1, annotations={"note": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}).created()
    (stored,) = fleet.cluster.revisions.values()
    assert stored["metadata"]["annotations"] == {"note": "1"}


# ---- history


def kept(numbers, live, limit):
    revisions = known(*numbers)
    gone = {a.name for a in trim(revisions, {f"r{n}" for n in live}, limit)}
    return sorted(int(r.name[1:]) for r in revisions if r.name not in gone)


@pytest.mark.parametrize(
    ("numbers", "live", "limit", "wanted"),
    [
        pytest.param((1, 2, 3), (2, 4), 1, [2, 3], id="gd_69"),
        pytest.param((1, 2, 3), (2, 4), 3, [1, 2, 3], id="gd_69: room for all"),
        pytest.param((1, 2, 3), (2, 4), 0, [2], id="gd_69: room for none"),
        pytest.param((3, 1, 2), (2,), 1, [2, 3], id="gd_70"),
        pytest.param((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 6, 8), 2, [1, 2, 3, 5, 6, 7], id="gd_71"),
    ],
)
def test_gd_69_to_71_the_oldest_revisions_that_nobody_uses_go(numbers, live, limit, wanted):
    """In case 70 the Go operator goes by the order of its list; it is to be sorted (2.4 step 2)."""
    assert kept(numbers, live, limit) == wanted


def test_gd_69_in_a_history_of_releases():
    fleet = Fleet(2, revisionHistoryLimit=1).created()
    made = [fleet.update]
    for version in (2, 3, 4):
        made.append(fleet.release(version).settle().update)
    assert sorted(fleet.cluster.revisions) == sorted(made[-2:])
    assert [a.name for a in fleet.done(act.DeleteRevision)] == made[:2]


def test_gd_69_what_pods_run_and_what_a_partition_would_be_refilled_from_is_never_trimmed():
    fleet = Fleet(2, revisionHistoryLimit=0).created()
    first = fleet.update
    for version in (2, 3, 4):
        fleet.release(version, partition=1).settle()
    carried = {fleet.cluster.pod(n).revision for n in fleet.names}
    assert len(carried) == 2
    assert set(fleet.cluster.revisions) == carried | {first, fleet.update}
    assert fleet.status["currentRevision"] == first
