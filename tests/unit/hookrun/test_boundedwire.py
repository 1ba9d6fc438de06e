"""However an answer is cut, reading it costs the event loop little."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from operators.hookrun.providers.base import ProviderError
from operators.hookrun.providers.boundedwire import FRAME_LIMIT, PIECE, Tally
from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.providers.transport import BODY_LIMIT, HttpTransport

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FRAMES = f"more than {FRAME_LIMIT} bytes besides its body"


@contextmanager
def server(head: bytes, piece: bytes, pause: float = 0.0):
    """Answers ``head`` and then ``piece`` for ever, to any number of connections; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def serve(connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65536)
            connection.sendall(head)
            while piece:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass
        finally:
            connection.close()

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


async def asked(port: int, seconds: float = 5.0):
    transport = HttpTransport(EgressPolicy(allowed=["127.0.0.0/8"]))
    return await transport.get(f"http://127.0.0.1:{port}/", {}, seconds)


async def _watch(turns: list[float]) -> None:
    while True:
        began = time.thread_time()
        await asyncio.sleep(0)
        turns.append(time.thread_time() - began)


HOSTILE = {
    "chunks of one byte": (CHUNKED, b"1\r\na\r\n" * 5000, FRAMES),
    "informational answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000, FRAMES),
    "extensions of chunks": (CHUNKED, b"1;" + b"a" * 60_000 + b"\r\na\r\n", FRAMES),
    "headers": (OK, b"a: b\r\n" * 5000, FRAMES),
    "folded headers": (OK + b"a: b\r\n", b" c\r\n" * 5000, FRAMES),
    "one header": (OK + b"a: ", b"b" * 65_536, FRAMES),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n" * 5000, FRAMES),
    "an endless body": (OK + b"Content-Length: 99999999\r\n\r\n", b"a" * 65_536, f"larger than {BODY_LIMIT} bytes"),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_attack_f2_answers_cut_into_pieces_end_early_and_hold_no_turn(kind):
    head, piece, said = HOSTILE[kind]
    turns: list[float] = []
    with server(head, piece) as port:
        watching = asyncio.create_task(_watch(turns))
        began = time.thread_time()
        with pytest.raises(ProviderError, match=said):
            await asked(port)
        spent = time.thread_time() - began
        watching.cancel()
    assert spent < 1.0
    assert max(turns) < 0.1


async def _longest_turn(answers: int) -> float:
    head, piece, said = HOSTILE["chunks of one byte"]
    turns: list[float] = []
    with server(head, piece) as port:
        watching = asyncio.create_task(_watch(turns))
        found = await asyncio.gather(*(asked(port, 30.0) for _ in range(answers)), return_exceptions=True)
        watching.cancel()
    assert all(isinstance(error, ProviderError) and said in str(error) for error in found)
    return max(turns)


async def test_attack_f2_many_such_answers_at_once_share_the_loop_by_turns():
    """One piece of each answer in a turn: how long a piece takes, this machine says."""
    one = await _longest_turn(1)
    assert await _longest_turn(30) < 45 * one


async def test_attack_f2_a_body_that_comes_byte_by_byte_is_read_rarely():
    with server(OK + b"Content-Length: 99999999\r\n\r\n", b"a", pause=0.0005) as port:
        began = time.thread_time()
        with pytest.raises(ProviderError, match="no answer within 3"):
            await asked(port, 3.0)
        assert time.thread_time() - began < 0.5


async def test_an_honest_answer_of_a_megabyte_is_read_whole():
    body = b"a" * BODY_LIMIT
    with server(OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body, b"") as port:
        assert (await asked(port)).body == body
    chunks = b"".join(b"100\r\n" + b"a" * 256 + b"\r\n" for _ in range(BODY_LIMIT // 256 // 2)) + b"0\r\n\r\n"
    with server(CHUNKED + chunks, b"") as port:
        assert len((await asked(port)).body) == BODY_LIMIT // 2


async def test_an_answer_in_a_few_small_pieces_is_not_waited_for():
    with server(OK + b"Content-Length: 2\r\n\r\n{}", b"") as port:
        began = time.monotonic()
        assert (await asked(port)).body == b"{}"
        assert time.monotonic() - began < 2


def test_the_frame_is_what_is_read_besides_the_body():
    tally = Tally()
    for _ in range((FRAME_LIMIT // PIECE) + 2):
        tally.count(PIECE)
    with pytest.raises(ProviderError, match="besides its body"):
        tally.count(1)
    tally.body = tally.read
    tally.count(PIECE)
    assert tally.pause == 0
    for _ in range(500):
        tally.body = tally.read
        tally.count(1)
    assert tally.pause == 0.25
