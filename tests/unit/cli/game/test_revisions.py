"""``history`` and ``diff``."""

import pytest

from operators.cli.game import revisions
from operators.cli.game.exits import CommandError, UsageError
from tests.unit.cli.game import worlds
from tests.unit.cli.game.worlds import fleet, subject


def test_history_is_newest_first_with_pods_and_roles():
    found = revisions.history(worlds.canary_pause())
    assert [(r.number, r.pods, r.role, r.stable) for r in found.revisions] == [
        (2, 2, "new", False),
        (1, 6, "old", True),
    ]
    assert found.revisions[0].images == {"web": "game:2"}


def test_the_change_cause_of_a_revision_is_its_note():
    world = fleet()
    world.cluster.workload["metadata"]["annotations"]["kubernetes.io/change-cause"] = "season 4"
    world.release(2).settle()
    assert [r.cause for r in revisions.history(subject(world)).revisions] == ["season 4", ""]


@pytest.mark.parametrize("named", ["1", "arena-5f947dcc6f"])
def test_a_revision_is_named_by_number_or_name(named):
    assert revisions.find_revision(worlds.canary_pause(), named).revision == 1


def test_a_revision_that_is_not_stored_is_refused_with_those_that_are():
    with pytest.raises(CommandError, match="no revision 9; stored are 2, 1"):
        revisions.find_revision(worlds.canary_pause(), "9")


def changed(**strategy):
    """An image, a label and a variable changed."""
    world = fleet(**strategy)
    container = {"name": "web", "image": "game:2", "env": [{"name": "MODE", "value": "ranked"}]}
    template = {"metadata": {"labels": {"tier": "gold"}}, "spec": {"containers": [container]}}
    world.change(template=template).one_pass()
    return subject(world)


@pytest.mark.parametrize(
    ("strategy", "costs"),
    [
        ({}, ["nothing", "restart", "refused"]),
        ({"inPlaceUpdateStrategy": {"onIneligible": "Recreate"}}, ["nothing", "restart", "new pod"]),
        ({"type_": "RollingUpdate"}, ["new pod", "new pod", "new pod"]),
        ({"type_": "OnDelete"}, ["new pod", "new pod", "new pod"]),
    ],
)
def test_each_path_says_what_it_costs_under_the_strategy(strategy, costs):
    found = revisions.diff_in_rollout(changed(**strategy))
    assert [c.path for c in found.changes] == [
        "metadata.labels[tier]",
        "spec.containers[web].image",
        "spec.containers[web].env",
    ]
    assert [c.cost for c in found.changes] == costs


def manifest(found, **spec):
    template = {
        "metadata": {"labels": {"app": "game"}},
        "spec": {"containers": [{"name": "web", "image": "game:1"}]},
    }
    held = {"selector": {"matchLabels": {"app": "game"}}, "template": template, **spec}
    return {"kind": found.kind, "metadata": {"name": found.view.name}, "spec": held}


def test_a_manifest_that_says_what_the_cluster_holds_changes_nothing():
    found = worlds.complete()
    assert revisions.diff_of_manifest(found, manifest(found), "arena.yaml").changes == ()


def test_a_manifest_is_compared_field_by_field():
    found = worlds.complete()
    told = revisions.diff_of_manifest(
        found, manifest(found, replicas=9, selector={"matchLabels": {"app": "other"}}), "arena.yaml"
    )
    assert [(c.path, c.cost) for c in told.changes] == [("spec.selector", "refused"), ("spec.replicas", "no pod")]


def test_a_manifest_of_another_workload_is_wrong_usage():
    found = worlds.complete()
    with pytest.raises(UsageError, match="holds GameDeployment other"):
        revisions.diff_of_manifest(found, {"kind": "GameDeployment", "metadata": {"name": "other"}}, "x.yaml")
