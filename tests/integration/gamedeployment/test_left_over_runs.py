"""HookRuns that an orphaning delete leaves, of updates in place and of canary steps, on the real API server.

Those of pods that are to go are in `test_taken_back`.
"""

import pytest

from operators.kube.errors import ApiError
from operators.kube.resources import HOOK_RUNS, HOOK_TEMPLATES
from tests.integration.gamedeployment.test_taken_back import IN_PLACE, KINDS, _apply, _strategy

METRIC = {"name": "m", "successCondition": "true", "provider": {"web": {"url": "http://x", "jsonPath": "{$.r}"}}}
HOOK = {"hook": {"templateName": "check"}}
FIELDS = {"preinplace": "preInplaceUpdateStrategy", "postinplace": "postInplaceUpdateStrategy"}
MOMENTS = pytest.mark.parametrize("moment", FIELDS)


async def runs(fleet):
    listed = (await fleet.user.list(HOOK_RUNS, fleet.namespace))["items"]
    return [r for r in listed if not r["metadata"].get("deletionTimestamp")]


def owners(found):
    return [o["uid"] for r in found for o in r["metadata"].get("ownerReferences") or ()]


async def hook_template(fleet):
    body = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "HookTemplate", "metadata": {"name": "check"}}
    await fleet.user.create(HOOK_TEMPLATES, fleet.namespace, {**body, "spec": {"metrics": [METRIC]}})


async def asked(fleet):
    """The one run that there is."""

    async def one():
        found = await runs(fleet)
        return len(found) == 1 and found

    (run,) = await fleet.until("the hook is asked", one)
    return run


async def answered(fleet, version):
    """Every hook says yes until all pods run the version."""

    async def complete():
        for run in await runs(fleet):
            if (run.get("status") or {}).get("phase") != "Successful":
                done = {"status": {"phase": "Successful"}}
                name = run["metadata"]["name"]
                try:
                    await fleet.user.merge_patch(HOOK_RUNS, fleet.namespace, name, done, subresource="status")
                except ApiError:
                    continue  # gone meanwhile
        condition = (await fleet.conditions("arena")).get("Complete") or {}
        return condition.get("status") == "True"

    await fleet.until("the rollout ends", complete, 60)
    return await fleet.complete("arena", version)


async def restarts(fleet):
    return {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["restartCount"] for p in await fleet.pods()}


@KINDS
@MOMENTS
@pytest.mark.parametrize("then", ["the same", "another template", "not asked"])
async def test_public_f6_runs_of_updates_in_place_are_taken_over_or_removed(fleet, kind, moment, then):
    fleet.kind = kind
    hooked = {FIELDS[moment]: HOOK}
    await hook_template(fleet)
    async with fleet.kubelets():
        async with fleet.operator():
            await _apply(fleet, _strategy(fleet, IN_PLACE), replicas=2, **hooked)
            before = {p["metadata"]["uid"] for p in await fleet.complete("arena", 1)}
            await fleet.release("arena", 2)
            left = await asked(fleet)
            assert left["metadata"]["name"].startswith(moment)
        await fleet.orphan(kind.kind.lower(), "arena")
        if then == "another template":
            change = {"spec": {"metrics": [{**METRIC, "successCondition": "asInt(result) == 1"}]}}
            await fleet.user.merge_patch(HOOK_TEMPLATES, fleet.namespace, "check", change)
        async with fleet.operator():
            spec = {} if then == "not asked" else hooked
            made = await _apply(fleet, _strategy(fleet, IN_PLACE), version=2, replicas=2, **spec)
            if then == "not asked":
                after = await fleet.complete("arena", 2)
                assert await runs(fleet) == []
            else:

                async def settled():
                    found = await runs(fleet)
                    return len(found) == 1 and owners(found) == [made["metadata"]["uid"]] and found

                (run,) = await fleet.until("the run is taken over, or asked anew", settled)
                assert (run["metadata"]["uid"] == left["metadata"]["uid"]) == (then == "the same")
                after = await answered(fleet, 2)
    assert {p["metadata"]["uid"] for p in after} == before
    assert set((await restarts(fleet)).values()) == {1}, "each container changed once"


async def _at_hook_step(fleet):
    """A canary that asks its hook after the first pod."""
    steps = {"steps": [{"partition": 2}, HOOK, {"partition": 0}]}
    await hook_template(fleet)
    await _apply(fleet, _strategy(fleet, IN_PLACE, canary=steps))
    await fleet.complete("arena", 1)
    await fleet.release("arena", 2)
    return steps, await asked(fleet)


async def images(fleet):
    return sorted(p["spec"]["containers"][0]["image"] for p in await fleet.pods())


@KINDS
async def test_public_f6_the_run_of_a_step_in_force_is_taken_back(fleet, kind):
    """It lost its owner (a backup, a person); the workload lives on and asks the very same."""
    fleet.kind = kind
    async with fleet.kubelets(), fleet.operator():
        _, left = await _at_hook_step(fleet)
        uid = (await fleet.get("arena"))["metadata"]["uid"]
        loose = {"metadata": {"ownerReferences": None}}
        await fleet.user.merge_patch(HOOK_RUNS, fleet.namespace, left["metadata"]["name"], loose)

        async def owned():
            found = await runs(fleet)
            return owners(found) == [uid] and found

        (run,) = await fleet.until("the run has its owner again", owned)
        assert run["metadata"]["uid"] == left["metadata"]["uid"]
        assert await images(fleet) == ["game:1", "game:1", "game:2"]
        await answered(fleet, 2)


@KINDS
async def test_public_f6_f9_the_run_of_an_earlier_rollout_is_removed_and_its_step_asks_anew(fleet, kind):
    """The workload made anew begins with its first step; what was asked before answers nothing (decision 5)."""
    fleet.kind = kind
    async with fleet.kubelets():
        async with fleet.operator():
            steps, left = await _at_hook_step(fleet)
        await fleet.orphan(kind.kind.lower(), "arena")
        async with fleet.operator():
            made = await _apply(fleet, _strategy(fleet, IN_PLACE, canary=steps), version=2)

            async def anew():
                found = await runs(fleet)
                return owners(found) == [made["metadata"]["uid"]] and found

            (run,) = await fleet.until("the step asks", anew)
            assert run["metadata"]["uid"] != left["metadata"]["uid"]
            assert await images(fleet) == ["game:1", "game:1", "game:2"], "no step is skipped"
            await answered(fleet, 2)
