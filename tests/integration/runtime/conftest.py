"""A client of the real API server, and small objects on it."""

import pytest

from operators.kube.official import connect
from operators.kube.resources import Resource
from tests.integration.runtime.processes import Process
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
    made = await connect(kubeconfig=str(cluster.kubeconfig))
    yield made
    await made.close()


@pytest.fixture
def start(cluster, crds, namespace, tmp_path):
    """Start processes of the operators in the test's namespace."""
    started = []

    def run(*arguments, kubeconfig=None, **options):
        started.append(Process(kubeconfig or cluster.kubeconfig, tmp_path, namespace, *arguments, **options))
        return started[-1]

    yield run
    for process in started:
        process.close()


@pytest.fixture(scope="module", autouse=True)
def _alone(no_operators):
    """Operators that run beside would work on the same objects."""
