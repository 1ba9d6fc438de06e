"""ux-1: every form of kubeconfig, against the real API server."""

import asyncio
import base64
import json
import stat
import sys

import pytest

from tests.integration.cli.programs import Game


@pytest.fixture
def held(cluster):
    """The administrator's kubeconfig with everything inside of it."""
    return json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))


@pytest.fixture
def token(cluster, namespace):
    """A token of an account that may do everything in the namespace."""
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "ada")
    account = f"--serviceaccount={namespace}:ada"
    cluster.kubectl("-n", namespace, "create", "rolebinding", "ada", "--clusterrole=cluster-admin", account)
    return cluster.kubectl("-n", namespace, "create", "token", "ada").strip()


async def works(tmp_path, namespace, config, **more):
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    ended = await Game(file, namespace)("list", **more)
    assert (ended.code, ended.out) == (0, "No workloads.\n"), ended


def with_user(held, user):
    return {**held, "users": [{"name": held["users"][0]["name"], "user": user}]}


@pytest.mark.nodes
async def test_ux_1_a_client_certificate(held, tmp_path, namespace, crds):
    assert "client-certificate-data" in held["users"][0]["user"]
    await works(tmp_path, namespace, held)


@pytest.mark.nodes
async def test_ux_1_a_client_certificate_in_files_beside_the_kubeconfig(held, tmp_path, namespace, crds):
    user = held["users"][0]["user"]
    for name in ("client-certificate", "client-key"):
        (tmp_path / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
    await works(tmp_path, namespace, with_user(held, {n: n for n in ("client-certificate", "client-key")}))


async def test_ux_1_a_token_in_a_file(held, tmp_path, namespace, token, crds):
    (tmp_path / "token").write_text(token + "\n")
    await works(tmp_path, namespace, with_user(held, {"tokenFile": str(tmp_path / "token")}))


async def test_ux_1_a_program_that_proves_the_user(held, tmp_path, namespace, token, crds):
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    program = tmp_path / "login"
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(answer)!r})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    command = {"apiVersion": answer["apiVersion"], "command": str(program), "interactiveMode": "Never"}
    await works(tmp_path, namespace, with_user(held, {"exec": command}))


async def test_ux_1_several_files_with_the_context_in_one_and_the_user_in_another(held, tmp_path, namespace, crds):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(json.dumps({k: v for k, v in held.items() if k != "users"}))
    two.write_text(json.dumps({k: v for k, v in held.items() if k in ("users", "kind", "apiVersion")}))
    ended = await Game(tmp_path, namespace)("list", KUBECONFIG=f"{one}:{two}")
    assert (ended.code, ended.out) == (0, "No workloads.\n"), ended


async def test_ux_1_another_name_in_the_servers_certificate(held, tmp_path, namespace, crds):
    cluster = held["clusters"][0]["cluster"]
    named = {**held, "clusters": [{**held["clusters"][0], "cluster": {**cluster, "tls-server-name": "kubernetes"}}]}
    await works(tmp_path, namespace, named)
    wrong = {**held, "clusters": [{**held["clusters"][0], "cluster": {**cluster, "tls-server-name": "else.where"}}]}
    file = tmp_path / "wrong"
    file.write_text(json.dumps(wrong))
    ended = await Game(file, namespace)("list")
    assert ended.code == 1
    assert "certificate" in ended.err


async def test_ux_1_a_proxy(held, tmp_path, namespace, crds):
    async with Tunnel() as tunnel:
        cluster = {**held["clusters"][0]["cluster"], "proxy-url": f"http://127.0.0.1:{tunnel.port}"}
        await works(tmp_path, namespace, {**held, "clusters": [{**held["clusters"][0], "cluster": cluster}]})
        assert tunnel.opened > 0


class Tunnel:
    """A proxy that knows CONNECT."""

    opened = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("CONNECT "), head
        host, _, port = head.split()[1].rpartition(":")
        self.opened += 1
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pour(reader, back), pour(there, writer))


async def pour(source, target):
    """From one to the other until it ends."""
    try:
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
    except ConnectionError:
        return
    finally:
        target.close()
