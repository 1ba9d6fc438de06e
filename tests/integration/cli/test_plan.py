"""Plans of what the real API server holds, and of manifests as it would store them."""

import asyncio
import json

import pytest
import yaml

from devcluster.audit import Audit
from operators.api import keys
from operators.cli.game.exits import Exit
from operators.kube.resources import CONTROLLER_REVISIONS, GAME_DEPLOYMENTS, HOOK_RUNS, HOOK_TEMPLATES, PODS
from tests.integration.gamedeployment.fleet import template

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 2, "maxSurge": 0}
READS = {"get", "list", "watch"}


@pytest.fixture
async def arena(fleet):
    """Five pods, complete; the operators stay."""
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=5, updateStrategy=IN_PLACE)
        await fleet.complete("arena", 1)
        yield fleet


def manifest(fleet, *, version=1, name="arena", **spec):
    return {
        "apiVersion": keys.API_VERSION,
        "kind": "GameDeployment",
        "metadata": {"name": name, "namespace": fleet.namespace},
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": name}},
            "updateStrategy": IN_PLACE,
            "template": template(name, version),
            **spec,
        },
    }


def written(tmp_path, *bodies):
    file = tmp_path / "arena.yaml"
    file.write_text(yaml.safe_dump_all(bodies))
    return str(file)


async def versions(fleet):
    """Every object of ours, and its version."""
    kinds = (GAME_DEPLOYMENTS, PODS, CONTROLLER_REVISIONS, HOOK_RUNS, HOOK_TEMPLATES)
    listed = [i for k in kinds for i in (await fleet.user.list(k, fleet.namespace))["items"]]
    return {i["metadata"]["uid"]: i["metadata"]["resourceVersion"] for i in listed}


async def plans(fleet, game, tmp_path):
    """Every way to ask for one."""
    hook = {"kind": "HookTemplate", "metadata": {"name": "check"}, "spec": {"metrics": [{"name": "m"}]}}
    changed = manifest(fleet, version=2, preInplaceUpdateStrategy={"hook": {"templateName": "check"}})
    file = written(tmp_path, changed, manifest(fleet, name="new"), hook)
    for arguments in (
        ("arena",),
        ("arena", "--set", "web=game:2", "--replicas", "7"),
        ("-f", file),
        ("-f", file, "--hooks", "no", "--set", "web=game:3"),
        ("arena", "-f", file, "-o", "svg"),
    ):
        ended = await game.inside("plan", *arguments)
        assert ended.code in (Exit.REACHED, Exit.BLOCKED), (arguments, ended)


async def test_ux_49_a_plan_writes_nothing(arena, game, tmp_path):
    before = await versions(arena)
    await plans(arena, game, tmp_path)
    assert await versions(arena) == before


@pytest.mark.nodes  # whose API server has an audit log
async def test_ux_49_the_audit_log_shows_only_reads_and_dry_runs(arena, game, cluster, tmp_path):
    if not Audit.readable(cluster):
        pytest.skip("the audit log is read on the cluster that is built here")
    audit = Audit(None)
    await plans(arena, game, tmp_path)
    asked = [r for r in await asyncio.to_thread(audit.settled) if r.namespace == arena.namespace]
    ours = [r for r in asked if r.program.startswith("kubectl-game")]
    assert {r.verb for r in ours if not r.dry} <= READS
    assert {(r.resource, r.verb) for r in ours if r.dry} == {
        ("gamedeployments", "patch"),
        ("gamedeployments", "create"),
    }


async def test_a_change_is_planned_on_living_pods_by_their_names(arena, game):
    ended = await game.inside("plan", "arena", "--set", "web=game:2", "--exit-code", "-o", "json")
    plan = ended.body
    names = {p["metadata"]["name"] for p in await arena.pods()}
    begun = [a["pod"] for a in plan["actions"] if a["action"] == "UpdatePodInPlace"]
    assert (ended.code, plan["verdict"]) == (Exit.CHANGES, "changes")
    assert (set(begun), len(begun), plan["restarts"]) == (names, 5, 5)
    assert {lane["pod"] for lane in plan["lanes"]} == names
    assert plan["notes"] == []
    times = {a["about"]: a["source"] for a in plan["assumptions"]}
    assert times["new pod to ready"] == "median of 5 pods here"


