"""An operator that is killed at any request loses nothing and doubles nothing (docs/spec/gamestatefulset.md 8.5).

The process dies right before, or right after, the n-th write; the one that follows it begins with the caches as they
were, for every n there is.
"""

from collections import defaultdict
from contextlib import suppress

import pytest

from operators.api import keys
from operators.kube.errors import Conflict
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES, PERSISTENT_VOLUME_CLAIMS, PODS
from operators.kube.times import rfc3339
from operators.simulation.cluster import hook_template
from tests.unit.gamestatefulset.controllers import Harness
from tests.unit.gamestatefulset.observations import CHECK, NOW, raw_pod, remembered
from tests.unit.gamestatefulset.sets import DATA

READY = {"type": keys.INPLACE_READY_GATE, "status": "True"}


class Killed(Exception):
    """The process ends; nothing after this gets out of it."""


class World:
    """A harness, the kubelets around it, and everything they have ever seen."""

    def __init__(self, harness, kill_at, moment):
        self.harness, self.api = harness, harness.api
        self.left, self.moment, self.dead = kill_at, moment, False
        self.pods, self.runs, self.claims = defaultdict(set), defaultdict(set), defaultdict(set)
        body = hook_template("check")
        body["metadata"]["namespace"] = "default"
        self.api.put(HOOK_TEMPLATES, body)
        self.api.answer, self.api.lose = self._before, self._after

    async def _before(self, verb, name):
        if verb not in ("GET", "LIST") and not self.dead:
            self.left -= 1
            self.dead = self.left == 0 and self.moment == "before"
        if self.dead:
            raise Killed

    async def _after(self, verb, name):
        if self.left == 0 and self.moment == "after":
            self.dead, self.left = True, -1
            raise Killed

    def turn(self):
        """Kubelets and hooks do their work."""
        for (plural, _, name), body in list(self.api.objects.items()):
            seen = {"pods": self.pods, "hookruns": self.runs, "persistentvolumeclaims": self.claims}.get(plural)
            if seen is not None:
                seen[name].add(body["metadata"]["uid"])
            if plural == "pods":
                self._kubelet(body)
            elif plural == "hookruns" and not (body.get("status") or {}).get("phase"):
                self.api.put(HOOK_RUNS, {**body, "status": {"phase": "Successful"}})

    def _kubelet(self, body):
        """Containers run what the spec says; every tag has the same digest."""
        status = body.setdefault("status", {})
        before = {s["name"]: s for s in status.get("containerStatuses") or ()}
        after = []
        for container in body["spec"]["containers"]:
            held = before.get(container["name"])
            if held is None or held["runs"] != container["image"]:
                started = {"running": {"startedAt": rfc3339(self.harness.time)}}
                fresh = {"imageID": "same", "containerID": f"c-{self.api.version}", "state": started, "ready": True}
                held = {"name": container["name"], "runs": container["image"], **fresh}
            after.append(held)
        gate = [c for c in status.get("conditions") or () if c["type"] == keys.INPLACE_READY_GATE]
        serves = str(any(c["status"] == "True" for c in gate))
        ready = {"type": "Ready", "status": serves, "lastTransitionTime": rfc3339(NOW)}
        new = {"phase": "Running", "conditions": [ready, *gate], "containerStatuses": after}
        if new != status:
            self.api.put(PODS, {**body, "status": new})

    async def live(self, passes=60):
        """Until everything is done; True if the operator was killed on the way."""
        killed, quiet, version = False, 0, -1
        for _ in range(passes):
            quiet, version = (quiet + 1, version) if version == self.api.version else (0, self.api.version)
            if quiet == 3:
                break
            self.turn()
            self.harness.sync()
            self.harness.time += 1
            try:
                await self.harness.stale_pass()
            except Killed:
                killed, self.dead = True, False
                self.harness.restart()
                self.turn()
                self.harness.time += 30
                with suppress(Conflict):  # its caches are old: to have a write refused is its right
                    await self.harness.stale_pass()
        assert self.harness.condition("Complete")["status"] == "True", self.harness.status["conditions"]
        return killed


def harness(replicas, revision, **spec):
    """Replicas of a revision with their claims, owned by nobody."""
    strategy = spec.pop("strategy", {})
    body = {"replicas": 2, "volumeClaimTemplates": [DATA], **spec}
    held = [raw_pod(i, revision, ran={"nginx": "same"}) for i in range(replicas)]
    for pod in held:
        pod["status"]["containerStatuses"][0]["runs"] = f"nginx:{revision}"
    made = Harness(held, body, strategy=strategy, status=remembered(current=revision) if replicas else {})
    for ordinal in range(replicas):
        metadata = {"namespace": "default", "name": f"data-foo-{ordinal}"}
        made.api.put(PERSISTENT_VOLUME_CLAIMS, {"metadata": metadata, "spec": {}})
    return made


STORIES = {
    "create": lambda policy: harness(0, "D", podManagementPolicy=policy),
    "replace": lambda policy: harness(2, "B", podManagementPolicy=policy, preDeleteUpdateStrategy=CHECK),
    "in place": lambda policy: harness(
        2,
        "B",
        podManagementPolicy=policy,
        preInplaceUpdateStrategy=CHECK,
        postInplaceUpdateStrategy=CHECK,
        strategy={"type": "InplaceUpdate"},
    ),
    "scale in": lambda policy: harness(
        4,
        "D",
        podManagementPolicy=policy,
        preDeleteUpdateStrategy=CHECK,
        persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"},
    ),
}
#: Of each story: pods that ever held an ordinal, and HookRuns that were asked.
EXPECTED = {
    "create": ({0: 1, 1: 1}, 0),
    "replace": ({0: 2, 1: 2}, 2),
    "in place": ({0: 1, 1: 1}, 4),
    "scale in": ({0: 1, 1: 1, 2: 1, 3: 1}, 2),
}


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("story", list(STORIES))
async def test_killed_at_any_write_everything_is_done_once(story, moment, policy):
    number, killed = 0, True
    while killed:
        number += 1
        world = World(STORIES[story](policy), number, moment)
        killed = await world.live()
        pods, runs = EXPECTED[story]
        assert {int(n[4:]): len(uids) for n, uids in world.pods.items()} == pods, f"killed at write {number}"
        assert sum(len(uids) for uids in world.runs.values()) == runs, f"killed at write {number}"
        assert all(len(uids) == 1 for uids in world.claims.values()), f"killed at write {number}"
        assert world.api.names("pods") == ["foo-0", "foo-1"]
        images = {world.api.named("pods", n)["spec"]["containers"][0]["image"] for n in world.api.names("pods")}
        assert images == {"nginx:D"}
    assert number > 5
