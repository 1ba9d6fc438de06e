"""What stands on the screens, and that it fits everywhere."""

import random
from collections import Counter

import pytest

from operators.cli.game import screens
from operators.cli.game.text import plain, to_ascii
from operators.cli.game.tree import tree
from tests.unit.cli.game.golden import FOLDER, texts
from tests.unit.cli.game.worlds import WORLDS, fleet, measured, subject

SUBJECTS = {name: make for name, (make, _) in WORLDS.items()}


def shown(found, *arguments, **options):
    return plain(screens.tree(tree(found), found.now, *arguments, **options))


def test_ux_11_screens_are_as_the_golden_files_have_them():
    made, held = texts(), {p.name: p.read_text() for p in FOLDER.glob("*.txt")}
    assert made.keys() == held.keys()
    assert {name: made[name] for name in made if made[name] != held[name]} == {}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_terminal_of_80_columns_loses_info_first_and_no_line_is_wider(name):
    found = SUBJECTS[name]()
    narrow = screens.tree(tree(found), found.now, width=80)
    assert max(len(str(one)) for one in narrow) <= 80
    wide = screens.tree(tree(found), found.now, width=200)
    header = next(str(one) for one in wide if str(one).startswith("NAME"))
    assert header.split() == ["NAME", "STATUS", "AGE", "INFO"]
    for one in narrow:
        if str(one).startswith("NAME"):
            assert str(one).split()[:3] == ["NAME", "STATUS", "AGE"]


def test_info_is_dropped_before_anything_is_cut():
    found = SUBJECTS["waiting"]()
    lines = [str(one) for one in screens.tree(tree(found), found.now, width=80)]
    table = lines[lines.index("") + 1 :]
    assert "INFO" not in table[0]
    assert not any("…" in one and one.endswith("…") for one in table)


@pytest.mark.parametrize("name", SUBJECTS)
def test_ux_3_ascii_screens_are_ascii_and_hold_no_unknown_sign(name):
    for every in ("folded", "all"):
        text = to_ascii(shown(SUBJECTS[name](), every))
        assert text.isascii()
        assert text.count("?") == shown(SUBJECTS[name](), every).count("?") + shown(SUBJECTS[name](), every).count("α")


def test_a_thousand_pods_stay_under_40_lines_folded():
    world = fleet(1000, unavailable=300, hooks=("preInplace",)).release(2)
    for _ in range(3):
        world.one_pass()
    for run in sorted(world.runs):
        measured(world, run, count=3, value="4")
    found = subject(world)
    assert len(shown(found).splitlines()) < 40
    assert len(shown(found, "all").splitlines()) > 1300


@pytest.mark.parametrize("filter_", ["unready", "waiting", "new", "old"])
def test_a_filter_tells_its_pods_one_by_one_and_folds_the_others(filter_):
    found = SUBJECTS["waiting" if filter_ == "waiting" else "rolling"]()
    wanted = {
        "unready": lambda p: not p.ready,
        "waiting": lambda p: bool(p.hooks),
        "new": lambda p: p.new,
        "old": lambda p: not p.new,
    }[filter_]
    pods = [p for r in tree(found).revisions for p in r.pods]
    text = shown(found, filter_)
    assert {p.name for p in pods if f"□ {p.name} " in text} == {p.name for p in pods if wanted(p)}
    assert {p.name for p in pods if wanted(p)}


def test_foreign_pods_are_told_with_their_owner_and_counted_nowhere():
    world = fleet(3)
    stranger = dict(next(iter(world.cluster.pods.values())))
    from operators.planning.views import pod_view

    body = {**stranger, "metadata": {**stranger["metadata"], "name": "other-1", "uid": "u"}}
    body["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "other", "uid": "x", "controller": True}]
    from dataclasses import replace

    found = replace(subject(world), foreign=(pod_view(body),))
    text = shown(found)
    assert "□ other-1" in text
    assert "belongs to ReplicaSet/other" in text
    assert tree(found).summary.pods.exist == 3


def test_pods_of_a_revision_that_is_not_stored_hang_under_a_question_mark():
    world = fleet(3)
    name = world.names[0]
    world.cluster.pods[name]["metadata"]["labels"]["controller-revision-hash"] = "arena-gone"
    world.cluster.pods[name]["metadata"]["resourceVersion"] += "1"
    assert "# ? arena-gone" in shown(subject(world))


# ---- random histories


def played(seed):
    """A fleet after some random turns of user, operator, kubelets and hooks."""
    chance = random.Random(seed)
    hooks = chance.choice([(), ("preInplace",), ("preDelete",), ("preInplace", "postInplace")])
    steps = [{"partition": chance.randint(1, 5)}, {"pause": {}}, {"partition": 0}]
    canary = {"canary": {"steps": steps}} if chance.random() < 0.4 else {}
    world = fleet(
        chance.randint(2, 9),
        type_=chance.choice(["InplaceUpdate", "RollingUpdate"]),
        unavailable=chance.randint(1, 3),
        grace=chance.choice([0, 20]),
        hooks=hooks,
        maxSurge=chance.choice([0, 0, 2]),
        **canary,
    )
    version = 1
    for _ in range(chance.randint(1, 14)):
        turn = chance.random()
        if turn < 0.2:
            version += 1
            world.release(version)
        elif turn < 0.3:
            world.scale(chance.randint(0, 9))
        elif turn < 0.4:
            world.patch(paused=chance.random() < 0.5)
        elif turn < 0.55:
            for run in sorted(world.runs):
                if chance.random() < 0.5 and not world.runs[run].completed:
                    world.cluster.answer_hook(run, chance.choice(["Successful", "Running", "Failed"]))
        elif turn < 0.75:
            world.kubelets()
        world.cluster.now += chance.choice([0, 1, 15, 61])
        world.one_pass()
    for _ in range(6):  # the status tells what the last pass saw, not what it did
        world.one_pass()
    return world


@pytest.mark.parametrize("seed", range(100))
def test_ux_7_the_numbers_of_the_head_equal_status_and_api(seed):
    world = played(seed)
    found = subject(world)
    pods = tree(found).summary.pods
    status = world.status
    assert (pods.exist, pods.ready, pods.available, pods.new, pods.new_ready) == (
        status["replicas"],
        status["readyReplicas"],
        status["availableReplicas"],
        status["updatedReplicas"],
        status["updatedReadyReplicas"],
    )
    living = [p for p in world.cluster.pods.values() if not p["metadata"].get("deletionTimestamp")]
    ready = [
        p for p in living if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"]["conditions"])
    ]
    update = status["updateRevision"]
    assert pods.exist == len(living)
    assert pods.ready == len(ready)
    assert pods.new == sum(p["metadata"]["labels"]["controller-revision-hash"] == update for p in living)
    assert pods.wanted == world.spec["replicas"]


@pytest.mark.parametrize("seed", range(100))
def test_ux_8_each_pod_hookrun_and_revision_appears_once_with_all(seed):
    world = played(seed)
    found = subject(world)
    words = Counter(shown(found, "all").partition("\nNAME")[2].split())
    names = [*world.cluster.pods, *world.cluster.hook_runs, *world.cluster.revisions]
    assert {name: words[name] for name in names if words[name] != 1} == {}
