"""What the one-node cluster and image builds need of this machine: root, Debian packages, Go."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from devcluster.programs import CLUSTER, GO, GO_PLACE, program
from devcluster.state import Missing, say

_COMMANDS = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ethtool": "ethtool",
    "socat": "socat",
    "mount": "mount",
    "nsenter": "util-linux",
    "openssl": "openssl",
}
_IMAGE_COMMANDS = {"buildah": "buildah", "debootstrap": "debootstrap"}
_PROMETHEUS = {"prometheus": "prometheus"}
_PLUGINS = Path("/usr/lib/cni/bridge")
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
_INSTEAD = "or name a cluster of yours: export GAME_OPERATORS_KUBECONFIG=/path/to/kubeconfig"


def _not_installed(commands: Mapping[str, str]) -> list[str]:
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return [package for command, package in commands.items() if shutil.which(command, path=places) is None]


def missing_packages() -> list[str]:
    """Debian packages that are not installed, judged by the commands they bring."""
    missing = _not_installed(_COMMANDS)
    return missing if _PLUGINS.exists() else [*missing, "containernetworking-plugins"]


def reasons() -> list[str]:
    """Why this machine cannot carry the cluster, each with what to do; empty when it can."""
    found = []
    if os.geteuid() != 0:
        found.append("not root: containers of the cluster run on this machine. Run this as root (sudo), " + _INSTEAD)
    packages = missing_packages()
    if packages and shutil.which("apt-get") is None:
        text = "not Debian (no apt-get), and these packages are missing: {}. Install them with your system's tool, {}"
        found.append(text.format(" ".join(packages), _INSTEAD))
    if shutil.which("go") is None and not all(program(name).exists() for name in CLUSTER):
        text = "no Go: the cluster's programs are built from source. Install Go {} or newer ({}), {}"
        found.append(text.format(GO, GO_PLACE, _INSTEAD))
    return found


def check() -> None:
    """Say everything that is missing at once.

    Raises:
        Missing: this machine cannot carry the cluster.
    """
    found = reasons()
    if found:
        docker = "Docker is installed but does not answer" if shutil.which("docker") else "no Docker"
        raise Missing(f"{docker} (kind would be used), and here it cannot be built:\n  - " + "\n  - ".join(found))


def install() -> None:
    """Install the Debian packages that are missing; their services are not needed and may fail to start.

    Raises:
        Missing: apt could not install them.
    """
    _install(missing_packages)


def install_image_tools() -> None:
    """Install what images with many files are built with where there is no Docker: buildah and debootstrap.

    Raises:
        Missing: not root, not Debian, or apt could not install them.
    """
    lacking = _not_installed(_IMAGE_COMMANDS)
    if lacking and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise Missing(f"{' and '.join(lacking)} cannot be installed (not root, or not Debian)")
    _install(lambda: _not_installed(_IMAGE_COMMANDS))


def install_prometheus() -> str:
    """Install a Prometheus server, for the tests of hooks that ask one; the path of its program.

    Raises:
        Missing: not root, not Debian, or apt could not install it.
    """
    if _not_installed(_PROMETHEUS) and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise Missing("no prometheus on the PATH, and it cannot be installed: not root, or not Debian")
    _install(lambda: _not_installed(_PROMETHEUS))
    return str(shutil.which("prometheus"))


def _install(lacking: Callable[[], list[str]]) -> None:
    missing = lacking()
    if not missing:
        return
    say(f"installing Debian packages: {' '.join(missing)}")
    output = _apt("install", "-y", "-qq", "--no-install-recommends", *missing)
    if lacking():
        say("not all found: updating the package lists first")
        output = _apt("update", "-qq") + _apt("install", "-y", "-qq", "--no-install-recommends", *missing)
    still = lacking()
    if still:
        raise Missing(f"apt-get could not install {' '.join(still)}:\n{output[-2000:]}")
    say("packages installed")


def _apt(*args: str) -> str:
    """Its output. The return code does not count: without systemd a service may fail while the files are there."""
    command = ["apt-get", "-o", "Dpkg::Use-Pty=0", *args]
    done = subprocess.run(
        command,
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
