"""Requests over real HTTP against a scripted server."""

import asyncio
import json
import ssl
import time
from email.utils import formatdate

import pytest
from kubernetes.aio.client.configuration import Configuration
from prometheus_client import CollectorRegistry

from operators.kube.client import Client
from operators.kube.errors import Conflict, Forbidden, Invalid, NotLeading, Throttled, Unauthorized, Unavailable
from operators.kube.metrics import RestMetrics
from operators.kube.official import OfficialCredentials, connect
from tests.unit.kube import certificates
from tests.unit.kube.apiserver import answer, anything, connected, hang_up, is_list, running, slow, until
from tests.unit.runtime.views import SPACE, THINGS


def sent(server, number=-1):
    request, content = server.requests[number]
    return request.method, request.path, request.headers.get("Content-Type"), json.loads(content)


async def test_verbs_send_plain_bodies_with_their_content_type(server, client):
    where = f"/apis/games.test/v1/namespaces/{SPACE}/things"
    body = {"metadata": {"name": "a"}, "unknown": {"field": [1, 2]}}
    await client.create(THINGS, SPACE, body)
    assert sent(server) == ("POST", where, "application/json", body)
    await client.replace(THINGS, SPACE, "a", body)
    assert sent(server) == ("PUT", f"{where}/a", "application/json", body)
    await client.merge_patch(THINGS, SPACE, "a", {"spec": None})
    assert sent(server) == ("PATCH", f"{where}/a", "application/merge-patch+json", {"spec": None})
    await client.strategic_patch(THINGS, SPACE, "a", {"spec": {}}, subresource="status")
    assert sent(server) == ("PATCH", f"{where}/a/status", "application/strategic-merge-patch+json", {"spec": {}})
    operations = [{"op": "test", "path": "/metadata/uid", "value": "u"}]
    await client.json_patch(THINGS, SPACE, "a", operations)
    assert sent(server) == ("PATCH", f"{where}/a", "application/json-patch+json", operations)
    await client.delete(THINGS, SPACE, "a", uid="u")
    deletion = {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}
    assert sent(server) == ("DELETE", f"{where}/a", "application/json", deletion)
    await client.delete(THINGS, SPACE, "a", uid="u", dry_run=True)
    assert sent(server) == ("DELETE", f"{where}/a", "application/json", {**deletion, "dryRun": ["All"]})


@pytest.mark.parametrize("headers", [{"Retry-After": "0.05"}, {"Retry-After": "0"}, {}])
async def test_a_throttled_write_is_repeated(server, client, headers):
    server.faults.append((anything, answer(429, "TooManyRequests", headers=headers)))
    assert (await client.create(THINGS, SPACE, {"metadata": {}}))["method"] == "POST"
    assert server.count() == 2


async def test_the_server_gets_the_time_it_asked_for(server, client):
    server.faults.append((anything, answer(503, "ServiceUnavailable", headers={"Retry-After": "0.3"})))
    began = time.monotonic()
    await client.create(THINGS, SPACE, {})
    assert time.monotonic() - began >= 0.3


async def test_retry_after_as_a_date_is_honoured(server, client):
    now = 1_700_000_000
    headers = {"Retry-After": formatdate(now + 1, usegmt=True), "Date": formatdate(now, usegmt=True)}
    server.faults.append((anything, answer(429, headers=headers)))
    began = time.monotonic()
    await client.create(THINGS, SPACE, {})
    assert time.monotonic() - began >= 1.0


async def test_a_wait_in_the_body_is_honoured_too(server, client):
    server.faults.append((anything, answer(429, retryAfterSeconds=60)))
    with pytest.raises(Throttled) as caught:
        await client.create(THINGS, SPACE, {})
    assert caught.value.retry_after == 60.0, "too long for a worker: the queue waits"
    assert server.count() == 1


async def test_a_write_of_unknown_outcome_is_left_to_the_next_pass(server, client):
    for fault in (answer(500, "InternalError"), answer(504, "Timeout"), answer(503), hang_up):
        server.requests.clear()
        server.faults.append((anything, fault))
        with pytest.raises(Unavailable):
            await client.create(THINGS, SPACE, {})
        assert server.count() == 1


async def test_reads_and_guarded_deletes_outlive_a_broken_server(server, client):
    server.put("a")
    server.faults += [(anything, answer(500)), (anything, hang_up)]
    assert len((await client.list(THINGS))["items"]) == 1
    server.requests.clear()
    server.faults.append((anything, hang_up))
    await client.delete(THINGS, SPACE, "a", uid="u")
    assert server.count() == 2


async def test_an_unguarded_delete_of_unknown_outcome_is_not_repeated(server, client):
    server.faults.append((anything, hang_up))
    with pytest.raises(Unavailable):
        await client.delete(THINGS, SPACE, "a")
    assert server.count() == 1


async def test_patience_has_an_end(server, client):
    server.faults += [(anything, answer(429, headers={"Retry-After": "0.01"}))] * 10
    with pytest.raises(Throttled):
        await client.get(THINGS, SPACE, "a")
    assert server.count() == 4


