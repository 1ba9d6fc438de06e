"""The sources a release is made of: version, commit, and a copy of what is committed."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from devcluster.state import Missing

ROOT = Path(__file__).parent.parent
NAME = "game-operators"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its hash, with ``-changed`` for files that differ from it, and its time in seconds since 1970."""

    revision: str
    epoch: int


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as trouble:
        raise Missing(f"git {arguments[0]} failed ({trouble}): a release is made in a git checkout of it.") from trouble


def version(root: Path = ROOT) -> str:
    """Version of the project, as pyproject.toml has it: every other place has it from there."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def commit() -> Commit:
    """The commit that is checked out.

    Raises:
        Missing: no git, or no checkout.
    """
    revision, epoch = _git("log", "-1", "--format=%H %ct").decode().split()
    return Commit(revision, int(epoch))


def changed() -> list[str]:
    """Files that differ from the commit, or are new."""
    return _git("status", "--porcelain").decode().splitlines()


def export(folder: Path) -> None:
    """Copy what is committed into a folder, and nothing else."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", "HEAD"))) as archive:
        archive.extractall(folder, filter="data")
