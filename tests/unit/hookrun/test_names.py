"""Look-ups of names, on a name server of the test's own."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from operators.hookrun.providers.names import NameResolver, UnknownHost

_A, _AAAA = 1, 28


class Server(asyncio.DatagramProtocol):
    """Answers for ``known`` names, says that ``absent`` ones do not exist, and is silent about all others."""

    def __init__(self) -> None:
        self.known: dict[str, dict[int, bytes]] = {}
        self.absent: set[str] = set()
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        name, question = ".".join(labels).lower(), data[12 : at + 5]
        (kind,) = struct.unpack("!H", data[at + 1 : at + 3])
        self.asked.append(name)
        if name in self.absent:
            self._transport.sendto(data[:2] + struct.pack("!5H", 0x8183, 1, 0, 0, 0) + question, addr)
        elif name in self.known:
            held = self.known[name].get(kind)
            answer = b"" if held is None else struct.pack("!3HIH", 0xC00C, kind, 1, 60, len(held)) + held
            head = data[:2] + struct.pack("!5H", 0x8180, 1, int(held is not None), 0, 0)
            self._transport.sendto(head + question + answer, addr)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, NameResolver]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    names = NameResolver([f"127.0.0.1:{server.port}"])
    try:
        yield server, names
    finally:
        await names.close()
        transport.close()


@pytest.fixture
async def served() -> AsyncIterator[tuple[Server, NameResolver]]:
    async with serving() as found:
        yield found


async def test_addresses_of_both_families(served: tuple[Server, NameResolver]) -> None:
    server, names = served
    server.known["game.example"] = {_A: bytes((10, 0, 0, 7)), _AAAA: bytes.fromhex("fd" + "00" * 14 + "07")}
    assert sorted(await names.addresses("game.example")) == ["10.0.0.7", "fd00::7"]


async def test_a_name_that_does_not_exist_is_told_from_one_that_nobody_answers_for(
    served: tuple[Server, NameResolver],
) -> None:
    server, names = served
    server.absent.add("nobody.example")
    with pytest.raises(UnknownHost, match="not found"):
        await names.addresses("nobody.example")
    with pytest.raises(UnknownHost, match="Timeout"):
        await names.addresses("silent.example")


@pytest.mark.parametrize("host", ["", ".", "a..b", "x" * 64 + ".example", "a b", "\u00fc.example", "a" * 300])
async def test_what_is_no_name_is_an_error(served: tuple[Server, NameResolver], host: str) -> None:
    server, names = served
    server.absent.update(("a b", "\u00fc.example", "xn--tda.example"))
    with pytest.raises(UnknownHost):
        await names.addresses(host)


async def test_hosts_of_the_pod_itself_need_no_server(served: tuple[Server, NameResolver]) -> None:
    server, names = served
    assert "127.0.0.1" in await names.addresses("localhost")
    assert server.asked == []


async def test_attack_f7_look_ups_that_nobody_answers_do_not_delay_others(served: tuple[Server, NameResolver]) -> None:
    """250 of two namespaces, and again each second, whether or not the first ones have been given up."""
    server, names = served
    good = [f"good-{number}.example" for number in range(5)]
    for name in good:
        server.known[name] = {_A: bytes((10, 0, 0, 7))}
    silent: list[asyncio.Task[list[str]]] = []
    try:
        for second in range(3):
            silent += [asyncio.create_task(names.addresses(f"silent-{second}-{n}.example")) for n in range(250)]
            await asyncio.sleep(0)
            for task in silent[::2]:
                task.cancel()
            for name in good:
                began = time.monotonic()
                assert await names.addresses(name) == ["10.0.0.7"]
                assert time.monotonic() - began < 1.0
    finally:
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)


@pytest.mark.parametrize(
    ("spelled", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("::1", "::1"),
    ],
)
async def test_hook_106_an_address_is_one_however_it_is_spelled(spelled: str, address: str) -> None:
    """As `getaddrinfo` of the system reads it: no name server is asked, so that policy judges the address."""
    async with serving() as (server, names):
        assert await names.addresses(spelled) == [address]
        assert server.asked == []


@pytest.mark.parametrize("host", ["4294967296", "1.2.3.4.5", "127.0.0.1 x", "0x", "１２７.1"])
async def test_what_is_no_address_stays_a_name(host: str) -> None:
    async with serving() as (server, names):
        server.absent.update({host, host.lower()})
        with pytest.raises(UnknownHost):
            await names.addresses(host)
