"""Where hooks cannot get: nodes, the API server, the operators, metadata services, addresses that carry others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.hookrun.clusteraddresses import ClusterAddresses, ServiceView, endpoint_slice_view, service_view
from operators.hookrun.providers.egress import EgressPolicy
from operators.planning.views import NodeView, node_view

API, OWN = ("default", "kubernetes"), ("ops", "game-operators")


def node(*addresses: str, name: str = "n") -> NodeView:
    return NodeView("", name, name, "1", addresses=addresses)


def slice_of(service: tuple[str, str], *addresses: str, port: int = 6443) -> ServiceView:
    return ServiceView(service[0], f"{service[1]}-x", "u", "1", service[1], addresses, (port,))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # tasks of ECS
        "169.254.170.23",  # pod identity of EKS
        "169.254.0.23",  # Tencent Cloud
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud Classic
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd00:ec2::253",
        "fd20:ce::254",  # Google Cloud
        "fd00:c1::a9fe:a9fe",  # Oracle Cloud
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
        "fe80::a9fe:a9fe%eth0",
    ],
)
def test_attack_f8_no_metadata_service_is_reached(address: str) -> None:
    assert "is refused by policy" in EgressPolicy().refusal(address, 80)


@pytest.mark.parametrize(
    "address",
    [
        "2001:0:a9fe:a9fe::1",  # Teredo
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "2002:a9fe:a9fe::",  # 6to4
        "2002:808:808::1",
        "64:ff9b:1::a9fe:a9fe",  # NAT64 of a network's own
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b::a9fe:a9fe",  # NAT64 that everybody knows
        "::ffff:169.254.169.254",  # IPv4-mapped
        "::169.254.169.254",  # IPv4-compatible
        "::ffff:0:169.254.169.254",  # IPv4-translated
        "2001:db8::5efe:169.254.169.254",  # ISATAP
        "fd12::200:5efe:a9fe:a9fe",
        "fec0::1",
        "0.0.0.1",
        "192.88.99.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
    ],
)
def test_attack_f8_no_address_is_reached_through_another_that_carries_it(address: str) -> None:
    assert "is refused by policy" in EgressPolicy().refusal(address, 80)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "8.8.8.8", "fd12:3456::7", "2001:db8::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2600::1"]
)
def test_game_servers_and_other_hosts_are_reached(address: str) -> None:
    assert EgressPolicy().refusal(address, 80) == ""


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("169.254.169.254/32", "169.254.169.254"),
        ("2002::/16", "2002:a9fe:a9fe::"),
        ("10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.2"),
    ],
)
def test_attack_f8_what_is_allowed_by_network_wins(network: str, address: str) -> None:
    cluster = ClusterAddresses([API])
    cluster.change_node(None, node("10.0.0.1"))
    cluster.change_service(None, slice_of(API, "10.0.0.2"))
    assert EgressPolicy(cluster=cluster).refusal(address, 6443)
    assert EgressPolicy([network], cluster=cluster).refusal(address, 6443) == ""


def test_attack_f8_nodes_are_refused_but_for_ports_of_game_servers() -> None:
    cluster = ClusterAddresses([API], [range(7000, 8001)], nodes=["10.0.0.9", "no address"])
    policy = EgressPolicy(cluster=cluster)
    cluster.change_node(None, node("10.0.0.1", "203.0.113.1", "fd00::1"))
    for address in ("10.0.0.1", "203.0.113.1", "fd00::1", "10.0.0.9", "::ffff:10.0.0.1", "64:ff9b::a00:1"):
        reached = [port for port in (80, 6999, 7000, 8000, 8001, 10250, 10256) if not policy.refusal(address, port)]
        assert reached == [7000, 8000], address
    assert policy.refusal("10.0.0.2", 10250) == ""


def test_attack_f8_the_api_server_is_refused_at_every_address_and_on_nodes_at_its_port_whatever_is_allowed() -> None:
    cluster = ClusterAddresses([API], [range(1, 65536)])
    policy = EgressPolicy(cluster=cluster)
    cluster.change_node(None, node("10.0.0.1"))
    cluster.change_service(None, slice_of(API, "10.0.0.1", "10.0.0.7", "api.example"))
    assert [bool(policy.refusal("10.0.0.1", port)) for port in (6443, 7000)] == [True, False]
    assert [bool(policy.refusal("10.0.0.7", port)) for port in (6443, 2379)] == [True, True]


def test_attack_f8_addresses_follow_the_caches() -> None:
    cluster = ClusterAddresses([API, OWN])
    policy = EgressPolicy(cluster=cluster)

    def refused() -> set[str]:
        return {address for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3") if policy.refusal(address, 443)}

    first, second = slice_of(API, "10.0.0.1", "10.0.0.2"), slice_of(API, "10.0.0.2", "10.0.0.3")
    cluster.change_service(None, first)
    assert refused() == {"10.0.0.1", "10.0.0.2"}
    cluster.change_service(first, first)
    cluster.change_service(None, slice_of(OWN, "10.0.0.2"))
    cluster.change_service(first, second)
    assert refused() == {"10.0.0.2", "10.0.0.3"}
    cluster.change_service(second, None)
    assert refused() == {"10.0.0.2"}, "another slice has it too"
    cluster.change_service(None, slice_of(("games", "kubernetes"), "10.0.0.1"))
    cluster.change_service(None, slice_of(("default", "other"), "10.0.0.1"))
    assert refused() == {"10.0.0.2"}
    moved = node("10.0.0.1")
    cluster.change_node(None, moved)
    cluster.change_node(moved, node("10.0.0.3"))
    assert refused() == {"10.0.0.2", "10.0.0.3"}


ADDRESSES = st.ip_addresses()


@given(ADDRESSES, st.integers(1, 65535))
def test_no_spelling_of_a_nodes_address_reaches_it(address: Any, port: int) -> None:
    cluster = ClusterAddresses()
    cluster.change_node(None, node(str(address)))
    spelled = [str(address), address.exploded]
    if address.version == 4:
        number = int(address)
        spelled += [f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}", f"::{address}"]
    policy = EgressPolicy(cluster=cluster)
    assert all(policy.refusal(each, port) for each in spelled)


def test_slices_services_and_nodes_are_read_as_they_are() -> None:
    metadata = {"namespace": "ops", "name": "s-1", "uid": "u", "resourceVersion": "1"}
    labelled = {**metadata, "labels": {"kubernetes.io/service-name": "s"}}
    endpoints = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": False}},
        {"addresses": ["fd00::1", "10.0.0.2"]},
        {},
    ]
    read = endpoint_slice_view({"metadata": labelled, "endpoints": endpoints, "ports": [{"port": 443}, {}]})
    assert (read.service, read.addresses, read.ports) == ("s", ("10.0.0.1", "fd00::1", "10.0.0.2"), (443,))
    assert endpoint_slice_view({"metadata": metadata, "endpoints": None, "ports": None}).service == ""
    both = service_view({"metadata": metadata, "spec": {"clusterIP": "10.1.1.1", "clusterIPs": ["10.1.1.1", "fd::1"]}})
    assert (both.service, both.addresses) == ("s-1", ("10.1.1.1", "fd::1"))
    headless = service_view({"metadata": metadata, "spec": {"clusterIP": "None", "clusterIPs": ["None"]}})
    ClusterAddresses([("ops", "s-1")]).change_service(None, headless)
    listed = [{"type": kind, "address": kind.lower()} for kind in ("InternalIP", "Hostname", "ExternalIP")]
    assert node_view({"metadata": metadata, "status": {"addresses": listed}}).addresses == ("internalip", "externalip")
