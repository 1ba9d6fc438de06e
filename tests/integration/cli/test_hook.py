"""``hook renew``, ``pass``, ``cancel`` and ``run`` on the real API server."""

import pytest

from operators.api import keys
from operators.cli.game.exits import Exit
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
METRIC = {
    "name": "players",
    "interval": "5s",
    "successCondition": "asInt(result) == 0",
    "provider": {"web": {"url": "http://{{ args.PodIP }}:8080/", "jsonPath": "{$.players}"}},
}


@pytest.fixture
async def asked(fleet):
    """A pod whose hook is being asked before its update; nobody measures. The name of its run."""
    body = {"apiVersion": keys.API_VERSION, "kind": "HookTemplate", "metadata": {"name": "no-players"},
            "spec": {"args": [{"name": "PodIP"}], "metrics": [METRIC]}}  # fmt: skip
    await fleet.user.create(HOOK_TEMPLATES, fleet.namespace, body)
    async with fleet.kubelets(), fleet.operator():
        hook = {"hook": {"templateName": "no-players"}}
        await fleet.apply("arena", replicas=2, updateStrategy=IN_PLACE, preInplaceUpdateStrategy=hook)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)
        (name,) = await fleet.until("a hook is asked", fleet.hook_runs)
        yield name


async def run_of(fleet, name):
    return await fleet.user.get(HOOK_RUNS, fleet.namespace, name)


async def test_hook_renew_has_the_workload_ask_anew(fleet, game, asked):
    before = await run_of(fleet, asked)
    assert before["metadata"]["annotations"][keys.HOOK_TEMPLATE_ANNOTATION]
    dry = await game.inside("hook", "renew", asked, "--dry-run=server")
    assert (dry.code, "not removed: --dry-run=server" in dry.out) == (Exit.REACHED, True)
    assert (await run_of(fleet, asked))["metadata"]["uid"] == before["metadata"]["uid"]
    refused = await game.inside("hook", "cancel", asked)
    assert (refused.code, "hook renew" in refused.err) == (Exit.FAILED, True)
    told = await game.inside("hook", "renew", f"hookrun.tkex.tencent.com/{asked}")
    assert (told.code, "gd/arena asks anew" in told.out) == (Exit.REACHED, True)

    async def anew():
        return asked in await fleet.hook_runs() and (await run_of(fleet, asked))["metadata"]["uid"] != before[
            "metadata"]["uid"]  # fmt: skip

    await fleet.until("the hook is asked anew", anew)


async def test_hook_pass_wants_the_pods_name_and_interrupts_the_run(fleet, game, asked):
    told = await game("hook", "pass", asked)
    assert told.code == Exit.USAGE
    assert "players inside are cut off" in told.err
    assert not (await run_of(fleet, asked))["spec"].get("terminate")
    wrong = await game.inside("hook", "pass", asked, "--confirm", "yes")
    assert (wrong.code, "nothing was written" in wrong.err) == (Exit.FAILED, True)
    pod = (await game.inside("hooks", "arena", "-o", "json")).body["hooks"][0]["pod"]
    told = await game.inside("hook", "pass", asked, "--confirm", pod)
    assert told.code == Exit.REACHED
    assert "is interrupted: it counts as a yes" in told.out
    assert (await run_of(fleet, asked))["spec"]["terminate"] is True


async def test_hook_run_in_cluster_makes_a_run_of_nobodys_that_cancel_removes(fleet, game, asked):
    pod = (await game.inside("hooks", "arena", "-o", "json")).body["hooks"][0]["pod"]
    told = await game.inside("hook", "run", "no-players", "--pod", pod, "--in-cluster", "--timeout", "1s", "-o", "json")
    assert told.code == Exit.TIMEOUT  # no hook controller runs here
    name = told.body["run"]
    body = await run_of(fleet, name)
    assert "ownerReferences" not in body["metadata"]
    assert body["spec"]["ttlSecondsAfterFinished"] == 300
    assert {"name": "PodIP", "value": "10.9.8.7"} in body["spec"]["args"]
    ended = await game.inside("hook", "cancel", name)
    assert (ended.code, ended.out) == (Exit.REACHED, f"HookRun {name} is cancelled and removed\n")
    assert name not in await fleet.hook_runs()


async def test_ux_35_a_viewer_learns_what_to_ask_for(fleet, game, asked, viewer):
    pod = (await game.inside("hooks", "arena", "-o", "json")).body["hooks"][0]["pod"]
    told = await game.inside("hook", "run", "no-players", "--pod", pod, viewer)
    assert told.code == Exit.FAILED
    assert "get on pods/proxy is in the cluster role 'edit'; or let the operators measure: --in-cluster" in told.err
    told = await game.inside("hook", "run", "no-players", "--pod", pod, "--in-cluster", viewer)
    assert (told.code, "create on hookruns is in no role of the chart" in told.err) == (Exit.FAILED, True)


async def test_hook_run_of_what_is_not_there(fleet, game, asked):
    for arguments in (("nobody",), ("no-players", "--pod", "nobody")):
        assert (await game.inside("hook", "run", *arguments)).code == Exit.FAILED
    told = await game.inside("hook", "run", "no-players")
    assert (told.code, "args.PodIP was not resolved; give it by --arg NAME=VALUE" in told.err) == (Exit.FAILED, True)
