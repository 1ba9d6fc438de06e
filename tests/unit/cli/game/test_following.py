"""How a wait for a rollout ends: every code, by one look at a time."""

import pytest

from operators.cli.game.exits import Exit, UsageError
from operators.cli.game.following import Follower, read_goal
from operators.cli.game.text import elapsed
from tests.unit.cli.game import worlds
from tests.unit.cli.game.worlds import fleet, subject


def follower(world_or_now, goal="complete", **options):
    now = world_or_now if isinstance(world_or_now, float) else world_or_now.cluster.now
    return Follower(read_goal(goal), now, options.pop("blocked_grace", 30.0), **options)


@pytest.mark.parametrize(
    ("make", "goal", "code", "said"),
    [
        (worlds.complete, "complete", Exit.REACHED, "arena is complete: 8 of 8 pods run game:1 and are ready"),
        (worlds.rolling, "complete", None, ""),
        (worlds.waiting, "complete", None, ""),
        (worlds.waiting, "available", Exit.REACHED, "arena is available"),
        (worlds.partition, "complete", Exit.RESTS, "partition keeps 5 of 8"),
        (worlds.partition, "paused", Exit.REACHED, "arena rests"),
        (worlds.canary_pause, "complete", Exit.RESTS, "arena rests for a person at step 2/3 pause"),
        (worlds.canary_pause, "paused", Exit.REACHED, "arena rests: paused by a canary step at pause"),
        (worlds.canary_pause, "step=2", Exit.REACHED, "arena has come to step 2 of 3: pause"),
        (worlds.canary_pause, "step=3", Exit.RESTS, "arena rests for a person"),
        (worlds.timed_pause, "complete", None, ""),
        (worlds.user_pause, "complete", Exit.RESTS, "updateStrategy.paused was set by a person"),
        (worlds.on_delete, "complete", Exit.RESTS, "updated when somebody deletes them"),
        (worlds.hook_failed, "complete", None, ""),
        (worlds.unseen, "complete", None, ""),
        (worlds.deleting, "complete", Exit.FAILED, "arena is being deleted."),
    ],
)
def test_ux_12_each_situation_has_its_code_and_a_sentence(make, goal, code, said):
    found = make()
    look = follower(found.now, goal).look(found)
    assert look.code == code
    assert said in look.sentence
    assert look.line
    assert code is None or look.sentence.endswith(".")


def test_ux_12_what_needs_a_person_ends_the_wait_after_its_grace_and_not_before():
    found = worlds.hook_failed()
    wait = follower(found.now)
    assert wait.look(found).code is None
    later = worlds.replaced(found, now=found.now + 29)
    assert wait.look(later).code is None
    last = wait.look(worlds.replaced(found, now=found.now + 30))
    assert last.code == Exit.BLOCKED
    assert "needs a person: canary step 2 of 3" in last.sentence


def test_what_needed_a_person_for_a_moment_begins_its_grace_anew():
    bad, good = worlds.failing(), worlds.rolling()
    wait = follower(bad.now)
    wait.look(bad)
    wait.look(worlds.replaced(good, now=bad.now + 20))
    assert wait.look(worlds.replaced(bad, now=bad.now + 40)).code is None


@pytest.mark.parametrize("seed", range(200))
def test_ux_13_the_old_rollout_is_never_taken_for_the_new_one(seed):
    """The spec has changed and no pass was made: whatever else is there, the wait goes on."""
    world = fleet(2 + seed % 7, type_="InplaceUpdate" if seed % 2 else "RollingUpdate")
    world.cluster.now += seed
    wait = follower(world)
    world.release(2)
    assert not subject(world).seen
    look = wait.look(subject(world))
    assert (look.code, look.unseen) == (None, True)
    world.one_pass()
    assert wait.look(subject(world)).code is None
    world.settle()
    assert "game:2" in wait.look(subject(world)).sentence


def test_ux_14_a_new_release_is_told_of_and_followed():
    world = fleet()
    wait = follower(world)
    world.release(2).one_pass()
    assert wait.new_release(subject(world)) == ""
    world.release(3).one_pass()
    assert "a new release: arena-" in wait.new_release(subject(world))
    assert wait.new_release(subject(world)) == ""
    world.settle()
    assert "game:3" in wait.look(subject(world)).sentence


def test_ux_14_a_revision_that_was_asked_for_is_not_given_up_for_another():
    world = fleet()
    world.release(2).one_pass()
    wanted = subject(world).standing.rollout.revisions.update
    wait = follower(world, revision=wanted)
    assert wait.look(subject(world)).code is None
    world.release(3).one_pass()
    assert wait.new_release(subject(world)) == ""
    look = wait.look(subject(world))
    assert look.code == Exit.FAILED
    assert f"not to {wanted}" in look.sentence


@pytest.mark.parametrize("text", ["done", "step=0", "step=x", "step", ""])
def test_a_goal_that_is_none_is_wrong_usage(text):
    with pytest.raises(UsageError):
        read_goal(text)


def test_lines_of_a_whole_rollout_tell_each_stage():
    world = fleet(hooks=("preInplace",), canary={"steps": [{"partition": 6}, {"pause": {}}, {"partition": 0}]})
    wait, lines = follower(world), []
    world.release(2)
    for _ in range(8):
        look = wait.look(subject(world))
        lines.append(look.line)
        if look.code is not None:
            break
        world.answer_all()
        world.kubelets()
        world.one_pass()
    assert lines[0] == "generation 2 is not seen by the operators yet"
    assert "step 1/3 partition 6: 0 of 2 updated, 0 ready, 2 asked by hooks" in lines
    assert lines[-1].startswith("step 2/3 pause: 2 of 2 updated, 2 ready")


def test_elapsed_time_grows_hours_where_there_are_any():
    assert [elapsed(s) for s in (0, 85, 3599, 3600, 36061)] == ["00:00", "01:25", "59:59", "1:00:00", "10:01:01"]
