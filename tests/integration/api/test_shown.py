"""What only a controller can say, on a real cluster: the condition Blocked, an Event, and nothing done meanwhile."""

import pytest

from devcluster import processes
from tests.integration.api.broken import changed, manifest, shown

IMAGE = "hub.bktencent.com/blueking/game-demo:0.0.1"
CASES = {case.wrong: case for case in shown()}
RUNNING = {
    "spec.replicas": 1,
    "spec.template.spec.terminationGracePeriodSeconds": 1,
    "spec.template.spec.containers[0].image": IMAGE,
    "spec.template.spec.containers[0].readinessProbe": {
        "httpGet": {"path": "/health", "port": 8080},
        "periodSeconds": 1,
    },
}


def named(case, name):
    """The case's object under a name of its own, with labels of its own."""
    return changed(case.manifest(), identity(name))


def identity(name):
    return {
        "metadata.name": name,
        "spec.selector.matchLabels.app": name,
        "spec.template.metadata.labels.app": name,
    }


def blocked(api, name):
    found = api.object("get", "gd", name).get("status", {}).get("conditions", ())
    return next((c for c in found if c["type"] == "Blocked" and c["status"] == "True"), None)


def shows(api, name, reason, *names):
    """Condition and Event say so."""

    def said():
        condition = blocked(api, name)
        return condition is not None and condition["reason"] == reason

    assert processes.wait(said, 60), api.text("get", "gd", name, "-o", "yaml")
    message = blocked(api, name)["message"]
    assert [n for n in names if n not in message] == [], message

    def told():
        events = api.object("get", "events", "--field-selector", f"involvedObject.name={name},reason={reason}")["items"]
        return any(e["type"] == "Warning" and all(n in e["message"] for n in names) for e in events)

    assert processes.wait(told, 30), api.text("get", "events")


def pods(api, name):
    return api.object("get", "pods", "-l", f"app={name}")["items"]


def ready(api, name):
    def holds():
        return api.object("get", "gd", name).get("status", {}).get("readyReplicas") == 1

    assert processes.wait(holds, 90), api.text("get", "gd,pods", "-o", "yaml")


INDEXES = [wrong for wrong in CASES if "index" in wrong]


@pytest.mark.parametrize("wrong", INDEXES)
def test_an_index_range_that_cannot_be_used(api, operators, wrong):
    case, name = CASES[wrong], f"index-{INDEXES.index(wrong)}"
    names = [n.replace("game", name) if n == "game" else n for n in case.names]
    api.create(changed(named(case, name), {} if "spec.replicas" in case.change else {"spec.replicas": 1}))
    shows(api, name, case.reason, *names)
    assert pods(api, name) == []


def test_gd_10_a_range_that_is_mended_is_used(api, operators):
    case = CASES["an index range that is no JSON"]
    api.create(changed(named(case, "mended"), RUNNING))
    shows(api, "mended", case.reason, *case.names)
    good = 'tkex.bkbc.tencent.com/gamedeployment-index-range={"podStartIndex": 7, "podEndIndex": 8}'
    api.text("annotate", "gd", "mended", "--overwrite", good)
    ready(api, "mended")
    assert blocked(api, "mended") is None
    (pod,) = pods(api, "mended")
    assert {"name": "POD_INDEX", "value": "7"} in pod["spec"]["containers"][0]["env"]


def guarded(api, name, template):
    """A ready pod, whose deletion a template guards, and that is to go."""
    hook = {"spec.preDeleteUpdateStrategy.hook.templateName": template}
    api.create(manifest("GameDeployment", RUNNING, identity(name), hook))
    ready(api, name)
    api.text("scale", "gd", name, "--replicas=0")


def test_hook_template_missing(api, operators):
    guarded(api, "missing", "nobody")
    shows(api, "missing", "HookTemplateMissing", "nobody", "pod missing-")
    assert len(pods(api, "missing")) == 1


def test_adm_74_a_condition_that_does_not_parse_keeps_the_pod(api, operators):
    """Not even when its count has run out."""
    broken = CASES["a condition that does not parse"].change
    api.create(manifest("HookTemplate", broken, name="unparsable"))
    guarded(api, "kept", "unparsable")
    shows(api, "kept", "HookFailed", "pod kept-", "successCondition 'asInt(result) ==' does not parse")
    assert len(pods(api, "kept")) == 1
    (run,) = [r for r in api.object("get", "hookruns")["items"] if r["metadata"]["name"].startswith("predelete-kept-")]
    assert run["status"]["phase"] == "Error"
    assert "does not parse" in run["status"]["message"]
    assert run["metadata"]["name"] in blocked(api, "kept")["message"]
