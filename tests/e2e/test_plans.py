"""ux-48: five rollouts of real containers run as `kubectl game plan` said they would."""

import asyncio
import json
import time

from operators.cli.game.exits import Exit
from tests.e2e.board import HOOK, IMAGE, Board, Watch, workload
from tests.integration.cli.programs import Game

REVISION = "controller-revision-hash"
IN_PLACE = {"type": "InplaceUpdate", "maxSurge": 0}
GRACE = {"inPlaceUpdateStrategy": {"gracePeriodSeconds": 10}}


def ordered_set(name):
    """A GameStatefulSet, updated from the highest ordinal down."""
    body = workload(name, 3, {"type": "RollingUpdate"}, minReadySeconds=8)
    return {**body, "kind": "GameStatefulSet", "spec": {**body["spec"], "serviceName": name}}


CANARY = {"steps": [{"partition": 3}, {"pause": {"duration": 12}}, {"partition": 0}]}
#: Names and manifests. Waits that are the rollout's own make up most of the time: a restart takes as long as it takes.
ROLLOUTS = {
    "surge": workload("surge", 4, {"type": "RollingUpdate", "maxUnavailable": 0, "maxSurge": 2}, minReadySeconds=12),
    "grace": workload("grace", 4, {**IN_PLACE, **GRACE, "maxUnavailable": 2}),
    "part": workload("part", 5, {**IN_PLACE, **GRACE, "maxUnavailable": 1, "partition": 3}),
    "canary": workload("canary", 4, {**IN_PLACE, **GRACE, "maxUnavailable": 2, "canary": CANARY}, hooks=["preInplace"]),
    "ordered": ordered_set("ordered"),
}


class Rollout:
    """One of them: its plan, and what a watch saw of it."""

    def __init__(self, cluster, namespace, name):
        self.board, self.name = Board(cluster, namespace, name), name
        self.kind = ROLLOUTS[name]["kind"]
        self.short = {"GameDeployment": "gd", "GameStatefulSet": "gsts"}[self.kind]
        self.plan, self.ended, self.old = {}, 0.0, ""

    def body(self):
        return self.board.get(self.kind.lower(), self.name)

    def rests(self):
        """The present generation is at its end: complete, or where its partition wants it."""
        body = self.body()
        status = body.get("status") or {}
        said = {c["type"]: c for c in status.get("conditions", ())}
        present = status.get("observedGeneration") == body["metadata"]["generation"]
        complete = said.get("Complete", {}).get("status") == "True"
        held = said.get("Progressing", {}).get("reason") == "PartitionReached"
        settled = said.get("Complete", {}).get("observedGeneration") == body["metadata"]["generation"]
        return present and settled and (complete or held)

    def planned(self):
        """Pods in the order in which the plan takes them: those of one moment together."""
        groups = {}
        for action in self.plan["actions"]:
            begins = action["action"] == "UpdatePodInPlace" and action["why"] in ("grace", "restart web")
            if action["action"] == "DeletePod" or (
                begins and action["pod"] not in set().union(*groups.values(), set())
            ):
                groups.setdefault(action["at"], set()).add(action["pod"])
        return [groups[at] for at in sorted(groups)]

    def taken(self, events):
        """Pods in the order in which they were taken: deleted, or given another revision."""
        order, revisions = [], {}
        for _, pod in events:
            metadata = pod["metadata"]
            if metadata["labels"].get("app") != self.name:
                continue
            key = metadata["name"], metadata["uid"]
            revision = metadata["labels"][REVISION]
            known = revisions.setdefault(key, revision)
            if (metadata.get("deletionTimestamp") or known != revision) and key not in order and known == self.old:
                order.append(key)
        return [name for name, _ in order]


async def test_ux_48_five_real_rollouts_run_as_planned(cluster, operators, namespace):
    game = Game(cluster.kubeconfig, namespace)
    rollouts = [Rollout(cluster, namespace, name) for name in ROLLOUTS]
    rollouts[0].board.apply(HOOK)
    for one in rollouts:
        one.board.apply(ROLLOUTS[one.name])
    for one in rollouts:
        one.board.until("all pods are there", one.rests, 150)
    for one in rollouts:
        one.old = one.body()["status"]["updateRevision"]
        ended = await game.inside("plan", f"{one.short}/{one.name}", "--set", f"web={IMAGE}:0.0.2", "-o", "json")
        assert ended.code == Exit.REACHED, ended
        one.plan = ended.body
    watch = Watch(cluster, namespace)
    await asyncio.gather(*(asyncio.to_thread(run, one) for one in rollouts))
    events = watch.end()
    for one in rollouts:
        planned, taken = one.planned(), one.taken(events)
        told = f"{one.name}: planned {planned} in {one.plan['seconds']} s, was {taken} in {one.ended:.1f} s"
        print(told)
        assert len(taken) == sum(map(len, planned)) == one.plan["updated"], told
        for group in planned:
            assert set(taken[: len(group)]) == group, told
            del taken[: len(group)]
        assert abs(one.ended - one.plan["seconds"]) <= one.plan["seconds"] / 4, told
        pods = one.board.pods()
        updated = [p for p in pods if p["spec"]["containers"][0]["image"] == f"{IMAGE}:0.0.2"]
        assert (len(pods), len(updated)) == (one.plan["wanted"], one.plan["updated"]), told
        restarts = sum(p["status"]["containerStatuses"][0]["restartCount"] for p in pods)
        assert restarts == one.plan["restarts"], told


def run(one):
    """Release, wait until it rests, and note how long that took."""
    change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"{IMAGE}:0.0.2"}]
    one.board.kubectl("patch", one.kind.lower(), one.name, "--type=json", "-p", json.dumps(change))
    released = time.monotonic()
    one.board.until("the rollout rests", one.rests, 170)
    one.ended = time.monotonic() - released
