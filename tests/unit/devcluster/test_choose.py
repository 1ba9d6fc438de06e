"""The order of choice, and plain words where there is no cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import choose, node, packages
from devcluster.state import Missing, run_dir


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAME_OPERATORS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GAME_OPERATORS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAME_OPERATORS_KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)


def test_named_kubeconfig_goes_before_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/theirs/second")
    assert choose.current() == choose.Cluster(Path("/theirs/second"), "given")
    monkeypatch.setenv("GAME_OPERATORS_KUBECONFIG", "/theirs/first")
    assert choose.current() == choose.Cluster(Path("/theirs/first"), "given")


def test_own_kubeconfig_in_the_environment_is_not_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(run_dir() / "kubeconfig"))
    assert choose.current() is None


def test_named_kubeconfig_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAME_OPERATORS_KUBECONFIG", "/nowhere/kubeconfig")
    with pytest.raises(Missing, match="/nowhere/kubeconfig that you name does not exist"):
        choose.up()


def test_cluster_named_by_the_user_is_never_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(node, "down", lambda: stopped.append("down"))
    monkeypatch.setenv("KUBECONFIG", "/theirs")
    choose.down()
    assert stopped == []
    assert "left alone" in capsys.readouterr().err


def test_docker_that_does_not_answer_is_no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not choose._docker_answers()
    docker.write_text("#!/bin/sh\nexit 0\n")
    assert choose._docker_answers()


def test_everything_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    monkeypatch.setattr(packages, "_PLUGINS", tmp_path / "nothing")
    with pytest.raises(Missing) as raised:
        packages.check()
    text = str(raised.value)
    assert "not root" in text
    assert "not Debian" in text
    assert "containernetworking-plugins" in text
    assert "no Go" in text
    assert "GAME_OPERATORS_KUBECONFIG" in text


def test_no_reason_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name, **_more: f"/usr/bin/{name}")
    monkeypatch.setattr(packages, "_PLUGINS", Path("/"))
    assert packages.reasons() == []


def test_command_without_a_cluster_says_how_to_start_one() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "devcluster", "kubeconfig"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "make cluster" in done.stderr
    assert "Traceback" not in done.stderr
