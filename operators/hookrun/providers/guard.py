"""Which addresses hooks may reach.

A HookTemplate makes a privileged pod send requests, so addresses that only that pod could reach are refused: loopback,
link-local (cloud metadata), multicast, unspecified. The check is on the address that is connected to, not on the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from operators.hookrun.measurement import ProviderError


def check_address(address: str, allowed: Sequence[str]) -> None:
    """Refuse an address.

    Raises:
        ProviderError: it is not for hooks.
    """
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if any(ip in ipaddress.ip_network(cidr) for cidr in allowed):
        return
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        raise ProviderError(f"address {ip} is refused by policy; --hook-allow-cidr can allow it")


async def resolve(url: str, allowed: Sequence[str]) -> str:
    """An address of the URL's host that hooks may reach.

    Raises:
        ProviderError: no such host, or a refused address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProviderError(f"url must begin with http:// or https:// and name a host, not {url[:100]!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProviderError(f"host {parts.hostname!r} is not known: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        check_address(address, allowed)
    return addresses[0]
