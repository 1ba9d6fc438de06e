"""What hooks may not reach by default."""

import pytest

from operators.hookrun.providers.egress import EgressPolicy
from operators.hookrun.settings import HookSettings


def test_hook_106_the_operators_own_pod_is_refused_by_all_its_addresses(monkeypatch):
    monkeypatch.setenv("POD_IP", "10.1.2.3")
    monkeypatch.setenv("POD_IPS", "10.1.2.3,fd00::17")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    hosts = HookSettings().refused_hosts
    assert hosts == ("10.1.2.3", "fd00::17", "10.96.0.1")
    policy = EgressPolicy(refused=hosts)
    for address in hosts:
        assert "refused by policy" in policy.refusal(address, 80), address
    assert policy.refusal("10.1.2.4", 80) == ""


@pytest.mark.parametrize("name", ["POD_IP", "POD_IPS", "KUBERNETES_SERVICE_HOST"])
def test_outside_of_a_cluster_there_is_nothing_of_our_own(monkeypatch, name):
    for variable in ("POD_IP", "POD_IPS", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    assert HookSettings().refused_hosts == ()
    monkeypatch.setenv(name, "10.1.2.3")
    assert HookSettings().refused_hosts == ("10.1.2.3",)
