"""Completion: what may stand where the cursor is, offline, and by the shells themselves."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from operators.cli.game import COMMANDS
from operators.cli.game.app import build
from operators.cli.game.completion import SCRIPTS, answer, candidates

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def root():
    return get_command(build())


def names(root, *words):
    return [text for text, _ in candidates(root, words)]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_commands_and_their_second_words(root):
    first = {name.partition(" ")[0] for name in COMMANDS} - {"tree"}
    assert set(names(root, "")) == first
    assert names(root, "prom") == ["promote"]
    assert set(names(root, "hook", "")) == {"run", "renew", "pass", "cancel"}
    assert names(root, "set", "i") == ["image"]
    assert all(said for _, said in candidates(root, ("",)))


def test_options_and_their_choices(root):
    assert "--full" in names(root, "promote", "--f")
    assert names(root, "promote", "arena", "--dry-run", "") == ["none", "client", "server"]
    assert names(root, "get", "-o", "j") == ["json"]
    assert names(root, "promote", "arena", "--dry-run", "s") == ["server"]


def test_ux_45_offline_it_is_silent_and_quick(root):
    began = time.monotonic()
    assert names(root, "get", "") == []
    assert names(root, "undo", "arena", "--to", "") == []
    assert names(root, "hook", "run", "x", "--pod", "") == []
    assert time.monotonic() - began < 3
    assert answer(["get", ""]) == ":4"


def test_several_pods_are_completed_behind_the_comma(root, monkeypatch):
    from operators.cli.game import completion

    async def ask(what, workload, options):
        assert (what, workload, options) == ("pods", "arena", {"namespace": "eu"})
        return ["arena-a", "arena-b"]

    monkeypatch.setattr(completion, "_ask", ask)
    assert names(root, "scale", "arena", "-n", "eu", "--remove", "arena-a,") == ["arena-a,arena-b"]
    assert names(root, "scale", "arena", "-n", "eu", "--remove", "arena-") == ["arena-a", "arena-b"]


@pytest.fixture
def programs(tmp_path):
    """kubectl-game in a folder of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    line = f'exec env PYTHONPATH={ROOT} {sys.executable} -m operators.cli.game.main "$@"\n'
    (folder / "kubectl-game").write_text("#!/bin/sh\n" + line)
    (folder / "kubectl-game").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_ux_45_bash_completes(programs):
    asked = 'COMP_WORDS=(kubectl-game promote --dry-run cl); COMP_CWORD=3; _kubectl_game; echo "${COMPREPLY[@]}"'
    script = f"source <(kubectl-game completion bash); {asked}"
    done = subprocess.run(["bash", "-c", script], env=programs, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["client"]


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_every_shell_has_a_script_that_asks_the_program(shell):
    assert "kubectl-game __complete" in SCRIPTS[shell]
    assert SCRIPTS[shell].endswith("\n")
