"""What an event costs from the socket to the cache, what a cached pod weighs, what a request costs.

Every figure is CPU time of the process that does the work (not wall time), so that a busy machine changes it little.
The server is another process on the loopback; it sends synthetic pods of about 7 kB, managed fields included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from prometheus_client import CollectorRegistry, generate_latest

from operators.kube.client import Client
from operators.kube.official import OfficialCredentials
from operators.kube.resources import PODS, Json
from operators.planning.views import pod_view
from operators.runtime.informer import Informer
from operators.runtime.store import Store
from operators.workload.metrics import WorkloadMetrics
from operators.workload.stores import POD_INDEXES

_STAMP = "2026-11-25T19:00:00Z"
_CONDITIONS = (
    "PodReadyToStartContainers",
    "Initialized",
    "InPlaceUpdateReady",
    "Ready",
    "ContainersReady",
    "PodScheduled",
)


def _fields(depth: int) -> Json:
    return {f"f:field{n}": _fields(depth - 1) if depth else {} for n in range(4)}


def pod(number: int, version: int) -> Json:
    """A running pod of two containers, as an API server shows it."""
    uid = f"00000000-0000-4000-8000-{number:012d}"
    owner = {"apiVersion": "tkex.tencent.com/v1alpha1", "kind": "GameDeployment", "name": f"game-{number % 50}"}
    owner |= {"uid": f"owner-{number % 50}", "controller": True, "blockOwnerDeletion": True}
    labels = {
        "app": "game",
        "controller-revision-hash": f"game-{number % 50}-abcdef",
        "tkex.bkbcs.tencent.com/id": "x1",
    }
    managed = [
        {"manager": m, "operation": "Update", "apiVersion": "v1", "time": _STAMP, "fieldsV1": _fields(2)}
        for m in ("game-operators", "kubelet")
    ]
    metadata = {
        "name": f"game-{number % 50}-{number:05d}",
        "namespace": "games",
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": _STAMP,
        "labels": labels,
        "annotations": {"tkex.bkbcs.tencent.com/index-id": str(number)},
        "ownerReferences": [owner],
        "managedFields": managed,
    }
    containers = [
        {
            "name": name,
            "image": f"registry.example.com/games/{name}:1.2.3",
            "env": [{"name": f"VARIABLE_{n}", "value": f"value of the variable {n}"} for n in range(8)],
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
            "readinessProbe": {"httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets"}],
            "terminationMessagePath": "/dev/termination-log",
            "imagePullPolicy": "IfNotPresent",
        }
        for name in ("server", "sidecar")
    ]
    statuses = [
        {
            "name": c["name"],
            "image": c["image"],
            "imageID": f"registry.example.com/games/{c['name']}@sha256:{'ab' * 32}",
            "containerID": f"containerd://{number:064d}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": _STAMP}},
            "lastState": {},
        }
        for c in containers
    ]
    conditions = [
        {"type": t, "status": "True", "lastProbeTime": None, "lastTransitionTime": _STAMP} for t in _CONDITIONS
    ]
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": statuses, "qosClass": "Burstable"}
    status |= {"podIP": f"10.0.{number // 250 % 250}.{number % 250}", "hostIP": "192.168.0.1", "startTime": _STAMP}
    spec = {"containers": containers, "nodeName": f"node-{number % 20}", "restartPolicy": "Always"}
    spec["readinessGates"] = [{"conditionType": "InPlaceUpdateReady"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def line(number: int, version: int) -> bytes:
    """One event of a watch."""
    return orjson.dumps({"type": "MODIFIED", "object": pod(number, version)}) + b"\n"


# ---- the server, another process


async def _serve(pods: int, events: int, ready: Any) -> None:
    first = [pod(n, n + 1) for n in range(pods)]
    lines = [line(n % pods, pods + n + 1) for n in range(events)]

    async def collection(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            for n in range(0, events, 50):
                await response.write(b"".join(lines[n : n + 50]))
            await asyncio.Event().wait()
        start, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or pods)
        metadata = {"resourceVersion": str(pods)}
        if start + limit < pods:
            metadata["continue"] = str(start + limit)
        body = {"kind": "PodList", "apiVersion": "v1", "items": first[start : start + limit], "metadata": metadata}
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def one(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=orjson.dumps(first[0]), content_type="application/json")

    async def discovery(request: web.Request) -> web.Response:
        verbs = ["list", "watch", "patch", "get"]
        kind = {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "verbs": verbs}
        answers: dict[str, Json] = {
            "/api": {"versions": ["v1"]},
            "/apis": {"groups": []},
            "/api/v1": {"resources": [kind]},
        }
        return web.json_response(answers.get(request.path, {"gitVersion": "v1.34.0"}))

    app = web.Application(client_max_size=2**24)
    app.router.add_get("/api/v1/pods", collection)
    app.router.add_route("*", "/api/v1/namespaces/{namespace}/pods{rest:.*}", one)
    app.router.add_get("/{path:.*}", discovery)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready.put(runner.addresses[0][1])
    await asyncio.Event().wait()


def _server(pods: int, events: int, ready: Any) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(pods, events, ready))


@contextlib.contextmanager
def server(pods: int, events: int) -> Any:
    """The URL of a server with so many pods, whose watch sends so many events at once."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_server, args=(pods, events, ready), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ready.get(timeout=60)}"
    finally:
        process.terminate()
        process.join()


# ---- figures


def each(count: int, work: Callable[[int], Any]) -> float:
    """CPU microseconds of one call."""
    gc.collect()
    began = time.process_time()
    for n in range(count):
        work(n)
    return (time.process_time() - began) / count * 1e6


