"""Workloads in the situations that the screens show, played in the simulated cluster."""

from __future__ import annotations

from dataclasses import replace

from operators.cli.game.kinds import KINDS
from operators.cli.game.subject import build
from operators.kube.times import rfc3339
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamestatefulset.sets import DATA, Set

PLAYERS = {
    "name": "players",
    "successCondition": "asInt(result) == 0",
    "provider": {"web": {"url": "http://{{ args.PodIP }}:8080/", "jsonPath": "{$.players}"}},
}


def subject(world, **metadata):
    """What commands see of a fleet or a set, its objects as the API server would hold them."""
    cluster = world.cluster
    body = {**cluster.workload, "kind": "GameStatefulSet" if isinstance(world, Set) else "GameDeployment"}
    created = rfc3339(getattr(world, "made", cluster.now))
    body["metadata"] = {"creationTimestamp": created, **body["metadata"], **metadata}
    cluster.workload["metadata"] = body["metadata"]
    observed = cluster.observe()
    return build(
        KINDS[body["kind"]],
        observed,
        body,
        runs=dict(cluster.hook_runs),
        templates=dict(cluster.templates),
        stored=dict(cluster.revisions),
        now=cluster.now,
    )


def fleet(replicas=8, *, type_="InplaceUpdate", unavailable=2, grace=0, hooks=(), **strategy):
    """A fleet called ``arena``, all pods of the first version ready for an hour."""
    strategy = {"type": type_, "maxUnavailable": unavailable, **strategy}
    if grace:
        strategy["inPlaceUpdateStrategy"] = {"gracePeriodSeconds": grace}
    found = Fleet(replicas, strategy=strategy, hooks=hooks, templates=("check", "test"))
    found.cluster.workload["metadata"]["name"] = "arena"
    for template in found.cluster.templates.values():
        template["spec"]["metrics"] = [PLAYERS]
    found.made = found.cluster.now
    found.cluster.workload["metadata"]["creationTimestamp"] = rfc3339(found.made)
    found.created()
    found.cluster.now += 3600
    return found


def measured(world, run, *, count, value="", message="", error=0, phase="Running"):
    """A HookRun has measured so often since it was made, and got this at last."""
    made, now = world.cluster.hook_runs[run]["metadata"]["creationTimestamp"], rfc3339(world.cluster.now)
    measurement = {"phase": "Error" if error else "Failed", **({"value": value} if value else {"message": message})}
    measurement |= {"startedAt": now, "finishedAt": now}
    result = {"name": "players", "phase": phase, "count": count, "error": error, "measurements": [measurement]}
    world.cluster.hook_runs[run]["status"] = {"phase": phase, "startedAt": made, "metricResults": [result]}
    world.cluster.hook_runs[run]["metadata"]["resourceVersion"] += "1"


def rolling():
    """Pods are replaced, two at a time."""
    world = fleet(type_="RollingUpdate").release(2)
    for _ in range(3):
        world.one_pass()
    world.cluster.now += 12
    return subject(world)


def grace():
    """Two pods are out of their Services, and restart in a moment."""
    world = fleet(grace=30).release(2)
    world.one_pass()
    world.one_pass()
    world.cluster.now += 12
    world.kubelets()
    world.one_pass()
    return subject(world)


def waiting():
    """Players are inside of two pods that are to be updated."""
    world = fleet(hooks=("preInplace",), canary={"steps": [{"partition": 6}, {"pause": {}}, {"partition": 0}]})
    world.release(2).settle()
    for number, run in enumerate(sorted(world.runs)):
        measured(world, run, count=144 - number, value=str(37 - 25 * number))
    world.cluster.now += 720
    world.one_pass()
    return subject(world)


def errors():
    """One hook has had nothing but errors, and its template was mended since."""
    world = fleet(hooks=("preInplace",)).release(2).settle()
    first, *others = sorted(world.runs)
    world.cluster.now += 155
    measured(world, first, count=31, error=31, message="$.count is not in the answer")
    for run in others:
        measured(world, run, count=12, value="3")
    world.one_pass()
    world.cluster.templates["check"]["spec"]["metrics"] = [{**PLAYERS, "interval": "10s"}]
    return subject(world)


def partition():
    """The partition is reached, and nobody said that there is more to come."""
    world = fleet(partition=5).release(2).settle()
    world.cluster.now += 600
    return subject(world)


def canary_pause():
    """A canary rests until a person goes on."""
    world = fleet(canary={"steps": [{"partition": 6}, {"pause": {}}, {"partition": 0}]}).release(2).settle()
    world.cluster.now += 840
    return subject(world)


