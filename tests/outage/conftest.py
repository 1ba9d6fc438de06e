"""An API server of the test's own, and the operators on it."""

from pathlib import Path

import pytest
import yaml

from devcluster.controlplane import ApiServer
from tests.integration.runtime.processes import Process
from tests.outage.readiness import Readiness

_CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
def api_server(tmp_path):
    """Running, with the project's definitions."""
    server = ApiServer(tmp_path)
    try:
        server.start()
        server.define([yaml.safe_load(file.read_text()) for file in sorted(_CRDS.glob("*.yaml"))])
        yield server
    finally:
        server.close()


@pytest.fixture
def readiness(api_server):
    """Every pod of the namespace ``default`` becomes ready."""
    made = Readiness(api_server, "default")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def operators(api_server, tmp_path):
    """The operators, without leader election: they live through an outage of any length."""
    process = Process(api_server.kubeconfig, tmp_path, "default", "--leader-elect=false")
    yield process
    process.close()


@pytest.fixture
def replicas(api_server, tmp_path):
    """Two processes of the operators, of which the first leads; their Lease runs out in any outage."""
    started = [Process(api_server.kubeconfig, tmp_path, "default", name=name) for name in ("first", "second")]
    first, second = started
    try:
        first.until("the first is up", lambda: first.ready or second.leads)
        leader, standby = (second, first) if second.leads else (first, second)
        leader.until("it leads", lambda: leader.leads)
        standby.until("it stands by", lambda: standby.ready)
        yield leader, standby
    finally:
        for process in started:
            process.close()
