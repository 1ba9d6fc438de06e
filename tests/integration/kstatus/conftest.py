"""A namespace with both controllers of workloads, and everything that happens in it recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devcluster.choose import Cluster
from operators.kube.official import connect
from tests.integration.gamedeployment.fleet import Fleet
from tests.integration.kstatus.recorder import Recorder


@pytest.fixture
async def fleet(cluster: Cluster, namespace: str, crds: tuple[str, ...], no_operators: None) -> AsyncIterator[Fleet]:
    """Workloads in a namespace of the test's own."""
    user = await connect(kubeconfig=str(cluster.kubeconfig))
    try:
        yield Fleet(cluster, namespace, user)
    finally:
        await user.close()


@pytest.fixture
async def recorder(fleet: Fleet) -> AsyncIterator[Recorder]:
    """Every version of every workload and pod of the namespace."""
    recorder = Recorder(fleet.user, fleet.namespace)
    async with recorder.running():
        yield recorder
