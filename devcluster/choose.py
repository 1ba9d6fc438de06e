"""Which cluster to use: the one the user names, kind where Docker answers, else one built here."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from devcluster import fakenodes, images, imagetools, node, operatorimage, processes
from devcluster.programs import build, link, program
from devcluster.state import Missing, cache_dir, run_dir, say

KIND_NAME = "game-operators"
_KIND_VERSION = "v0.30.0"
"""Its nodes run Kubernetes 1.34; the chart needs 1.29."""
_KUBECTL_PLACE = "https://kubernetes.io/docs/tasks/tools"
_HELM_PLACE = "https://helm.sh/docs/intro/install"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster to work with: the user's own (``given``), one by ``kind``, or the one ``built`` here."""

    kubeconfig: Path
    kind: Literal["given", "kind", "built"]

    def kubectl(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - the name subprocess gives it
        """Run kubectl and return its output.

        Raises:
            AssertionError: kubectl failed; the text is what it said.
        """
        command = [kubectl_program(), f"--kubeconfig={self.kubeconfig}", *args]
        done = subprocess.run(
            command,
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout


def kubectl_program() -> str:
    """Path of the kubectl built here, else the one on the PATH.

    Raises:
        Missing: there is none.
    """
    built = program("kubectl")
    found = str(built) if built.exists() else shutil.which("kubectl")
    if found is None:
        raise Missing(f"no kubectl: install it ({_KUBECTL_PLACE}), or Go, and run `python -m devcluster build`.")
    return found


def helm_program() -> str:
    """Path of the helm built here, else the one on the PATH, else it is built (one to three minutes, once).

    Raises:
        Missing: there is none and it cannot be built.
    """
    if not program("helm").exists():
        if found := shutil.which("helm"):
            return found
        if shutil.which("go") is None:
            raise Missing(f"no helm: install it ({_HELM_PLACE}), or Go, with which it is built here.")
        build_programs(["helm"])
    return str(program("helm"))


def _docker_answers() -> bool:
    return imagetools.answers("docker")


def foreseen() -> Literal["given", "kind", "built"]:
    """Which cluster `up` will use, without starting anything."""
    if _given() is not None:
        return "given"
    return "kind" if _docker_answers() else "built"


@contextmanager
def _lock(what: str = "cluster") -> Iterator[None]:
    """One start, stop or repair at a time on this machine; the others wait."""
    path = cache_dir() / f"{what}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another start or stop of the {what} is under way: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _given() -> Path | None:
    for variable in ("GAME_OPERATORS_KUBECONFIG", "KUBECONFIG"):
        path = os.environ.get(variable)
        if path and Path(path) not in (run_dir() / "kubeconfig", _kind_kubeconfig()):
            return Path(path)
    return None


def _kind_mark() -> Path:
    return cache_dir() / "kind.json"


def _kind_kubeconfig() -> Path | None:
    """Kubeconfig of the kind cluster in use, None when kind is not used."""
    mark = _kind_mark()
    return Path(json.loads(mark.read_text())["kubeconfig"]) if mark.exists() else None


def _kind_cluster() -> Any:
    """The kind on the PATH goes before the one that is downloaded."""
    os.environ.setdefault("KIND_VERSION", _KIND_VERSION)
    installed = shutil.which("kind")
    made = importlib.import_module("pytest_kind").KindCluster
    return made(KIND_NAME, cache_dir() / "kind.kubeconfig", kind_path=installed and Path(installed))


def _kind_up() -> Cluster:
    kubectl_program()  # said before a cluster is made, not minutes later
    cluster = _kind_cluster()
    say(f"making or finding the cluster {KIND_NAME}: one to three minutes the first time")
    try:
        cluster.ensure_kind()
        if not cluster.kubeconfig_path.exists():  # a cluster of that name that another checkout made is as good
            where = ["--name", KIND_NAME, "--kubeconfig", str(cluster.kubeconfig_path)]
            command = [str(cluster.kind_path), "export", "kubeconfig", *where]
            subprocess.run(command, capture_output=True, check=False)
        cluster.create()
    except (OSError, subprocess.SubprocessError) as trouble:
        text = "kind makes no cluster ({}): install kind {} or newer (https://kind.sigs.k8s.io), or name a cluster: {}"
        named = "export GAME_OPERATORS_KUBECONFIG=/path/to/kubeconfig"
        raise Missing(text.format(trouble, _KIND_VERSION, named)) from trouble
    kubeconfig = Path(cluster.kubeconfig_path).resolve()
    _kind_mark().write_text(json.dumps({"kubeconfig": str(kubeconfig)}))
    _load_into_kind()
    return Cluster(kubeconfig, "kind")


def _load_into_kind() -> None:
    images.build_for_kind()
    for archive in images.archives():
        _load_archive_into_kind(archive)


def _load_archive_into_kind(archive: Path) -> None:
    kind = str(_kind_cluster().kind_path)
    command = [kind, "load", "image-archive", str(archive), "--name", KIND_NAME]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"kind cannot load {archive.name}: {done.stderr[-500:]}")
    say(f"{archive.name} loaded into kind")


def up() -> Cluster:
    """A running cluster, with the images of the project where they can be loaded.

    Raises:
        Missing: there is none and none can be made; the text says why and what to do.
    """
    given = _given()
    if given is not None:
        cluster = Cluster(given, "given")
        _check_given(cluster)
        return cluster
    with _lock():
        if _docker_answers():
            say("Docker answers: using kind")
            return _kind_up()
        node.up()
    return Cluster(run_dir() / "kubeconfig", "built")


def _check_given(cluster: Cluster) -> None:
    if not cluster.kubeconfig.exists():
        raise Missing(f"the kubeconfig {cluster.kubeconfig} that you name does not exist")
    try:
        cluster.kubectl("version", "--request-timeout=10s")
    except AssertionError as trouble:
        raise Missing(f"the cluster of {cluster.kubeconfig} does not answer: {trouble}") from trouble
    say(f"using your cluster, {cluster.kubeconfig}")


def current() -> Cluster | None:
    """The cluster in use, without starting one; None when there is none."""
    given, kind = _given(), _kind_kubeconfig()
    if given is not None:
        return Cluster(given, "given")
    if kind is not None:
        return Cluster(kind, "kind")
    return Cluster(run_dir() / "kubeconfig", "built") if processes.alive("kube-apiserver") else None


def down() -> None:
    """End the cluster that `up` made; one the user named is left alone."""
    if _given() is not None:
        say("the cluster was named by you: left alone")
        return
    with _lock():
        if _kind_kubeconfig() is not None:
            processes.stop("kwok")
            _kind_cluster().delete()
            _kind_mark().unlink()
            (cache_dir() / "kind.kubeconfig").unlink(missing_ok=True)
            say("kind cluster deleted")
        else:
            node.down()


def build_programs(names: list[str]) -> None:
    """Build what is missing of the cluster's programs, and link to all of them.

    Raises:
        Missing: no Go, or a build that failed.
    """
    with _lock():
        build(names)
        link(names)


def load_images() -> None:
    """Load the project's images again, after a change of their sources."""
    cluster = _in_use()
    with _lock():
        if cluster.kind == "kind":
            _load_into_kind()
        elif cluster.kind == "built":
            images.build_all()
            images.load_missing()
        else:
            raise Missing(f"images cannot be loaded into your own cluster; their archives: {images.folder()}")


def load_operator_image() -> str:
    """Have the project's own image, of the sources as they are, in the cluster; its name.

    Raises:
        Missing: it cannot be built, or not be loaded and none is named.
    """
    cluster = _in_use()
    if cluster.kind == "given":
        named = os.environ.get(operatorimage.NAMED)
        if not named:
            text = "images cannot be loaded into your own cluster: push one it can pull, and export {}=<its name>"
            raise Missing(text.format(operatorimage.NAMED))
        return named
    with _lock("image"):
        image, archive = operatorimage.build()
        if cluster.kind == "kind":
            _load_archive_into_kind(archive)
        else:
            images.load(image, archive)
    return image


def load_release(archive: Path, image: str) -> None:
    """Load an image with a tag that says a version, over one of the same name.

    Raises:
        Missing: no cluster runs, it is the user's own, or the archive was refused.
    """
    cluster = _in_use()
    if cluster.kind == "given":
        text = "images cannot be loaded into your own cluster: push {} to a registry it pulls from (docs/install.md)"
        raise Missing(text.format(archive))
    with _lock("image"):
        if cluster.kind == "kind":
            _load_archive_into_kind(archive)
        else:
            images.replace(image, archive)


def kwok_up(count: int) -> None:
    """Have exactly this many fake nodes."""
    cluster = _in_use()
    with _lock():
        fakenodes.up(count, cluster.kubeconfig)


def kwok_down() -> None:
    """Remove the fake nodes and their pods."""
    cluster = _in_use()
    with _lock():
        fakenodes.down(cluster.kubeconfig)


def _in_use() -> Cluster:
    cluster = current()
    if cluster is None:
        raise Missing("no cluster runs: start one with `make cluster` (python -m devcluster up)")
    return cluster
