"""Builds Kubernetes, etcd, kwok and promtool from their pinned Go modules, once per machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from devcluster.state import Missing, cache_dir, say

_HERE = Path(__file__).parent
_KUBERNETES = "v1.34.4"
_VERSION_FLAGS = "-s -w " + " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in (
        ("gitVersion", _KUBERNETES),
        ("gitMajor", "1"),
        ("gitMinor", "34"),
    )
)
CLUSTER = {
    "etcd": "go.etcd.io/etcd/server/v3",
    **{
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kubectl",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
        )
    },
    "coredns": "github.com/coredns/coredns",
}
ON_DEMAND = {
    "helm": "helm.sh/helm/v3/cmd/helm",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}
OURS = {"podtypes": "./podtypes", "verdict": "./verdict"}
"""Programs of our own beside the pinned modules; they are built anew when their source changes."""
FAKE_NODES = {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}
_MODULES = {"kwok": "kwok", "promtool": "prometheus", "verdict": "kstatus"}
"""Programs with a Go module of their own, whose dependencies do not fit Kubernetes' own."""


def _module(name: str) -> str:
    return _MODULES.get(name, "binaries")


def _bin_dir(module: str) -> Path:
    folder = _HERE / module
    pinned = (folder / "go.mod").read_bytes() + (folder / "go.sum").read_bytes()
    family = "cluster" if module == "binaries" else module
    return cache_dir() / family / hashlib.sha256(pinned).hexdigest()[:16] / "bin"


def program(name: str) -> Path:
    """Path of a program, built or not yet."""
    if name not in OURS:
        return _bin_dir(_module(name)) / name
    source = (_HERE / _module(name) / OURS[name] / "main.go").read_bytes()
    return _bin_dir(_module(name)) / f"{name}-{hashlib.sha256(source).hexdigest()[:16]}"


def link_dir() -> Path:
    """One folder with links to the programs in use, to put on one's PATH."""
    return cache_dir() / "bin"


def link(names: list[str]) -> None:
    """Let the links in `link_dir` point to these programs."""
    link_dir().mkdir(parents=True, exist_ok=True)
    for name in names:
        place = link_dir() / name
        if not place.is_symlink() or place.readlink() != program(name):
            partial = place.with_name(f".{name}.{os.getpid()}")
            partial.symlink_to(program(name))
            partial.replace(place)


def build(names: list[str]) -> None:
    """Build what is missing, one program after the other; an interrupted build goes on where it stopped.

    Raises:
        Missing: no Go toolchain, or a build that failed.
    """
    missing = [n for n in names if not program(n).exists()]
    if not missing:
        return
    if shutil.which("go") is None:
        raise Missing("Go is not installed: the cluster's programs are built from source. Install Go 1.26.7 or newer.")
    say(f"building {len(missing)} programs from source (once per machine; about 15 minutes for all on 2 cores)")
    for number, name in enumerate(missing, 1):
        _build_one(name, f"{number}/{len(missing)}")


def _build_one(name: str, position: str) -> None:
    packages = {**CLUSTER, **ON_DEMAND, **FAKE_NODES, **OURS}
    target = program(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    for interrupted in target.parent.glob(f".{name}.*"):
        interrupted.unlink()
    partial = target.with_name(f".{name}.{os.getpid()}")
    module = _HERE / _module(name)
    flags = "-s -w" if name in _MODULES else _VERSION_FLAGS
    began = time.monotonic()
    say(f"{position} {name} …")
    done = subprocess.run(
        [
            "go",
            "build",
            "-trimpath",
            "-tags=remove_all_sd",  # promtool without the clients of all clouds
            "-ldflags",
            flags,
            "-o",
            str(partial),
            packages[name],
        ],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "1" if name == "kubelet" else "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"building {name} failed:\n{done.stderr[-3000:]}")
    partial.rename(target)
    say(f"{position} {name} built in {time.monotonic() - began:.0f} s")
