"""What a plan starts from: times that were observed, manifests as they would be applied, flags."""

import json

import pytest

from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.plans.assume import Wishes, assumptions
from operators.cli.game.plans.merging import applied, difference, merged
from operators.cli.game.plans.observed import Spans, Took, observed
from operators.cli.game.plans.world import hook_templates, manifest_body, with_changes, workloads
from operators.kube.times import rfc3339
from tests.unit.cli.game.worlds import fleet

NOTHING = Spans(Took(None, 0), Took(None, 0))


def pod(created=0, ready=None, *, ended=None, patched=None):
    """A pod that was created, became ready, ended a container or was patched at these seconds."""
    body = {"metadata": {"creationTimestamp": rfc3339(created), "annotations": {}}, "status": {"conditions": []}}
    if ready is not None:
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(ready)}
        body["status"]["conditions"].append(condition)
    if ended is not None:
        last = {"terminated": {"finishedAt": rfc3339(ended)}}
        body["status"]["containerStatuses"] = [{"name": "web", "restartCount": 1, "lastState": last}]
    if patched is not None:
        statuses = {"web": {"imageID": "x", "containerID": "y", "patchedAt": rfc3339(patched)}}
        state = {"revision": "r", "updateTimestamp": rfc3339(patched - 30), "lastContainerStatuses": statuses}
        body["metadata"]["annotations"]["inplace-update-state"] = json.dumps(state)
    return body


def test_times_are_the_median_of_this_workload_or_its_slowest_tenth():
    pods = [pod(100, 100 + n) for n in range(1, 11)]
    assert observed(pods).start == Took(5.0, 10)
    assert observed(pods, slow=True).start == Took(9.0, 10)
    assert observed(pods).restart == Took(None, 0)


def test_a_restart_is_from_the_patch_or_the_end_of_the_old_container():
    pods = [pod(100, 511, patched=500), pod(100, 713, ended=700), pod(100, 900, ended=880, patched=885), pod(100, 107)]
    assert observed(pods) == Spans(Took(7.0, 1), Took(13.0, 3))


def test_what_turned_ready_days_later_was_no_start():
    pods = [pod(100, 100_000), pod(100), pod(100, 50), pod(100, 110)]
    assert observed(pods).start == Took(10.0, 1)


def test_pods_of_the_simulation_are_read_too():
    made = fleet(3)
    assert observed(made.cluster.pods.values()).start.count == 3


def test_what_is_given_wins_over_what_was_observed_and_that_over_defaults():
    took = Spans(Took(20.0, 5), Took(None, 0))
    spec = {"template": {"spec": {"terminationGracePeriodSeconds": 90}}}
    found, words = assumptions(Wishes(restart="7s"), spec, took)
    assert (found.start, found.restart, found.end) == (20, 7, None)
    assert {w.about: (w.value, w.source) for w in words} == {
        "new pod to ready": ("20s", "median of 5 pods here"),
        "restart to ready": ("7s", "given"),
        "a pod ends within": ("90s", "its termination grace period"),
        "hooks say": ("yes at once", ""),
        "a person goes on": ("at once", ""),
    }
    assert assumptions(Wishes(), spec, NOTHING)[0].start == 10
    assert assumptions(Wishes(resume="never", end="0s", horizon="0"), spec, NOTHING)[0].resume is None


# ---- manifests


def test_only_what_the_manifest_says_and_no_longer_says_is_sent():
    last = {"spec": {"replicas": 3, "minReadySeconds": 5, "template": {"metadata": {"labels": {"a": "1", "b": "2"}}}}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(last), "by": "others"}
    held = {
        "metadata": {"annotations": annotations, "labels": {"x": "1"}},
        "spec": {
            "replicas": 9,
            "minReadySeconds": 5,
            "paused": True,
            "template": {"metadata": {"labels": {"a": "1", "b": "2", "c": "3"}}},
        },
    }
    manifest = {
        "metadata": {"labels": {"x": "2"}},
        "spec": {"template": {"metadata": {"labels": {"a": "9"}}}, "absent": None},
    }
    patch = difference(held, manifest)
    assert patch == {
        "metadata": {"labels": {"x": "2"}},
        "spec": {
            "replicas": None,
            "minReadySeconds": None,
            "template": {"metadata": {"labels": {"a": "9", "b": None}}},
        },
    }
    made = merged(held, patch)
    assert made["spec"] == {"paused": True, "template": {"metadata": {"labels": {"a": "9", "c": "3"}}}}
    assert difference(made, {"metadata": {"labels": {"x": "2"}}, "spec": manifest["spec"]}) == {}


def test_without_a_record_of_the_last_apply_nothing_goes():
    held = {"metadata": {}, "spec": {"replicas": 3, "list": [1]}}
    assert difference(held, {"spec": {"list": [1, 2]}}) == {"spec": {"list": [1, 2]}}
    unreadable = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{"}}, "spec": {}}
    assert difference(unreadable, {"spec": {}}) == {}


def test_who_applies_on_the_server_is_read_off_managed_fields():
    entries = [
        {"manager": "kubectl-edit", "operation": "Update", "time": rfc3339(9)},
        {"manager": "argocd-controller", "operation": "Apply", "time": rfc3339(5)},
        {"manager": "old", "operation": "Apply", "time": rfc3339(1)},
        {"manager": "operators", "operation": "Apply", "subresource": "status", "time": rfc3339(8)},
    ]
    assert applied({"metadata": {"managedFields": entries}}) == "argocd-controller"
    assert applied({"metadata": {}}) == ""


def test_lists_of_manifests_are_taken_apart_and_other_kinds_passed_over():
    one = {"kind": "GameDeployment", "metadata": {"name": "a"}}
    template = {"kind": "HookTemplate", "metadata": {"name": "t"}, "spec": {"metrics": []}}
    documents = [None, "text", {"kind": "Service"}, {"kind": "List", "items": [one, template]}]
    assert workloads(documents) == [one]
    assert hook_templates(documents, "eu")["t"]["metadata"]["namespace"] == "eu"


def test_a_manifest_without_a_name_is_refused():
    with pytest.raises(CommandError, match=r"no metadata\.name"):
        manifest_body({"kind": "GameDeployment", "metadata": {}}, None)


def test_images_are_changed_by_the_name_of_the_container():
    body = manifest_body({"kind": "GameDeployment", "metadata": {"name": "a"}, "spec": fleet(1).spec}, None)
    made = with_changes(body, ["web=game:7"], 5)
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "game:7"
    assert (made["spec"]["replicas"], body["spec"]["replicas"]) == (5, 1)
    with pytest.raises(UsageError, match="gd/a has no container server; there are web"):
        with_changes(body, ["server=game:7"], None)
    with pytest.raises(UsageError, match="write CONTAINER=IMAGE"):
        with_changes(body, ["web"], None)
