"""The project's own image, built from its Dockerfile: by Docker or Podman where they answer, else by buildah.

No registry is needed for the base: where it cannot be pulled, one is made of Debian packages here. Tests keep images
outside the checkout under a name that changes with the content, so a second build of the same sources is none; the
image of a release (`release.image`) is built by the same calls.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from devcluster import imagetools, packages
from devcluster.imagetools import Tool
from devcluster.state import Missing, cache_dir, say

REPOSITORY = "game-operators.local/game-operators"
NAMED = "GAME_OPERATORS_TEST_IMAGE"
"""Environment variable that names an image of the user's own, for clusters into which none can be loaded."""
_ROOT = Path(__file__).parent.parent
_SOURCES = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml")
_REQUIREMENTS = ("requirements/build.txt", "requirements/runtime.txt")
_PACKAGES = ("operators", "webhooks")
_SUITE = "bookworm"
_BASE_PACKAGES = "python3,python3-venv,ca-certificates"
_UNUSED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")
_RECIPE = 1
"""Counts changes of how base and image are made, so that old ones are not taken for new."""
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "cert", "timeout", "retries", "proxy", "find-links")
_AUTHORITIES = "/run/secrets/ca"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an image says of itself.

    Attributes:
        version: Version of the project.
        revision: The commit, or the key of the sources.
        epoch: Time of everything in the image, in seconds since 1970; None for the time of the build.
    """

    version: str
    revision: str
    epoch: int | None = None

    def arguments(self) -> list[str]:
        """As build arguments of the Dockerfile."""
        said = {"VERSION": self.version, "REVISION": self.revision}
        if self.epoch is not None:
            moment = datetime.fromtimestamp(self.epoch, UTC)
            said |= {"BUILD_DATE": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "SOURCE_DATE_EPOCH": str(self.epoch)}
        return [part for name, value in said.items() for part in ("--build-arg", f"{name}={value}")]


def _context(root: Path) -> Iterator[str]:
    """What the image is made of, relative to the project's root."""
    yield from (*_SOURCES, *_REQUIREMENTS)
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(root))


def snapshot(folder: Path, root: Path | None = None) -> str:
    """Copy the build context into a folder, and return the key of its content: sources may change during a build."""
    root = root or _ROOT
    digest = hashlib.sha256(f"{_RECIPE} {_SUITE} {_BASE_PACKAGES}".encode())
    for name in _context(root):
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return digest.hexdigest()[:16]


def version() -> str:
    """Version of the project."""
    return str(tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"])


def build() -> tuple[str, Path]:
    """Build what is not in the cache; the image's name and its archive.

    Raises:
        Missing: a tool cannot be had, or a build failed.
    """
    with tempfile.TemporaryDirectory(prefix="game-operators-image-") as place:
        folder = Path(place) / "context"
        key = snapshot(folder)
        image = f"{REPOSITORY}:{version()}-{key}"
        archive = cache_dir() / "images" / f"game-operators-{key}.tar"
        if not archive.exists():
            archive.parent.mkdir(parents=True, exist_ok=True)
            say("building the image of the operators (up to two minutes the first time)")
            partial = archive.with_suffix(f".part{os.getpid()}")
            export(folder, image, Origin(version(), key), partial)
            _drop_older(archive)
            partial.rename(archive)
            say(f"image {image} built")
    return image, archive


def _drop_older(archive: Path) -> None:
    """Keep the few newest archives: each is of 80 MB."""
    older = sorted(archive.parent.glob("game-operators-*.tar"), key=lambda p: p.stat().st_mtime)
    for path in older[:-2]:
        path.unlink()


def _call(trouble: str, *command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{trouble}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


def export(folder: Path, image: str, origin: Origin, archive: Path, *, pull: bool = False) -> str:
    """Build the image of a context, with the tool there is, and write its archive; the name of its base.

    Args:
        folder: The build context, made by `snapshot`; pip's settings are written beside it.
        image: Name that the archive gives it.
        origin: What it says of itself.
        archive: Where to.
        pull: Try the base that the Dockerfile names first. Docker and Podman always use that one.

    Raises:
        Missing: a tool cannot be had, or the build failed.
    """
    tool, arguments = imagetools.chosen(), [*origin.arguments(), *_secrets(folder)]
    base = os.environ.get("BASE") or pinned_base()
    if tool == "buildah":
        base = _base_for_buildah(base, pull=pull)
        arguments += ["--build-arg", f"BASE={base}", *_timestamp(origin)]
        _by_buildah(folder, image, arguments, archive)
    else:
        _by_daemon(tool, folder, image, [*arguments, "--build-arg", f"BASE={base}"], archive)
    return base


def _timestamp(origin: Origin) -> list[str]:
    return [] if origin.epoch is None else ["--timestamp", str(origin.epoch)]


def _base_for_buildah(wanted: str, *, pull: bool) -> str:
    """The base that is wanted where it can be pulled and is asked for, else one made here."""
    if os.environ.get("BASE") or (pull and _pulled(wanted)):
        return wanted
    return _base()


def pinned_base() -> str:
    """The base that the Dockerfile names, by digest."""
    lines = (_ROOT / "Dockerfile").read_text().splitlines()
    return next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))


