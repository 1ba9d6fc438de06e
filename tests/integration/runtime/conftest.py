"""A client of the real API server, and small objects on it."""

import pytest

from operators.runtime.client import Client
from operators.runtime.resources import Resource
from tests.unit.runtime.views import Thing

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def decode(body):
    metadata = body["metadata"]
    colour = (body.get("data") or {}).get("colour", "")
    deleting = bool(metadata.get("deletionTimestamp"))
    return Thing(
        metadata["namespace"], metadata["name"], metadata["uid"], metadata["resourceVersion"], colour, deleting
    )


def config_map(name, colour="red", **metadata):
    return {"metadata": {"name": name, **metadata}, "data": {"colour": colour}}


@pytest.fixture
async def client(cluster):
    made = await Client.connect(kubeconfig=str(cluster.kubeconfig))
    yield made
    await made.close()
