"""Rollouts to plan: worlds in the simulated cluster, loaded from their bodies as a command loads them."""

from __future__ import annotations

import json

from operators.cli.game.plans.assume import Wishes, assumptions
from operators.cli.game.plans.build import Question, answer
from operators.cli.game.plans.observed import observed
from operators.cli.game.plans.world import Bodies, world
from operators.simulation.cluster import Surroundings
from tests.unit.cli.game.worlds import fleet
from tests.unit.gamestatefulset.sets import DATA, Set

STEPS = [{"partition": 6}, {"pause": {}}, {"partition": 4}, {"pause": {"duration": 300}}]


def plan_of(made, wishes=None, *, source="what is left", held=None, notes=(), exit_code=False):
    """The plan of a fleet or a set as it is now."""
    cluster = made.cluster
    bodies = Bodies(
        pods=sent(cluster.pods),
        revisions=sent(cluster.revisions),
        hook_runs=sent(cluster.hook_runs),
        templates=sent(cluster.templates),
        claims=sent(getattr(cluster, "claims", {})),
    )
    workload = {**sent({"it": cluster.workload})["it"], "kind": cluster.kind}
    took = observed(bodies.pods.values(), slow=(wishes or Wishes()).slow)
    assumed, words = assumptions(wishes or Wishes(), workload["spec"], took)
    question = Question(
        world(workload, bodies, Surroundings(), cluster.now), source, held or {}, assumed, words, tuple(notes)
    )
    return answer(question, exit_code=exit_code)


def sent(objects):
    """As the API server sends them: without the simulation's own marks."""
    found = json.loads(json.dumps(objects))
    for body in found.values():
        for container in (body.get("spec") or {}).get("containers") or ():
            container.pop("stale", None)
    return found


def canary(**wishes):
    """In place with grace and a hook, in steps."""
    made = fleet(8, grace=30, hooks=("preInplace",), canary={"steps": STEPS})
    return plan_of(made.release(2), Wishes(restart="11s", **wishes), source="arena.yaml")


def surge():
    """New pods come beside the old ones."""
    made = fleet(6, type_="RollingUpdate", unavailable=0, maxSurge=2)
    return plan_of(made.release(2), Wishes(start="20s", end="10s"))


def middle():
    """What is left of a rollout under way."""
    made = fleet(8, grace=30, partition=2).release(2)
    made.one_pass()
    made.one_pass()
    made.after(30)
    made.cluster.now += 20
    made.one_pass()
    return plan_of(made, Wishes(restart="11s"))


def players():
    """A hook never says yes."""
    made = fleet(8, hooks=("preInplace",)).release(2)
    return plan_of(made, Wishes(hooks="no"))


def refused():
    """A change that no living pod can follow."""
    made = fleet()
    container = {"name": "web", "image": "game:2", "env": [{"name": "MODE", "value": "ranked"}]}
    return plan_of(made.change(template={"spec": {"containers": [container]}}))


def ordered_set():
    """A GameStatefulSet, one pod after the other."""
    made = Set(4, claims=(DATA,), type="RollingUpdate").settle()
    made.cluster.now += 3600
    return plan_of(made.release(2), Wishes(start="15s", end="5s"))


def nothing():
    """Nothing is left to do."""
    return plan_of(fleet())


#: By the name of the golden file, with the title that the documentation gives it.
PLANS = {
    "canary": (canary, "A canary, in place, with grace and a hook"),
    "surge": (surge, "A rolling update with surge"),
    "middle": (middle, "What is left of a rollout under way, up to its partition"),
    "players": (players, "Stuck: a hook never says yes"),
    "refused": (refused, "Stuck: a change that is not possible in place"),
    "gamestatefulset": (ordered_set, "A GameStatefulSet, one pod after the other"),
    "nothing": (nothing, "Nothing to do"),
}
