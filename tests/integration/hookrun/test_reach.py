"""What hooks reach without any flag: game servers in pods, by address and by Service, and nothing of the operators'."""

from __future__ import annotations

import asyncio

from operators.hookrun.settings import HookSettings
from operators.kube.resources import PODS, Json, Resource
from tests.integration.hookrun.hooks import Hooks, web
from tests.unit.hookrun.servers import Server

SERVICES = Resource("", "v1", "services", "Service")
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
    await hooks.object(SERVICES, "game", spec=ports)
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        pod = await hooks.client.get(PODS, hooks.namespace, "game")
        status = pod.get("status") or {}
        if any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()):
            return pod
        assert asyncio.get_running_loop().time() < deadline, status
        await asyncio.sleep(0.2)


async def test_pods_and_services_are_reached_by_default(hooks: Hooks) -> None:
    pod = await game_server(hooks)
    service = await hooks.client.get(SERVICES, hooks.namespace, "game")
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
