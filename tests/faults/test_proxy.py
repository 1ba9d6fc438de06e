"""The proxy itself: what it lets through is real, what it breaks is broken."""

import asyncio
import subprocess

import pytest

from devcluster.choose import kubectl_program
from operators.kube.errors import NotFound, Throttled, Unavailable
from operators.kube.official import connect
from operators.kube.resources import Resource
from tests.faults.proxy import Fault

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


@pytest.fixture
async def client(proxy):
    made = await connect(kubeconfig=str(proxy.kubeconfig))
    yield made
    await made.close()


def config_map(name):
    return {"metadata": {"name": name}, "data": {"colour": "red"}}


async def test_without_faults_everything_goes_through(proxy, client, namespace):
    made = await client.create(CONFIG_MAPS, namespace, config_map("a"))
    assert made["metadata"]["uid"]
    assert (await client.get(CONFIG_MAPS, namespace, "a"))["data"] == {"colour": "red"}
    command = [kubectl_program(), f"--kubeconfig={proxy.kubeconfig}", "-n", namespace, "get", "cm", "a", "-o", "name"]
    listed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert listed.stdout == "configmap/a\n"


async def test_an_answer_dropped_after_the_fact_leaves_the_object_there(proxy, client, namespace):
    fault = proxy.add(Fault("POST", drop="answer", times=1))
    with pytest.raises(Unavailable):
        await client.create(CONFIG_MAPS, namespace, config_map("a"))
    assert fault.hits == 1
    assert await client.get(CONFIG_MAPS, namespace, "a")


async def test_a_request_dropped_before_leaves_nothing(proxy, client, namespace):
    proxy.add(Fault("POST", drop="request", times=1))
    with pytest.raises(Unavailable):
        await client.create(CONFIG_MAPS, namespace, config_map("a"))
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, namespace, "a")


async def test_errors_are_answered_without_asking_the_server(proxy, client, namespace):
    with proxy.trouble(Fault("POST", f".*/{namespace}/.*", status=429, retry_after=60)), pytest.raises(Throttled):
        await client.create(CONFIG_MAPS, namespace, config_map("a"))
    await client.create(CONFIG_MAPS, namespace, config_map("a"))
    assert proxy.requests["POST", "429"] == 1
    assert proxy.requests["POST", "201"] == 1
