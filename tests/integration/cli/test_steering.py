"""The verbs of kubectl game on the real API server, beside a tool that keeps applying its manifest."""

import asyncio
import json

import pytest

from operators.api import keys
from operators.cli.game.exits import Exit
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES

STEPS = [{"partition": 3}, {"pause": {}}, {"partition": 1}, {"pause": {"duration": 3600}}]
STRATEGY = {"type": "InplaceUpdate", "maxUnavailable": 5, "maxSurge": 0, "canary": {"steps": STEPS}}


async def rests(fleet, index, *reasons):
    """The status says that the canary rests there, for these reasons."""

    async def there():
        status = (await fleet.get("arena")).get("status") or {}
        held = tuple(c["reason"] for c in status.get("pauseConditions") or ())
        return status.get("currentStepIndex") == index and held == reasons

    await fleet.until(f"step {index}, {reasons}", there)


@pytest.fixture
async def canary(fleet):
    """At its first pause, with one new pod of four."""
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=4, updateStrategy=STRATEGY)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)
        await rests(fleet, 1, "PausedByCanaryPauseStep")
        yield fleet


async def test_ux_20_a_canary_is_steered_to_its_end_while_a_tool_reapplies_the_manifest(canary, game, tmp_path):
    file = tmp_path / "arena.json"
    file.write_text(json.dumps({"spec": {"updateStrategy": STRATEGY}}))

    async def reapply():
        while True:
            await asyncio.to_thread(
                canary.kubectl, "patch", "gamedeployment", "arena", "--type=merge", "--patch-file", str(file)
            )
            await asyncio.sleep(0.3)

    tool = asyncio.create_task(reapply())
    try:
        told = await game("skip-step", "arena")
        assert (told.code, told.err) == (Exit.REACHED, "")
        assert "gd/arena: canary step 2 of 4 (pause) is skipped, on to step 3 of 4 (partition 1)" in told.out
        assert "back: kubectl game retry gd/arena --from 2" in told.out
        await rests(canary, 3, "PausedByCanaryPauseStep")
        assert (await game("abort", "arena")).code == Exit.REACHED
        await rests(canary, 3, "PausedByCanaryAbort")
        assert (await game("retry", "arena", "--from", "4")).code == Exit.REACHED
        await rests(canary, 3, "PausedByCanaryPauseStep")
        assert (await game("promote", "arena", "--full")).code == Exit.REACHED
        await canary.complete("arena", 2)
    finally:
        tool.cancel()
        await asyncio.gather(tool, return_exceptions=True)
    body = await canary.get("arena")
    assert keys.CANARY_COMMAND_ANNOTATION not in (body["metadata"].get("annotations") or {})

    async def told_of_three():
        """Events of one object are limited in time; the last one may be among those that wait."""
        return (await canary.reasons("arena")).count("CanaryCommandObeyed") >= 3

    await canary.until("Events of the commands", told_of_three, 10)
    assert "CanaryCommandStale" not in await canary.reasons("arena")


async def test_the_switch_is_guarded_and_an_owner_is_named_first(canary, game):
    before = await canary.get("arena")
    dry = await game("resume", "arena", "--dry-run=server")
    assert (dry.code, await canary.get("arena")) == (Exit.REACHED, before)
    refused = await game("pause", "arena")
    assert (refused.code, refused.out) == (Exit.FAILED, "")
    assert "holds it already" in refused.err
    tracking = {"argocd.argoproj.io/tracking-id": "games:tkex.tencent.com/GameDeployment:eu/arena"}
    await canary.user.merge_patch(canary.kind, canary.namespace, "arena", {"metadata": {"annotations": tracking}})
    owned = await game("resume", "arena")
    assert owned.code == Exit.FAILED
    assert "argo-cd application games owns spec.updateStrategy.paused" in owned.err
    assert (await game("resume", "arena", "--anyway")).code == Exit.REACHED
    await rests(canary, 3, "PausedByCanaryPauseStep")
    assert (await game("promote", "arena")).code == Exit.REACHED  # the annotation is exempt
    await canary.complete("arena", 2)


async def test_ux_19_an_abort_in_grace_restarts_no_pod_that_was_not_restarted_yet(fleet, game):
    strategy = {**STRATEGY, "canary": {"steps": [{"partition": 2}, {"pause": {}}, {"partition": 0}]}}
    strategy["inPlaceUpdateStrategy"] = {"gracePeriodSeconds": 60}
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=4, updateStrategy=strategy)
        before = {p["metadata"]["name"]: p["metadata"]["uid"] for p in await fleet.complete("arena", 1)}
        await fleet.release("arena", 2)

        async def in_grace():
            return [
                p for p in await fleet.pods() if keys.INPLACE_GRACE_ANNOTATION in p["metadata"].get("annotations", {})
            ]

        async def two():
            return len(await in_grace()) == 2

        await fleet.until("two pods are in grace", two)
        told = await game.inside("abort", "arena")
        assert (told.code, "back: kubectl game retry gd/arena" in told.out) == (Exit.REACHED, True)
        await rests(fleet, 0, "PausedByCanaryAbort")

        async def back():
            return not await in_grace() and all(
                {c["type"]: c["status"] for c in p["status"]["conditions"]}.get("Ready") == "True"
                for p in await fleet.pods()
            )

        await fleet.until("no pod is in grace, and all serve", back)
        pods = await fleet.pods()
        assert {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods} == before
        assert {p["spec"]["containers"][0]["image"] for p in pods} == {"game:1"}
        assert {p["status"]["containerStatuses"][0]["restartCount"] for p in pods} == {0}
        stable = (await fleet.get("arena"))["status"]["canary"]["revision"]
        assert {p["metadata"]["labels"]["controller-revision-hash"] for p in pods} == {stable}


async def test_retry_asks_hooks_of_pods_again_that_have_failed(fleet, game):
    web = {"web": {"url": "http://x/", "jsonPath": "{.a}"}}
    template = {
        "apiVersion": keys.API_VERSION,
        "kind": "HookTemplate",
        "metadata": {"name": "check"},
        "spec": {"metrics": [{"name": "m", "provider": web}]},
    }
    await fleet.user.create(HOOK_TEMPLATES, fleet.namespace, template)
    async with fleet.kubelets(), fleet.operator():
        hook = {"hook": {"templateName": "check"}}
        strategy = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
        await fleet.apply("arena", replicas=2, updateStrategy=strategy, preInplaceUpdateStrategy=hook)
        await fleet.complete("arena", 1)
        await fleet.release("arena", 2)
        (name,) = await fleet.until("a hook is asked", fleet.hook_runs)
        before = (await fleet.user.get(HOOK_RUNS, fleet.namespace, name))["metadata"]["uid"]
        failed = {"status": {"phase": "Failed", "message": "37 players"}}
        await fleet.user.merge_patch(HOOK_RUNS, fleet.namespace, name, failed, subresource="status")

        async def told():
            return (await fleet.conditions("arena"))["Blocked"]["reason"] == "HookFailed"

        await fleet.until("the failure is told", told)
        ended = await game.inside("retry", "arena")
        assert (ended.code, "hooks are asked again: preInplace of 1 pod" in ended.out) == (Exit.REACHED, True)

        async def anew():
            held = await fleet.hook_runs()
            body = await fleet.get("arena")
            done = not body["spec"]["preInplaceUpdateStrategy"].get("retry")
            if name not in held or not done:
                return False
            return (await fleet.user.get(HOOK_RUNS, fleet.namespace, name))["metadata"]["uid"] != before

        await fleet.until("the hook is asked again, and the switch is off", anew)