async def test_refusals_come_through_at_once(server, client):
    server.faults.append((anything, answer(409, "Conflict", "changed")))
    with pytest.raises(Conflict, match="changed"):
        await client.replace(THINGS, SPACE, "a", {})
    server.faults.append((anything, answer(403, "Forbidden", "exceeded quota")))
    with pytest.raises(Forbidden, match="exceeded quota"):
        await client.create(THINGS, SPACE, {})
    assert server.count() == 2


async def test_a_patch_that_meets_another_object_of_the_name_is_a_conflict(server, client):
    causes = [{"reason": "FieldValueInvalid", "field": "metadata.uid", "message": "field is immutable"}]
    server.faults.append((anything, answer(422, "Invalid", causes=causes)))
    with pytest.raises(Conflict):
        await client.merge_patch(THINGS, SPACE, "a", {"metadata": {"uid": "another"}})
    other = [{"reason": "FieldValueInvalid", "field": "spec.replicas", "message": "must not be negative"}]
    server.faults.append((anything, answer(422, "Invalid", causes=other)))
    with pytest.raises(Invalid):
        await client.merge_patch(THINGS, SPACE, "a", {"spec": {"replicas": -1}})


async def test_a_creation_may_be_tried_strictly_and_hears_its_warnings(server, client):
    warned = {"Warning": '299 - "unknown field \\"spec.x\\"", 299 - "old"'}
    server.faults.append((anything, answer(403, "Forbidden", "exceeded quota", headers=warned)))
    said = []
    with pytest.raises(Forbidden):
        await client.create(THINGS, SPACE, {}, dry_run=True, field_validation="Strict", warn=said.append)
    assert said == ['unknown field "spec.x"', "old"], "of a refusal too"
    request, _ = server.requests[-1]
    assert dict(request.query) == {"dryRun": "All", "fieldValidation": "Strict"}
    await client.create(THINGS, SPACE, {}, warn=said.append)
    assert len(said) == 2
    assert dict(server.requests[-1][0].query) == {}


async def test_an_answer_that_takes_too_long_is_given_up(server):
    async with connected(server, timeout=0.1) as client:
        server.faults.append((anything, slow(5.0)))
        with pytest.raises(Unavailable, match="no answer in time"):
            await client.create(THINGS, SPACE, {})