def parts(events: int) -> dict[str, float]:
    """CPU microseconds of each step an event goes through."""
    lines = [line(n % 1000, n + 1) for n in range(events)]
    bodies = [orjson.loads(text)["object"] for text in lines]
    views = [pod_view(body) for body in bodies]
    store: Store[Any] = Store(POD_INDEXES)
    return {
        "bytes of an event": len(lines[0]),
        "json.loads": each(events, lambda n: json.loads(lines[n])),
        "orjson.loads": each(events, lambda n: orjson.loads(lines[n])),
        "pod_view": each(events, lambda n: pod_view(bodies[n])),
        "store.put": each(events, lambda n: store.put(views[n])),
    }


def weights(pods: int) -> dict[str, float]:
    """Bytes a pod takes in memory, by how it is kept."""
    texts = [orjson.dumps(pod(n, n + 1)) for n in range(pods)]
    found = {}
    for name, keep in (("as a view", lambda t: pod_view(orjson.loads(t))), ("as a dict", orjson.loads)):
        gc.collect()
        tracemalloc.start()
        kept = [keep(text) for text in texts]
        gc.collect()
        found[name] = tracemalloc.get_traced_memory()[0] / pods
        tracemalloc.stop()
        del kept
    return found


async def informer(url: str, pods: int, events: int) -> dict[str, float]:
    """CPU microseconds of an event, and of a pod of the first list, from the socket into the store."""
    client = Client(OfficialCredentials(Configuration(host=url)))
    store: Store[Any] = Store(POD_INDEXES)
    source = Informer(client, PODS, pod_view, store)
    told = 0

    def count(_: Any) -> None:
        nonlocal told
        told += 1

    source.subscribe(count)
    began = time.process_time()
    task = asyncio.create_task(source.run())
    await source.synced.wait()
    listed = time.process_time()
    while told < pods + events:  # noqa: ASYNC110 - a bench polls
        await asyncio.sleep(0.01)
    done = time.process_time()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    return {"list, per pod": (listed - began) / pods * 1e6, "watch, per event": (done - listed) / events * 1e6}


async def requests(url: str, count: int) -> dict[str, float]:
    """CPU microseconds of a merge patch that answers with a pod, 20 at a time."""
    body = {"metadata": {"annotations": {"a": "b"}}}
    path = "/api/v1/namespaces/games/pods/game-0"
    ours = Client(OfficialCredentials(Configuration(host=url)))
    official = RESTClientObject(Configuration(host=url))

    async def one_of_ours() -> None:
        await ours.merge_patch(PODS, "games", "game-0", body)

    async def one_of_theirs() -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = await official.request("PATCH", url + path, headers=headers, body=body)
        json.loads(await answer.read())

    async def measured(call: Any) -> float:
        slots = asyncio.Semaphore(20)

        async def one() -> None:
            async with slots:
                await call()

        await asyncio.gather(*(one() for _ in range(100)))
        began = time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        return (time.process_time() - began) / count * 1e6

    found = {
        "client of the runtime": await measured(one_of_ours),
        "official client's request": await measured(one_of_theirs),
    }
    await ours.close()
    await official.close()
    return found


async def through_kopf(url: str, pods: int, events: int) -> float:
    """CPU microseconds of an event when kopf watches pods and calls a handler that does nothing."""
    import kopf

    registry, told, began, stop = kopf.OperatorRegistry(), 0, 0.0, asyncio.Event()

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=url)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def event(**_: Any) -> None:
        nonlocal told, began
        told += 1
        if told == pods:
            began = time.process_time()
        if told == pods + events:
            stop.set()

    await kopf.operator(registry=registry, clusterwide=True, standalone=True, stop_flag=stop)
    return (time.process_time() - began) / events * 1e6


def exposition(workloads: int) -> float:
    """CPU milliseconds of one /metrics with so many workloads."""
    registry = CollectorRegistry()
    metrics = WorkloadMetrics(registry)
    for n in range(workloads):
        gd = f"games/game-{n}"
        metrics.reconcile.labels(gd, "success").observe(0.1)
        metrics.create.labels(gd, "success").observe(0.1)
        metrics.update.labels(gd, "success", "true", "inplaceUpdate").observe(0.1)
        metrics.delete.labels(gd, "success", "true", "deletePod").observe(0.1)
        metrics.observe_status(gd, 5, {})
    return each(1, lambda _: generate_latest(registry)) / 1000


def _show(title: str, figures: dict[str, float], unit: str) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:28}{value:10.1f} {unit if not name.startswith('bytes') else ''}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--kopf", action="store_true", help="also: the same pods and events through kopf")
    options = parser.parse_args()
    _show("one event, step by step (CPU)", parts(5000), "µs")
    _show("one pod in memory", weights(options.pods), "bytes")
    with server(options.pods, options.events) as url:
        figures = asyncio.run(informer(url, options.pods, options.events))
        _show("informer over HTTP (CPU)", figures, "µs")
        print(f"  {'events a second of CPU':28}{1e6 / figures['watch, per event']:10.0f}")
        _show("one request (CPU)", asyncio.run(requests(url, 2000)), "µs")
    _show("/metrics of 2000 workloads (CPU)", {"generate_latest": exposition(2000)}, "ms")
    if options.kopf:
        with server(500, 3000) as url:
            figure = asyncio.run(through_kopf(url, 500, 3000))
        _show("through kopf (CPU)", {"watch, per event": figure}, "µs")
        print(f"  {'events a second of CPU':28}{1e6 / figure:10.0f}")


if __name__ == "__main__":
    main()