def _pulled(base: str) -> bool:
    """Whether a base is in buildah's store now; not where its registry cannot be reached."""
    packages.install_image_tools()
    done = subprocess.run(_buildah("pull", "-q", base), capture_output=True, text=True, check=False)
    if done.returncode:
        say(f"{base.partition('@')[0]} cannot be pulled: Debian packages stand in for it")
    return done.returncode == 0


def _secrets(folder: Path) -> list[str]:
    """This machine's way to its package index as secrets of the build: they get into no layer."""
    secrets = folder.with_name("secrets")
    secrets.mkdir()
    settings = pip_settings()
    authorities = settings.get("cert")
    if authorities:
        settings["cert"] = _AUTHORITIES
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (secrets / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    arguments = ["--secret", f"id=pip,src={secrets}/pip.conf"]
    return [*arguments, "--secret", f"id=ca,src={authorities}"] if authorities else arguments


def pip_settings(listed: str | None = None) -> dict[str, str]:
    """Where pip finds packages on this machine: its configuration files, and the environment over them.

    Args:
        listed: What ``pip config list`` printed, asked for when it is None.
    """
    if listed is None:
        command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
        listed = _call("pip does not tell its settings", *command)
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda text: text.startswith(":env:")):
        name, _, value = line.partition("=")
        short = name.rpartition(".")[2]
        if short in _PIP_SETTINGS and value:
            found[short] = str(ast.literal_eval(value))
    if not found.get("find-links", "http").startswith("http"):
        del found["find-links"]  # a folder of this machine is not in the build
    return found


def _by_daemon(tool: Tool, folder: Path, image: str, arguments: list[str], archive: Path) -> None:
    _call(f"{tool} build failed", tool, "build", "-t", image, *arguments, ".", cwd=folder)
    oci = ["--format", "oci-archive"] if tool == "podman" else []
    _call(f"{tool} save failed", tool, "save", *oci, "-o", str(archive), image)


def _buildah(*arguments: str) -> list[str]:
    """Buildah with a store of ours, removed with the cache; chroot isolation works inside containers and VMs alike."""
    store = cache_dir() / "buildah"
    return ["buildah", "--storage-driver", "vfs", "--root", f"{store}/store", "--runroot", f"{store}/run", *arguments]


def _by_buildah(folder: Path, image: str, arguments: list[str], archive: Path) -> None:
    _call("buildah failed", *_buildah("bud", "--isolation", "chroot", *arguments, "-t", image, "."), cwd=folder)
    _call("buildah cannot export", *_buildah("push", "-q", image, f"oci-archive:{archive}:{image}"))
    _call("buildah cannot clean up", *_buildah("rmi", image))
    _call("buildah cannot clean up", *_buildah("rmi", "--prune"))


def _base() -> str:
    """A base image of Debian packages, made once."""
    recipe = hashlib.sha256(f"{_RECIPE} {_SUITE} {_BASE_PACKAGES}".encode()).hexdigest()[:16]
    name = f"localhost/game-operators-base:{recipe}"
    if name in _call("buildah has no images", *_buildah("images", "--format", "{{.Name}}:{{.Tag}}")).splitlines():
        return name
    say("making a base image of Debian packages (once per machine, less than a minute)")
    with tempfile.TemporaryDirectory(prefix="game-operators-base-") as folder:
        root = Path(folder) / "root"
        options = ["--variant=minbase", f"--include={_BASE_PACKAGES}"]
        _call("debootstrap failed", "debootstrap", *options, _SUITE, str(root))
        for place in _UNUSED:
            shutil.rmtree(root / place, ignore_errors=True)
            (root / place).mkdir(parents=True)
        _call("tar failed", "tar", "-C", str(root), "-cf", f"{folder}/base.tar", ".")
        container = _call("buildah failed", *_buildah("from", "scratch"))
        _call("buildah failed", *_buildah("add", "-q", container, f"{folder}/base.tar", "/"))
        _call("buildah failed", *_buildah("commit", "-q", "--rm", container, name))
    say("base image made")
    return name
