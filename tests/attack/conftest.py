"""Operators and webhooks as real processes on an API server of the test's own, with everything that attacks them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from devcluster.controlplane import ApiServer
from tests.attack.gameserver import GameServer
from tests.attack.judge import GOOD, Judge
from tests.attack.waves import NAMESPACES
from tests.integration.runtime.processes import Process
from tests.integration.webhooks.conftest import Certificates, Hooks
from tests.outage.readiness import Readiness

_CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
def api_server(tmp_path):
    """Running, with the project's definitions and the namespaces of the attack."""
    server = ApiServer(tmp_path)
    try:
        server.start()
        server.define([yaml.safe_load(file.read_text()) for file in sorted(_CRDS.glob("*.yaml"))])
        for name in (GOOD, *NAMESPACES):
            server.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield server
    finally:
        server.close()


@pytest.fixture
def readiness(api_server):
    """Every pod of the honest namespace becomes ready."""
    made = Readiness(api_server, GOOD)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def operators(api_server, tmp_path):
    """The operators of the whole cluster, with leader election; hooks may reach the attack's server."""
    process = Process(api_server.kubeconfig, tmp_path, None, "--hook-allow-cidr=127.0.0.0/8")
    try:
        process.until("they lead", lambda: process.ready and process.leads)
        yield process
    finally:
        process.close()


@pytest.fixture
def certificates(tmp_path):
    """The certificate of the webhooks."""
    return Certificates(tmp_path)


@pytest.fixture
def hooks(api_server, tmp_path, certificates):
    """The webhooks, open to everybody as they are without a client certificate."""
    served = Hooks(tmp_path, api_server.kubeconfig, *certificates.flags).ready()
    yield served
    served.kill()


@pytest.fixture
async def game_server():
    """Plays the game servers."""
    server = GameServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def judge(api_server, readiness, operators, hooks, certificates, game_server):
    """Watches from here on."""
    found = Judge(api_server, operators, hooks, certificates.context(), game_server.url)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def seconds():
    """How long the attack goes on: the short form, or as `make test-attack` says."""
    return float(os.environ.get("GAME_OPERATORS_ATTACK_SECONDS", "22"))
