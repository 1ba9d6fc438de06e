"""How programs are built: all of a module by one call, what is there is kept, and progress is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import programs
from devcluster.state import Missing

_GO = """#!/bin/sh
echo "cgo=$CGO_ENABLED $*" >> {log}
[ "$1" = list ] && { echo fmt; echo os; exit 0; }
while [ "$1" != -o ]; do shift; done
folder=$2
shift 2
echo fmt >&2
code=0
for package; do
  case $package in
    {fails}) echo "# $package" >&2; echo "main.go:1:1: broken" >&2; code=1 ;;
    */v3) echo program > "$folder/server" ;;
    *) echo program > "$folder/${{package##*/}}" ;;
  esac
done
exit $code
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a Go in place that fails for one package; what it was called with."""
    monkeypatch.setenv("GAME_OPERATORS_CACHE", str(tmp_path / "cache"))
    log = tmp_path / "calls"

    def install(fails: str) -> Path:
        place = tmp_path / "go"
        text = _GO.replace("{log}", str(log)).replace("{fails}", fails).replace("{{", "{").replace("}}", "}")
        place.write_text(text)
        place.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return log

    return install


def _builds(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if " build " in line]


def test_a_failed_build_is_tried_again_and_finished_programs_are_kept(go) -> None:
    log = go("*/kubectl")
    with pytest.raises(
        Missing, match=r"building kubectl failed:\n# k8s.io/kubernetes/cmd/kubectl\nmain.go:1:1: broken"
    ):
        programs.build(["etcd", "kubectl"])
    assert programs.program("etcd").exists()
    assert not programs.program("kubectl").exists()
    go("nothing")
    programs.build(["etcd", "kubectl"])
    assert programs.program("kubectl").exists()
    first, second = _builds(log)
    assert first.endswith("go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kubectl")
    assert second.endswith("/ k8s.io/kubernetes/cmd/kubectl")
    assert not list(programs.program("etcd").parent.glob(".build-*"))


def test_the_whole_cluster_is_one_call_without_cgo_and_says_how_long_it_takes(go, capsys) -> None:
    log = go("nothing")
    programs.build(list(programs.CLUSTER))
    (call,) = _builds(log)
    assert call.startswith("cgo=0 ")
    assert all(package in call for package in programs.CLUSTER.values())
    assert all(programs.program(name).exists() for name in programs.CLUSTER)
    assert "minutes on 2 cores" in capsys.readouterr().err


def test_a_long_build_tells_how_far_it_is(go, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(programs, "_TELL_EVERY", 0.01)
    go("nothing")
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\necho fmt >&2\nwhile [ ! -e told ]; do :; done\n")
    slow.chmod(0o755)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "1 of at most 2" in text:
            (tmp_path / "told").touch()

    monkeypatch.setattr(programs, "say", say)
    assert programs._follow([str(slow)], tmp_path, 2) == ""
    assert "compiling: 1 of at most 2 packages" in said


def test_programs_are_called_what_go_calls_them() -> None:
    assert programs._executable("go.etcd.io/etcd/server/v3") == "server"
    assert programs._executable("helm.sh/helm/v3/cmd/helm") == "helm"
    assert programs._executable("./podtypes") == "podtypes"
