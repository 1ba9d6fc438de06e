"""The scripted API server, and a client of it."""

import pytest

from tests.unit.kube.apiserver import connected, running


@pytest.fixture
async def server():
    async with running() as started:
        yield started


@pytest.fixture
async def client(server):
    async with connected(server) as made:
        yield made
