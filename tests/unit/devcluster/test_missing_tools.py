"""ux-101: on a machine that lacks a tool, one sentence names it and the remedy; never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KIND = """#!/bin/sh
echo "kind $*" >> "$0.calls"
case "$1" in
  get) echo game-operators ;;
  export)
    while [ "$1" != --kubeconfig ]; do shift; done
    cat > "$2" <<END
{current-context: k, contexts: [{name: k, context: {cluster: k, user: k}}],
 clusters: [{name: k, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: k, user: {}}]}
END
    ;;
esac
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> "$0.calls"
while [ "$1" = save ] && [ $# -gt 0 ]; do [ "$2" = -o ] && echo archive > "$3"; [ "$2" = -o ] && exit 0; shift 2; done
exit 0
"""
SILENT = "#!/bin/sh\nexit 1\n"
PROGRAM = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def machine(tmp_path):
    """A machine with just these programs on its PATH: runs a module there."""

    def run(programs, *command, **environment):
        place = tmp_path / "bin"
        place.mkdir(exist_ok=True)
        for name in ("sh", "env", "cat", "id"):
            if not (place / name).exists():
                (place / name).symlink_to(f"/bin/{name}" if name in ("sh", "cat") else f"/usr/bin/{name}")
        for name, text in programs.items():
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        known = {
            "PATH": str(place),
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "GAME_OPERATORS_CACHE": str(tmp_path / "cache"),
            "GAME_OPERATORS_STATE": str(tmp_path / "state"),
            **environment,
        }
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=known,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended

    return run


def last_line(ended):
    assert ended.returncode == 1, ended.stderr
    return ended.stderr.strip().splitlines()[-1]


DEMO = ("examples.quickstart.demo",)


def test_ux_101_docker_without_helm_and_go(machine):
    ended = machine({"docker": DOCKER, "kubectl": PROGRAM}, *DEMO)
    assert "no helm: install it (https://helm.sh/docs/intro/install), or Go" in last_line(ended)


def test_ux_101_docker_without_kubectl(machine):
    ended = machine({"docker": DOCKER, "helm": PROGRAM, "kind": KIND}, *DEMO)
    assert "no kubectl: install it (https://kubernetes.io/docs/tasks/tools), or Go" in last_line(ended)


def test_ux_101_neither_docker_nor_go(machine):
    ended = machine({}, *DEMO)
    assert "no Docker (kind would be used), and here it cannot be built:" in ended.stderr
    assert "no Go: the cluster's programs are built from source. Install Go 1.26.7 or newer" in ended.stderr
    assert "export GAME_OPERATORS_KUBECONFIG=" in last_line(ended)


def test_ux_101_docker_that_does_not_answer(machine):
    ended = machine({"docker": SILENT}, *DEMO)
    assert "Docker is installed but does not answer (kind would be used)" in ended.stderr
    assert ended.returncode == 1


def test_ux_101_kind_that_fails(machine):
    failing = "#!/bin/sh\nexit 1\n"
    ended = machine({"docker": DOCKER, "kubectl": PROGRAM, "helm": PROGRAM, "kind": failing}, *DEMO)
    assert "kind makes no cluster" in last_line(ended)
    assert "install kind v" in last_line(ended)


def test_ux_101_nothing_builds_an_image(machine):
    ended = machine(
        {"docker": SILENT, "git": f'#!/bin/sh\nexec {os.path.realpath("/usr/bin/git")} "$@"\n'}, "release", "image"
    )
    said = last_line(ended)
    assert "Docker is installed but does not answer (start it), no podman, and buildah" in said
    assert "start or install one of the three" in said


def test_without_go_the_images_of_the_demo_come_by_docker(machine, tmp_path):
    ended = machine({"docker": DOCKER, "kubectl": PROGRAM, "kind": KIND}, "devcluster", "up")
    assert ended.returncode == 0, ended.stderr
    calls = (tmp_path / "bin" / "docker.calls").read_text()
    for version in ("0.0.1", "0.0.2", "0.0.3-broken"):
        assert f"--build-arg VERSION={version} {ROOT}/examples/game-demo" in calls
    assert "pause" not in calls


def make(*arguments, path):
    command = [
        "/usr/bin/make",
        "-C",
        str(ROOT),
        "-f",
        str(ROOT / "Makefile"),
        "--always-make",
        ".venv/ready",
        *arguments,
    ]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


def test_ux_101_no_python(tmp_path):
    for name in ("bash", "true"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    ended = make(path=str(tmp_path))
    assert "No: Python 3.11 or newer with venv is needed, and python3 is none: install it" in ended.stderr


def test_ux_101_an_older_python(tmp_path):
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "python3").write_text("#!/bin/bash\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    ended = make("PYTHON=python3", path=str(tmp_path))
    assert "or name one: make PYTHON=/path/to/python3.11" in ended.stderr
