"""Which addresses hooks may reach (spec/hooks.md 5.1).

A HookTemplate makes a privileged pod send requests, so addresses that only that pod could reach are refused: loopback,
link-local (cloud metadata), multicast, unspecified, our own pod and the API server. What is checked is the address that
is connected to, not the name: it does not help that a name resolves to another address the next time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from urllib.parse import urlsplit

from operators.hookrun.providers.base import ProviderError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Metadata services of clouds that are not link-local.
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class EgressPolicy:
    """Which hosts and addresses hooks may connect to.

    ``allowed`` are networks that may be reached whatever their kind. ``refused`` are refused besides the built-in
    kinds: networks (``10.0.0.0/8``), addresses, an address with one port (``10.0.0.5:6443``, or as a URL), or names.

    Raises:
        ValueError: an entry of ``allowed`` is not a network.
    """

    def __init__(self, allowed: Iterable[str] = (), refused: Iterable[str] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(network, strict=False) for network in allowed)
        self._networks: list[_Network] = []
        self._endpoints: set[tuple[_Address, int]] = set()
        self._names: set[tuple[str, int]] = set()
        for entry in refused:
            self._refuse(entry)

    def _refuse(self, entry: str) -> None:
        host, port = _split(entry)
        try:
            if port:
                self._endpoints.add((_effective(host), port))
            else:
                self._networks.append(ipaddress.ip_network(host, strict=False))
        except ValueError:
            self._names.add((_normalized(host), port))

    def refusal(self, address: str, port: int) -> str:
        """Why an address may not be connected to, "" when it may."""
        ip = _effective(address)
        if any(ip in network for network in self._allowed):
            return ""
        special = ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
        named = (ip, port) in self._endpoints or any(ip in network for network in self._networks)
        if special or named or ip in _METADATA:
            return f"address {ip} is refused by policy; --hook-allow-cidr can allow it"
        return ""

    def refuses_name(self, host: str, port: int) -> bool:
        """Whether a host name is refused as such, wherever it leads."""
        return not self._names.isdisjoint({(_normalized(host), port), (_normalized(host), 0)})


def _split(entry: str) -> tuple[str, int]:
    """Host and port of an entry; port 0 means all."""
    if "://" in entry:
        url = urlsplit(entry)
        return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    host, _, port = entry.rpartition(":")
    if port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return entry.strip("[]"), 0


def _normalized(host: str) -> str:
    return host.rstrip(".").lower()


def _effective(text: str) -> _Address:
    """The address, or the IPv4 address that an IPv6 one carries."""
    ip = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    """Threads of our own: a slow name server of one hook must not hold up look-ups of the operators themselves."""
    return ThreadPoolExecutor(32, "hook-names")


async def resolve(host: str, port: int, policy: EgressPolicy) -> list[str]:
    """The addresses of a host, at least one, all of which hooks may policy.

    Raises:
        ProviderError: no such host, or a refused name or address.
    """
    if policy.refuses_name(host, port):
        raise ProviderError(f"host {host!r} is refused by policy")
    addresses = [host] if _is_address(host) else await _look_up(host)
    for address in addresses:
        refusal = policy.refusal(address, port)
        if refusal:
            raise ProviderError(refusal)
    return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _look_up(host: str) -> list[str]:
    def ask() -> list[str]:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), ask)
    except (OSError, UnicodeError) as error:
        raise ProviderError(f"host {host[:253]!r} is not known: {error}") from error