async def test_what_is_left_begins_in_the_middle(arena, game):
    await arena.change("arena", updateStrategy={**IN_PLACE, "canary": {"steps": [{"partition": 3}, {"pause": {}}]}})
    await arena.release("arena", 2)

    async def rests():
        status = (await arena.get("arena")).get("status") or {}
        return status.get("currentStepIndex") == 1 and status.get("pauseConditions")

    await arena.until("the canary rests", rests)
    plan = (await game.inside("plan", "arena", "-o", "json")).body
    assert [(s["does"], s["pods"], s["person"]) for s in plan["steps"]] == [("pause", 0, True), ("the rest", 3, False)]
    assert (plan["restarts"], plan["ending"]["state"]) == (3, "complete")
    never = (await game.inside("plan", "arena", "--assume-resume", "never", "-o", "json")).body
    assert (never["ending"]["state"], never["ending"]["reason"]) == ("rests", "CanaryPaused")


async def test_a_manifest_is_planned_as_kubectl_apply_would_apply_it(arena, game, tmp_path):
    applied = manifest(arena, minReadySeconds=5)
    file = written(tmp_path, applied)
    arena.kubectl("apply", "-f", file)
    await arena.complete("arena", 1)
    await arena.change("arena", replicas=6)  # by somebody else
    await arena.complete("arena", 1)
    del applied["spec"]["replicas"], applied["spec"]["minReadySeconds"]
    applied["spec"]["template"] = template("arena", 2)
    file = written(tmp_path, applied)
    plan = (await game.inside("plan", "-f", file, "-o", "json")).body
    told = json.loads(arena.kubectl("apply", "-f", file, "--dry-run=server", "-o", "json"))
    assert plan["wanted"] == told["spec"]["replicas"]
    assert {c["path"] for c in plan["changes"]} >= {"spec.containers[web].image"}
    assert plan["notes"] == []


async def test_a_manifest_that_is_applied_on_the_server_names_whom_it_overrules(arena, game, tmp_path):
    file = written(tmp_path, manifest(arena))
    arena.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", file)
    await arena.change("arena", replicas=6)
    await arena.complete("arena", 1)
    plan = (await game.inside("plan", "-f", file, "-o", "json")).body
    assert (plan["wanted"], plan["deleted"]) == (5, 1)
    assert any("Other field managers would be overruled" in note and "replicas" in note for note in plan["notes"])


async def test_a_refusal_of_the_api_server_is_the_answer(arena, game, tmp_path):
    body = manifest(arena)
    body["spec"]["replicas"] = -1
    ended = await game.inside("plan", "-f", written(tmp_path, body))
    assert (ended.code, ended.out) == (Exit.FAILED, "")
    assert "The API server refuses it: " in ended.err
    assert "spec.replicas" in ended.err


async def test_what_is_not_there_yet_is_created(arena, game, tmp_path):
    ended = await game.inside("plan", "-f", written(tmp_path, manifest(arena, name="new")), "-o", "json")
    plan = ended.body
    assert (plan["created"], plan["updated"], plan["ending"]["state"]) == (5, 0, "complete")
    assert all(lane["pod"].startswith("new-") for lane in plan["lanes"])


async def test_who_may_only_look_plans_without_asking_the_api_server(arena, game):
    role = {
        "metadata": {"name": "looks"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
    }
    file = json.dumps({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", **role})
    arena.cluster.kubectl("-n", arena.namespace, "apply", "-f", "-", input=file)
    arena.kubectl("create", "rolebinding", "looks", "--role=looks", "--user=eve")
    ended = await game.inside("plan", "arena", "--set", "web=game:2", "--as=eve", "-o", "json")
    assert (ended.code, ended.body["restarts"]) == (Exit.REACHED, 5)
    assert any("You may not patch it" in note for note in ended.body["notes"])
