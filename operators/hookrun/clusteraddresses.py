"""Addresses of the cluster's own parts, which hooks may not reach (docs/spec/hooks.md 5.1).

They come from the nodes, and from the EndpointSlices and Services of the API server and of the operators themselves;
the caches of these tell every change. A part may have an address of a node: whoever allows a port of the nodes for game
servers does not allow the API server with it.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from operators.planning.views import NodeView

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SERVICE_NAME: Final = "kubernetes.io/service-name"
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What a Service, or one of its EndpointSlices, says of where it is reached. ``service`` is the Service's name."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    service: str
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


def endpoint_slice_view(obj: Mapping[str, Any]) -> ServiceView:
    """Decode an EndpointSlice: addresses of all endpoints, ready or not, and their ports."""
    service = (obj["metadata"].get("labels") or {}).get(_SERVICE_NAME) or ""
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    ports = [port["port"] for port in obj.get("ports") or () if port.get("port")]
    return _view(obj["metadata"], service, addresses, ports)


def service_view(obj: Mapping[str, Any]) -> ServiceView:
    """Decode a Service: its addresses inside the cluster."""
    spec = obj.get("spec") or {}
    addresses = [address for address in spec.get("clusterIPs") or (spec.get("clusterIP"),) if address]
    return _view(obj["metadata"], obj["metadata"]["name"], addresses, ())


def _view(metadata: Mapping[str, Any], service: str, addresses: Iterable[str], ports: Iterable[int]) -> ServiceView:
    identity = (metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"])
    return ServiceView(*identity, service, tuple(addresses), tuple(ports))


class ClusterAddresses:
    """Which addresses belong to the cluster.

    Args:
        services: Namespace and name of the Services that hooks may not reach; others that the caches hold are passed
            over.
        node_ports: Ports that hooks may reach on nodes, for game servers with ``hostNetwork``.
        nodes: Addresses of nodes that are known from elsewhere.
    """

    def __init__(
        self,
        services: Collection[tuple[str, str]] = (),
        node_ports: Sequence[range] = (),
        nodes: Iterable[str] = (),
    ) -> None:
        self._services, self._node_ports = frozenset(services), tuple(node_ports)
        self._nodes: Counter[Address] = Counter(_read(nodes))
        self._hosts: Counter[Address] = Counter()
        self._endpoints: Counter[tuple[Address, int]] = Counter()

    def change_node(self, old: NodeView | None, new: NodeView | None) -> None:
        """A node came, went or changed."""
        for view, step in ((old, -1), (new, 1)):
            _count(self._nodes, _read(view.addresses) if view else (), step)

    def change_service(self, old: ServiceView | None, new: ServiceView | None) -> None:
        """A Service or an EndpointSlice came, went or changed."""
        for view, step in ((old, -1), (new, 1)):
            if view is not None and (view.namespace, view.service) in self._services:
                addresses = _read(view.addresses)
                _count(self._hosts, addresses, step)
                _count(self._endpoints, [(ip, port) for ip in addresses for port in view.ports], step)

    def refuses(self, address: Address, port: int) -> bool:
        """Whether hooks may not reach this port of this address."""
        if (address, port) in self._endpoints:
            return True
        if address in self._nodes:
            return not any(port in ports for ports in self._node_ports)
        return address in self._hosts


def effective(text: str) -> Address:
    """The address, or the IPv4 address that a mapped or a NAT64 one stands for.

    Raises:
        ValueError: this is no address.
    """
    ip = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip


def _read(addresses: Iterable[str]) -> list[Address]:
    """What of it are addresses: nodes and slices may have names instead."""
    found = []
    for text in addresses:
        try:
            found.append(effective(text))
        except ValueError:
            continue
    return found


def _count(counter: Counter[Any], entries: Iterable[Any], step: int) -> None:
    for entry in entries:
        counter[entry] += step
        if counter[entry] <= 0:
            del counter[entry]
