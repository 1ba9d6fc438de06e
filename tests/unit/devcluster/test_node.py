"""Repair and end of the one-node cluster, with harmless programs in the place of the daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import daemons, leftovers, node, processes


@pytest.fixture
def cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A state of the test's own; nothing of this machine's network is touched."""
    done: list[str] = []
    monkeypatch.setenv("GAME_OPERATORS_STATE", str(tmp_path))
    monkeypatch.setattr(leftovers, "clear", lambda: done.append("cleared"))
    monkeypatch.setattr(daemons, "commands", lambda: {name: ["sleep", "300"] for name in daemons.ORDER})
    monkeypatch.setattr(node, "_wait_for_api", lambda: None)
    monkeypatch.setattr(node, "_bridge_up", lambda: True)
    monkeypatch.setattr(node, "healthy", lambda: all(processes.alive(name) for name in daemons.ORDER))
    return done


def _start_all() -> None:
    daemons.write_configs()
    for name, command in daemons.commands().items():
        processes.start(name, command)


def test_only_the_dead_daemon_is_started_again(cleared: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _start_all()
    try:
        before = {name: processes.describe(name) for name in daemons.ORDER}
        processes.stop("kubelet")
        assert node._repair()
        after = {name: processes.describe(name) for name in daemons.ORDER}
        assert {name for name in before if before[name] != after[name]} == {"kubelet"}
        assert "repairing: kubelet" in capsys.readouterr().err
    finally:
        node.down()


def test_changed_configuration_restarts_its_daemon(cleared: list[str], tmp_path: Path) -> None:
    _start_all()
    try:
        before = {name: processes.describe(name) for name in daemons.ORDER}
        (tmp_path / "etc" / "audit.json").write_text("older")
        assert node._repair()
        changed = {name for name in before if processes.describe(name) != before[name]}
        assert changed == {"kube-apiserver"}
    finally:
        node.down()


def test_lost_bridge_cannot_be_repaired_in_place(cleared: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _start_all()
    try:
        processes.stop("kubelet")
        monkeypatch.setattr(node, "_bridge_up", lambda: False)
        assert not node._repair()
    finally:
        node.down()


def test_down_ends_all_and_says_so(cleared: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _start_all()
    node.down()
    assert not any(processes.alive(name) for name in daemons.ORDER)
    assert cleared == ["cleared"]
    said = capsys.readouterr().err
    assert all(name in said for name in daemons.ORDER)
    node.down()
    assert "nothing was running" in capsys.readouterr().err


def test_every_request_is_audited_once_without_bodies() -> None:
    policy = daemons._audit_policy()
    assert policy["omitStages"] == ["RequestReceived", "ResponseStarted"]
    assert policy["rules"][-1] == {"level": "Metadata"}  # type: ignore[index]  # plain data of a manifest
