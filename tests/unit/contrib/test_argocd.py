"""ux-68: the Lua files for Argo CD, run by a Lua of the version that Argo CD has, on objects of a real API server.

`recorded.json` holds one version of a workload for each thing that a status can say: new, moving, held by each wish,
stalled, complete, of an older generation.
"""

import copy
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from lupa import lua51

from operators.api.keys import CANARY_COMMAND_ANNOTATION as COMMAND
from operators.cli.game.exits import CommandError
from operators.cli.game.steering import Order, steer
from operators.hookrun.status import dump_status, read_state
from operators.kube.resources import GAME_DEPLOYMENTS
from operators.planning.canary.commands import read_command
from tests.unit.cli.game import worlds
from tests.unit.cli.game.test_steering import SCENES
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
    assert found["promote-full"]["disabled"] == found["abort"]["disabled"] == (index >= steps)
    assert found["retry"]["disabled"]


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_an_action_changes_its_own_field_and_nothing_else(obj):
    for verb in ("pause", "resume"):
        wanted = copy.deepcopy(obj)
        wanted["spec"]["updateStrategy"]["paused"] = verb == "pause"
        assert filled(run(obj["kind"], f"actions/{verb}/action.lua", obj)) == filled(wanted)
    for verb in ("promote-full", "abort"):
        wanted, found = copy.deepcopy(obj), run(obj["kind"], f"actions/{verb}/action.lua", obj)
        wanted["metadata"].setdefault("annotations", {})[COMMAND] = found["metadata"]["annotations"][COMMAND]
        assert filled(found) == filled(wanted)


@pytest.mark.parametrize("obj", OBJECTS, ids=named)
def test_ux_69_a_restart_is_that_of_the_command_line(obj):
    narrowed = copy.deepcopy(obj)
    narrowed["spec"] |= {"restartAt": "2024-01-01T00:00:00Z", "restartContainers": ["one"], "restartRecreate": True}
    found = run(obj["kind"], "actions/restart/action.lua", narrowed)
    wanted = copy.deepcopy(obj)
    wanted["spec"]["restartAt"] = found["spec"]["restartAt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", wanted["spec"]["restartAt"])
    assert filled(found) == filled(wanted)


def steered(subject, verb):
    """What the command line would make of the workload, None where it writes nothing."""
    order = Order("promote", full=True) if verb == "promote-full" else Order(verb)
    try:
        write = steer(GAME_DEPLOYMENTS, subject, replace(order, by="argocd", at=0.0))
    except CommandError:
        return None
    return result(apply(write.operations, subject.body))


def apply(operations, body):
    """JSON patches that add to maps."""
    body = json.loads(json.dumps(body))
    for operation in operations:
        if operation["op"] == "test":
            continue
        *path, last = (part.replace("~1", "/") for part in operation["path"].split("/")[1:])
        place = body
        for part in path:
            place = place[part]
        place[last] = operation["value"]
    return body


def result(body):
    """What matters of a workload that was steered; a step that is not named is the next one, or the first."""
    command = read_command((body["metadata"].get("annotations") or {}).get(COMMAND))
    if command is not None:
        assert not command.problem
        named = command.index + 1 if command.do == "skip" else 0
        command = replace(command, to=named if command.to is None else command.to, at=0.0)
    return command, body["spec"]["updateStrategy"].get("paused", False)


@pytest.mark.parametrize("verb", sorted(ACTIONS - {"restart"}))
@pytest.mark.parametrize("scene", SCENES)
def test_ux_69_a_button_writes_what_the_command_line_writes_and_is_grey_where_it_refuses(scene, verb):
    subject = subject_of(scene)
    body = json.loads(json.dumps(subject.body))
    wanted = steered(subject, verb)
    assert run("GameDeployment", "actions/discovery.lua", body)[verb]["disabled"] == (wanted is None)
    if wanted is not None:
        assert result(run("GameDeployment", f"actions/{verb}/action.lua", body)) == wanted


@cache
def subject_of(scene):
    return worlds.subject(SCENES[scene]())


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
