"""Credentials of a pod and of plain kubeconfigs."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
from typing import Any

import pytest
import yaml

from operators.kube import credentials
from operators.kube.credentials import NoCredentials, PlainCredentials


def config(**user: Any) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": user}],
    }


def write(folder, body: Any) -> str:
    path = folder / "kubeconfig"
    path.write_text(body if isinstance(body, str) else yaml.safe_dump(body))
    return str(path)


async def test_a_kubeconfig_with_a_token(tmp_path):
    found = PlainCredentials.load(write(tmp_path, config(token="abc")))
    assert found.server == "https://10.0.0.1:6443"
    assert await found.headers() == {"Authorization": "Bearer abc"}


async def test_a_token_in_a_file_is_read_again(tmp_path):
    (tmp_path / "token").write_text("one\n")
    found = PlainCredentials.load(write(tmp_path, config(tokenFile="token")))
    assert await found.headers() == {"Authorization": "Bearer one"}
    (tmp_path / "token").write_text("two\n")
    assert await found.headers() == {"Authorization": "Bearer two"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (config(exec={"command": "aws"}), "needs a program to be run"),
        (config() | {"current-context": "there"}, "there is no context 'there'"),
        ("{", "cannot be used"),
        ("text", "cannot be used"),
        (config(**{"client-certificate": "missing.crt", "client-key": "missing.key"}), "missing.crt"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path, body, said):
    with pytest.raises(NoCredentials, match=said):
        PlainCredentials.load(write(tmp_path, body))


def test_without_any_credentials_it_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(NoCredentials, match="no pod with a service account"):
        PlainCredentials.load()


async def test_inside_a_pod(tmp_path, monkeypatch):
    from datetime import UTC, datetime, timedelta

    from webhooks import authority

    (tmp_path / "ca.crt").write_bytes(authority.new_authority(datetime.now(UTC), timedelta(days=1)).certificate)
    (tmp_path / "token").write_text("of-the-pod")
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    found = PlainCredentials.load()
    assert found.server == "https://[fd00::1]:6443"
    assert await found.headers() == {"Authorization": "Bearer of-the-pod"}


async def test_inline_certificates_are_read(tmp_path):
    from datetime import UTC, datetime, timedelta

    from webhooks import authority

    now = datetime.now(UTC)
    ca = authority.new_authority(now, timedelta(days=1))
    pair = authority.issue(ca, ("client",), now, timedelta(days=1))
    inline = {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }
    body = config(**inline)
    body["clusters"][0]["cluster"] = {
        "server": "https://x",
        "certificate-authority-data": base64.b64encode(ca.certificate).decode(),
    }
    found = PlainCredentials.load(write(tmp_path, json.dumps(body)))
    assert found.tls.verify_mode == ssl.CERT_REQUIRED
    assert await found.headers() == {}


async def test_the_name_in_the_certificate_and_a_proxy_are_taken_from_the_kubeconfig(tmp_path):
    body = config(token="abc")
    body["clusters"][0]["cluster"] |= {"tls-server-name": "kubernetes", "proxy-url": "http://proxy:3128"}
    found = PlainCredentials.load(write(tmp_path, body))
    assert found.options == {"server_hostname": "kubernetes", "proxy": "http://proxy:3128"}


def test_the_client_loads_neither_the_official_package_nor_kopf():
    program = (
        "import sys, operators.kube.client, operators.kube.credentials\n"
        "print([name for name in ('kubernetes', 'kopf', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
