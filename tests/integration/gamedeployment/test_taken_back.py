"""What has no owner and fits is taken back, on the real API server: pods, revisions and HookRuns."""

import json

import pytest

from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, HOOK_RUNS, HOOK_TEMPLATES, PODS
from tests.integration.gamedeployment.fleet import template

ONE = {"type": "RollingUpdate", "maxUnavailable": 1, "maxSurge": 0}
IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}
REVISION = "controller-revision-hash"
DELETING = "io.tencent.bcs.dev/game-pod-deleting"
KINDS = pytest.mark.parametrize("kind", [GAME_DEPLOYMENTS, GAME_STATEFUL_SETS], ids=lambda k: k.kind)


def _strategy(fleet, strategy, **more):
    if fleet.kind is GAME_DEPLOYMENTS:
        return {**strategy, **more}
    return {"type": strategy["type"], "rollingUpdate": {"maxUnavailable": 1}, **more}


async def _apply(fleet, strategy, version=1, **spec):
    more = {} if fleet.kind is GAME_DEPLOYMENTS else {"serviceName": "arena", "podManagementPolicy": "Parallel"}
    return await fleet.apply("arena", version=version, updateStrategy=strategy, **more, **spec)


async def _native(fleet):
    """Three running pods of a Deployment or StatefulSet called arena, orphaned."""
    native = "deployment" if fleet.kind is GAME_DEPLOYMENTS else "statefulset"
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment" if native == "deployment" else "StatefulSet",
        "metadata": {"name": "arena"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "arena"}},
            "template": template("arena", 1),
            **({} if native == "deployment" else {"serviceName": "arena", "podManagementPolicy": "Parallel"}),
        },
    }
    fleet.cluster.kubectl("-n", fleet.namespace, "create", "-f", "-", input=json.dumps(body))

    async def running():
        pods = await fleet.pods()
        return len(pods) == 3 and all(p["status"]["phase"] == "Running" for p in pods)

    await fleet.until("the pods run", running)
    await fleet.orphan(native, "arena")
    if native == "deployment":
        name = fleet.kubectl("get", "replicasets", "-o", "jsonpath={.items[0].metadata.name}")
        await fleet.orphan("replicaset", name)
    return await fleet.pods()


@KINDS
@pytest.mark.parametrize("strategy", [ONE, IN_PLACE], ids=["rolling", "inplace"])
async def test_public_f2_pods_that_were_there_before_are_taken_as_they_are(fleet, kind, strategy):
    fleet.kind = kind
    async with fleet.kubelets():
        before = await _native(fleet)
        async with fleet.operator() as operator:
            await _apply(fleet, _strategy(fleet, strategy))
            after = await fleet.complete("arena", 1)
            assert not operator.writes["create", "pods"]
            assert not operator.writes["delete", "pods"]
            assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before]
            assert {p["status"]["containerStatuses"][0]["restartCount"] for p in after} == {0}
            update = (await fleet.get("arena"))["status"]["updateRevision"]
            assert {p["metadata"]["labels"][REVISION] for p in after} == {update}
            # One of ours that loses its label gets it again, and nothing else happens to it.
            lost = after[0]["metadata"]["name"]
            await fleet.user.merge_patch(PODS, fleet.namespace, lost, {"metadata": {"labels": {REVISION: None}}})

            async def labelled():
                return (await fleet.user.get(PODS, fleet.namespace, lost))["metadata"]["labels"].get(REVISION) == update

            await fleet.until("the label is back", labelled)
            assert not operator.writes["delete", "pods"]


def _other(version):
    """A template that no pod of version 1 can follow in place."""
    changed = template("arena", version)
    changed["spec"]["containers"][0]["env"] = [{"name": "MODE", "value": "duel"}]
    return changed