def timed_pause():
    """A canary rests for some minutes."""
    steps = [{"partition": 6}, {"pause": {"duration": 600}}, {"partition": 0}]
    world = fleet(canary={"steps": steps}).release(2).settle()
    world.after(240)
    return subject(world)


def user_pause():
    """A person has paused."""
    world = fleet().patch(paused=True).release(2).settle()
    world.cluster.now += 480
    return subject(world)


def hook_failed(*, automatic=False):
    """The check of a step has failed."""
    steps = [{"partition": 6}, {"hook": {"templateName": "test"}}, {"partition": 0}]
    world = fleet(canary={"steps": steps, "autoRollback": automatic}).release(2).settle()
    run = next(iter(world.runs))
    world.cluster.answer_hook(run, "Failed", "metric players: value 12")
    for _ in range(3):
        world.one_pass()
    world.cluster.now += 60
    return subject(world)


def rolled_back():
    """The same, and pods go back by themselves."""
    return hook_failed(automatic=True)


def surge():
    """New pods come beside the old ones."""
    world = fleet(4, type_="RollingUpdate", unavailable=0, maxSurge=2).release(2)
    for _ in range(3):
        world.one_pass()
    world.cluster.now += 5
    return subject(world)


def on_delete():
    """Pods wait until somebody deletes them."""
    world = fleet(type_="OnDelete").release(2).settle()
    world.cluster.kill_pod(world.names[0])
    world.settle()
    world.cluster.now += 7200
    return subject(world)


def deleting():
    """The workload is on its way out."""
    world = fleet()
    world.cluster.now += 60
    return subject(world, deletionTimestamp=rfc3339(world.cluster.now - 20), finalizers=["keep.example.com"])


def complete():
    """Nothing is left to do."""
    return subject(fleet())


def unseen():
    """The operators have not looked since the last change."""
    world = fleet()
    changed = rfc3339(world.cluster.now)
    world.release(2)
    world.cluster.now += 45
    fields = {"f:spec": {"f:template": {}}}
    managed = [{"manager": "kubectl-edit", "operation": "Update", "time": changed, "fieldsV1": fields}]
    return subject(world, managedFields=managed)


def failing():
    """A new version does not start."""
    world = fleet().release(2)
    world.one_pass()
    world.one_pass()
    for name in world.at(2):
        world.cluster.restart_containers(name)
        world.cluster.set_container_waiting(name, "CrashLoopBackOff")
    world.cluster.now += 90
    world.one_pass()
    return subject(world)


def refused():
    """A change that no living pod can follow."""
    world = fleet()
    container = {"name": "web", "image": "game:2", "env": [{"name": "MODE", "value": "ranked"}]}
    world.change(template={"spec": {"containers": [container]}}).settle()
    world.cluster.now += 30
    return subject(world)


def ordered_set():
    """A GameStatefulSet, one pod after the other."""
    world = Set(4, claims=(DATA,), type="InplaceUpdate")
    world.made = world.cluster.now
    world.cluster.workload["metadata"]["creationTimestamp"] = rfc3339(world.made)
    world.settle()
    world.cluster.now += 3600
    world.release(2)
    for _ in range(3):
        world.one_pass()
    world.cluster.now += 7
    return subject(world)


#: By the name of the golden file, with the title that the documentation gives it.
WORLDS = {
    "rolling": (rolling, "A rolling update"),
    "waiting": (waiting, "In place, players inside"),
    "grace": (grace, "In place, with grace"),
    "partition": (partition, "Partition reached"),
    "canary-pause": (canary_pause, "Canary, paused for a person"),
    "timed-pause": (timed_pause, "Canary, paused for a time"),
    "user-pause": (user_pause, "Paused by a person"),
    "hook-failed": (hook_failed, "Canary, the check failed"),
    "rolled-back": (rolled_back, "Canary, rolled back by `autoRollback`"),
    "surge": (surge, "With surge"),
    "on-delete": (on_delete, "OnDelete"),
    "failing": (failing, "A version that does not start"),
    "errors": (errors, "A hook that has had nothing but errors"),
    "refused": (refused, "A change that is not possible in place"),
    "unseen": (unseen, "Not seen by the operators"),
    "deleting": (deleting, "Being deleted"),
    "complete": (complete, "Complete"),
    "gamestatefulset": (ordered_set, "A GameStatefulSet, one pod after the other"),
}


def replaced(found, *, now):
    """The same world, seen later."""
    return replace(found, now=now)
