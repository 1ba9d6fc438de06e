"""Which addresses hooks may reach.

A HookTemplate makes a privileged pod send requests, so addresses that only that pod could reach are refused: loopback,
link-local (cloud metadata), multicast, unspecified, our own pod and the API server. The check is on the address that is
connected to, not on the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from operators.hookrun.measurement import ProviderError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Metadata services of clouds that are not link-local.
_METADATA = frozenset(("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """``allowed`` networks win over every rule; ``refused`` are hosts or addresses besides the built-in classes."""

    allowed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def _inner(text: str) -> _Address:
    """The address, or the IPv4 address that an IPv6 one carries."""
    ip = ipaddress.ip_address(text.split("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def check_address(address: str, reach: Reach) -> None:
    """Refuse an address.

    Raises:
        ProviderError: it is not for hooks.
    """
    ip = _inner(address)
    if any(ip in ipaddress.ip_network(cidr) for cidr in reach.allowed):
        return
    special = ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    if special or str(ip) in _METADATA or str(ip) in reach.refused:
        raise ProviderError(f"address {ip} is refused by policy; --hook-allow-cidr can allow it")


async def resolve(url: str, reach: Reach) -> str:
    """An address of the URL's host that hooks may reach; with several, all must be.

    Raises:
        ProviderError: no such host, or a refused address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProviderError(f"url must begin with http:// or https:// and name a host, not {url[:100]!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.hostname in reach.refused and not reach.allowed:
        raise ProviderError(f"host {parts.hostname!r} is refused by policy")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProviderError(f"host {parts.hostname!r} is not known: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        check_address(address, reach)
    return addresses[0]
