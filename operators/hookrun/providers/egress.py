"""Which addresses hooks may reach (docs/spec/hooks.md 5.1).

A HookTemplate makes a privileged pod send requests, so addresses that only that pod could reach are refused: loopback,
link-local (cloud metadata), multicast, unspecified, and all that belongs to the cluster itself. What is checked is the
address that is connected to, not the name: it does not help that a name resolves to another address the next time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from operators.hookrun.clusteraddresses import Address, ClusterAddresses, effective
from operators.hookrun.providers.base import ProviderError
from operators.hookrun.providers.names import NameResolver, UnknownHost

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Refused besides what `ipaddress` knows as special.
_REFUSED: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # WireServer of Azure
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud Classic
        "192.88.99.0/24",  # relays of 6to4
        "fd00:ec2::/32",  # metadata, pod identity, DNS and time of AWS
        "fd20:ce::/32",  # metadata of Google Cloud
        "fd00:c1::/32",  # metadata of Oracle Cloud
        "fd00:42::/32",  # metadata of Scaleway
        "2001::/32",  # Teredo: carries two IPv4 addresses
        "2002::/16",  # 6to4: carries one
        "64:ff9b:1::/48",  # NAT64 of a network's own: where the IPv4 address stands only that network knows
        "::/96",  # IPv4-compatible
        "::ffff:0:0:0/96",  # IPv4-translated
    )
)
#: Bits 32 to 63 of the interface identifiers of ISATAP, which carry an IPv4 address behind it.
_ISATAP = frozenset((0x00005EFE, 0x02005EFE))


class EgressPolicy:
    """Which hosts and addresses hooks may connect to.

    ``allowed`` are networks that may be reached whatever their kind. ``refused`` are refused besides the built-in
    kinds: networks (``10.0.0.0/8``), addresses, an address with one port (``10.0.0.5:6443``, or as a URL), or names;
    so are the addresses of the ``cluster``, as they are at the moment.

    Raises:
        ValueError: an entry of ``allowed`` is not a network.
    """

    def __init__(
        self, allowed: Iterable[str] = (), refused: Iterable[str] = (), cluster: ClusterAddresses | None = None
    ) -> None:
        self._cluster = cluster or ClusterAddresses()
        self._allowed = tuple(ipaddress.ip_network(network, strict=False) for network in allowed)
        self._networks: list[_Network] = []
        self._endpoints: set[tuple[Address, int]] = set()
        self._names: set[tuple[str, int]] = set()
        for entry in refused:
            self._refuse(entry)

    def _refuse(self, entry: str) -> None:
        host, port = _split(entry)
        try:
            if port:
                self._endpoints.add((effective(host), port))
            else:
                self._networks.append(ipaddress.ip_network(host, strict=False))
        except ValueError:
            self._names.add((_normalized(host), port))

    def refusal(self, address: str, port: int) -> str:
        """Why an address may not be connected to, "" when it may."""
        ip = effective(address)
        if any(ip in network for network in self._allowed):
            return ""
        if _is_special(ip) or self._is_named(ip, port) or self._cluster.refuses(ip, port):
            return f"address {ip} is refused by policy; --hook-allow-cidr can allow it"
        return ""

    def _is_named(self, ip: Address, port: int) -> bool:
        return (ip, port) in self._endpoints or any(ip in network for network in self._networks)

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


def _is_special(ip: Address) -> bool:
    """Whether an address is refused by its kind."""
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return True
    if isinstance(ip, ipaddress.IPv6Address) and (ip.is_site_local or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP):
        return True
    return any(ip in network for network in _REFUSED)


async def resolve(host: str, port: int, policy: EgressPolicy, names: NameResolver) -> list[str]:
    """The addresses of a host, at least one, all of which hooks may reach.

    Raises:
        ProviderError: no such host, or a refused name or address.
    """
    if policy.refuses_name(host, port):
        raise ProviderError(f"host {host!r} is refused by policy")
    addresses = [host] if _is_address(host) else await _look_up(host, names)
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


async def _look_up(host: str, names: NameResolver) -> list[str]:
    try:
        return await names.addresses(host)
    except UnknownHost as error:
        raise ProviderError(f"host {host[:253]!r} is not known: {error}") from error
