"""What CoreDNS of the built cluster is told."""

from devcluster import dns


def test_other_names_are_asked_of_the_machines_own_servers() -> None:
    assert "\n    forward . 192.0.2.1 2001:db8::1\n" in dns.corefile(
        "search x\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n"
    )


def test_a_server_on_the_loopback_would_be_the_pod_itself() -> None:
    assert "forward" not in dns.corefile("nameserver 127.0.0.53\nnameserver ::1\noptions edns0\n")


def test_every_bracket_is_closed() -> None:
    text = dns.corefile("")
    assert text.count("{") == text.count("}") == 2
