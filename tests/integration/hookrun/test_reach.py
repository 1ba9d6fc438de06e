"""What hooks reach without any flag: game servers in pods, by address and by Service, and nothing of the operators'."""

from __future__ import annotations

import asyncio

import pytest

from operators.hookrun.clusteraddresses import ClusterAddresses, endpoint_slice_view, service_view
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.settings import HookSettings
from operators.kube import resources
from operators.kube.resources import ENDPOINT_SLICES, NODES, PODS, Json
from operators.planning.views import node_view
from operators.runtime.informer import Informer
from tests.integration.hookrun.hooks import Hooks, web
from tests.unit.hookrun.servers import Server

YES = "asInt(result) == 1"


async def game_server(hooks: Hooks) -> Json:
    """A real pod that answers at /hook, once it is ready."""
    container = {
        "name": "web",
        "image": "hub.bktencent.com/blueking/game-demo:0.0.1",
        "imagePullPolicy": "IfNotPresent",
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    await hooks.object(PODS, "game", metadata={"labels": {"app": "game"}}, spec=spec)
    ports = {"selector": {"app": "game"}, "ports": [{"port": 80, "targetPort": 8080}]}
    await hooks.object(resources.SERVICES, "game", spec=ports)
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        pod = await hooks.client.get(PODS, hooks.namespace, "game")
        status = pod.get("status") or {}
        if any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()):
            return pod
        assert asyncio.get_running_loop().time() < deadline, status
        await asyncio.sleep(0.2)


@pytest.mark.nodes
async def test_pods_and_services_are_reached_by_default(hooks: Hooks) -> None:
    pod = await game_server(hooks)
    service = await hooks.client.get(resources.SERVICES, hooks.namespace, "game")
    async with hooks.working(HookSettings()):
        args = {"PodIP": pod["status"]["podIP"], "ClusterIP": service["spec"]["clusterIP"]}
        by_pod = web("http://{{ args.PodIP }}:8080/hook", name="pod", successCondition=YES)
        by_service = web("http://{{ args.ClusterIP }}/hook", name="service", successCondition=YES, interval="1s")
        await hooks.create("r", by_pod, by_service, args=args)
        status = await hooks.end_of("r", 30)
    assert status["phase"] == "Successful", status


async def test_hook_106_refused_by_default(hooks: Hooks, server: Server) -> None:
    """Loopback, metadata and the API server, by any spelling; the run says which and why."""
    api = hooks.client.credentials.server
    urls = {
        "loopback": server.url,
        "name": server.url.replace("127.0.0.1", "localhost"),
        "decimal": server.url.replace("127.0.0.1", "2130706433"),
        "short": server.url.replace("127.0.0.1", "127.1"),
        "mapped": server.url.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "api": f"{api}/version",
    }
    async with hooks.working(HookSettings()):
        for name, url in urls.items():
            await hooks.create(name, web(url))
        for name in urls:
            status = await hooks.end_of(name)
            assert status["phase"] == "Error"
            assert "is refused by policy" in status["metricResults"][0]["message"], (name, status)
    assert server.asked == []


@pytest.mark.nodes
async def test_attack_f8_the_api_server_and_the_nodes_are_known_as_soon_as_the_caches_are_filled(hooks: Hooks) -> None:
    cluster = ClusterAddresses([("default", "kubernetes")], [range(7000, 8001)])
    caches = [
        Informer(hooks.client, ENDPOINT_SLICES, endpoint_slice_view, namespace="default"),
        Informer(hooks.client, resources.SERVICES, service_view, namespace="default"),
        Informer(hooks.client, NODES, node_view),
    ]
    for cache in caches[:2]:
        cache.subscribe(lambda change: cluster.change_service(change.old, change.new))
    caches[2].subscribe(lambda change: cluster.change_node(change.old, change.new))
    filling = [asyncio.create_task(cache.run()) for cache in caches]
    try:
        for cache in caches:
            await asyncio.wait_for(cache.synced.wait(), 20)
        policy = EgressPolicy(cluster=cluster)
        slices = (await hooks.client.list(ENDPOINT_SLICES, "default"))["items"]
        behind = [(a, p["port"]) for s in slices for e in s["endpoints"] for a in e["addresses"] for p in s["ports"]]
        assert behind
        assert all(policy.refusal(*endpoint) for endpoint in behind)
        nodes = (await hooks.client.list(NODES, None))["items"]
        addresses = [a["address"] for n in nodes for a in n["status"]["addresses"] if a["type"] == "InternalIP"]
        assert addresses
        assert all(policy.refusal(address, 10250) for address in addresses)
        service = await hooks.client.get(resources.SERVICES, "default", "kubernetes")
        assert policy.refusal(service["spec"]["clusterIP"], 443)
    finally:
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)
