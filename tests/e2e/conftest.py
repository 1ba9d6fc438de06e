"""The operators run once for all end-to-end tests."""

import pytest

from tests.cluster import operator


@pytest.fixture(scope="session")
def operators(cluster, crds):
    operator.start(cluster.kubeconfig)
    yield operator
    operator.stop()
