"""ux-68: the Lua files for Argo CD, run by a Lua of the version that Argo CD has, on objects of a real API server.

`recorded.json` holds one version of a workload for each thing that a status can say: new, moving, held by each wish,
stalled, complete, of an older generation.
"""

import copy
import json
import re
from pathlib import Path

import pytest
from lupa import lua51

from operators.hookrun.status import dump_status, read_state
from tests.unit.hookrun.runs import metric, spec

FOLDER = Path(__file__).parents[3] / "contrib" / "argocd" / "tkex.tencent.com"
OBJECTS = json.loads((Path(__file__).parent / "recorded.json").read_text(encoding="utf-8"))
ACTIONS = {"pause", "resume", "promote", "promote-full", "abort", "retry", "restart"}


def plain(value):
    """A table of Lua as Argo CD turns it into JSON."""
    if lua51.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and all(isinstance(k, int) for k in keys):
        return [plain(value[k]) for k in sorted(keys)]
    return {k: plain(v) for k, v in value.items()}


def run(kind, file, obj):
    lua = lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    return plain(lua.execute((FOLDER / kind / file).read_text(encoding="utf-8")))


def said(obj, kind):
    return next((c for c in obj.get("status", {}).get("conditions", ()) if c["type"] == kind), {})


def expected(obj):
    """From the conditions, by the words of docs/gitops.md."""
    status = obj.get("status", {})
    if status.get("observedGeneration") != obj["metadata"]["generation"]:
        return "Progressing"
    if said(obj, "Stalled").get("status") == "True":
        return "Degraded"
    if said(obj, "Ready").get("status") != "True":
        return "Progressing"
    return "Suspended" if said(obj, "Ready")["reason"] == "Held" else "Healthy"


def named(obj):
    ready = said(obj, "Ready")
    return f"{obj['kind']}-{obj['metadata']['name']}-{ready.get('status', 'new')}-{ready.get('reason', '')}"


def test_ux_68_there_are_twenty_objects_and_every_health_among_them():
    assert len(OBJECTS) >= 20
    for kind in ("GameDeployment", "GameStatefulSet"):
        healths = {expected(o) for o in OBJECTS if o["kind"] == kind}
        assert healths == {"Progressing", "Degraded", "Suspended", "Healthy"}


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_ux_68_health(obj):
    found = run(obj["kind"], "health.lua", obj)
    assert found["status"] == expected(obj)
    assert found["message"]


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_a_workload_that_is_deleted_is_progressing(obj):
    leaving = copy.deepcopy(obj)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert run(obj["kind"], "health.lua", leaving) == {"status": "Progressing", "message": "Being deleted"}


@pytest.mark.parametrize(
    ("phase", "health"),
    [
        ("", "Progressing"),
        ("Running", "Progressing"),
        ("Successful", "Healthy"),
        ("Failed", "Degraded"),
        ("Error", "Degraded"),
        ("Inconclusive", "Degraded"),
    ],
)
def test_ux_68_health_of_a_hook_run(phase, health):
    state = read_state(spec(metric()), {"phase": phase, "startedAt": "2026-01-01T00:00:00Z"})
    obj = {"metadata": {"generation": 1}, "status": dump_status(state, 1)}
    assert run("HookRun", "health.lua", obj)["status"] == health
    assert run("HookRun", "health.lua", {"metadata": {"generation": 1}})["status"] == "Progressing"


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_ux_68_buttons(obj):
    found = run(obj["kind"], "actions/discovery.lua", obj)
    assert found.keys() == ACTIONS == {p.parent.name for p in FOLDER.glob(f"{obj['kind']}/actions/*/action.lua")}
    paused = obj["spec"]["updateStrategy"].get("paused") is True
    assert (found["pause"]["disabled"], found["resume"]["disabled"]) == (paused, not paused)
    steps = len(obj["spec"]["updateStrategy"].get("canary", {}).get("steps", ()))
    index = obj.get("status", {}).get("currentStepIndex", steps)
    assert found["promote"]["disabled"] == found["abort"]["disabled"] == (index >= steps)
    assert found["retry"]["disabled"]


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
@pytest.mark.parametrize("verb", sorted(ACTIONS))
def test_an_action_changes_its_own_field_and_nothing_else(obj, verb):
    found, wanted = run(obj["kind"], f"actions/{verb}/action.lua", obj), copy.deepcopy(obj)
    if verb in ("pause", "resume", "retry"):
        wanted["spec"]["updateStrategy"]["paused"] = verb == "pause"
    elif verb == "restart":
        wanted["spec"]["restartAt"] = found["spec"]["restartAt"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", wanted["spec"]["restartAt"])
    else:
        text = found["metadata"]["annotations"]["tkex.tencent.com/canary-command"]
        wanted["metadata"].setdefault("annotations", {})["tkex.tencent.com/canary-command"] = text
        command, status = json.loads(text), obj.get("status", {})
        assert (command["do"], command["by"]) == (verb, "argocd")
        assert command["revision"] == status.get("updateRevision", "")
        assert command["steps"] == status.get("currentStepHash", "")
        assert command["index"] == status.get("currentStepIndex", 0)
    assert filled(found) == filled(wanted)


def filled(value):
    """Without empty maps and lists, which a table of Lua cannot tell apart."""
    if isinstance(value, dict):
        return {k: filled(v) for k, v in value.items() if v not in ({}, [])}
    return [filled(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["preDelete", "preInplace", "postInplace"])
def test_retry_asks_the_failed_hooks_of_pods_anew(kind):
    obj = copy.deepcopy(next(o for o in OBJECTS if said(o, "Ready").get("status") == "True"))
    for each in ("preDelete", "preInplace", "postInplace"):
        obj["spec"][f"{each}UpdateStrategy"] = {"hook": {"templateName": "ask"}}
    obj["status"][f"{kind}HookCondition"] = [{"podName": "a", "phase": "Failed"}]
    blocked = said(obj, "Blocked")
    blocked.update(status="True", reason="HookFailed")
    assert not run(obj["kind"], "actions/discovery.lua", obj)["retry"]["disabled"]
    found = run(obj["kind"], "actions/retry/action.lua", obj)
    assert [k for k, v in found["spec"].items() if isinstance(v, dict) and v.get("retry")] == [f"{kind}UpdateStrategy"]
    assert found["spec"]["updateStrategy"].get("paused") == obj["spec"]["updateStrategy"].get("paused")


def test_the_files_of_both_workloads_are_the_same():
    one, other = ({p.relative_to(FOLDER / k): p.read_text() for p in (FOLDER / k).rglob("*.lua")} for k in KINDS)
    assert one == other != {}


KINDS = ("GameDeployment", "GameStatefulSet")
