"""The server on real sockets, against callers that send slowly, too much, too many or nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.logged import told
from tests.unit.webhooks.builders import DEFAULT
from tests.unit.webhooks.test_protocol import NoLookups, body
from webhooks.connections import Broken, Connections
from webhooks.handlers import ReviewHandlers
from webhooks.judging import Options
from webhooks.load import LoadLimits
from webhooks.metrics import Metrics
from webhooks.server import Admission
from webhooks.verdicts import allow

REVIEW = json.dumps(body()).encode()
LONG = 60.0


class Server:
    """A running server of ours."""

    def __init__(self, port: int, admission: Admission, connections: Connections) -> None:
        self.port, self.load, self.connections = port, admission.load, connections

    async def connect(self) -> Caller:
        return Caller(*await asyncio.open_connection("127.0.0.1", self.port))


class Caller:
    """A connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> Caller:
        self._writer.write(data)
        await self._writer.drain()
        return self

    async def begin(self, announced: int = len(REVIEW), sent: bytes = b"", path: str = "/validate-workload") -> Caller:
        return await self.send(
            f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {announced}\r\n\r\n".encode()
            + sent
        )

    async def answer(self) -> tuple[int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return int(head.split()[1]), await self._reader.readexactly(length)

    async def ended(self) -> bool:
        """Wait until the server has closed the connection; False if it sent something before."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    async def rest(self) -> bytes:
        """All that the server sends until it closes the connection."""
        try:
            return await self._reader.read()
        except ConnectionResetError:
            return b""

    async def close(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def running(handlers: Any = None, tls: ssl.SSLContext | None = None, **limits: Any):
    metrics = Metrics(CollectorRegistry())
    chosen = LoadLimits(**limits)
    connections = Connections(chosen)
    judge = handlers or ReviewHandlers(Options(), NoLookups(), metrics)
    admission = Admission(judge, metrics, chosen, connections)
    port = await connections.listen(admission.application, "127.0.0.1", 0, tls)
    try:
        yield Server(port, admission, connections)
    finally:
        await connections.close()
    assert admission.load.memory_bytes == admission.load.reviews == len(connections) == 0


class Held:
    """Verdicts that wait until they are let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.go = asyncio.Event()

    async def _decide(self, _: Any) -> Any:
        self.asked.release()
        await self.go.wait()
        return allow()

    validate_crd = validate_workload = validate_spec = _decide


async def assert_answers(server: Server) -> None:
    """A good review of another caller is answered."""
    caller = await (await server.connect()).begin(sent=REVIEW)
    status, text = await caller.answer()
    assert (status, DEFAULT in text.decode()) == (200, True)
    await caller.close()


async def test_attack_f4_a_body_that_does_not_arrive_is_given_up():
    async with running(body_seconds=0.2) as server:
        slow = await (await server.connect()).begin(announced=1000, sent=b"{")
        assert await slow.answer() == (408, b"the body did not arrive within 0.2 s")
        assert await slow.ended()


@pytest.mark.parametrize("announced", [3 << 20, 7_340_032])
async def test_attack_f4_a_body_that_is_too_large_is_refused_by_what_it_announces(announced):
    async with running() as server:
        large = await (await server.connect()).begin(announced=announced + 1)
        assert await large.answer() == (413, b"a review has at most 3145728 bytes")
        assert await large.ended()


async def test_attack_f4_a_body_that_announces_no_size_is_counted():
    async with running(body_bytes=1000) as server:
        chunk = b"1f4\r\n" + b"x" * 500 + b"\r\n"
        large = await server.connect()
        await large.send(b"POST /validate-spec HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3)
        assert await large.answer() == (413, b"a review has at most 1000 bytes")
        assert await large.ended()


async def test_a_compressed_body_is_not_unpacked():
    async with running() as server:
        caller = await server.connect()
        head = (
            b"POST /validate-spec HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        )
        await caller.send(head + b"Content-Length: 2\r\n\r\n\x1f\x8b")
        assert (await caller.answer())[0] == 400


async def test_attack_f4_many_bodies_at_a_time_are_held_within_the_limit_and_good_reviews_are_answered():
    limit = 256 << 10
    async with running(memory_bytes=limit, body_seconds=LONG) as server:
        slow = [await (await server.connect()).begin(announced=200_000, sent=b"x" * 100_000) for _ in range(20)]
        lost = await asyncio.gather(*(caller.answer() for caller in slow[:17]))
        assert {status for status, _ in lost} == {408}
        assert 100_000 <= server.load.memory_bytes <= limit
        for _ in range(5):
            await assert_answers(server)
        for caller in slow:
            await caller.close()


async def test_attack_f4_reviews_beyond_the_number_in_flight_are_refused_at_once():
    held = Held()
    async with running(held, reviews=3) as server:
        callers = [await (await server.connect()).begin(sent=REVIEW) for _ in range(3)]
        for _ in callers:
            await held.asked.acquire()
        late = await (await server.connect()).begin(sent=REVIEW)
        assert await late.answer() == (503, b"3 reviews are judged already")
        held.go.set()
        assert {(await caller.answer())[0] for caller in callers} == {200}
        assert (await (await late.begin(sent=REVIEW)).answer())[0] == 200


async def test_attack_f4_unfinished_headers_are_closed():
    async with running(header_seconds=0.2, idle_seconds=LONG) as server:
        silent, begun, again = [await server.connect() for _ in range(3)]
        await begun.send(b"POST /validate-workload HT")
        assert (await (await again.begin(sent=REVIEW)).answer())[0] == 200
        assert await silent.ended()
        assert await begun.ended()
        await again.send(b"POST /validate-workload HT")
        assert await again.ended()


async def test_a_kept_connection_may_be_idle_for_longer_but_not_for_ever():
    async with running(header_seconds=0.1, idle_seconds=0.4) as server:
        kept, silent = await server.connect(), await server.connect()
        await (await kept.begin(sent=REVIEW)).answer()
        assert await silent.ended()
        assert (await (await kept.begin(sent=REVIEW)).answer())[0] == 200
        assert await kept.ended()


async def test_attack_f4_a_new_connection_takes_the_place_of_the_one_that_waits_longest():
    held = Held()
    async with running(held, connections=3, header_seconds=LONG, body_seconds=LONG, idle_seconds=LONG) as server:
        judged = await (await server.connect()).begin(sent=REVIEW)
        await held.asked.acquire()
        silent, slow = await server.connect(), await (await server.connect()).begin(announced=1000, sent=b"{")
        late = await (await server.connect()).begin(sent=REVIEW)
        assert await silent.ended()
        await held.asked.acquire()
        later = await (await server.connect()).begin(sent=REVIEW)
        assert await slow.ended()
        await held.asked.acquire()
        none_left = await server.connect()
        assert await none_left.ended()
        held.go.set()
        assert {(await caller.answer())[0] for caller in (judged, late, later)} == {200}


async def test_attack_f4_hundreds_of_callers_that_do_not_finish_stop_nobody(caplog):
    async with running(connections=50, header_seconds=LONG, body_seconds=LONG) as server:
        callers = []
        for number in range(300):
            caller = await server.connect()
            if number % 3 == 1:
                await caller.begin(announced=10_000, sent=b"x" * 5_000)
            elif number % 3 == 2:
                await caller.send(b"GARBAGE\r\n\r\n")
            callers.append(caller)
            if number % 50 == 0:
                await assert_answers(server)
        assert len(server.connections) <= 50
        for caller in callers:
            await caller.close()
        await assert_answers(server)
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert len(told(lines[0])) < 200
    assert "connections ended early" in lines[0].getMessage()


async def test_what_is_no_tls_is_closed_with_one_line(caplog, tmp_path):
    async with running(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), header_seconds=0.3) as server:
        for _ in range(20):
            assert b"HTTP" not in await (await (await server.connect()).send(b"GET / HTTP/1.1\r\n\r\n")).rest()
        assert await (await server.connect()).ended()
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_attack_f4_handshakes_that_do_not_end_give_their_places_up():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with running(tls=tls, connections=2, header_seconds=LONG) as server:
        silent = [await server.connect() for _ in range(6)]
        for caller in silent[:4]:
            assert await caller.ended()
        assert len(server.connections) == 2


def test_broken_connections_get_a_line_a_minute(caplog):
    now = 0.0
    broken = Broken(lambda: now)
    for now in (0.0, 1.0, 2.0, 59.0, 60.0, 61.0):
        broken.count("idle" if now == 1 else "slow")
    assert [told(record) for record in caplog.records] == [
        "connections ended early reasons=1 slow",
        "connections ended early reasons=1 idle, 3 slow",
    ]