@KINDS
async def test_public_f2_pods_that_differ_in_their_image_follow_in_place(fleet, kind):
    """Of a Deployment nobody knows the version that they were made from; the pods themselves tell."""
    fleet.kind = kind
    async with fleet.kubelets():
        before = await _native(fleet)
        async with fleet.operator() as operator:
            await _apply(fleet, _strategy(fleet, IN_PLACE), version=2)
            after = await fleet.complete("arena", 2)
            assert not operator.writes["delete", "pods"]
            update = (await fleet.get("arena"))["status"]["updateRevision"]
    assert [p["metadata"]["uid"] for p in before] == [p["metadata"]["uid"] for p in after]
    assert {p["status"]["containerStatuses"][0]["restartCount"] for p in after} == {1}
    assert {p["metadata"]["labels"][REVISION] for p in after} == {update}


async def test_public_f2_pods_of_a_deployment_that_differ_in_more_are_replaced_and_never_block(fleet):
    async with fleet.kubelets():
        before = await _native(fleet)
        async with fleet.operator():
            await _apply(fleet, IN_PLACE, template=_other(2))
            after = await fleet.complete("arena", 2)
    assert not {p["metadata"]["uid"] for p in before} & {p["metadata"]["uid"] for p in after}


async def test_public_f2_pods_of_a_statefulset_keep_its_revisions_so_that_the_path_is_named(fleet):
    """Its revisions have the names and labels of ours, and are taken back like them: what blocks is known (0018)."""
    fleet.kind = GAME_STATEFUL_SETS
    async with fleet.kubelets():
        before = await _native(fleet)
        async with fleet.operator():
            await _apply(fleet, _strategy(fleet, IN_PLACE), template=_other(2))

            async def told():
                return (await fleet.conditions("arena")).get("Blocked", {}).get("reason") == "InPlaceNotPossible"

            await fleet.until("it is told", told)
            assert "/spec/template/spec/containers/0/env" in (await fleet.conditions("arena"))["Blocked"]["message"]
            after = await fleet.pods()
    assert [p["metadata"]["uid"] for p in before] == [p["metadata"]["uid"] for p in after]


@KINDS
async def test_public_f9_a_workload_made_anew_with_another_image_takes_its_steps(fleet, kind):
    fleet.kind = kind
    steps = {"steps": [{"partition": 2}, {"pause": {}}]}
    async with fleet.kubelets():
        async with fleet.operator():
            await _apply(fleet, _strategy(fleet, IN_PLACE, canary=steps))
            before = await fleet.complete("arena", 1)
        await fleet.orphan(kind.kind.lower(), "arena")
        async with fleet.operator() as operator:
            await _apply(fleet, _strategy(fleet, IN_PLACE, canary=steps), version=2)

            async def paused():
                found = await fleet.get("arena")
                return (
                    found["spec"]["updateStrategy"].get("paused") and found["status"].get("pauseConditions") and found
                )

            found = await fleet.until("the canary pauses", paused)
            await operator.falls_silent("the pause is not kept")
            images = sorted(p["spec"]["containers"][0]["image"] for p in await fleet.pods())
            assert images == ["game:1", "game:1", "game:2"]
            old = {p["metadata"]["labels"][REVISION] for p in before}
            assert {found["status"]["canary"]["revision"]} == old
            assert {found["status"]["currentRevision"]} == old
            assert found["status"]["currentStepIndex"] == 1
            await fleet.change("arena", updateStrategy={"paused": False})
            after = await fleet.complete("arena", 2)
    assert {p["metadata"]["uid"] for p in after} == {p["metadata"]["uid"] for p in before}


async def test_public_f9_pods_of_no_known_revision_take_the_steps_too(fleet):
    steps = {"steps": [{"partition": 2}, {"pause": {}}]}
    async with fleet.kubelets():
        before = {p["metadata"]["uid"] for p in await _native(fleet)}
        async with fleet.operator() as operator:
            await _apply(fleet, {**ONE, "canary": steps}, version=2)

            async def paused():
                return (await fleet.get("arena")).get("status", {}).get("pauseConditions")

            await fleet.until("the canary pauses", paused)
            await operator.falls_silent("the pause is not kept")
            assert len(before & {p["metadata"]["uid"] for p in await fleet.pods()}) == 2
            await fleet.change("arena", updateStrategy={"paused": False})
            await fleet.complete("arena", 2)


HOOKED = {"preDeleteUpdateStrategy": {"hook": {"templateName": "check"}}}


