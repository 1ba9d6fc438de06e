"""Names of hosts into addresses, without threads (docs/decisions/0043-look-ups.md).

`getaddrinfo` of the system takes a thread for as long as a name server is silent, and one that was given up keeps it.
A look-up here is a pair of datagrams: any number may wait, and one that is given up is forgotten. How many a namespace
has under way is limited where measurements get their slots.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import aiodns

#: Seconds for the first answer, and attempts, each of which waits twice as long as the one before: 7.5 s in all, where
#: the measurement has not ended before.
_TIMEOUT, _TRIES = 0.5, 4


class UnknownHost(Exception):
    """There are no addresses; the text says why."""


class NameResolver:
    """Looks names up as the pod's ``/etc/hosts`` and ``/etc/resolv.conf`` say, search domains and IPv6 included.

    Other sources of the system's name service (LDAP, mDNS) are not asked. ``servers`` replace those of
    ``resolv.conf``, each an address or an address with a port.
    """

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        self._servers = servers
        self._resolver: aiodns.DNSResolver | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def addresses(self, host: str) -> list[str]:
        """Addresses of a host, in the order in which they should be tried; at least one.

        Raises:
            UnknownHost: there is no such name, or no server answered.
        """
        if not host.strip("."):
            raise UnknownHost("it is no name of a host")
        if (spelled := _address_spelled_otherwise(host)) is not None:
            return [spelled]
        try:
            found = await self._for_this_loop().getaddrinfo(
                host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except aiodns.error.DNSError as error:
            raise UnknownHost(str(error.args[-1])) from error
        except UnicodeError as error:
            raise UnknownHost("it is no name of a host") from error
        addresses = dict.fromkeys(_text(node.addr[0]) for node in found.nodes)
        if not addresses:
            raise UnknownHost("it has no addresses")
        return list(addresses)

    async def close(self) -> None:
        """Give up what is under way; the next look-up begins anew."""
        held, self._resolver = self._resolver, None
        if held is not None:
            await held.close()

    def _for_this_loop(self) -> aiodns.DNSResolver:
        loop = asyncio.get_running_loop()
        if self._resolver is None or self._loop is not loop:
            self._resolver = aiodns.DNSResolver(self._servers, loop, timeout=_TIMEOUT, tries=_TRIES)
            self._loop = loop
        return self._resolver


def _address_spelled_otherwise(host: str) -> str | None:
    """The IPv4 address that ``inet_aton`` reads (``127.1``, ``2130706433``, ``0x7f000001``), as `getaddrinfo` does.

    c-ares takes these for names, and a name server would be asked for an address that policy should judge.
    """
    if not host.isascii() or any(character.isspace() for character in host):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def _text(address: str | bytes) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address
