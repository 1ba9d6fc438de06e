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


@pytest.fixture(scope="module", autouse=True)
def _alone(no_operators):
    """Operators that run beside would work on the same objects."""
