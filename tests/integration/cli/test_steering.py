"""The verbs of kubectl game on the real API server, beside a tool that keeps applying its manifest."""

import asyncio
import json

import pytest

from operators.api import keys
from operators.cli.game.exits import Exit

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