async def test_a_cancelled_request_frees_its_connection(server):
    async with connected(server, max_connections=1) as client:
        server.faults.append((anything, slow(5.0)))
        task = asyncio.create_task(client.get(THINGS, SPACE, "a"))
        await until(lambda: server.count() == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await client.list(THINGS)


async def test_watches_take_no_connection_from_requests(server):
    async with connected(server, max_connections=1) as client:
        streams = [client.watch(THINGS, resource_version="100") for _ in range(3)]
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        await until(lambda: len(server.watches) == 3)
        async with asyncio.timeout(2):
            await client.list(THINGS)
        server.put("a")
        assert [(await task)["type"] for task in waiting] == ["ADDED"] * 3
        for stream in streams:
            await stream.aclose()


@pytest.mark.parametrize("content", [b"<html>busy</html>", b"", b'{"items": ['])
async def test_an_answer_that_is_no_json_is_no_answer(server, client, content):
    async def odd(request):
        from aiohttp import web

        return web.Response(body=content, content_type="application/json")

    server.faults += [(anything, odd)]
    with pytest.raises(Unavailable):
        await client.create(THINGS, SPACE, {})


async def test_an_error_that_is_no_status_object_is_shown_as_it_is(server, client):
    async def odd(request):
        from aiohttp import web

        return web.Response(status=403, text='["denied by the proxy"]')

    server.faults.append((anything, odd))
    with pytest.raises(Forbidden, match="denied by the proxy"):
        await client.create(THINGS, SPACE, {})


async def test_redirects_are_not_followed_with_credentials(server, client):
    async def elsewhere(request):
        from aiohttp import web

        raise web.HTTPFound("http://127.0.0.1:1/")

    server.faults.append((anything, elsewhere))
    with pytest.raises(Exception, match="302"):
        await client.get(THINGS, SPACE, "a")


async def test_requests_are_counted_by_route_code_and_host(server):
    registry = CollectorRegistry()
    async with connected(server, metrics=RestMetrics(registry, "api:6443")) as client:
        server.faults += [(anything, answer(429, headers={"Retry-After": "0.01"})), (anything, hang_up)]
        await client.get(THINGS, SPACE, "a")
    route = "/apis/games.test/v1/namespaces/{namespace}/things/{name}"
    value = registry.get_sample_value
    assert value("bkbcs_rest_client_request_duration_seconds_count", {"verb": "GET", "url": route}) == 3
    assert value("bkbcs_rest_client_rate_limiter_duration_seconds_count", {"verb": "GET", "url": route}) == 2
    for code in ("429", "200", "<error>"):
        labels = {"code": code, "method": "GET", "host": "api:6443"}
        assert value("bkbcs_rest_client_requests_total", labels) == 1


# ---- the fence


async def test_a_write_is_not_sent_when_we_may_not_write_any_more(server):
    left = [5.0]
    async with connected(server, fence=lambda: left[0]) as client:
        await client.create(THINGS, SPACE, {})
        left[0] = 0.0
        with pytest.raises(NotLeading):
            await client.create(THINGS, SPACE, {})
        await client.list(THINGS)
    assert [request.method for request, _ in server.requests] == ["POST", "GET"]


async def test_a_write_is_not_waited_for_longer_than_we_may_write(server):
    async with connected(server, fence=lambda: 0.2) as client:
        server.faults.append((anything, slow(5.0)))
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await client.create(THINGS, SPACE, {})
        assert time.monotonic() - began < 2.0


async def test_a_repeated_write_asks_the_fence_again(server):
    left = [5.0]

    async def refuse_and_lose(request):
        left[0] = 0.0
        return await answer(429, headers={"Retry-After": "0.01"})(request)

    async with connected(server, fence=lambda: left[0]) as client:
        server.faults.append((anything, refuse_and_lose))
        with pytest.raises(NotLeading):
            await client.create(THINGS, SPACE, {})
    assert server.count() == 1


# ---- credentials


def kubeconfig(path, server, token):
    user = {"name": "u", "user": {"token": token}}
    cluster = {"name": "c", "cluster": {"server": server}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    body = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    path.write_text(json.dumps(body))


async def test_a_refused_token_is_loaded_anew_once(server, tmp_path, monkeypatch):
    monkeypatch.setattr("operators.kube.official._LEAST_BETWEEN_RELOADS", 0.0)
    file = tmp_path / "kubeconfig"
    kubeconfig(file, server.url, "old")
    client = await connect(kubeconfig=str(file))
    try:
        kubeconfig(file, server.url, "new")
        server.faults.append((lambda r: r.headers["Authorization"] == "Bearer old", answer(401, "Unauthorized")))
        await client.create(THINGS, SPACE, {})
        assert [r.headers["Authorization"] for r, _ in server.requests] == ["Bearer old", "Bearer new"]
        server.faults += [(anything, answer(401, "Unauthorized"))] * 2
        with pytest.raises(Unauthorized):
            await client.create(THINGS, SPACE, {})
        assert server.count() == 4
    finally:
        await client.close()


async def test_a_password_for_the_host_in_the_home_of_the_process_is_not_sent(server, tmp_path, monkeypatch):
    passwords = tmp_path / "netrc"
    passwords.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(passwords))
    file = tmp_path / "kubeconfig"
    kubeconfig(file, server.url, "ours")
    client = await connect(kubeconfig=str(file))
    try:
        await client.create(THINGS, SPACE, {})
    finally:
        await client.close()
    assert [r.headers["Authorization"] for r, _ in server.requests] == ["Bearer ours"]


@pytest.mark.parametrize(("spared", "through"), [("", True), ("other.example", True), ("api.example", False)])
async def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch, spared, through):
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", spared)
    file = tmp_path / "kubeconfig"
    kubeconfig(file, "http://api.example:6443", "ours")
    client = await connect(kubeconfig=str(file))
    try:
        assert (await client.credentials.kopf_connection())["proxy_url"] == (server.url if through else None)
        if through:
            await client.create(THINGS, SPACE, {})
            assert [r.headers["Host"] for r, _ in server.requests] == ["api.example:6443"]
    finally:
        await client.close()


async def test_a_certificate_that_is_not_trusted_is_explained(tmp_path):
    authority = certificates.write(tmp_path / "server", "127.0.0.1")
    other = certificates.write(tmp_path / "other", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    async with running(context) as server:
        configuration = Configuration(host=server.url, ssl_ca_cert=str(other.certificate))
        client = Client(OfficialCredentials(configuration))
        try:
            with pytest.raises(Unavailable, match=r"certificate of 127\.0\.0\.1:\d+ is not trusted"):
                await client.create(THINGS, SPACE, {})
        finally:
            await client.close()
        trusted = Client(OfficialCredentials(Configuration(host=server.url, ssl_ca_cert=str(authority.certificate))))
        try:
            await trusted.create(THINGS, SPACE, {})
        finally:
            await trusted.close()


# ---- lists


async def test_a_list_is_paged(server, client):
    for number in range(7):
        server.put(f"t{number}")
    page = await client.list(THINGS, limit=3)
    assert [item["metadata"]["name"] for item in page["items"]] == ["t0", "t1", "t2"]
    second = await client.list(THINGS, limit=3, continue_=page["metadata"]["continue"])
    assert [item["metadata"]["name"] for item in second["items"]] == ["t3", "t4", "t5"]
    assert len((await client.list(THINGS, limit=0))["items"]) == 7
    assert "limit" not in server.requests[-1][0].query
    assert server.count(is_list) == 3
