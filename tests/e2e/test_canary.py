"""The white paper's canary on real containers: four pods in place, five steps, a check that says yes, then no."""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.e2e.board import Board

EXAMPLE = Path(__file__).parents[2] / "examples" / "canary"
#: Instead of the example's minute.
PAUSE = 6


class Canary(Board):
    """The example in a namespace of its own, and the judge of its last step."""

    def __init__(self, cluster, namespace):
        super().__init__(cluster, namespace, "test-canary")
        for name in ("judge.yaml", "hooktemplate.yaml"):
            self.apply((EXAMPLE / name).read_text(encoding="utf-8"))
        self.kubectl("wait", "pod/canary-judge", "--for=condition=Ready", "--timeout=60s")
        # The operators run beside the cluster, where names of Services do not resolve.
        address = self.get("service", "canary-judge")["spec"]["clusterIP"]
        self.manifest = yaml.safe_load((EXAMPLE / "gamedeployment.yaml").read_text(encoding="utf-8"))
        steps = self.manifest["spec"]["updateStrategy"]["canary"]["steps"]
        steps[3]["pause"]["duration"] = PAUSE
        steps[4]["hook"]["args"][0]["value"] = f"http://{address}:8080/hook"
        self.apply(self.manifest)
        self.until("four pods are ready", self.complete("0.0.1", 4))

    def judge_says(self, result):
        path = f"/api/v1/namespaces/{self.namespace}/pods/canary-judge:8080/proxy/hook/set?result={result}"
        self.cluster.kubectl("get", "--raw", path)

    def release(self, tag):
        image = f"hub.bktencent.com/blueking/game-demo:{tag}"
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self.kubectl("patch", "gamedeployment", self.name, "--type=json", "-p", json.dumps(change))

    def resume(self):
        self.patch({"updateStrategy": {"paused": False}})

    def at(self, tag):
        images = [p["spec"]["containers"][0]["image"] for p in self.pods()]
        return sum(i.endswith(f":{tag}") for i in images)

    def uids(self):
        return {p["metadata"]["name"]: p["metadata"]["uid"] for p in self.pods()}

    def stands(self, index, *, paused, reason=None):
        """Index, pause and reason are those, and a moment later still are."""

        def holds():
            body = self.get("gamedeployment", self.name)
            status = body.get("status", {})
            reasons = [c["reason"] for c in status.get("pauseConditions", ())]
            found = (status.get("currentStepIndex"), body["spec"]["updateStrategy"].get("paused", False), reasons)
            return found == (index, paused, [reason] if reason else [])

        self.until(f"step {index}, paused {paused}, {reason}", holds)

    def to_the_check(self, tag, before):
        """Release a version and lead it through the first four steps."""
        self.release(tag)
        self.stands(1, paused=True, reason="PausedByCanaryPauseStep")
        assert self.at(tag) == 1
        assert "canary step 2 of 5 (pause)" in self.said("Progressing")
        assert "waits since" in self.said("Progressing")
        self.resume()
        self.stands(3, paused=True, reason="PausedByCanaryPauseStep")
        assert self.at(tag) == 2
        since = datetime.fromisoformat(self.status()["pauseConditions"][0]["startTime"])
        self.resume()  # too early: the pause is a promise
        self.until("the step with the check has begun", lambda: self.status().get("currentStepIndex") != 3)
        passed = (datetime.now(UTC) - since).total_seconds()
        assert passed >= PAUSE, f"a pause of {PAUSE} s was over after {passed} s"
        assert self.uids() == before


@pytest.fixture
def canary(cluster, operators, namespace):
    return Canary(cluster, namespace)


def failed(canary, tag, before):
    """The check says no: two pods are new, the rollout is paused and says why."""
    canary.judge_says(0)
    canary.to_the_check(tag, before)
    canary.stands(4, paused=True, reason="PausedByStepBasedHook")
    run = canary.status()["canary"]["currentStepHookRun"]
    assert run == f"canary-{canary.status()['updateRevision']}-4-test"
    said = canary.said("Blocked")
    assert said.startswith("True CanaryHookFailed: canary step 5 of 5 (hook test)")
    assert run in said
    assert "asInt(result) == 1" in said, "the condition that was missed"
    assert "0" in said.split(run)[1], "the value that was measured"
    canary.until("an Event says so", lambda: any(run in m for m in canary.events("CanaryHookFailed")))
    assert canary.at(tag) == 2


def test_gd_111_yes_then_no_and_going_on(canary, beside, operators):
    before = canary.uids()
    canary.to_the_check("0.0.2", before)
    canary.until("the rest is updated", canary.complete("0.0.2", 4))
    canary.stands(5, paused=False)
    status = canary.status()
    assert status["canary"]["revision"] == status["updateRevision"]
    assert canary.uids() == before, "all in place"
    canary.until(
        "every step was announced",
        lambda: {f"Set Step Index to {i}" for i in range(6)} <= set(canary.events("SetStepIndex")),
    )
    assert any("canary step 2 of 5 (pause) is resumed" in m for m in canary.events("CanaryResumed"))
    assert any("does not shorten" in m for m in canary.events("CanaryPauseKept"))

    failed(canary, "0.0.1", before)
    os.kill(operators.pid(), signal.SIGKILL)
    beside.again()
    canary.patch({"replicas": 5})  # the operators are back at work, pauses do not stop scaling ...
    canary.until("a fifth pod is there, of the new version", lambda: canary.at("0.0.1") == 3)
    canary.stands(4, paused=True, reason="PausedByStepBasedHook")  # ... and the step is where it was
    assert canary.at("0.0.2") == 2
    canary.resume()
    canary.until("the rest is updated", canary.complete("0.0.1", 5))
    canary.stands(5, paused=False)
    assert before.items() <= canary.uids().items()


def test_gd_119_no_then_rolled_back_by_hand_and_by_itself(canary):
    before = canary.uids()
    failed(canary, "0.0.2", before)
    canary.release("0.0.1")
    canary.until("all are back", canary.complete("0.0.1", 4))
    canary.stands(5, paused=False)
    assert canary.uids() == before
    assert canary.get("hookruns")["items"] == []

    canary.patch({"updateStrategy": {"canary": {"autoRollback": True}}})
    canary.to_the_check("0.0.2", before)
    canary.until("all went back by themselves", lambda: canary.at("0.0.1") == 4, 120)
    canary.until("and say so", lambda: "4 of 4 pods are at the stable revision" in canary.said("Blocked"))
    assert canary.said("Blocked").startswith("True CanaryRolledBack")
    assert "asInt(result) == 1" in canary.said("Blocked")
    canary.stands(4, paused=True, reason="PausedByStepBasedHook")
    assert canary.uids() == before
    canary.judge_says(1)
    canary.resume()
    canary.stands(1, paused=True, reason="PausedByCanaryPauseStep")
    assert canary.at("0.0.2") == 1, "the steps have started over"
