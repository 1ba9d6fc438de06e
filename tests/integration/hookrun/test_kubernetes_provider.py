"""Annotations read and written through the real API server (docs/spec/hooks.md 5.3, cases 96 to 105)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from operators.api.providers.kubernetes import KubernetesProvider
from operators.hookrun.providers.base import ProviderError
from operators.hookrun.providers.kubernetes import MARK, Kubernetes
from operators.kube.client import Client
from operators.kube.errors import Invalid
from operators.kube.official import OfficialCredentials
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS, PODS, Json, Resource
from operators.planning.views import owner_view
from tests.integration.hookrun.hooks import Hooks, annotations, kubernetes
from tests.unit.hookrun.inprocess import connections
from tests.unit.hookrun.runs import request

PREFIX = "metadata.annotations."
CLB = "networkextension.bkbc.tencent.com/"
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "game", "image": "game"}]}}


def reference(owner: Json) -> Json:
    """The owner reference of a controller."""
    metadata = owner["metadata"]
    names = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**names, "controller": True, "blockOwnerDeletion": True}


async def workload(hooks: Hooks, resource: Resource = GAME_DEPLOYMENTS, name: str = "g", **annotated: str) -> Json:
    spec: Json = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}
    if resource is GAME_STATEFUL_SETS:
        spec["serviceName"] = "x"
    return await hooks.object(resource, name, metadata={"annotations": annotated}, spec=spec)


async def pod(hooks: Hooks, owner: Json | None = None, name: str = "p", **annotated: str) -> Json:
    metadata: Json = {"ownerReferences": [reference(owner)] if owner else []}
    if annotated:
        metadata["annotations"] = annotated
    spec = {"schedulerName": "nobody", "containers": [{"name": "game", "image": "game"}]}
    return await hooks.object(PODS, name, metadata=metadata, spec=spec)


async def ask(
    hooks: Hooks, function: str, fields: dict[str, str], owner: Json | None = None, path: str = "", **args: str
) -> str:
    """What one measurement finds: "Successful", or the text of the error."""
    paths = [{"path": path or PREFIX + key, "value": value} for key, value in fields.items()]
    settings = KubernetesProvider.model_validate({"function": function, "fields": paths})
    given = {"PodName": "p", "PodNamespace": hooks.namespace, **args}
    asked = request(hooks.namespace, owner_view({"ownerReferences": [reference(owner)]}) if owner else None, **given)
    try:
        return (await Kubernetes().measure(settings, asked, connections(objects=hooks.client))).phase or ""
    except ProviderError as error:
        return str(error)


async def test_hook_96_get(hooks: Hooks) -> None:
    await pod(hooks, **{CLB + "weight": "0", "plain": "x"})
    assert await ask(hooks, "get", {CLB + "weight": "0", "plain": "x"}) == "Successful"
    differs = await ask(hooks, "get", {CLB + "weight": "0", "plain": "y"})
    assert differs == f"Get failed. Path: {PREFIX}plain, want: y, now: x"
    assert await ask(hooks, "get", {"none": "x"}) == f"Path: {PREFIX}none is not exist"
    assert "not found" in await ask(hooks, "get", {"plain": "x"}, PodName="nobody")


@pytest.mark.parametrize("resource", [GAME_DEPLOYMENTS, GAME_STATEFUL_SETS])
async def test_hook_97_workloads_as_target(hooks: Hooks, resource: Resource) -> None:
    key = "tkex.bkbcs.tencent.com/clb-weight"
    owner = await workload(hooks, resource, **{key: "1"})
    kind = {"Group": resource.group, "Version": resource.version, "Kind": resource.kind, "PodName": "g"}
    assert await ask(hooks, "get", {key: "1"}, owner, **kind) == "Successful"
    assert await ask(hooks, "patch", {key: "2"}, owner, **kind) == "Successful"
    assert (await hooks.annotations(resource, "g"))[key] == "2"
    other = await workload(hooks, resource, "other", **{key: "1"})
    assert "does not belong" in await ask(hooks, "patch", {key: "9"}, owner, **{**kind, "PodName": "other"})
    assert "does not belong" in await ask(hooks, "get", {key: "1"}, owner, **{**kind, "PodName": "other"})
    assert (await hooks.annotations(resource, other["metadata"]["name"]))[key] == "1"


async def test_hook_98_patch_existing_and_new_keys(hooks: Hooks) -> None:
    owner = await workload(hooks)
    await pod(hooks, owner)
    key = "io.tencent.bcs.dev/game-pod-deleting"
    assert await ask(hooks, "patch", {key: "false", "a.b-c": "1"}, owner) == "Successful"
    made = await hooks.annotations(PODS, "p")
    assert (made[key], made["a.b-c"]) == ("false", "1")
    version = (await hooks.client.get(PODS, hooks.namespace, "p"))["metadata"]["resourceVersion"]
    assert await ask(hooks, "patch", {key: "false"}, owner) == "Successful"
    assert (await hooks.client.get(PODS, hooks.namespace, "p"))["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("kind", [{"Group": "", "Version": "v1", "Kind": "Pod"}, {"Group": "", "Kind": ""}, {}])
async def test_hook_99_pods_are_the_default(hooks: Hooks, kind: dict[str, str]) -> None:
    await pod(hooks, a="1")
    assert await ask(hooks, "get", {"a": "1"}, **kind) == "Successful"


@pytest.mark.parametrize("path", ["metadata.labels.x", "metadata.annotations", "metadata.annotations.", "spec.x.y", ""])
async def test_hook_100_other_paths(hooks: Hooks, path: str) -> None:
    await pod(hooks, a="1")
    found = await ask(hooks, "patch", {"x": "1"}, path=path or "x")
    assert found == f"Path only supports format: <metadata.annotations.xxx>. Now is {path or 'x'}"
    assert await hooks.annotations(PODS, "p") == {"a": "1"}


async def test_hook_102_a_value_stays_a_value(hooks: Hooks) -> None:
    before = await pod(hooks, a="1")
    value = 'a"b", {"op": "replace"}, ~1 \n é'
    assert await ask(hooks, "patch", {"a": value}) == "Successful"
    after = await hooks.client.get(PODS, hooks.namespace, "p")
    assert after["metadata"]["annotations"].pop(MARK).endswith("=1")
    assert after["metadata"]["annotations"] == {"a": value}
    assert after["spec"] == before["spec"]


async def test_hook_103_other_namespaces(hooks: Hooks) -> None:
    await pod(hooks, a="1")
    found = await ask(hooks, "patch", {"a": "2"}, PodNamespace="default")
    assert found == f"namespace default is not the run's own, {hooks.namespace}"
    assert await ask(hooks, "patch", {"a": "2"}, PodNamespace="") == "Namespace must be provided"
    assert await ask(hooks, "patch", {"a": "2"}, PodName="") == "Name must be provided"
    for name in ("../p", "p/status", "p?x=1", "P", "p" * 254):
        assert "is not a valid object name" in await ask(hooks, "patch", {"a": "2"}, PodName=name)
    assert await hooks.annotations(PODS, "p") == {"a": "1"}


@pytest.mark.parametrize(
    "kind",
    [
        {"Group": "", "Version": "v1", "Kind": "Secret"},
        {"Group": "apps", "Version": "v1", "Kind": "Deployment"},
        {"Group": "", "Version": "", "Kind": "Pod"},
        {"Group": "tkex.tencent.com", "Version": "v1beta1", "Kind": "GameDeployment"},
        {"Version": "v1"},
    ],
)
async def test_hook_104_other_kinds(hooks: Hooks, kind: dict[str, str]) -> None:
    found = await ask(hooks, "get", {"a": "1"}, **kind)
    assert "is not allowed: hooks reach Pod, GameDeployment and GameStatefulSet only" in found


@pytest.mark.parametrize(
    "key",
    [
        "controller.kubernetes.io/pod-deletion-cost",
        "kubectl.kubernetes.io/last-applied-configuration",
        "kubernetes.io/x",
        "x.k8s.io/y",
        "io.tencent.bcs.dev/deletion-allow",
        "inplace-update-state",
        "inplace-update-grace",
        "tkex.bkbcs.tencent.com/gamedeployment-index-id",
        "tkex.bkbc.tencent.com/gamedeployment-index-on",
        "tkex.tencent.com/canary-pause",
        "pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete",
        MARK,
    ],
)
async def test_keys_that_hooks_may_not_write(hooks: Hooks, key: str) -> None:
    await pod(hooks, **{key: "1", "a": "1"})
    assert await ask(hooks, "patch", {"a": "2", key: "2"}) == f"hooks may not write annotation {key}"
    assert await ask(hooks, "get", {key: "1"}) == "Successful"
    assert (await hooks.annotations(PODS, "p"))["a"] == "1"


async def test_pods_of_others(hooks: Hooks) -> None:
    """A run reaches pods of its own workload only; one that nobody owns, pods that nobody owns."""
    mine, other = await workload(hooks), await workload(hooks, name="other")
    await pod(hooks, mine, a="1")
    await pod(hooks, None, "free", a="1")
    for function in ("get", "patch"):
        assert "does not belong to the workload" in await ask(hooks, function, {"a": "1"}, other)
        assert "has an owner, and this run has none" in await ask(hooks, function, {"a": "1"})
        assert "does not belong to the workload" in await ask(hooks, function, {"a": "1"}, mine, PodName="free")
        assert await ask(hooks, function, {"a": "1"}, mine) == "Successful"
        assert await ask(hooks, function, {"a": "1"}, PodName="free") == "Successful"


class Meddling(Client):
    """Between a read and the write that follows it, somebody else writes: so many times."""

    times = 0

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json:
        found = await super().get(resource, namespace, name)
        if self.times:
            self.times -= 1
            await self.merge_patch(resource, namespace, name, {"metadata": {"labels": {"n": str(self.times)}}})
        return found


@pytest.mark.parametrize(("times", "good"), [(2, True), (20, False)])
async def test_writes_of_others_in_between(hooks: Hooks, times: int, good: bool) -> None:
    """A conflict or two are settled within the measurement; a pod that never rests is an error, never overwritten."""
    await pod(hooks, a="1")
    meddling = Meddling(await OfficialCredentials.load(kubeconfig=str(hooks.kubeconfig)))
    meddling.times, calm = times, hooks.client
    hooks.client = meddling
    try:
        found = await ask(hooks, "patch", {"a": "2"})
    finally:
        hooks.client = calm
        await meddling.close()
    assert (found == "Successful") is good, found
    assert (await hooks.annotations(PODS, "p"))["a"] == ("2" if good else "1")


async def test_hook_101_other_functions_and_no_fields(hooks: Hooks) -> None:
    with pytest.raises(Invalid, match="function"):
        await hooks.create("r", annotations("delete", [{"path": PREFIX + "a", "value": "1"}]))
    with pytest.raises(Invalid, match="fields"):
        await hooks.create("r", annotations("get", []))


async def ingress_controller(hooks: Hooks, seen: list[tuple[str, str]]) -> None:
    """Moves traffic by weight: says that it is done a moment after it was asked, and keeps what it was asked."""
    while True:
        held = await hooks.annotations(PODS, "p")
        asked = (held.get(CLB + "clb-weight", ""), held.get(CLB + "clb-weight-ready", ""))
        if asked != (seen[-1] if seen else None):
            seen.append(asked)
        if asked[1] == "false":
            await asyncio.sleep(0.3)  # moving the traffic
            done = {"metadata": {"annotations": {CLB + "clb-weight-ready": "true"}}}
            await hooks.client.merge_patch(PODS, hooks.namespace, "p", done)
        await asyncio.sleep(0.02)


async def test_hook_105_traffic_is_cut_and_restored(hooks: Hooks) -> None:
    """The white paper's scenario: weight 0 before the update, 1 after it; each holds when the other side says so."""
    owner = await workload(hooks)
    made = await pod(hooks, owner, **{CLB + "clb-weight": "1", CLB + "clb-weight-ready": "true"})
    args: Any = {"PodName": made["metadata"]["name"], "PodNamespace": hooks.namespace, "PodIP": "", "HostIP": ""}
    seen: list[tuple[str, str]] = []
    other_side = asyncio.create_task(ingress_controller(hooks, seen))
    async with hooks.working():
        for name, weight in (("preinplace", "0"), ("postinplace", "1")):
            metrics = [
                kubernetes("patch", "patch-test", clb_weight=weight, clb_weight_ready="false"),
                kubernetes("get", "get-test", clb_weight=weight, clb_weight_ready="true"),
            ]
            metadata = {"ownerReferences": [reference(owner)]}
            await hooks.create(name, *metrics, args=args, policy="Ordered", metadata=metadata)
            status = await hooks.end_of(name)
            assert status["phase"] == "Successful", status
            held = await hooks.annotations(PODS, "p")
            assert (held[CLB + "clb-weight"], held[CLB + "clb-weight-ready"]) == (weight, "true")
            first, second = status["metricResults"]
            assert (first["name"], first["count"], second["name"]) == ("patch-test", 1, "get-test")
            assert second.get("error", 0) == second["count"] - 1 >= 1, "it must not believe the old answer"
    other_side.cancel()
    assert seen == [("1", "true"), ("0", "false"), ("0", "true"), ("1", "false"), ("1", "true")]
