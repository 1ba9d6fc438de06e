"""Builds Kubernetes, etcd, kwok and promtool from their pinned Go modules, once per machine.

All programs of a module are built by one call of ``go build``: it compiles what they share once, on all cores.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
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
    "coredns": "./coredns",
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


_PACKAGES = {**CLUSTER, **ON_DEMAND, **FAKE_NODES, **OURS}
GO, GO_PLACE = "1.26.7", "https://go.dev/dl"
_STRIPPED = "-s -w"
_TAGS = ["-tags=remove_all_sd"]
"""Promtool without the clients of all clouds."""
NO_DEBUGGER = "-gcflags=all=-dwarf=false"
"""The linker drops what debuggers need anyway; the compiler takes a tenth longer to write it."""
_PLENTY = 6 * 1024**3
_TELL_EVERY = 20.0


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


def go() -> str:
    """Path of the Go toolchain.

    Raises:
        Missing: there is none.
    """
    found = shutil.which("go")
    if found is None:
        raise Missing(f"no Go: the cluster's programs are built from source. Install Go {GO} or newer ({GO_PLACE}).")
    return found


def build(names: list[str]) -> None:
    """Build what is missing, all of a module at once; an interrupted build goes on where it stopped.

    Raises:
        Missing: no Go toolchain, or a build that failed.
    """
    missing = [n for n in names if not program(n).exists()]
    if missing:
        go()
    for module in dict.fromkeys(_module(n) for n in missing):
        _build_module(module, [n for n in missing if _module(n) == module])


def environment() -> dict[str, str]:
    """No cgo: with it for the kubelet alone, half of Kubernetes would be compiled a second time.

    The compiler's garbage collector takes a fifth of its time; with enough memory it may run less often.
    """
    plenty = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >= _PLENTY
    return {**({"GOGC": "400"} if plenty else {}), **os.environ, "CGO_ENABLED": "0"}


def _build_module(module: str, names: list[str]) -> None:
    folder = _bin_dir(module)
    folder.mkdir(parents=True, exist_ok=True)
    began, sources = time.monotonic(), [_PACKAGES[n] for n in names]
    say(f"building {', '.join(names)} from source: once per machine, {_expected(names)} on 2 cores")
    listed = _run_go(["list", *_TAGS, "-deps", *sources], _HERE / module)
    say("sources fetched; compiling, all in one go")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as place:
        command = [go(), "build", "-v", *_TAGS, "-trimpath", NO_DEBUGGER]
        command += ["-ldflags", _STRIPPED if module in _MODULES.values() else _VERSION_FLAGS]
        trouble = _follow([*command, "-o", f"{place}/", *sources], _HERE / module, len(listed.split()))
        for name in names:
            made = Path(place) / _executable(_PACKAGES[name])
            if made.exists():
                made.rename(program(name))
    lacking = [n for n in names if not program(n).exists()]
    if lacking:
        raise Missing(f"building {', '.join(lacking)} failed:\n{trouble[-3000:]}")
    say(f"{', '.join(names)} built in {time.monotonic() - began:.0f} s")


def _expected(names: list[str]) -> str:
    """How long it takes where nothing is compiled yet."""
    return "5 to 6 minutes" if "kube-apiserver" in names else "1 to 3 minutes"


def _executable(package: str) -> str:
    """What ``go build`` calls the program of a package: the last part of its path that is not a major version."""
    parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def _run_go(arguments: list[str], folder: Path) -> str:
    command = [go(), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"go {arguments[0]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _follow(command: list[str], folder: Path, total: int) -> str:
    """Run a build and say every 20 s how far it is; what the compiler complained of, empty when it did not."""
    compiled, complaints, ended = 0, [], threading.Event()

    def tell() -> None:
        while not ended.wait(_TELL_EVERY):
            say(f"compiling: {compiled} of at most {total} packages" + ("; linking" if compiled > 0.97 * total else ""))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if re.fullmatch(r"[^\s:#]+", line.strip()):
                compiled += 1
            else:
                complaints.append(line)
    ended.set()
    teller.join()
    return "".join(complaints) if running.returncode else ""
