"""Debian packages that the one-node cluster stands on."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.cluster.state import Missing, say

_NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ethtool": "ethtool",
    "socat": "socat",
    "mount": "mount",
    "openssl": "openssl",
}
_CNI = "/usr/lib/cni/bridge"


def install() -> None:
    """Install what is missing.

    Raises:
        Missing: not root, not Debian, or apt failed.
    """
    missing = [package for command, package in _NEEDED.items() if shutil.which(command) is None]
    if not os.path.exists(_CNI):
        missing.append("containernetworking-plugins")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise Missing(f"these packages are missing and there is no apt-get to install them: {' '.join(missing)}")
    say(f"installing Debian packages: {' '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        subprocess.run(["apt-get", "update", "-qq"], env=env, capture_output=True, check=False)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"apt-get could not install {' '.join(missing)}:\n{done.stderr[-2000:]}")