@KINDS
@pytest.mark.parametrize("then", ["the same", "not asked", "another template"])
async def test_public_f6_a_hook_run_left_over_is_taken_over_or_removed(fleet, kind, then):
    fleet.kind = kind
    metric = {"name": "m", "successCondition": "true", "provider": {"web": {"url": "http://x", "jsonPath": "{$.r}"}}}
    hook = {"metadata": {"name": "check"}, "spec": {"metrics": [metric]}}
    hook |= {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "HookTemplate"}
    await fleet.user.create(HOOK_TEMPLATES, fleet.namespace, hook)

    async def asked():
        return (await fleet.user.list(HOOK_RUNS, fleet.namespace))["items"]

    async with fleet.kubelets():
        async with fleet.operator():
            await _apply(fleet, _strategy(fleet, ONE), replicas=2, **HOOKED)
            await fleet.complete("arena", 1)
            await fleet.change("arena", replicas=1)
            (left,) = await fleet.until("the hook is asked", asked)
        await fleet.orphan(kind.kind.lower(), "arena")
        if then == "another template":
            change = {"spec": {"metrics": [{**metric, "successCondition": "asInt(result) == 1"}]}}
            await fleet.user.merge_patch(HOOK_TEMPLATES, fleet.namespace, "check", change)
        async with fleet.operator():
            replicas = 2 if then == "not asked" else 1
            made = await _apply(fleet, _strategy(fleet, ONE), replicas=replicas, **HOOKED)

            async def settled():
                runs = await asked()
                owners = [o["uid"] for r in runs for o in r["metadata"].get("ownerReferences") or ()]
                return owners == [made["metadata"]["uid"]] if replicas == 1 else not runs

            await fleet.until("the run is taken over, or gone", settled)
            if replicas == 1:
                (run,) = await asked()
                assert (run["metadata"]["uid"] == left["metadata"]["uid"]) == (then == "the same")

                async def told():
                    return (await fleet.conditions("arena")).get("Blocked")

                assert (await fleet.until("the status is written", told))["status"] == "False"
                name = run["metadata"]["name"]
                done = {"status": {"phase": "Successful"}}
                await fleet.user.merge_patch(HOOK_RUNS, fleet.namespace, name, done, subresource="status")
            assert len(await fleet.complete("arena", 1)) == replicas


async def test_public_f7_a_bad_image_is_named_as_it_is_asked_for(fleet):
    long = "registry.example.com/" + "deep/" * 60 + "web:nope"
    said = f'failed to pull and unpack image "{long}": failed to resolve reference "{long}": {long}: not found'
    waiting = {"name": "web", "image": "game:1", "imageID": "id-game:1", "ready": False, "restartCount": 0}
    waiting["state"] = {"waiting": {"reason": "ErrImagePull", "message": said}}
    async with fleet.operator():
        await fleet.apply("arena", version=2, replicas=1, updateStrategy=ONE)
        (pod,) = await fleet.until("the pod is there", fleet.pods)
        status = {"status": {"phase": "Pending", "containerStatuses": [waiting]}}
        name = pod["metadata"]["name"]
        await fleet.user.strategic_patch(PODS, fleet.namespace, name, status, subresource="status")

        async def told():
            found = (await fleet.conditions("arena")).get("Blocked") or {}
            return found.get("reason") == "ImagePullFailing" and found["message"]

        message = await fleet.until("it is told", told)
        assert "container web with game:2: ErrImagePull" in message
        assert message.endswith(": not found)")
        assert len(message.encode()) < 700


async def test_public_f6_a_released_pod_loses_the_mark_of_its_hook(fleet):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=1, updateStrategy=ONE)
        (pod,) = await fleet.complete("arena", 1)
        name = pod["metadata"]["name"]
        change = {"metadata": {"labels": {"app": "other"}, "annotations": {DELETING: "true"}}}
        await fleet.user.merge_patch(PODS, fleet.namespace, name, change)

        async def released():
            found = (await fleet.user.get(PODS, fleet.namespace, name))["metadata"]
            return not found.get("ownerReferences") and found

        assert DELETING not in ((await fleet.until("it is released", released)).get("annotations") or {})
