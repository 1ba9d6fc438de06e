"""``game-operators run`` behind a connection that fails: the process lives, and what it missed it sees afterwards."""

import json
import time

import pytest

from tests.faults.proxy import Fault
from tests.integration.runtime.processes import Process
from tests.integration.runtime.test_process import passed, workload

CACHED = 'game_operators_cache_objects{cache="gamedeployments"}'


@pytest.fixture
def start(proxy, crds, namespace, tmp_path):
    """Start processes of the operators that reach the API server through the proxy only."""
    started = []

    def run(*arguments, **options):
        started.append(Process(proxy.kubeconfig, tmp_path, namespace, *arguments, **options))
        return started[-1]

    yield run
    for process in started:
        process.close()


def let_pass(seconds):
    """The trouble itself lasts a time; there is no condition to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)


def test_pkg_17_an_api_server_that_is_away_for_a_while_is_waited_for(cluster, proxy, namespace, start):
    process = start("--leader-elect=false")
    for name in ("lobby", "arena"):
        cluster.kubectl("apply", "-f", "-", input=workload(name, namespace))
    process.until("both workloads are seen", lambda: process.value(CACHED) == 2)
    proxy.cut_everything()
    cluster.kubectl("-n", namespace, "delete", "gamedeployment", "lobby", "--wait=false")
    cluster.kubectl("apply", "-f", "-", input=workload("foyer", namespace))
    let_pass(20)
    assert process.process.poll() is None
    assert process.read("/healthz") == (200, "ok")
    proxy.clear()
    process.until("the new workload is seen", lambda: passed(process, namespace, "foyer"), 60)
    process.until("the deleted one is gone", lambda: process.value(CACHED) == 2, 60)
    series = f'bkbcs_gamedeployment_replicas{{gd="{namespace}/lobby"}}'
    process.until("its series are gone", lambda: process.value(series) is None, 30)
    assert process.end() == 0


def test_errors_of_all_kinds_for_a_while_end_nothing(cluster, proxy, namespace, start):
    process = start()
    process.until("it leads", lambda: process.leads)
    everything_but_leases = "(?!.*/leases).*"
    trouble = (
        Fault(path=everything_but_leases, status=500, share=0.1),
        Fault(path=everything_but_leases, status=429, retry_after=0.2, share=0.1),
        Fault(path=everything_but_leases, status=503, share=0.1),
        Fault(path=everything_but_leases, drop="request", share=0.1),
        Fault(path=everything_but_leases, drop="answer", share=0.1),
        Fault(path=everything_but_leases, delay=0.5, share=0.1),
    )
    with proxy.trouble(*trouble):
        cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace))
        for _ in range(10):
            proxy.cut_watches()
            let_pass(1)
    process.until("the workload is seen", lambda: passed(process, namespace, "lobby"), 60)
    cluster.kubectl("apply", "-f", "-", input=workload("arena", namespace))
    process.until("another workload is seen", lambda: passed(process, namespace, "arena"), 60)
    assert process.leads
    assert process.end() == 0
    assert not [r for r in process.log if r["level"] == "critical"]


def test_a_leader_cut_off_ends_before_its_lease_can_be_anothers(cluster, proxy, namespace, start):
    process = start()
    process.until("it leads", lambda: process.leads)
    proxy.cut_everything()
    cut = time.monotonic()
    assert process.wait(30) == 1
    lost = next(r for r in process.log if "leadership lost, shutting down" in r["msg"])
    assert time.monotonic() - cut < 3 + 1 + 10, "the deadline, and the time to end"
    assert "lost" in lost["error"]


def test_a_leader_that_was_stopped_and_goes_on_ends_without_writing(cluster, proxy, namespace, start):
    """As a machine that slept: when it wakes, another may lead, and what it meant to write must not be written."""
    import signal

    process = start()
    process.until("it leads", lambda: process.leads)
    process.process.send_signal(signal.SIGSTOP)
    try:
        before = len(proxy.log)
        cluster.kubectl("apply", "-f", "-", input=workload("lobby", namespace, replicas=1))
        let_pass(5)  # longer than its lease of 4 s
    finally:
        process.process.send_signal(signal.SIGCONT)
    assert process.wait() == 1
    writes = [entry for entry in proxy.log[before:] if entry[0] != "GET"]
    assert writes == []
    assert not [r for r in process.log if "exc" in r], json.dumps(process.log[-5:])
