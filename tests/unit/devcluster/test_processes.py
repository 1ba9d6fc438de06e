"""Daemons are ended only when they are the very processes that were started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import processes

SLEEPER = ["sleep", "300"]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAME_OPERATORS_STATE", str(tmp_path))


def _pid(tmp_path: Path, name: str) -> int:
    return int(json.loads((tmp_path / "run" / f"{name}.json").read_text())["pid"])


def test_started_process_is_found_and_ended(tmp_path: Path) -> None:
    processes.start("one", SLEEPER)
    pid = _pid(tmp_path, "one")
    assert processes.alive("one")
    assert processes.alive("one", SLEEPER)
    assert processes.describe("one") == f"running, pid {pid}"
    assert processes.stop("one") == ["one"]
    assert processes.start_time(pid) is None
    assert processes.describe("one") == "not started"


def test_other_command_line_counts_as_outdated() -> None:
    processes.start("one", SLEEPER)
    try:
        assert not processes.alive("one", ["sleep", "200"])
    finally:
        processes.stop("one")


def test_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    code = f"from devcluster import processes; processes.start('one', {SLEEPER!r})"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
    try:
        assert processes.alive("one")
        assert os.getsid(_pid(tmp_path, "one")) == _pid(tmp_path, "one")
    finally:
        assert processes.stop("one") == ["one"]


def test_pid_given_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as somebody:
        (tmp_path / "run").mkdir()
        record = {"pid": somebody.pid, "start": "1", "command": SLEEPER}
        (tmp_path / "run" / "one.json").write_text(json.dumps(record))
        assert processes.describe("one") == "dead"
        assert processes.stop("one") == []
        assert somebody.poll() is None
        assert not (tmp_path / "run" / "one.json").exists()
        somebody.kill()


def test_process_that_ignores_the_polite_signal_is_ended_firmly(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = f"trap '' TERM; touch {ready}; while :; do sleep 1; done"
    processes.start("one", ["sh", "-c", stubborn])
    assert processes.wait(ready.exists, 10)
    assert processes.stop("one", patience=0.2) == ["one"]
    assert not processes.alive("one")


def test_stopped_process_is_ended_too(tmp_path: Path) -> None:
    processes.start("one", SLEEPER)
    os.kill(_pid(tmp_path, "one"), signal.SIGSTOP)
    assert processes.stop("one", patience=2) == ["one"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "start": "1"}', '{"start": "1"}'])
def test_damaged_record_counts_as_not_started(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "one.json").write_text(text)
    assert not processes.alive("one")
    assert processes.stop("one") == []


def test_end_of_the_log() -> None:
    processes.start("one", ["sh", "-c", "for i in 1 2 3; do echo line $i; done"])
    assert processes.wait(lambda: processes.tail("one", 2) == "line 2\nline 3", 10)
