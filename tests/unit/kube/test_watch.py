"""The stream of a watch over real HTTP."""

import asyncio
import json

import pytest
from aiohttp import web

from operators.kube.errors import ApiError, Forbidden, Gone, Unavailable
from tests.unit.kube.apiserver import answer, hang_up, is_watch, status, until
from tests.unit.runtime.views import THINGS


def chunks(*parts):
    """A fault: a watch that sends exactly these bytes and ends."""

    async def respond(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.01)
        return response

    return is_watch, respond


def event(number, text=""):
    return {"type": "ADDED", "object": {"metadata": {"resourceVersion": str(number)}, "text": text}}


async def collect(client, **options):
    return [e async for e in client.watch(THINGS, resource_version="100", **options)]


async def test_events_cut_anywhere_into_chunks_come_out_whole(server, client):
    events = [event(n, "ä" * n) for n in range(4)]
    text = b"".join(json.dumps(e, ensure_ascii=False).encode() + b"\n" for e in events)
    server.faults.append(chunks(*(text[i : i + 7] for i in range(0, len(text), 7))))
    assert await collect(client) == events


async def test_many_events_in_one_chunk_come_out_singly(server, client):
    events = [event(n) for n in range(500)]
    server.faults.append(chunks(b"".join(json.dumps(e).encode() + b"\n" for e in events)))
    assert await collect(client) == events


async def test_an_object_of_megabytes_is_no_obstacle(server, client):
    big = event(1, "x" * 6_000_000)
    server.faults.append(chunks(json.dumps(big).encode() + b"\n"))
    assert await collect(client) == [big]


@pytest.mark.parametrize("rest", [b'{"type": "ADD', b"not json\n", b'{"object": {}}\n', b"[1]\n"])
async def test_a_line_that_is_no_event_is_a_broken_watch(server, client, rest):
    server.faults.append(chunks(json.dumps(event(1)).encode() + b"\n", rest))
    seen = []
    with pytest.raises(Unavailable):
        async for e in client.watch(THINGS, resource_version="100"):
            seen.append(e)
    assert seen == [event(1)]


async def test_a_connection_that_breaks_is_a_broken_watch(server, client):
    server.faults.append((is_watch, hang_up))
    with pytest.raises(Unavailable):
        await collect(client)


async def test_silence_is_a_broken_watch(client, server):
    with pytest.raises(Unavailable):
        await collect(client, silence=0.2)


@pytest.mark.parametrize(("code", "kind"), [(410, Gone), (403, Forbidden), (500, Unavailable), (400, ApiError)])
async def test_an_error_is_typed_as_answer_and_as_event(server, client, code, kind):
    server.faults.append((is_watch, answer(code, message="why")))
    with pytest.raises(kind, match="why"):
        await collect(client)
    line = json.dumps({"type": "ERROR", "object": status(code, message="why")}).encode() + b"\n"
    server.faults.append(chunks(line))
    with pytest.raises(kind, match="why"):
        await collect(client)


async def test_a_watch_asks_for_bookmarks_and_an_end_of_its_own(server, client):
    spans = set()
    for _ in range(8):
        server.faults.append(chunks())
        await collect(client, timeout_seconds=300)
        query = server.requests[-1][0].query
        assert (query["allowWatchBookmarks"], query["resourceVersion"]) == ("true", "100")
        spans.add(int(query["timeoutSeconds"]))
    assert all(240 <= span <= 360 for span in spans)
    assert len(spans) > 1, "all watches would end at the same moment"


async def test_a_watch_that_is_left_closes_its_connection(server, client):
    stream = client.watch(THINGS, resource_version="100")
    server.put("a")
    await anext(stream)
    assert len(server.watches) == 1
    await stream.aclose()
    await until(lambda: not server.watches)
