"""A namespace with GameDeployments, their controller in the test's process, and kubectl game."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devcluster.choose import Cluster
from operators.kube.official import connect
from tests.integration.cli.programs import Game
from tests.integration.gamedeployment.fleet import Fleet


@pytest.fixture
async def fleet(cluster: Cluster, namespace: str, crds: tuple[str, ...], no_operators: None) -> AsyncIterator[Fleet]:
    """GameDeployments in a namespace of the test's own."""
    user = await connect(kubeconfig=str(cluster.kubeconfig))
    try:
        yield Fleet(cluster, namespace, user)
    finally:
        await user.close()


@pytest.fixture
def game(cluster: Cluster, namespace: str) -> Game:
    """kubectl game of the cluster's administrator."""
    return Game(cluster.kubeconfig, namespace)
