"""The operators run once for all end-to-end tests."""

import pytest

from tests.cluster import choose, demorelease, operator, processes


@pytest.fixture(scope="session")
def operators(cluster, crds):
    demorelease.remove(cluster)
    operator.start(cluster.kubeconfig)
    yield operator
    operator.stop()


@pytest.fixture(scope="module")
def operator_image(cluster):
    """The project's own image, of the sources as they are, in the cluster."""
    return choose.load_operator_image()


@pytest.fixture(scope="module")
def no_operators(cluster):
    """No operators beside the cluster for the tests of a module: two of a kind would undo each other's work."""
    ran = processes.alive("operators")
    operator.stop()
    demorelease.remove(cluster)
    yield
    if ran:
        operator.start(cluster.kubeconfig)
