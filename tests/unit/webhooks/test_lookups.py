"""Reads from an API server that pages and fails."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from operators.kube.client import Client
from operators.kube.credentials import PlainCredentials
from operators.kube.errors import ApiError
from tests.unit.webhooks.builders import hook_template, workload
from webhooks.lookups import Lookups
from webhooks.protection import CountInstances, FindUsers

API = "/apis/tkex.tencent.com/v1alpha1"


class Server:
    """Collections in pages of two, and answers that are set by hand."""

    def __init__(self) -> None:
        self.collections: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, web.Response] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.raw_path, dict(request.headers)))
        if request.path in self.answers:
            return self.answers.pop(request.path)
        if request.path not in self.collections:
            return web.json_response({"kind": "Status", "message": f"{request.path} not found"}, status=404)
        start = int(request.query.get("continue", 0))
        items = self.collections[request.path]
        more = str(start + 2) if start + 2 < len(items) else ""
        return web.json_response({"metadata": {"continue": more}, "items": items[start : start + 2]})


@pytest.fixture
async def server():
    found = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(application) as running:
        found.url = str(running.make_url("")).rstrip("/")
        yield found


@pytest.fixture
async def client(server):
    found = Client(PlainCredentials(server.url, ssl.create_default_context(), token="t0ken"), attempts=1)
    yield found
    await found.close()


def named(name: str, *, deleting: bool = False) -> dict[str, Any]:
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    return {"metadata": {"name": name, **ending}}


async def test_adm_34_35_36_objects_that_are_being_deleted_do_not_count(server, client):
    objects = [named("a"), named("b", deleting=True), named("c"), named("d", deleting=True), named("e")]
    server.collections[f"{API}/gamedeployments"] = objects
    assert await Lookups(client).count(CountInstances("gamedeployments")) == 3
    assert len(server.requests) == 3, "page by page"
    server.collections[f"{API}/gamedeployments"] = [named("b", deleting=True), named("d", deleting=True)]
    assert await Lookups(client).count(CountInstances("gamedeployments")) == 0
    server.collections[f"{API}/gamedeployments"] = []
    assert await Lookups(client).count(CountInstances("gamedeployments")) == 0


async def test_counting_asks_for_metadata_only_and_says_who_asks(server, client):
    server.collections[f"{API}/hookruns"] = []
    await Lookups(client).count(CountInstances("hookruns"))
    _, _, headers = server.requests[0]
    assert headers["Accept"].startswith("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
    assert headers["Authorization"] == "Bearer t0ken"


async def test_adm_39_a_failure_is_an_error_with_the_servers_words(server, client):
    path = f"{API}/gamestatefulsets"
    server.answers[path] = web.json_response({"message": "etcdserver: request timed out"}, status=500)
    with pytest.raises(ApiError, match="etcdserver: request timed out"):
        await Lookups(client).count(CountInstances("gamestatefulsets"))
    assert len(server.requests) == 1, "whoever asks us has little time: nothing is repeated"


async def test_users_of_a_template_are_found_by_reference_and_by_name(server, client):
    base = f"{API}/namespaces/games"
    user = workload(name="user", postInplaceUpdateStrategy={"hook": {"templateName": "may-go"}})
    canary = {"canary": {"steps": [{"partition": 1}, {"hook": {"templateName": "may-go"}}]}}
    stepping = workload("GameStatefulSet", name="stepping", updateStrategy={"type": "RollingUpdate", **canary})
    server.collections[f"{base}/gamedeployments"] = [workload(name="other"), user]
    server.collections[f"{base}/gamestatefulsets"] = [stepping]
    done = named("predelete-1-may-go") | {"status": {"phase": "Successful"}}
    open_ = named("predelete-2-may-go") | {"status": {"phase": "Running"}}
    fresh, foreign = named("canary-3-may-go"), named("predelete-4-may-stay")
    server.collections[f"{base}/hookruns"] = [done, open_, fresh, foreign]
    assert await Lookups(client).users(FindUsers("games", "may-go")) == [
        "GameDeployment user",
        "GameStatefulSet stepping",
        "HookRun predelete-2-may-go",
        "HookRun canary-3-may-go",
    ]
    assert await Lookups(client).users(FindUsers("games", "unused")) == []


async def test_a_template_seen_a_moment_ago_is_not_read_again_but_a_missing_one_is(server, client):
    now = [0.0]
    lookups = Lookups(client, clock=lambda: now[0])
    path = f"{API}/namespaces/games/hooktemplates"
    declared = hook_template(args=[{"name": "Region"}, {"name": "Zone", "value": "a"}])
    server.answers[f"{path}/may-go"] = web.json_response(declared)
    arguments = [("Region", None), ("Zone", "")]
    for _ in range(3):
        found = await lookups.templates("games", {"may-go", "nowhere"})
        assert found == {"may-go": arguments, "nowhere": None}
    reads = [raw for _, raw, _ in server.requests]
    assert reads.count(f"{path}/may-go") == 1
    assert reads.count(f"{path}/nowhere") == 3
    now[0] = 11.0
    assert await lookups.templates("games", {"may-go"}) == {"may-go": None}


async def test_names_cannot_lead_elsewhere(server, client):
    await Lookups(client).templates("games", {"../../secrets/x"})
    assert server.requests[0][1].endswith("/hooktemplates/..%2F..%2Fsecrets%2Fx")


async def test_a_namespace_that_ends(server, client):
    server.answers["/api/v1/namespaces/games"] = web.json_response(named("games", deleting=True))
    assert await Lookups(client).namespace_ending("games")
    server.answers["/api/v1/namespaces/games"] = web.json_response(named("games"))
    assert not await Lookups(client).namespace_ending("games")
