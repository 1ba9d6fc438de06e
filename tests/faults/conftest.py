"""The fault proxy in front of the test cluster."""

import pytest

from tests.faults.proxy import FaultProxy


@pytest.fixture
def proxy(cluster, tmp_path):
    started = FaultProxy(cluster.kubeconfig, tmp_path)
    started.start()
    try:
        yield started
    finally:
        started.stop()
