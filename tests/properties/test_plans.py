"""ux-47: what a plan says is what the driver then does, in random worlds at random moments of a rollout."""

import os
from unittest import mock

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from operators.cli.game.plans.build import Question, answer
from operators.cli.game.plans.world import Bodies, world
from operators.planning import actions as act
from operators.simulation.cluster import SimulatedCluster, Surroundings, gamedeployment, hook_template
from operators.simulation.driver import Assumptions
from operators.simulation.statefulset import SimulatedSet, gamestatefulset
from tests.properties.planworld import Ticking, bodies, by_number

#: A fifth of what the histories have: each world is driven twice.
EXAMPLES = max(1, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 5)
HOOK = {"hook": {"templateName": "check"}}
STEPS = (
    None,
    None,
    [{"partition": 2}, {"pause": {}}],
    [{"partition": "50%"}, {"pause": {"duration": 5}}, HOOK, {"partition": 1}],
    [{"pause": {}}, HOOK, {"partition": 3}, {"pause": {"duration": 3}}, {"partition": 0}],
)


@st.composite
def worlds(draw):
    """A workload at rest or in the middle of something, and a change of it that was just made."""
    ordered = draw(st.booleans(), label="GameStatefulSet")
    numbers = {
        "maxUnavailable": draw(st.sampled_from([1, 1, 2, 3, "50%", 0])),
        "maxSurge": draw(st.sampled_from([0, 0, 1, 2])),
        "partition": draw(st.sampled_from([None, None, None, 1, "50%"])),
    }
    strategy = {
        "type": draw(st.sampled_from(["InplaceUpdate", "InplaceUpdate", "RollingUpdate", "RollingUpdate", "OnDelete"])),
        "inPlaceUpdateStrategy": {
            "gracePeriodSeconds": draw(st.sampled_from([0, 0, 4])),
            "policy": draw(st.sampled_from(["DisOrdered", "OrderedReady", "OrderedUpdated"])),
            "onIneligible": draw(st.sampled_from(["Block", "Recreate"])),
        },
    }
    strategy |= {"rollingUpdate": numbers} if ordered else numbers
    steps = draw(st.sampled_from(STEPS))
    if steps is not None:
        strategy["canary"] = {"steps": steps}
    spec = {
        "replicas": draw(st.integers(1, 5)),
        "minReadySeconds": draw(st.sampled_from([0, 0, 2])),
        "updateStrategy": strategy,
        "template": template(1, 1, "gold", draw(st.sampled_from([0, 3]))),
    }
    for kind in draw(st.sets(st.sampled_from(["preDelete", "preInplace", "postInplace"])), label="hooks"):
        spec[f"{kind}UpdateStrategy"] = HOOK
    if ordered:
        claims = draw(st.sampled_from([[], [{"metadata": {"name": "data"}, "spec": {}}]]))
        spec |= {
            "podManagementPolicy": draw(st.sampled_from(["OrderedReady", "Parallel"])),
            "volumeClaimTemplates": claims,
        }
        cluster = SimulatedSet(gamestatefulset(spec), {"check": hook_template("check")})
    else:
        cluster = SimulatedCluster(gamedeployment(spec), {"check": hook_template("check")})
    for _ in range(draw(st.sampled_from([0, 12, 12, 12]), label="turns before")):
        turn(cluster, draw, calm=True)
    edits(cluster, draw)
    for _ in range(draw(st.integers(0, 6), label="turns of the rollout")):
        turn(cluster, draw, calm=draw(st.booleans()))
    if draw(st.integers(0, 3)) == 0:
        edits(cluster, draw)
    return cluster


def template(web, side, tier, grace):
    containers = [
        {"name": "web", "image": f"game:{web}", "env": [{"name": "TIER", "value": tier}]},
        {"name": "side", "image": f"side:{side}"},
    ]
    spec = {"containers": containers, "terminationGracePeriodSeconds": grace}
    return {"metadata": {"labels": {"app": "game"}}, "spec": spec}


