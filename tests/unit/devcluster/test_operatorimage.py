"""The image of the operators: what its name depends on, and how a package index is handed to its build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devcluster import operatorimage
from devcluster.packages import install_image_tools
from devcluster.state import Missing

ROOT = Path(__file__).parent.parent.parent.parent


def test_the_key_follows_the_content_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    operatorimage.snapshot(source)
    monkeypatch.setattr(operatorimage, "_ROOT", source)
    first = operatorimage.snapshot(tmp_path / "first")
    (source / "operators" / "__pycache__").mkdir()
    (source / "operators" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert operatorimage.snapshot(tmp_path / "second") == first
    with (source / "operators" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    assert operatorimage.snapshot(tmp_path / "third") != first


def test_the_context_holds_what_the_dockerfile_needs_and_no_secrets(tmp_path: Path) -> None:
    operatorimage.snapshot(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"Dockerfile", ".dockerignore", "requirements/runtime.txt", "operators/cli/main.py"} <= found
    assert {name.split("/")[0] for name in found} == {
        *("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml"),
        *("requirements", "operators", "webhooks"),
    }


def test_pip_is_told_where_this_machine_finds_packages() -> None:
    listed = """
:env:.cert='/etc/own.crt'
:env:.disable-pip-version-check='1'
global.cert='/etc/other.crt'
global.index-url='https://mirror.example/simple'
install.trusted-host='mirror.example'
:env:.find-links='/opt/wheels'
"""
    assert operatorimage.pip_settings(listed) == {
        "cert": "/etc/own.crt",
        "index-url": "https://mirror.example/simple",
        "trusted-host": "mirror.example",
    }


def test_settings_of_pip_travel_as_secrets_beside_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"cert": "/etc/own.crt", "index-url": "https://user:word@mirror.example/simple"}
    monkeypatch.setattr(operatorimage, "pip_settings", lambda: dict(given))
    arguments = operatorimage._secrets(tmp_path / "context")
    assert "word" not in json.dumps(arguments)
    written = (tmp_path / "secrets" / "pip.conf").read_text()
    assert written == "[global]\ncert = /run/secrets/ca\nindex-url = https://user:word@mirror.example/simple\n"
    assert "id=ca,src=/etc/own.crt" in arguments


def test_where_image_tools_cannot_be_installed_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("devcluster.packages._not_installed", lambda commands: list(commands.values()))
    with pytest.raises(Missing, match="buildah and debootstrap cannot be installed"):
        install_image_tools()


def test_the_dockerfile_checks_hashes_runs_as_a_number_and_needs_no_network_for_the_wheel() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.count("--require-hashes") == 2
    assert "--no-index --no-deps --no-build-isolation" in text
    assert "USER 65532:65532" in text
    assert "ARG BASE=" in text
