"""Which tool builds container images on this machine: Docker or Podman where they answer, else buildah."""

from __future__ import annotations

import shutil
import subprocess
from typing import Literal

from devcluster import packages
from devcluster.state import Missing

Tool = Literal["docker", "podman", "buildah"]


def answers(tool: str) -> bool:
    """Whether a tool is installed and can work: Docker's client alone, without its daemon, cannot."""
    if shutil.which(tool) is None:
        return False
    try:
        return subprocess.run([tool, "info"], capture_output=True, check=False, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def chosen() -> Tool:
    """The tool to build with; buildah is installed where it can be.

    Raises:
        Missing: there is none; the text says what to do.
    """
    if answers("docker"):
        return "docker"
    if answers("podman"):
        return "podman"
    try:
        packages.install_image_tools()
    except Missing as reason:
        silent = "Docker is installed but does not answer (start it)" if shutil.which("docker") else "no Docker"
        raise Missing(f"{silent}, no podman, and {reason}: start or install one of the three.") from reason
    return "buildah"
