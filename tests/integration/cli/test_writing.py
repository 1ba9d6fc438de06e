"""Writes of kubectl game on the real API server: guarded, dry, and told of."""

import io

import pytest

from operators.cli.game.access import NAME, Access
from operators.cli.game.exits import CommandError
from operators.cli.game.flags import Flags
from operators.cli.game.output import Screen
from operators.cli.game.writing import Write, write
from operators.kube.client import Client
from operators.kube.credentials import PlainCredentials
from operators.kube.resources import GAME_DEPLOYMENTS


@pytest.fixture
async def access(fleet):
    """The connection of a command, with the warnings that it was told of."""
    warnings = []
    client = Client(PlainCredentials.load(str(fleet.cluster.kubeconfig)), name=NAME, warn=warnings.append)
    found = Access(client, fleet.namespace, Flags())
    yield found, warnings
    await client.close()


def scaled(body, replicas=5, *, as_json=False):
    """A change of the replicas, guarded by what was read."""
    if as_json:
        held = body["spec"]["replicas"]
        operations = [
            {"op": "test", "path": "/spec/replicas", "value": held},
            {"op": "replace", "path": "/spec/replicas", "value": replicas},
        ]
        return Write(GAME_DEPLOYMENTS, body, "spec.replicas", "scaled", "scale back", operations=operations)
    return Write(
        GAME_DEPLOYMENTS, body, "spec.replicas", "scaled", "scale back", merge={"spec": {"replicas": replicas}}
    )


@pytest.mark.parametrize("as_json", [False, True])
async def test_ux_5_a_write_on_what_has_changed_meanwhile_leaves_no_trace(fleet, access, as_json):
    connection, _ = access
    body = await fleet.apply("arena")
    await fleet.change("arena", replicas=4)
    before = await fleet.get("arena")
    target = io.StringIO()
    with pytest.raises(CommandError, match="gd/arena has changed meanwhile; nothing was written"):
        await write(connection, Screen.of(Flags(), target), scaled(body, as_json=as_json))
    assert await fleet.get("arena") == before
    assert target.getvalue() == ""


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_write_is_one_patch_of_our_own_field_manager(fleet, access, as_json):
    connection, _ = access
    body = await fleet.apply("arena")
    target = io.StringIO()
    await write(connection, Screen.of(Flags(), target), scaled(body, as_json=as_json))
    after = await fleet.get("arena")
    (ours,) = (f for f in after["metadata"]["managedFields"] if f["manager"] == "kubectl-game")
    assert ours["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert after["spec"]["replicas"] == 5
    assert target.getvalue() == "gd/arena: scaled\n  back: scale back\n"


async def test_ux_5_an_object_of_the_same_name_that_was_made_anew_is_not_written(fleet, access):
    connection, _ = access
    body = await fleet.apply("arena")
    await fleet.user.delete(GAME_DEPLOYMENTS, fleet.namespace, "arena")
    await fleet.apply("arena")
    for as_json in (False, True):
        with pytest.raises(CommandError, match="nothing was written"):
            await write(connection, Screen.of(Flags(), io.StringIO()), scaled(body, as_json=as_json))
    assert (await fleet.get("arena"))["spec"]["replicas"] == 3


async def test_a_dry_run_at_the_server_refuses_what_the_server_would_and_writes_nothing(fleet, access):
    connection, _ = access
    body = await fleet.apply("arena")
    before = await fleet.get("arena")
    await write(connection, Screen.of(Flags(), io.StringIO()), scaled(body), dry_run="server")
    with pytest.raises(CommandError, match="refused"):
        await write(connection, Screen.of(Flags(), io.StringIO()), scaled(body, -1), dry_run="server")
    assert await fleet.get("arena") == before


async def test_warnings_of_the_server_reach_the_user(fleet, access):
    """Of unknown fields the server warns, and drops them."""
    connection, warnings = access
    body = await fleet.apply("arena")
    change = Write(GAME_DEPLOYMENTS, body, "spec", "x", "y", merge={"spec": {"replcas": 4}})
    await write(connection, Screen.of(Flags(), io.StringIO()), change)
    assert warnings == ['unknown field "spec.replcas"']
