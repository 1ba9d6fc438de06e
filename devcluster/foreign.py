"""Definitions of other projects that the chart makes objects for, from their pinned Go modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.choose import Cluster
from devcluster.state import Missing


@dataclass(frozen=True, slots=True)
class Module:
    """One module: ``checksum`` is that of its content, as go.sum would have it."""

    path: str
    version: str
    checksum: str
    files: tuple[str, ...]


_MODULES = (
    Module(
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        ("deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"),
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)


def definitions() -> list[Path]:
    """The files with the definitions; fetched once per machine, into Go's own cache of modules.

    Raises:
        Missing: no Go toolchain, a module that cannot be fetched, or one with another content than is pinned here.
    """
    if shutil.which("go") is None:
        raise Missing("Go is not installed: definitions of other projects are fetched as Go modules")
    return [path for module in _MODULES for path in _fetch(module)]


def _fetch(module: Module) -> list[Path]:
    with tempfile.TemporaryDirectory() as nowhere:  # outside of any module: there is no go.sum to ask, we compare
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module.path}@{module.version}"],
            cwd=nowhere,
            env={**os.environ, "GONOSUMDB": module.path, "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    answer = json.loads(done.stdout or "{}")
    if done.returncode:
        raise Missing(f"{module.path}@{module.version} cannot be fetched: {answer.get('Error') or done.stderr}")
    if answer["Sum"] != module.checksum:
        raise Missing(f"{module.path}@{module.version} is {answer['Sum']}, pinned is {module.checksum}")
    return [Path(answer["Dir"]) / file for file in module.files]


@contextmanager
def installed(cluster: Cluster) -> Iterator[bool]:
    """The definitions are in the cluster; those that were not there before are gone afterwards, with their objects.

    Yields whether none was there before, so that no controller of theirs works.
    """
    files = {_name(path): path for path in definitions()}
    there = {line.partition("/")[2] for line in cluster.kubectl("get", "crd", "-o", "name").split()}
    ours = files.keys() - there
    try:
        for name in ours:
            cluster.kubectl("apply", "--server-side", "-f", str(files[name]))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in files))
        yield len(ours) == len(files)
    finally:
        if ours:
            cluster.kubectl("delete", "crd", "--ignore-not-found", *ours)


def _name(path: Path) -> str:
    """Name of the definition in a file: the files are called GROUP_PLURAL.yaml."""
    group, _, plural = path.stem.partition("_")
    return f"{plural}.{group}"
