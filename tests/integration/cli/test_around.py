"""Completion and versions with a real API server, completion as kubectl asks for it."""

import asyncio
import os
import sys

import pytest

from devcluster.choose import kubectl_program
from operators.cli.game.completion import SCRIPTS
from operators.cli.game.exits import Exit
from tests.integration.cli.programs import ROOT, environment

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 1, "maxSurge": 0}


@pytest.fixture
def complete(fleet, tmp_path):
    """What kubectl offers behind these words of kubectl game."""
    line = f'#!/bin/sh\nexec env PYTHONPATH={ROOT} {sys.executable} -m operators.cli.game.main "$@"\n'
    for name, text in (("kubectl-game", line), ("kubectl_complete-game", SCRIPTS["kubectl"])):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = environment(fleet.cluster.kubeconfig, PATH=f"{tmp_path}:{os.environ['PATH']}")

    async def ask(*words):
        process = await asyncio.create_subprocess_exec(
            kubectl_program(), "__complete", "game", *words, env=path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return [line.partition("\t")[0] for line in out.decode().splitlines() if not line.startswith(":")]

    return ask


async def test_ux_45_kubectl_completes_commands_and_names_of_the_cluster(fleet, complete):
    async with fleet.kubelets(), fleet.operator():
        await fleet.apply("arena", replicas=2, updateStrategy=IN_PLACE)
        pods = [p["metadata"]["name"] for p in await fleet.complete("arena", 1)]
        await fleet.release("arena", 2)
        await fleet.complete("arena", 2)
    where = ("-n", fleet.namespace)
    assert await complete("prom") == ["promote"]
    assert await complete("get", *where, "") == ["arena", "gd/arena"]
    assert await complete("undo", "arena", *where, "--to", "") == ["2", "1"]
    assert sorted(await complete("scale", "arena", *where, "--remove", "")) == pods
    assert await complete("set", "image", "arena", *where, "") == ["web="]


async def test_version_names_what_a_viewer_may_not_read(fleet, game, viewer):
    told = await game.inside("version", "-o", "json")
    assert told.code == Exit.REACHED
    assert {d["name"].partition(".")[0] for d in told.body["definitions"] if d["present"]} == {
        "gamedeployments", "gamestatefulsets", "hooktemplates", "hookruns"}  # fmt: skip
    assert not told.body["skew"]
    seen = await game.inside("version", viewer)
    assert seen.code == Exit.REACHED
    assert "Not readable for you: customresourcedefinitions (Forbidden)" in seen.out
