"""What tools of the field make of a workload, at every version that it ever had on a real API server.

All rollouts run side by side. Nothing is asked while they do: every version of every object is recorded, put in the
order in which the API server stored them, and judged at the end, by the pods that were there at that moment.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from devcluster.verdicts import verdicts
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS
from tests.integration.gamedeployment.fleet import template

BOTH = ("gamedeployment", "gamestatefulset")


def gd(type_, **numbers):
    return GAME_DEPLOYMENTS, {"updateStrategy": {"type": type_, "maxSurge": 0, "maxUnavailable": 1, **numbers}}


def gsts(type_, **numbers):
    strategy = {"type": type_, "rollingUpdate": {"maxUnavailable": 1, **numbers}}
    if type_ == "OnDelete":
        del strategy["rollingUpdate"]
    return GAME_STATEFUL_SETS, {"updateStrategy": strategy, "serviceName": "game", "podManagementPolicy": "Parallel"}


IMAGE = {"template": {"spec": {"containers": template("", 2)["spec"]["containers"]}}}
STEPS = [{"partition": 2}, {"pause": {}}]
GRACE = {"inPlaceUpdateStrategy": {"gracePeriodSeconds": 1}}


@dataclass(frozen=True)
class Rollout:
    """``held``: pods that are new when it rests by the user's wish; None where it goes to the end."""

    kind: Any
    held: int | None = None
    change: dict[str, Any] = field(default_factory=lambda: IMAGE)


ROLLOUTS = {
    "in-place": Rollout(gd("InplaceUpdate")),
    "all-in-place": Rollout(gd("InplaceUpdate", maxUnavailable="100%", **GRACE)),
    "rolling": Rollout(gd("RollingUpdate")),
    "surge": Rollout(gd("RollingUpdate", maxSurge=1, maxUnavailable=0)),
    "scaled": Rollout(gd("InplaceUpdate"), change={**IMAGE, "replicas": 5}),
    "partition": Rollout(gd("InplaceUpdate", partition=1), held=2),
    "paused": Rollout(gd("RollingUpdate"), held=0, change={**IMAGE, "updateStrategy": {"paused": True}}),
    "canary": Rollout(gd("InplaceUpdate"), held=1, change={**IMAGE, "updateStrategy": {"canary": {"steps": STEPS}}}),
    "set-rolling": Rollout(gsts("RollingUpdate")),
    "set-in-place": Rollout(gsts("InplaceUpdate")),
    "set-on-delete": Rollout(gsts("OnDelete"), held=0),
}


class Players:
    """Whoever creates and changes workloads."""

    def __init__(self, fleet, recorder):
        self.fleet, self.recorder = fleet, recorder

    async def create(self, name, kind):
        resource, spec = kind
        selector = {"matchLabels": {"app": name}}
        spec = {"replicas": 3, "selector": selector, "template": template(name, 1), **spec}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
        return await self.fleet.user.create(resource, self.fleet.namespace, body)

    async def change(self, name, kind, change):
        await self.fleet.user.merge_patch(kind[0], self.fleet.namespace, name, {"spec": change})

    async def ready(self, name, reason, generation):
        def rests(body):
            held = [c for c in (body.get("status") or {}).get("conditions") or () if c["type"] == "Ready"]
            if not held or held[0]["status"] != "True" or body["metadata"]["generation"] < generation:
                return False
            return held[0]["reason"] == reason and held[0]["observedGeneration"] == body["metadata"]["generation"]

        return await self.recorder.until(name, rests, f"{name} is ready: {reason}")


@pytest.fixture
def players(fleet, recorder):
    return Players(fleet, recorder)


async def test_ux_64_66_never_current_before_the_first_pass_nor_during_a_rollout(fleet, recorder, players):
    made = await asyncio.gather(*(players.create(name, each.kind) for name, each in ROLLOUTS.items()))
    assert [body["status"] for body in made] == [{"observedGeneration": -1}] * len(made)

    async def roll(name, each):
        await players.ready(name, "Complete", 1)
        await players.change(name, each.kind, each.change)
        plural = each.kind[0].plural
        await asyncio.to_thread(
            fleet.kubectl, "wait", f"{plural}.tkex.tencent.com/{name}", "--for=condition=Ready", "--timeout=60s"
        )
        seen = await fleet.user.get(each.kind[0], fleet.namespace, name)
        ready = next(c for c in seen["status"]["conditions"] if c["type"] == "Ready")
        reason = "Complete" if each.held is None else "Held"
        generation = seen["metadata"]["generation"]  # a canary's pause is an edit of its own
        assert generation >= 2, seen["metadata"]
        assert (ready["status"], ready["reason"], ready["observedGeneration"]) == ("True", reason, generation), name

    async with fleet.kubelets(), fleet.operator(controllers=BOTH) as operator:
        await asyncio.gather(*(roll(name, each) for name, each in ROLLOUTS.items()))
    written = sum(n for (verb, plural), n in operator.writes.items() if verb == "patch" and plural.startswith("game"))
    print(f"{len(ROLLOUTS)} rollouts, {written} patches of workloads")

    history = list(recorder.moments())
    judged = verdicts(m.workload for m in history)
    assert len(judged) == len(history) > 5 * len(ROLLOUTS)
    current = [m for m, verdict in zip(history, judged, strict=True) if verdict == "Current"]
    failed = [
        m.workload for m, verdict in zip(history, judged, strict=True) if verdict not in ("InProgress", "Current")
    ]
    assert not failed
    assert {m.name for m in current} == set(ROLLOUTS), "each is current in the end"
    for moment in current:
        assert moment.present
        held = ROLLOUTS[moment.name].held
        rests = held is not None and moment.condition("Ready")["reason"] == "Held"
        if rests:
            assert (len(moment.pods), moment.serving) == (3, held), moment
        else:
            assert moment.whole, moment


DELAYS = (0, 0.2, 0.5, 1)
TYPES = {
    "gd-in-place": gd("InplaceUpdate", maxUnavailable="100%", **GRACE),
    "gd-rolling": gd("RollingUpdate", maxUnavailable="100%"),
    "set-in-place": gsts("InplaceUpdate", maxUnavailable="100%"),
    "set-rolling": gsts("RollingUpdate", maxUnavailable="100%"),
}


async def test_no_version_of_a_status_counts_pods_that_are_not_updated_and_ready(fleet, recorder, players):
    names = [(f"{name}-{int(delay * 10)}", kind, delay) for name, kind in TYPES.items() for delay in DELAYS]

    async def roll(name, kind, delay):
        await players.create(name, kind)
        await players.ready(name, "Complete", 1)
        await asyncio.sleep(delay)
        await players.change(name, kind, IMAGE)
        await players.ready(name, "Complete", 2)

    async with fleet.kubelets(), fleet.operator(controllers=BOTH):
        await asyncio.gather(*(roll(*each) for each in names))

    claiming = [m for m in recorder.moments() if m.present and m.status.get("updatedReadyReplicas") == 3]
    assert {m.name for m in claiming} == {name for name, _, _ in names}
    early = [(m.name, m.serving, m.status) for m in claiming if not m.whole]
    assert not early, early[0]