def edits(cluster, draw):
    """A person changes what the workload is to be."""
    for _ in range(draw(st.integers(1, 2), label="edits")):
        what = draw(st.sampled_from(["image", "image", "image", "side", "tier", "replicas", "pause", "steps"]))
        held = cluster.workload["spec"]["template"]["spec"]
        grace = held["terminationGracePeriodSeconds"]
        web, side = (int(c["image"].rpartition(":")[2]) for c in held["containers"])
        tier = held["containers"][0]["env"][0]["value"]
        if what == "image":
            cluster.patch_spec({"template": template(web % 3 + 1, side, tier, grace)})
        elif what == "side":
            cluster.patch_spec({"template": template(web % 3 + 1, side % 2 + 1, tier, grace)})
        elif what == "tier":
            cluster.patch_spec({"template": template(web, side, "silver" if tier == "gold" else "gold", grace)})
        elif what == "replicas":
            cluster.patch_spec({"replicas": draw(st.integers(0, 6))})
        elif what == "pause":
            cluster.patch_spec({"updateStrategy": {"paused": draw(st.booleans())}})
        elif cluster.workload["spec"]["updateStrategy"].get("canary"):
            steps = draw(st.sampled_from([s for s in STEPS if s]))
            cluster.patch_spec({"updateStrategy": {"canary": {"steps": steps}}})


def turn(cluster, draw, *, calm):
    """The operators, and those kubelets and hooks that are at work."""

    def works():
        return calm or draw(st.booleans())

    for name in list(cluster.pods):
        if cluster.pod(name).deleting and works():
            cluster.kill_pod(name)
        elif works():
            cluster.start_pod(name)
            cluster.restart_containers(name)
            if not calm and cluster.pod(name).phase == "Running" and draw(st.integers(0, 9)) == 0:
                ready = draw(st.booleans())
                cluster.set_container_ready(name, ready=ready)
    if isinstance(cluster, SimulatedSet):
        cluster.collect_garbage()
    for name, run in list(cluster.hook_runs.items()):
        if run.get("status", {}).get("phase") is None and works():
            cluster.answer_hook(name, "Successful" if calm or draw(st.integers(0, 5)) else "Failed")
    for _ in range(2):
        cluster.reconcile()
    cluster.now += draw(st.sampled_from([1, 3])) if not calm else 2


ASSUMPTIONS = st.builds(
    Assumptions,
    start=st.sampled_from([0.0, 2.0, 5.0]),
    restart=st.sampled_from([1.0, 3.0]),
    end=st.sampled_from([None, None, 2.0]),
    hooks=st.sampled_from(["yes", "yes", "yes", "no"]),
    after=st.sampled_from([0.0, 0.0, 4.0]),
    resume=st.sampled_from([0.0, 0.0, None]),
    horizon=st.just(600.0),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(cluster=worlds(), assumed=ASSUMPTIONS)
def test_ux_47_a_plan_is_what_the_driver_then_does(cluster, assumed):
    with mock.patch("operators.gamedeployment.scale.instance_ids", by_number):
        made = copied(cluster)
        before = bodies(cluster.pods)
        plan = answer(Question(made, "a world", {}, assumed, ()))
        assert bodies(cluster.pods) == before, "a plan changes nothing of what it was made from"
        driver = Ticking(cluster, assumed)
        driver.leaving = frozenset(n for n in cluster.pods if cluster.pod(n).deleting)
        # A moment longer than the plan: it ends where nothing is done any more, not where it stopped looking.
        done = driver.run(plan.seconds + 20 if plan.ending.state != "limit" else 600)
    assert [(a.at, a.action, a.object) for a in plan.actions] == done, plan.ending
    event(f"{plan.ending.state} {plan.ending.reason}")
    event(f"{min(len(plan.actions) // 10 * 10, 50)} actions and more")
    assert plan.ending.state != "limit"
    if plan.ending.state == "complete":
        conditions = {c["type"]: c["status"] for c in cluster.workload["status"]["conditions"]}
        assert conditions["Complete"] == "True"
    created = sum(a.action == act.CreatePod.__name__ for a in plan.actions)
    assert plan.created == created
    assert plan.hooks == sum(a.action == act.CreateHookRun.__name__ for a in plan.actions)


def copied(cluster):
    """The world as a command would load it: from bodies alone."""
    found = Bodies(
        pods=bodies(cluster.pods),
        revisions=bodies(cluster.revisions),
        hook_runs=bodies(cluster.hook_runs),
        templates=bodies(cluster.templates),
        claims=bodies(getattr(cluster, "claims", {})),
    )
    workload = {"kind": cluster.kind, **bodies({"it": cluster.workload})["it"]}
    return world(workload, found, Surroundings(), cluster.now)
