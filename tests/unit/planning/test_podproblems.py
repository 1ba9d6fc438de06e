"""What is said of a pod that is in trouble."""

import pytest

from operators.planning.podproblems import problem_of

LONG = "registry.example.com/" + "deep/" * 200 + "web:nope"
REASON = "pull access denied, repository does not exist"


def _said(kind, message, asked="web:nope"):
    waiting = {"waiting": {"reason": "ErrImagePull", "message": message}}
    status = {f"{kind[:-1]}Statuses": [{"name": "web", "image": "sha256:0123", "state": waiting}]}
    found = problem_of({}, {"phase": "Pending", **status}, {kind: [{"name": "web", "image": asked}]})
    return found.text


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_public_f7_the_image_is_the_one_asked_for(kind):
    assert _said(kind, "no") == "container web with web:nope: ErrImagePull (no)"


@pytest.mark.parametrize("name", [LONG, "ü" * 600, "x"])
def test_public_f7_the_answer_keeps_its_reason_and_is_bounded(name):
    text = _said("containers", f'failed to pull image "{name}": {name}: {REASON}')
    assert text.endswith(f"{REASON})")
    assert text.startswith("container web with web:nope: ErrImagePull (failed to pull image")
    assert len(text.encode()) < 600


def test_public_f7_the_reason_of_an_eviction_and_of_the_scheduler_stays_whole_too():
    evicted = problem_of({}, {"phase": "Failed", "reason": "Evicted", "message": "x" * 2000 + REASON}, {})
    scheduled = {
        "PodScheduled": {"status": "False", "reason": "Unschedulable", "message": "0/9 " + "x" * 2000 + REASON}
    }
    waits = problem_of(scheduled, {"phase": "Pending"}, {})
    assert evicted.text.endswith(REASON)
    assert waits.text.startswith("Unschedulable: 0/9 ")
    assert waits.text.endswith(REASON)
