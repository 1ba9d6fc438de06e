"""A person's commands to the canary of a GameStatefulSet (docs/canary.md, Commands)."""

import json

import pytest

from operators.api import keys
from operators.kube.times import rfc3339
from tests.unit.gamestatefulset.sets import Set


def released():
    steps = [{"partition": 3}, {"pause": {}}, {"partition": 1}, {"pause": {}}]
    world = Set(4, policy="Parallel", type="InplaceUpdate", steps=steps)
    world.settle()
    world.release(2)
    world.settle()
    return world


def give(world, do, **more):
    status, metadata = world.status, world.cluster.workload["metadata"]
    body = {
        "do": do,
        "revision": status["updateRevision"],
        "steps": status["currentStepHash"],
        "index": status["currentStepIndex"],
        "by": "ada",
        "at": rfc3339(world.cluster.now + 1),
        **more,
    }
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {**annotations, keys.CANARY_COMMAND_ANNOTATION: json.dumps(body)}
    world.cluster._touch(world.cluster.workload)
    world.settle()
    return world


@pytest.mark.parametrize(
    ("do", "index", "new"), [("skip", 3, 3), ("promote-full", 4, 4), ("abort", 1, 0), ("retry", 1, 1)]
)
def test_each_command_is_obeyed_once(do, index, new):
    world = give(released(), do)
    images = [p["spec"]["containers"][0]["image"] for p in world.cluster.pods.values()]
    assert (world.status["currentStepIndex"], images.count("game:2")) == (index, new)
    assert keys.CANARY_COMMAND_ANNOTATION not in world.cluster.workload["metadata"]["annotations"]
    blocked = next(c for c in world.status["conditions"] if c["type"] == "Blocked")
    assert (blocked["reason"] == "CanaryAborted") == (do == "abort")
