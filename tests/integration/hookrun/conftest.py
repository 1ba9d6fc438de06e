"""A namespace with a hook controller for each test, and no operators beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devcluster.choose import Cluster
from operators.kube.official import connect
from tests.integration.hookrun.hooks import Hooks
from tests.unit.hookrun.servers import Server, serving


@pytest.fixture
async def hooks(cluster: Cluster, namespace: str, crds: tuple[str, ...], no_operators: None) -> AsyncIterator[Hooks]:
    """HookRuns in a namespace of the test's own."""
    client = await connect(kubeconfig=str(cluster.kubeconfig))
    try:
        yield Hooks(cluster.kubeconfig, namespace, client)
    finally:
        await client.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A web server that answers as told."""
    async with serving() as found:
        found.text('{"result": 1}')
        yield found
