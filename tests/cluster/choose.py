"""Which cluster to use: the one the user names, kind where Docker answers, else one built here."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import images, node
from tests.cluster.programs import program
from tests.cluster.state import Missing, cache_dir, run_dir, say

KIND_NAME = "game-operators"


@dataclass(frozen=True)
class Cluster:
    """A cluster to work with. ``kind`` is ``given``, ``kind`` or ``built``."""

    kubeconfig: Path
    kind: str

    def kubectl(self, *args: str, data: str | None = None) -> str:
        """Run kubectl; its output.

        Raises:
            AssertionError: kubectl failed; the text is what it said.
        """
        built = program("kubectl")
        binary = str(built) if built.exists() else "kubectl"
        command = [binary, f"--kubeconfig={self.kubeconfig}", *args]
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        return (
            subprocess.run(
                ["docker", "info"], capture_output=True, check=False, timeout=20
            ).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def _lock() -> Iterator[None]:
    path = cache_dir() / "cluster.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _given() -> Path | None:
    for variable in ("GAME_OPERATORS_KUBECONFIG", "KUBECONFIG"):
        path = os.environ.get(variable)
        if path and Path(path) != run_dir() / "kubeconfig":
            return Path(path)
    return None


def _kind() -> Cluster:
    from pytest_kind import KindCluster

    cluster = KindCluster(KIND_NAME)
    cluster.create()
    images.build_all()
    for archive in images.archives():
        command = [
            str(cluster.kind_path),
            "load",
            "image-archive",
            str(archive),
            "--name",
            KIND_NAME,
        ]
        subprocess.run(command, check=True, capture_output=True)
    return Cluster(Path(cluster.kubeconfig_path), "kind")


def up() -> Cluster:
    """A running cluster.

    Raises:
        Missing: there is none and none can be made; the text says why.
    """
    given = _given()
    if given is not None:
        if not given.exists():
            raise Missing(f"the kubeconfig {given} does not exist")
        say(f"using the cluster of {given}")
        return Cluster(given, "given")
    with _lock():
        if _docker_answers():
            say("Docker answers: using kind")
            return _kind()
        node.up()
    return Cluster(run_dir() / "kubeconfig", "built")


def down() -> None:
    """End the cluster that `up` made; one the user named is left alone."""
    if _given() is not None:
        say("the cluster was named by you; nothing to stop")
        return
    with _lock():
        if _docker_answers():
            from pytest_kind import KindCluster

            KindCluster(KIND_NAME).delete()
            return
        node.down()
